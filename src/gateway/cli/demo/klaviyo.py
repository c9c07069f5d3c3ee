"""The demo's Klaviyo client: the official SDK."""

import time
from typing import Any

from gateway.cli.demo.sent import PEOPLE, Keys, Sent, now


def _sdk(listen: str, keys: Keys) -> Any:
    from klaviyo_api import KlaviyoAPI

    return KlaviyoAPI(keys["klaviyo"]["private_key"], test_host=f"{listen}/klaviyo", max_retries=3)


def _event(email: str, metric: str, key: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "event",
        "attributes": {
            "profile": {"data": {"type": "profile", "attributes": {"email": email}}},
            "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
            "properties": properties,
            "time": now(),
            "unique_id": key,
            **more,
        },
    }


def _order(number: int) -> dict[str, Any]:
    lines = [
        {"ProductID": "TM-11", "SKU": "TM-11-BLU", "ProductName": "Trail Mug", "Quantity": 2, "ItemPrice": 18.5},
        {"ProductID": "CK-02", "SKU": "CK-02", "ProductName": "Camp Kettle", "Quantity": 1, "ItemPrice": 42.0},
    ]
    return {"OrderId": f"SO-{number}", "Items": lines, "DiscountCode": "WELCOME5", "gift_wrap": True}


def events(listen: str, keys: Keys) -> Sent:
    """Single events through the SDK; the last one is sent twice, as a client does whose answer was lost."""
    api = _sdk(listen, keys)
    bodies = []
    for n, email in enumerate(PEOPLE):
        viewed = {"ProductName": "Trail Mug", "ProductID": "TM-11", "Categories": ["Kitchen"], "Price": 18.5}
        bodies.append(_event(email, "Viewed Product", f"view-{n}", viewed, value=18.5))
        bodies.append(_event(email, "Placed Order", f"SO-{n}", _order(n), value=79.0, value_currency="USD"))
    bodies.append(bodies[-1])
    started = time.monotonic()
    answers = [api.Events.create_event({"data": body}) for body in bodies]
    ok = all(answer is None for answer in answers)
    seconds = time.monotonic() - started
    return Sent("klaviyo", "klaviyo-api SDK", "events", len(bodies), len(bodies), _say(ok), seconds, ok, duplicates=1)


def bulk(listen: str, keys: Keys) -> Sent:
    """One bulk job through the SDK."""
    groups = []
    for n, email in enumerate(PEOPLE):
        several = [_event(email, "Added to Cart", f"cart-{n}-{i}", {"AddedItemSKU": f"S-{i}"}) for i in range(5)]
        for event in several:
            del event["attributes"]["profile"]
        profile = {"data": {"type": "profile", "attributes": {"email": email}}}
        groups.append({"type": "event-bulk-create", "attributes": {"profile": profile, "events": {"data": several}}})
    attributes = {"events-bulk-create": {"data": groups}}
    body = {"data": {"type": "event-bulk-create-job", "attributes": attributes}}
    started = time.monotonic()
    ok = _sdk(listen, keys).Events.bulk_create_events(body) is None
    seconds = time.monotonic() - started
    return Sent("klaviyo", "klaviyo-api SDK", "bulk job", 1, 5 * len(PEOPLE), _say(ok), seconds, ok)


def profile(listen: str, keys: Keys) -> Sent:
    """A profile through the SDK, which reads the answer into its own models."""
    attributes = {"email": PEOPLE[0], "external_id": "c-1", "first_name": "Nora", "properties": {"plan": "pro"}}
    started = time.monotonic()
    answer = _sdk(listen, keys).Profiles.create_or_update_profile(
        {"data": {"type": "profile", "attributes": attributes}}
    )
    seconds = time.monotonic() - started
    ok = bool(_find_id(answer))
    return Sent("klaviyo", "klaviyo-api SDK", "profile", 1, 1, _say(ok), seconds, ok)


def _find_id(answer: Any) -> str | None:
    data = answer["data"] if isinstance(answer, dict) else answer.data
    found = data["id"] if isinstance(data, dict) else data.id
    return str(found) if found else None


def _say(ok: bool) -> str:
    return "as the SDK expects" if ok else "NOT as the SDK expects"
