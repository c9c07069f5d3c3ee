"""Nothing is lost and nothing is sent twice, over stops, restarts, faults of the log and any verdicts."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery import Attempt
from gateway.errors import LogError
from tests.unit.delivery.memory_log import MemoryLog
from tests.unit.delivery.vendor_adapter import adapter, outbound, window
from tests.unit.delivery.world import EPOCH, Arrival, Vendor, World, answers, by_lane, event, play


def test_a_hook_that_fails_sends_nothing_twice() -> None:
    async def story() -> None:
        world = World()
        world.attempts = _Full()
        world.build()
        await world.append(event(1), event(2))
        await world.deliverer.start()
        await world.settled()
        assert world.vendor.accepted == ["e1", "e2"]
        assert world.deliverer.states()[0].reason == "a hook failed: MemoryError('full')"
        await world.deliverer.stop()

    play(story())


class _Full(list[Attempt]):
    def append(self, item: Attempt) -> None:
        raise MemoryError("full")


def test_a_deliverer_that_was_never_started_can_be_asked_and_stopped() -> None:
    async def story() -> None:
        deliverer = World().deliverer
        assert deliverer.states() == []
        assert (await deliverer.stop()).keys() == deliverer.snapshot().keys()

    play(story())


def test_a_stop_leaves_nothing_to_be_sent_twice() -> None:
    """What was delivered ahead of a slow request is settled; the slow one is cut off and comes again."""

    async def story() -> None:
        async def slow() -> httpx.Response:
            await asyncio.sleep(25)
            return httpx.Response(202)

        vendor = Vendor(script=lambda arrival: slow() if arrival.ids == ("e0",) else httpx.Response(202))
        world = World(vendor)
        await world.append(*(event(n, who=f"person {n}") for n in range(200)))
        await world.append(event(200, who="person 0"))
        await world.deliverer.start()
        await world.until(lambda: len(vendor.accepted) == 199)
        await world.deliverer.stop(grace=5)
        await world.check()
        (status,) = (await world.log.status()).targets
        assert (status.delivered, status.queued) == (199, 2)
        world.build()
        vendor.script = lambda arrival: httpx.Response(202)
        await world.deliverer.start()
        await world.settled()
        await world.deliverer.stop()
        assert len(vendor.accepted) == 201
        assert vendor.accepted[-2:] == ["e0", "e200"]

    play(story())


def test_a_stop_waits_for_what_is_in_flight() -> None:
    async def story() -> None:
        world = World(Vendor(latency=3.0), concurrency=2)
        await world.append(*(event(n, who=f"person {n}") for n in range(5)))
        await world.deliverer.start()
        await asyncio.sleep(1)
        await world.deliverer.stop()
        assert len(world.vendor.accepted) == 2
        (status,) = (await world.log.status()).targets
        assert (status.delivered, status.queued) == (2, 3)
        assert world.deliverer.states()[0].state == "stopped"

    play(story())


def test_parked_lanes_come_back_after_a_restart_in_order() -> None:
    async def story() -> None:
        vendor = Vendor(script=lambda a: httpx.Response(500 if a.ids[0] in ("e0", "e1") and a.at < 400 else 202))
        world = World(vendor)
        events = [event(n, who=f"person {n % 4}") for n in range(1000)]
        await world.append(*events)
        await world.deliverer.start()
        await asyncio.sleep(100)
        await world.deliverer.stop()
        (status,) = (await world.log.status()).targets
        assert (status.parked, status.delivered) == (500, 500)
        await world.append(*(event(n, who=f"person {n % 4}") for n in range(1000, 1100)))
        world.build()
        await world.deliverer.start()
        await world.settled()
        await world.deliverer.stop()
        events += [event(n, who=f"person {n % 4}") for n in range(1000, 1100)]
        assert by_lane(vendor.accepted, events) == by_lane([one.id for one in events], events)

    play(story())


def test_a_dead_letter_that_is_retried_is_delivered() -> None:
    async def story() -> None:
        world = World(answers(400))
        await world.append(event(1), event(2))
        await world.deliverer.start()
        await world.settled()
        (letter,) = await world.log.dead_letters()
        assert await world.log.retry_dead([letter.id]) == 1
        await world.settled(patience=20)
        assert world.vendor.accepted == ["e2", "e1"]
        await world.deliverer.stop()

    play(story())


def test_a_log_that_fails_is_asked_again() -> None:
    async def story() -> None:
        world = World()
        log = world.log
        assert isinstance(log, MemoryLog)
        await world.append(event(1))
        await world.deliverer.start()
        await world.until(lambda: bool(world.vendor.accepted))
        log.fails = LogError("disk full")
        await world.append(event(2))
        await asyncio.sleep(5)
        assert "disk full" in world.deliverer.states()[0].reason
        log.fails = None
        await world.settled(patience=10)
        assert world.deliverer.states()[0].reason == ""
        await world.deliverer.stop()

    play(story())


def test_memory_is_bounded_and_given_back() -> None:
    async def story() -> None:
        peak = 0

        def script(arrival: Arrival) -> httpx.Response:
            nonlocal peak
            peak = max(peak, world.deliverer.states()[0].memory)
            return httpx.Response(202)

        world = World(Vendor(script, latency=0.1), ahead_bytes=200_000)
        await world.deliver([event(n, who=f"person {n}") for n in range(2000)])
        assert peak < 700_000
        assert world.deliverer.states()[0].memory == 0

    play(story())


def test_the_state_says_how_long_an_endpoint_is_paused_and_how_old_the_oldest_is() -> None:
    async def story() -> None:
        world = World(Vendor(script=lambda arrival: httpx.Response(429, headers={"retry-after": "100"})))
        await world.append(event(1))
        await world.deliverer.start()
        await asyncio.sleep(40)
        (state,) = world.deliverer.states()
        assert state.paused == {"events": pytest.approx(60, abs=1)}
        assert state.lag == pytest.approx(40)
        assert state.unsettled == 1
        await world.deliverer.stop()

    play(story())


VERDICTS = st.sampled_from([202, 202, 202, 202, 307, 400, 403, 413, 429, 500, 503, "error", "bad"])


@settings(max_examples=100, deadline=None)
@given(
    script=st.lists(VERDICTS, max_size=60),
    lanes=st.integers(1, 12),
    batch=st.integers(1, 7),
    stops=st.lists(st.floats(0.001, 30.0), max_size=2),
    seed=st.integers(0, 1000),
)
def test_whatever_the_vendor_says_nothing_is_lost_and_each_lane_keeps_its_order(
    script: list[int | str], lanes: int, batch: int, stops: list[float], seed: int
) -> None:
    """Random verdicts, restarts in between: accepted = delivered + dead, and no lane's event overtakes another."""

    async def story() -> None:
        left = list(script)

        def answer(arrival: Arrival) -> httpx.Response | Exception:
            verdict = left.pop(0) if left else 202
            if verdict == "error":
                return httpx.ReadError("reset")
            if verdict == "bad":
                return httpx.Response(400, content=json.dumps({"bad": {"0": "bad"}}))
            return httpx.Response(int(verdict))

        vendor = Vendor(answer, latency=0.05)
        endpoint = outbound(max_events=batch, windows=(window(20, 1.0),))
        world = World(vendor, adapter=adapter(endpoint), concurrency=4, seed=seed, ahead_events=40)
        events = [event(n, who=f"person {n % lanes}") for n in range(80)]
        dead = await world.deliver_in_pieces(events, stops)
        kept = [one.id for one in events if one.id not in dead]
        assert by_lane(vendor.accepted, events) == by_lane(kept, events)

    play(story())


