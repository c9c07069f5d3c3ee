"""The decision over 100 routes, for events whose names come again and for names never seen.

python -m benchmarks.routing
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import cycle
from timeit import Timer
from typing import Any

from benchmarks.machine import describe
from gateway.event import Commerce, Event, Item, Origin, Profile
from gateway.routing import Router, rules_of

RULES = 100
NUMBER = 5_000


WHERES = (
    'event.name.startsWith("Refund")',
    "event.commerce.total > 1000",
    'event.commerce.currency == "USD"',
    'event.properties.store in ["us-1", "us-2"]',
    'event.kind == "page"',
    "!has(event.profile.email)",
    'event.profile.locale == "de-DE"',
    "event.properties.vip == true && event.commerce.total < 1",
    'event.context.ip == "192.0.2.1"',
    "size(event.commerce.items) > 10",
)
"""Ten conditions of which none is true of `event`."""


def rules(number: int, wheres: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return rules that do not fit, by name or by a condition, and one that does."""
    named = [
        {"name": f"rule-{n}", "match": {"source": "shop", "name": [f"Never {n} *"]}, "to": "crm"}
        for n in range(number - 1 - len(wheres))
    ]
    asked = [{"name": f"where-{n}", "where": where, "to": "crm"} for n, where in enumerate(wheres)]
    return [*named, *asked, {"name": "all", "to": "crm"}]


def router(wheres: Sequence[str] = ()) -> Router:
    """Return a router of 100 rules."""
    return Router(rules_of(rules(RULES, wheres)), ["crm"])


def event(name: str) -> Event:
    """Return an event of that name."""
    source = Origin(name="shop", vendor="acme", endpoint="events")
    return Event(
        id="1",
        kind="track",
        name=name,
        received_at=datetime.now(UTC),
        source=source,
        profile=Profile(email="ann@example.com"),
        commerce=Commerce(total=Decimal("24.90"), currency="EUR", items=(Item(sku="a"),)),
        properties={"store": "eu-1", "vip": True},
    )


def microseconds(work: Callable[[], object]) -> float:
    """Return the time of one call."""
    return min(Timer(work).repeat(5, NUMBER)) / NUMBER * 1e6


def main() -> None:
    """Measure and print."""
    known = router()
    usual = event("Order Completed")
    new = cycle([event(f"name {n}") for n in range(20_000)])
    print(f"decision over {RULES} routes, no expression (must 2, aim 1 us); {describe()}")
    print(f"  a name that comes again   {microseconds(lambda: known.decide(usual)):6.2f} us")
    print(f"  a name never seen         {microseconds(lambda: known.decide(next(new))):6.2f} us")
    asking = router(WHERES)
    print(f"  ten conditions (must 3)   {microseconds(lambda: asking.decide(usual)):6.2f} us")
    started = time.perf_counter()
    rules_of(rules(1000, WHERES))
    print(f"  1,000 rules are read in   {time.perf_counter() - started:6.2f} s")


if __name__ == "__main__":
    main()
