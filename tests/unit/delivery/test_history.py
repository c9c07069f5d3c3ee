"""History goes after all that is new, within a share of the limits; what is new hardly feels it."""

import asyncio
import random
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapter import Window
from gateway.delivery.limiter import ANY, CREDIT, Limiter
from gateway.log.port import HISTORY, Parked
from tests.unit.delivery.memory_log import MemoryLog
from tests.unit.delivery.vendor_adapter import adapter, outbound, window
from tests.unit.delivery.world import Vendor, World, event, play

OLD = 600
"""Events of history in the worlds below: their ids come first."""


async def with_history(world: World, people: int) -> None:
    """Have events that were delivered long ago wait again, as a replay has them."""
    log = world.log
    assert isinstance(log, MemoryLog)
    await world.append(*(event(n, who=f"person {n % people}") for n in range(OLD)))
    crm = log.targets["crm"]
    crm.cursor = OLD
    for n in range(OLD):
        crm.parked[n + 1] = Parked(n + 1, f"{HISTORY}person {n % people}", 0.0, 0, "replayed", 0.0)


def number(name: str) -> int:
    return int(name[1:])


@pytest.mark.parametrize("people", [3, 40, OLD])
@pytest.mark.parametrize("count", [10, 100])
def test_history_takes_its_share_of_the_limits_and_new_events_do_not_wait_for_it(people: int, count: int) -> None:
    async def story() -> None:
        vendor = Vendor(latency=0.02)
        world = World(vendor, adapter=adapter(outbound(windows=(window(count, 1.0),))))
        await with_history(world, people)
        await world.deliverer.start()
        loop = asyncio.get_running_loop()
        said: dict[int, float] = {}
        for n in range(OLD, OLD + 200):
            said[n] = loop.time()
            await world.append(event(n, who=f"person {n % people}"))
            await asyncio.sleep(1 / (0.5 * count))
        await world.until(lambda: len(vendor.accepted) == OLD + 200)
        await world.deliverer.stop()
        arrived = {number(one): arrival.at for arrival in vendor.arrivals for one in arrival.ids}
        waits = sorted(arrived[n] - at for n, at in said.items())
        assert waits[-3] < 0.05, "a new event waited although there was room for it"
        old = sorted(arrived[n] for n in range(OLD))
        for at in old:
            assert sum(at <= other < at + 1.0 for other in old) <= 0.2 * count + 1 + 0.2 * count * CREDIT

    play(story())


def test_history_is_sent_in_order_for_each_person_beside_the_new_events_of_the_same() -> None:
    async def story() -> None:
        vendor = Vendor(latency=0.01)
        world = World(vendor)
        await with_history(world, people=5)
        await world.deliverer.start()
        for n in range(OLD, OLD + 50):
            await world.append(event(n, who=f"person {n % 5}"))
            await asyncio.sleep(0.05)
        await world.until(lambda: len(vendor.accepted) == OLD + 50)
        await world.deliverer.stop()
        for person in range(5):
            mine = [number(one) for one in vendor.accepted if number(one) % 5 == person]
            assert [n for n in mine if n < OLD] == sorted(n for n in mine if n < OLD)
            assert [n for n in mine if n >= OLD] == sorted(n for n in mine if n >= OLD)

    play(story())


def test_history_uses_its_share_of_the_requests_in_flight_where_there_are_no_limits() -> None:
    async def story() -> None:
        vendor = Vendor(latency=1.0)
        world = World(vendor, concurrency=10)
        await with_history(world, people=OLD)
        await world.deliverer.start()
        await world.until(lambda: len(vendor.accepted) >= 100)
        assert vendor.most_in_flight == 2
        await world.append(*(event(n, who=f"new {n}") for n in range(OLD, OLD + 8)))
        await asyncio.sleep(0.5)
        assert vendor.in_flight == 10
        await world.deliverer.stop()

    play(story())


def test_while_new_events_take_all_there_is_history_waits() -> None:
    async def story() -> None:
        vendor = Vendor()
        world = World(vendor, adapter=adapter(outbound(windows=(window(10, 1.0),))))
        await world.append(*(event(n, who=f"new {n}") for n in range(OLD)))
        log = world.log
        assert isinstance(log, MemoryLog)
        await world.append(*(event(n, who=f"new {n}") for n in range(OLD, OLD + 300)))
        crm = log.targets["crm"]
        crm.cursor = OLD
        crm.parked = {n + 1: Parked(n + 1, f"{HISTORY}{n}", 0.0, 0, "replayed", 0.0) for n in range(OLD)}
        await world.deliverer.start()
        await world.until(lambda: len(vendor.accepted) >= 300)
        await world.deliverer.stop()
        early = [number(one) for one in vendor.accepted[:290]]
        assert sum(n < OLD for n in early) <= 2

    play(story())


def test_the_time_in_which_limits_held_new_events_is_told() -> None:
    async def story() -> None:
        world = World(adapter=adapter(outbound(windows=(window(2, 10.0),))))
        await world.append(*(event(n, who=f"new {n}") for n in range(6)))
        await world.deliverer.start()
        await world.until(lambda: len(world.vendor.accepted) == 6)
        (state,) = world.deliverer.states()
        assert state.limited["events"] == pytest.approx(20.0, abs=1.0)
        await asyncio.sleep(100)
        assert world.deliverer.states()[0].limited == pytest.approx(state.limited)
        await world.deliverer.stop()

    play(story())


WINDOWS = st.lists(
    st.builds(window, st.integers(1, 500), st.sampled_from([0.5, 1.0, 60.0]), st.sampled_from(["requests", "events"])),
    min_size=1,
    max_size=3,
)


@settings(max_examples=100, deadline=None)
@given(windows=WINDOWS, share=st.floats(0.05, 1.0), seed=st.integers(0, 100))
def test_history_never_takes_more_of_a_window_than_its_share(windows: list[Window], share: float, seed: int) -> None:
    """But for the one request with which it begins, and what its timer may make up."""
    draw = random.Random(seed).random
    gate = Limiter(draw).gate("events", windows)
    now = 0.0
    taken: list[tuple[float, int]] = []
    for _ in range(60):
        room = gate.history_room(now, share)
        if not room:
            at = gate.history_opens_at(now)
            assert now < at < inf
            now = at
            continue
        events = min(room, 1 if draw() < 0.5 else 20)
        gate.take(events, now)
        gate.charge(events, now, share)
        gate.give(events, now)
        taken.append((now, events))
    for one in windows:
        rate = one.count * share / one.seconds
        amounts = [(at, events if one.unit == "events" else 1) for at, events in taken]
        largest = max(amount for _, amount in amounts)
        for first, (begin, _) in enumerate(amounts):
            inside = sum(amount for at, amount in amounts[first:] if at < begin + one.seconds)
            assert inside <= rate * (one.seconds + CREDIT) + largest + 1e-6


def test_a_gate_without_windows_lets_history_through() -> None:
    gate = Limiter(lambda: 0.0).gate("events", [])
    assert gate.history_room(0.0, 0.2) == ANY
