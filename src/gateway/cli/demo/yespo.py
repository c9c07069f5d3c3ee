"""The demo's Yespo client: a plugin that tests the connection before it sends."""

from typing import Any

import httpx

from gateway.cli.demo.sent import PEOPLE, Keys, Sent, now, over_http


def everything(listen: str, keys: Keys) -> Sent:
    """Send events of both versions, orders and contacts."""
    base = f"{listen}/yespo/api"
    key = ("", keys["yespo"]["api_key"])
    events = [(f"{base}/v2/event", _viewed(email)) for email in PEOPLE]
    events += [(f"{base}/v1/event/", _searched(email)) for email in PEOPLE]
    orders = {"orders": [_order(email, number) for number, email in enumerate(PEOPLE)]}
    contacts = [{"channels": [{"type": "email", "value": email}], "firstName": "Olha"} for email in PEOPLE]

    def send(client: httpx.Client) -> list[httpx.Response]:
        answers = [client.get(f"{base}/v1/account/info", auth=key)]
        answers += [client.post(url, json=body, auth=key) for url, body in events]
        answers.append(client.post(f"{base}/v1/orders", json=orders, auth=key))
        answers += [client.post(f"{base}/v1/contact", json=body, auth=key) for body in contacts]
        return answers

    count = len(events) + len(orders["orders"]) + len(contacts)
    return over_http("yespo", "events v1 and v2, orders, contacts", count, [200], send)


def _viewed(email: str) -> dict[str, Any]:
    product = {"name": "product", "value": {"productId": "Y-7", "price": "12.50"}}
    return {"eventTypeKey": "productViewed", "params": [{"name": "email", "value": email}, product]}


def _searched(email: str) -> dict[str, Any]:
    params = [{"name": "EmailAddress", "value": email}, {"name": "search", "value": "mugs"}]
    return {"eventTypeKey": "searchRequest", "keyValue": email, "params": params}


def _order(email: str, number: int) -> dict[str, Any]:
    return {
        "externalOrderId": f"YE-{number}",
        "totalCost": 25.0,
        "status": "INITIALIZED",
        "date": now(),
        "currency": "EUR",
        "email": email,
        "items": [{"externalItemId": "Y-7", "name": "Mug", "quantity": 2, "cost": 12.5}],
    }
