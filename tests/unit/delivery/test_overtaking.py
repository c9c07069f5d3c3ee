"""Events that hold up their lanes: given up or passed after as long as a person allows; in a world whose time jumps."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.delivery.vendor_adapter import adapter, outbound
from tests.unit.delivery.world import Arrival, Vendor, World, by_lane, event, play

HOUR = 3_600.0


def failing(until: float, *ids: str) -> Vendor:
    """Return a vendor that cannot take these events before a moment."""
    return Vendor(lambda a: httpx.Response(500 if set(ids) & set(a.ids) and a.at < until else 202, text="oops"))


@pytest.mark.parametrize("batch", [1, 10])
def test_the_first_of_a_lane_is_given_up_for_those_behind_it(batch: int) -> None:
    async def story() -> None:
        world = World(
            failing(1e9, "e0"), adapter=adapter(outbound(max_events=batch)), lane_patience=HOUR, backoff_cap=60.0
        )
        others = [event(n, who=f"person {n}") for n in range(10, 20)]
        await world.deliver([event(0), event(1), event(2), *others])
        (letter,) = await world.log.dead_letters()
        assert letter.reason == "held up its lane for 1 hours: HTTP 500"
        assert (letter.event_id, letter.status, letter.answer) == ("e0", 500, b"oops")
        assert letter.attempts == sum("e0" in ids for ids in world.vendor.tried)
        assert [one for one in world.vendor.accepted if one in {"e1", "e2"}] == ["e1", "e2"]
        (at,) = [arrival.at for arrival in world.vendor.arrivals if "e1" in arrival.ids and "e0" not in arrival.ids]
        assert HOUR <= at <= HOUR + 120

    play(story())


def test_those_behind_go_past_and_the_first_is_tried_on() -> None:
    async def story() -> None:
        world = World(failing(10 * HOUR, "e0"), lane_patience=HOUR, overtaking="pass")
        await world.append(event(0), event(1), event(2))
        await world.deliverer.start()
        await world.until(lambda: len(world.vendor.accepted) == 2)
        assert HOUR <= asyncio.get_running_loop().time() <= 2 * HOUR
        await asyncio.sleep(1)
        (state,) = world.deliverer.states()
        assert (state.overtaken, state.waiting) == (1, {"HTTP 500": 1})
        await world.append(event(3))
        await world.until(lambda: len(world.vendor.accepted) == 3)
        await world.settled()
        await world.deliverer.stop()
        assert world.vendor.accepted == ["e1", "e2", "e3", "e0"]
        assert await world.log.dead_letters() == []

    play(story())


@pytest.mark.parametrize("overtaking", ["dead_letter", "pass"])
def test_an_event_with_nobody_behind_it_may_fail_for_longer(overtaking: Any) -> None:
    async def story() -> None:
        world = World(failing(5 * HOUR, "e0"), lane_patience=HOUR, overtaking=overtaking)
        await world.deliver([event(0)])
        assert world.vendor.accepted == ["e0"]
        assert world.deliverer.states()[0].overtaken == 0

    play(story())


@pytest.mark.parametrize("overtaking", ["dead_letter", "pass"])
def test_a_target_that_is_down_is_no_fault_of_an_event(overtaking: Any) -> None:
    async def story() -> None:
        vendor = Vendor(lambda a: httpx.Response(503 if a.at < 10 * HOUR else 202))
        world = World(vendor, lane_patience=HOUR, overtaking=overtaking)
        events = [event(n, who=f"person {n % 20}") for n in range(100)]
        await world.deliver(events)
        assert by_lane(vendor.accepted, events) == by_lane([one.id for one in events], events)
        assert world.deliverer.states()[0].overtaken == 0

    play(story())


def test_an_event_that_was_passed_stays_apart_after_a_restart() -> None:
    async def story() -> None:
        world = World(failing(20 * HOUR, "e0"), lane_patience=HOUR, overtaking="pass")
        await world.append(*(event(n) for n in range(400)))
        await world.deliverer.start()
        await world.until(lambda: len(world.vendor.accepted) == 399)
        await world.deliverer.stop()
        await world.append(event(400))
        world.build()
        await world.deliverer.start()
        await world.until(lambda: len(world.vendor.accepted) == 400, patience=60)
        await world.settled()
        await world.deliverer.stop()
        assert world.vendor.accepted == [*(f"e{n}" for n in range(1, 401)), "e0"]

    play(story())


@given(
    script=st.lists(st.sampled_from([202, 500, 500, 500, 429, 413, "bad"]), max_size=60),
    lanes=st.integers(1, 12),
    batch=st.integers(1, 7),
    patience=st.floats(0.5, 20.0),
    overtaking=st.sampled_from(["dead_letter", "pass"]),
    stops=st.lists(st.floats(0.001, 30.0), max_size=2),
)
def test_whoever_passes_whom_each_event_is_delivered_once_or_dead(
    script: list[int | str], lanes: int, batch: int, patience: float, overtaking: Any, stops: list[float]
) -> None:
    async def story() -> None:
        left = list(script)

        def answer(arrival: Arrival) -> httpx.Response:
            verdict = left.pop(0) if left else 202
            if verdict == "bad":
                return httpx.Response(400, content=json.dumps({"bad": {"0": "bad"}}))
            return httpx.Response(int(verdict))

        vendor = Vendor(answer, latency=0.05)
        world = World(
            vendor,
            adapter=adapter(outbound(max_events=batch)),
            concurrency=4,
            ahead_events=40,
            lane_patience=patience,
            overtaking=overtaking,
        )
        events = [event(n, who=f"person {n % lanes}") for n in range(60)]
        dead = await world.deliver_in_pieces(events, stops)
        if overtaking == "dead_letter":
            kept = [one.id for one in events if one.id not in dead]
            assert by_lane(vendor.accepted, events) == by_lane(kept, events)

    play(story())
