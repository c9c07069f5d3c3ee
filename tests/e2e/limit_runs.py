"""Runs that press a target against its windows, as long as one likes: for the suite and for `scripts/soak`."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from gateway import registry
from gateway.adapter import Adapter, Window
from gateway.testing.faults import Fault, FaultyVendor, serving
from gateway.testing.limits import Limits, Sliding, alignments
from gateway.testing.wire import Act
from tests.e2e.delivering import account, delivering, event, number_of, spec, with_windows

SOURCE = "a test"
BATCH = 500
"""Events accepted at a time, so that there are always some to send."""


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


async def press(folder: Path, name: str, adapter: Adapter, seconds: float, latency: float = 0.0) -> Pressed:
    """Have events waiting for one endpoint at all times, so that only its windows hold it back."""
    (outbound,) = adapter.outbound
    limits = watched(outbound.windows, outbound.path)
    slow = [Fault(lambda seen: Act(wait_s=latency * (seen.number % 3)))] if latency else []
    vendor = FaultyVendor(adapter, [account(adapter)], limits=[limits], faults=slow, key=number_of, keep_bodies=False)
    steady = max(outbound.windows, key=lambda one: one.seconds / one.count)
    async with serving(vendor) as wire, delivering(folder, spec(adapter, wire.url)) as made:
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            if (await made.status())["crm"].queued < BATCH:
                await made.accept([event(n, f"p{n}") for n in range(number, number + BATCH)])
                number += BATCH
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
