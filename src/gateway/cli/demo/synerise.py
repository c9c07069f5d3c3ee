"""The demo's Synerise client: a shop's server that logs in first."""

from typing import Any

import httpx

from gateway.cli.demo.sent import PEOPLE, Keys, Sent, now, over_http


def everything(listen: str, keys: Keys) -> Sent:
    """Log in, then send a batch of events, transactions and profiles."""
    base = f"{listen}/synerise"
    events = [_event(email, n) for email in PEOPLE for n in range(3)]
    orders = [_order(email, n) for n, email in enumerate(PEOPLE)]
    profiles = [{"email": email, "firstName": "Ida", "agreements": {"email": True}} for email in PEOPLE]

    def send(client: httpx.Client) -> list[httpx.Response]:
        login = client.post(f"{base}/uauth/v2/auth/login/profile", json={"apiKey": keys["synerise"]["api_key"]})
        bearer = {"Authorization": f"Bearer {login.json().get('token')}", "Api-Version": "4.4"}
        calls = (("events/batch", events), ("transactions/batch", orders), ("clients/batch", profiles))
        return [login, *(client.post(f"{base}/v4/{path}", json=body, headers=bearer) for path, body in calls)]

    count = len(events) + len(orders) + len(profiles)
    return over_http("synerise", "login, batches, transactions, profiles", count, [200, 202], send)


def _event(email: str, number: int) -> dict[str, Any]:
    params = {"sku": f"S-{number}", "name": "Bowl", "quantity": 1, "finalUnitPrice": {"amount": 9.5, "currency": "EUR"}}
    return {
        "type": "added-to-cart",
        "label": "added to cart",
        "client": {"email": email},
        "time": now(),
        "params": {"source": "WEB_DESKTOP", **params},
        "eventSalt": f"cart-{email}-{number}",
    }


def _order(email: str, number: int) -> dict[str, Any]:
    price = {"amount": 19.0, "currency": "EUR"}
    return {
        "client": {"email": email},
        "orderId": f"SY-{number}",
        "paymentInfo": {"method": "CARD"},
        "products": [{"sku": "S-1", "name": "Bowl", "quantity": 1, "finalUnitPrice": price}],
        "revenue": price,
        "value": price,
        "source": "WEB_DESKTOP",
        "recordedAt": now(),
        "eventSalt": f"SY-{number}",
    }
