"""Events that expressions are tried on."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from gateway.event import Commerce, ConsentChange, Context, Device, Event, Item, Origin, Page, Profile

SOURCE: Final = Origin(name="shop", vendor="acme", endpoint="events")
RECEIVED: Final = datetime(2026, 11, 21, 12, 30, 15, 250_000, tzinfo=UTC)


def event(**parts: Any) -> Event:
    """Return an event with these parts and nothing else."""
    given: dict[str, Any] = {"id": "1", "kind": "track", "name": "Page Seen", "received_at": RECEIVED, "source": SOURCE}
    return Event(**given | parts)


BARE: Final = event()
"""Only what every event has."""

ORDER: Final = event(
    name="Order Completed",
    occurred_at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
    profile=Profile(
        user_id="u-1",
        email="ann@example.com",
        push_tokens=("t-1", "t-2"),
        vendor_ids={"acme": "a-1"},
        traits={"tier": "gold", "age": 41},
    ),
    commerce=Commerce(
        order_id="o-1",
        total=Decimal("12.10"),
        tax=Decimal(0),
        currency="EUR",
        items=(
            Item(sku="A-1", price=Decimal("10.1"), quantity=Decimal(1), categories=("toys", "sale")),
            Item(sku="B-2", price=Decimal("1.00"), quantity=Decimal(2), properties={"gift": True}),
        ),
    ),
    consent=(ConsentChange(granted=True, channel="email"), ConsentChange(granted=False, channel="sms")),
    context=Context(device=Device(os_name="iOS"), page=Page(path="/cart")),
    properties={
        "store": "eu-1",
        "points": 3,
        "weight": 10.5,
        "vip": True,
        "nothing": None,
        "empty": "",
        "tags": ["a", "b", 1],
        "address": {"city": "Kyiv", "codes": [1, 2]},
        "when": "2026-11-20T10:00:00Z",
        "two words": "x",
        "zero": 0,
        "one": 1,
    },
    residue={"acme": {"flag": True}},
)
"""One with a little of everything."""
