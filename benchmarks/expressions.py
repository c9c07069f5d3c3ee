"""Expressions over one event: ten simple conditions against the same as functions of Python, and what others cost.

python -m benchmarks.expressions
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from timeit import Timer
from typing import Any

from benchmarks.machine import describe
from gateway import expressions
from gateway.event import Commerce, Event, Item, Origin, Profile

NUMBER = 20_000

EVENT = Event(
    id="1",
    kind="track",
    name="Order Completed",
    received_at=datetime(2026, 11, 21, tzinfo=UTC),
    source=Origin(name="shop", vendor="acme", endpoint="events"),
    profile=Profile(email="ann@example.com"),
    commerce=Commerce(
        total=Decimal("12.10"), currency="EUR", items=tuple(Item(sku=f"A-{n}", price=Decimal(n)) for n in range(3))
    ),
    properties={"store": "eu-1", "count": 3, "weight": 10.5, "vip": True},
)

SIMPLE: list[tuple[str, Callable[[Any], bool]]] = [
    ('event.name == "Order Completed"', lambda event: event.name == "Order Completed"),
    ('event.kind == "track"', lambda event: event.kind == "track"),
    ('event.name.startsWith("Order ")', lambda event: event.name.startswith("Order ")),
    ("event.commerce.total >= 10", lambda event: _at_least(event.commerce and event.commerce.total, Decimal(10))),
    ("has(event.profile.email)", lambda event: event.profile.email is not None),
    ('event.commerce.currency == "EUR"', lambda event: event.commerce is not None and event.commerce.currency == "EUR"),
    ('event.properties.store in ["eu-1", "eu-2"]', lambda event: event.properties.get("store") in {"eu-1", "eu-2"}),
    ('event.properties.store == "eu-1"', lambda event: event.properties.get("store") == "eu-1"),
    ("event.properties.vip", lambda event: event.properties.get("vip") is True),
    ('event.source.vendor != "other"', lambda event: event.source.vendor != "other"),
]
OTHERS = [
    "event.commerce.total >= 10 && has(event.profile.email)",
    'event.name.startsWith("Order ") || event.properties.store in ["eu-1", "eu-2"]',
    "event.properties.count > 2 && event.properties.weight > 10.1",
    'event.profile.email.matches("@example\\\\.com$")',
    'event.commerce.items.exists(i, i.sku == "A-2" && i.price > 1)',
]
VALUES = ["int(event.commerce.total)", "event.commerce.total * 1.2", 'string(event.commerce.total) + " EUR"']


def _at_least(value: Decimal | None, least: Decimal) -> bool:
    return value is not None and value >= least


def microseconds(work: Callable[[], object]) -> float:
    """Return the time of one call."""
    return min(Timer(work).repeat(5, NUMBER)) / NUMBER * 1e6


def all_of(conditions: list[Callable[[Any], Any]]) -> float:
    """Return the time of all conditions about one event, one after the other."""

    def ask() -> None:
        for condition in conditions:
            condition(EVENT)

    return microseconds(ask)


def main() -> None:
    """Measure and print."""
    compiled = [expressions.compile(text, wants="bool") for text, _ in SIMPLE]
    written = [condition for _, condition in SIMPLE]
    assert [one(EVENT) for one in compiled] == [one(EVENT) for one in written] == [True] * len(SIMPLE)
    print(f"ten simple conditions about one event (aim 1 us); {describe()}")
    print(f"  expressions, `run` called     {all_of([one.run for one in compiled]):6.2f} us")
    print(f"  expressions, called           {all_of(list(compiled)):6.2f} us")
    print(f"  functions of Python           {all_of(list(written)):6.2f} us")
    print("one each, with the call that measures it")
    print(f"  {'(nothing)':80}{microseconds(lambda: None):6.2f} us")
    for wants, texts in (("bool", [text for text, _ in SIMPLE] + OTHERS), ("any", VALUES)):
        for text in texts:
            run = expressions.compile(text, wants="bool" if wants == "bool" else "any").run
            print(f"  {text:80}{microseconds(lambda run=run: run(EVENT)):6.2f} us")  # type: ignore[misc]
    print("compiling one")
    print(f"  {OTHERS[0]:80}{min(Timer(lambda: expressions.compile(OTHERS[0])).repeat(5, 50)) / 50 * 1e6:6.0f} us")


if __name__ == "__main__":
    main()
