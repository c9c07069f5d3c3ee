"""The decision over 100 routes, for events whose names come again and for names never seen.

python -m benchmarks.routing
"""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import cycle
from timeit import Timer

from benchmarks.machine import describe
from gateway.event import Event, Origin
from gateway.routing import Router, rules_of

RULES = 100
NUMBER = 5_000


def router() -> Router:
    """Return a router of 99 rules that do not fit and one that does."""
    rules = [
        {"name": f"rule-{n}", "match": {"source": "shop", "name": [f"Never {n} *"]}, "to": "crm"}
        for n in range(RULES - 1)
    ]
    return Router(rules_of([*rules, {"name": "all", "to": "crm"}]), ["crm"])


def event(name: str) -> Event:
    """Return an event of that name."""
    source = Origin(name="shop", vendor="acme", endpoint="events")
    return Event(id="1", kind="track", name=name, received_at=datetime.now(UTC), source=source)


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


if __name__ == "__main__":
    main()
