"""Runs that press a target against its windows, as long as one likes: for the suite and for `scripts/soak`."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from gateway import registry
from gateway.adapter import Adapter, Event, Window
from gateway.event import Commerce, Item
from gateway.testing.faults import Fault, FaultyVendor, serving
from gateway.testing.limits import Limits, Sliding, alignments
from gateway.testing.wire import Act
from tests.e2e.delivering import account, delivering, event, spec, with_windows

SOURCE = "a test"
BATCH = 500
"""Requests' worth of events accepted at a time, so that there are always some to send."""
MOST = 5_000
"""Events."""


@dataclass(frozen=True)
class Pressed:
    """What a run of some seconds showed."""

    name: str
    requests: int
    seconds: float
    violations: int
    use: float
    """Of the steady window."""
    throttled: int
    """Answers 429."""

    def __str__(self) -> str:
        return (
            f"{self.name:34}{self.requests:7} requests in {self.seconds:6.1f} s, {self.violations} violations, "
            f"{self.use:6.1%} of the steady window, {self.throttled} throttled"
        )


def window(count: int, seconds: float) -> Window:
    """Return a window of requests."""
    return Window(count=count, seconds=seconds, source=SOURCE, read="2026-11-21")


def one_by_one(*windows: Window) -> Adapter:
    """Return a vendor whose requests carry one event each, with these windows."""
    return with_windows(registry.adapter("klaviyo"), *windows, only=("events",))


def watched(windows: tuple[Window, ...], path: str) -> Limits:
    """Return limits that enforce these windows as fixed ones of eight alignments each, and as sliding ones."""
    counting = [one for w in windows for one in alignments(w.count, w.seconds)]
    return Limits([*counting, *(Sliding(w.count, w.seconds) for w in windows)], path=path)


def view(number: int) -> Event:
    """Return a product view."""
    return event(number, f"p{number}")


def late(number: int) -> Event:
    """Return a product view of yesterday."""
    return event(number, f"p{number}", occurred_at=datetime.now(UTC) - timedelta(days=1))


def person(number: int) -> Event:
    """Return a profile write."""
    return event(number, f"p{number}", name="Identify", kind="identify")


def order(number: int) -> Event:
    """Return a placed order of one line."""
    line = Item(product_id="TEA", quantity=Decimal(1), price=Decimal("3.5"))
    commerce = Commerce(order_id=f"SO-{number}", total=Decimal("3.5"), currency="EUR", items=(line,))
    return event(number, f"p{number}", name="Order Completed", commerce=commerce)


def carried(adapter: Adapter) -> Callable[[int], Event]:
    """Return what makes events that the adapter's one endpoint carries."""
    settings = spec(adapter, "").settings()
    return next(shape for shape in (view, person, order, late) if adapter.outbound[0].carries(shape(0), settings))


async def press(folder: Path, name: str, adapter: Adapter, seconds: float, latency: float = 0.0) -> Pressed:
    """Have events waiting for one endpoint at all times, so that only its windows hold it back."""
    (outbound,) = adapter.outbound
    windows = tuple(one for one in outbound.windows if one.unit == "requests")
    limits = watched(windows, outbound.path)
    slow = [Fault(lambda seen: Act(wait_s=latency * (seen.number % 3)))] if latency else []
    vendor = FaultyVendor(adapter, [account(adapter)], limits=[limits], faults=slow, keep_bodies=False)
    shape, batch = carried(adapter), min(BATCH * outbound.max_events, MOST)
    steady = max(windows, key=lambda one: one.seconds / one.count)
    async with serving(vendor) as wire, delivering(folder, spec(adapter, wire.url)) as made:
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            if (await made.status())["crm"].queued < batch:
                await made.accept([shape(n) for n in range(number, number + batch)])
                number += batch
            await asyncio.sleep(0.1)
    statuses: Counter[int | None] = vendor.statuses
    return Pressed(
        name=name,
        requests=len(limits.times),
        seconds=seconds,
        violations=limits.violations,
        use=limits.use(steady.count, steady.seconds),
        throttled=statuses[429],
    )
