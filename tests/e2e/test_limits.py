"""Windows of every alignment are kept and used, over sockets and, for hours, in a time that jumps.

`scripts/soak limits` presses longer, and at real vendors' windows.
"""

import asyncio
import random
from collections.abc import Callable
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.adapter import Window
from gateway.testing.limits import Fixed, Limits, Sliding, alignments
from tests.e2e.limit_runs import Pressed, one_by_one, press, watched, window
from tests.unit.delivery.vendor_adapter import adapter, outbound
from tests.unit.delivery.world import EPOCH, Arrival, Vendor, World, event, play

IN_USE = 0.6
"""Part of the steady window that even a busy machine uses; `scripts/soak limits` tells the real one."""
RUNS: dict[str, tuple[tuple[Window, ...], float]] = {
    "20 in half a second, 60 in 2": ((window(20, 0.5), window(60, 2.0)), 0.0),
    "100 in a second": ((window(100, 1.0),), 0.0),
    "one in 0.2 s": ((window(1, 0.2),), 0.0),
    "30 in a second, uneven answers": ((window(30, 1.0),), 0.03),
}


def test_over_sockets_nothing_is_exceeded_and_little_left_unused(tmp_path: Path) -> None:
    async def story() -> list[Pressed]:
        folders = {name: tmp_path / str(number) for number, name in enumerate(RUNS)}
        return await asyncio.gather(
            *(
                press(folders[name], name, one_by_one(*windows), 7.0, latency)
                for name, (windows, latency) in RUNS.items()
            )
        )

    for pressed in asyncio.run(story()):
        print(pressed)
        assert (pressed.violations, pressed.throttled) == (0, 0), pressed
        assert pressed.use >= IN_USE, pressed


VENDORS = {
    "10 a second, 150 a minute": (window(10, 1.0), window(150, 60.0)),
    "5 a second": (window(5, 1.0),),
    "15 a minute": (window(1, 1.0), window(15, 60.0)),
    "3 a second, 60 a minute, 1,000 an hour": (window(3, 1.0), window(60, 60.0), window(1_000, 3_600.0)),
}


@pytest.mark.parametrize("name", VENDORS)
def test_for_hours_nothing_is_exceeded_and_little_left_unused(name: str) -> None:
    """The vendor counts a request somewhere between its start and its answer; answers take up to half a second."""
    windows = VENDORS[name]
    limits = watched(windows, "")
    chance = random.Random(4)
    steady = max(windows, key=lambda one: one.seconds / one.count)

    async def answer() -> httpx.Response:
        await asyncio.sleep(chance.random() / 4)
        wait = limits.take(asyncio.get_running_loop().time())
        await asyncio.sleep(chance.random() / 4)
        return httpx.Response(202) if wait is None else httpx.Response(429)

    async def story() -> None:
        vendor = Vendor(script=lambda _: answer())
        world = World(vendor, adapter=adapter(outbound(windows=windows)))
        await world.deliver([event(n, f"p{n}") for n in range(4 * steady.count + 1)])

    play(story())
    assert limits.violations == 0
    assert limits.use(steady.count, steady.seconds) >= (0.95 if steady.seconds > 1 else 0.7)


# --- what a vendor says ----------------------------------------------------------------------------------


def throttled(headers: Callable[[float], dict[str, str]], times: int = 1, **spec: Any) -> tuple[World, list[Arrival]]:
    """Deliver 30 people's events to a vendor that begins by refusing with these headers; return what it saw."""
    left = [times]

    def script(arrival: Arrival) -> httpx.Response:
        left[0] -= 1
        return httpx.Response(202) if left[0] < 0 else httpx.Response(429, headers=headers(EPOCH + arrival.at))

    async def story() -> World:
        world = World(Vendor(script=script), adapter=adapter(outbound()), concurrency=1, **spec)
        await world.deliver([event(n, f"p{n}") for n in range(30)])
        return world

    world = play(story())
    return world, world.vendor.arrivals


PAUSES: dict[str, Callable[[float], dict[str, str]]] = {
    "seconds": lambda now: {"Retry-After": "7"},
    "a date": lambda now: {"Retry-After": formatdate(now + 7, usegmt=True)},
    "a quota's reset in seconds": lambda now: {"RateLimit-Remaining": "0", "RateLimit-Reset": "7"},
    "a quota's reset as a moment": lambda now: {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(now + 7))},
    "the longer of two": lambda now: {"Retry-After": "1", "RateLimit-Remaining": "0", "RateLimit-Reset": "7"},
}


