"""The demo's Blueshift client."""

import httpx

from gateway.cli.demo.sent import PEOPLE, Keys, Sent, now, over_http


def everything(listen: str, keys: Keys) -> Sent:
    """Send events, a bulk call and customers."""
    base = f"{listen}/blueshift/api/v1"
    purchase = {"revenue": 84.97, "currency": "USD", "products": [{"sku": "TEA-014", "quantity": 2, "price": 24.99}]}
    singles = [
        {"event": "purchase", "email": e, "order_id": f"B-{n}", "timestamp": now(), **purchase}
        for n, e in enumerate(PEOPLE)
    ]
    bulk = [
        {"event": "view", "email": e, "product_id": "TEA-014", "timestamp": now()} for e in PEOPLE for _ in range(5)
    ]
    customers = [{"email": e, "customer_id": f"C-{n}", "firstname": "Ines"} for n, e in enumerate(PEOPLE)]
    event_key, user_key = (keys["blueshift"]["event_api_key"], ""), (keys["blueshift"]["user_api_key"], "")

    def send(client: httpx.Client) -> list[httpx.Response]:
        answers = [client.post(f"{base}/event", json=body, auth=event_key) for body in singles]
        answers.append(client.post(f"{base}/bulkevents", json={"events": bulk}, auth=event_key))
        answers.append(client.post(f"{base}/customers/bulk", json={"customers": customers}, auth=user_key))
        return answers

    events = len(singles) + len(bulk) + len(customers)
    return over_http("blueshift", "events, bulk, customers", events, [200], send)