def test_a_fault_of_ours_while_reading_is_told_and_gone_on_from(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        world = World()
        read, left = world.log.read, [ZeroDivisionError("ours")] * 3

        async def faulty(*given: Any) -> Any:
            if left:
                raise left.pop()
            return await read(*given)

        monkeypatch.setattr(world.log, "read", faulty)
        await world.append(event(1))
        await world.deliverer.start()
        await asyncio.sleep(0.5)
        assert world.deliverer.states()[0].reason == "a fault while reading: ZeroDivisionError('ours')"
        await world.settled()
        assert world.deliverer.states()[0].reason == ""
        await world.deliverer.stop()

    play(story())


def test_a_part_that_ends_by_a_fault_of_ours_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is settled any more, and a person can see why."""

    async def story() -> None:
        world = World()

        async def faulty(*given: Any) -> None:
            raise ZeroDivisionError("ours")

        settle = world.log.settle
        monkeypatch.setattr(world.log, "settle", faulty)
        await world.append(event(1))
        await world.deliverer.start()
        await asyncio.sleep(5)
        assert world.deliverer.states()[0].reason == "settle crm ended: ZeroDivisionError('ours')"
        monkeypatch.setattr(world.log, "settle", settle)
        with pytest.raises(ZeroDivisionError):
            await world.deliverer.stop()

    play(story())


def test_the_epoch_of_a_world_is_its_walls() -> None:
    async def story() -> None:
        assert World().wall() == EPOCH

    play(story())