@pytest.mark.parametrize("name", PAUSES)
def test_a_vendor_is_left_alone_for_as_long_as_it_asks(name: str) -> None:
    _, arrivals = throttled(PAUSES[name])
    assert 6.0 <= arrivals[1].at - arrivals[0].at <= 9.0
    assert len(arrivals) == 31


def test_a_vendor_that_does_not_say_for_how_long_is_asked_ever_more_seldom() -> None:
    _, arrivals = throttled(lambda now: {}, times=6)
    gaps = [later.at - earlier.at for earlier, later in pairwise(arrivals)][:6]
    assert all(gap >= 0.5 * 2**number for number, gap in enumerate(gaps))
    assert len(arrivals) == 36


def test_a_quota_that_is_used_up_is_waited_for_without_a_refusal() -> None:
    """A success may say that it was the last one: nothing is sent until the vendor counts anew."""

    def script(arrival: Arrival) -> httpx.Response:
        left = 4 - len(vendor.arrivals) % 5
        return httpx.Response(202, headers={"RateLimit-Remaining": str(left), "RateLimit-Reset": "10"})

    vendor = Vendor(script=script)

    async def story() -> None:
        world = World(vendor, adapter=adapter(outbound()), concurrency=1)
        await world.deliver([event(n, f"p{n}") for n in range(20)])

    play(story())
    gaps = [later.at - earlier.at for earlier, later in pairwise(vendor.arrivals)]
    assert sum(gap >= 10 for gap in gaps) == 4
    assert len(vendor.arrivals) == 20


@pytest.mark.parametrize("headers", [{"Retry-After": "600"}, {}])
def test_too_fast_is_never_a_reason_to_give_up(headers: dict[str, str]) -> None:
    """Throttled for far longer than a failing event would be tried: no try is counted, nothing dies."""
    world, _ = throttled(lambda now: headers, times=40, max_age=60.0)
    (counts,) = play(_status(world))
    assert (counts.delivered, counts.dead) == (30, 0)
    assert {attempt.attempt for attempt in world.attempts} == {1}


async def _status(world: World) -> Any:
    return (await world.log.status()).targets


def test_those_who_waited_do_not_come_back_in_one_instant() -> None:
    """Twenty that were refused together return spread out, and none before its time."""
    refused = 20

    async def script(arrival: Arrival) -> httpx.Response:
        await asyncio.sleep(0.01)
        return httpx.Response(429 if arrival.at < 1 else 202, headers={"Retry-After": "30"})

    vendor = Vendor(script=lambda arrival: script(arrival))

    async def story() -> None:
        world = World(vendor, adapter=adapter(outbound()), concurrency=refused)
        await world.deliver([event(n, f"p{n}") for n in range(100)])

    play(story())
    back = [arrival.at for arrival in vendor.arrivals[refused:]]
    assert min(back) >= 30
    assert len(set(back[:refused])) >= refused - 1
    assert back[refused - 1] - back[0] > 0.1


# --- the stand-in itself ---------------------------------------------------------------------------------


def test_fixed_windows_see_what_others_miss() -> None:
    """Five at the end of one window and five at the begin of the next: right for one alignment, wrong for others."""
    moments = [0.9] * 5 + [1.1] * 5
    counted = {offset: Limits([Fixed(5, 1.0, offset)], enforce=False) for offset in (0.0, 0.5)}
    for limits in counted.values():
        for moment in moments:
            limits.take(moment)
    assert {offset: limits.violations for offset, limits in counted.items()} == {0.0: 0, 0.5: 5}
    assert len(alignments(5, 1.0)) == 8


def test_a_refused_request_waits_as_told_and_is_taken() -> None:
    limits = Limits([Sliding(2, 10.0), Fixed(3, 60.0)])
    assert [limits.take(at) for at in (0.0, 4.0, 5.0)] == [None, None, 5.0]
    assert limits.take(10.0) is None
    assert limits.take(20.0) == 40.0
    assert limits.take(60.0) is None
    assert limits.violations == 2
    assert limits.times == [0.0, 4.0, 10.0, 60.0]


def test_use_is_that_of_the_window_that_holds_back() -> None:
    limits = Limits([Sliding(2, 1.0)])
    for moment in (0.0, 0.0, 1.0, 1.1, 2.0, 2.1, 3.2):
        limits.take(moment)
    assert limits.use(2, 1.0) == pytest.approx(3 / 3.2)
