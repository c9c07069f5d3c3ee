"""What each verdict does to events, lanes and the whole target; in a world whose time jumps."""

import asyncio
from itertools import pairwise

import httpx
import pytest

from gateway.adapter import Verdict
from gateway.delivery.lanes import Lane, Lanes
from tests.unit.delivery.memory_log import MemoryLog
from tests.unit.delivery.vendor_adapter import adapter, outbound
from tests.unit.delivery.world import Arrival, Vendor, World, answers, by_lane, event, play


def test_a_failed_lane_waits_while_the_others_go_on() -> None:
    """The cursor moves on, the lane's events wait beside the log, and its order holds."""

    async def story() -> None:
        def script(arrival: Arrival) -> httpx.Response:
            return httpx.Response(500 if arrival.ids == ("e0",) and arrival.at < 60 else 202)

        world = World(Vendor(script))
        events = [event(0), *(event(n, who=f"person {n % 5}") for n in range(1, 50)), event(50), event(51)]
        await world.append(*events)
        await world.deliverer.start()
        await world.until(lambda: len(world.vendor.accepted) == 49)
        await asyncio.sleep(1)
        (status,) = (await world.log.status()).targets
        assert (status.cursor, status.parked, status.delivered) == (52, 3, 49)
        (state,) = world.deliverer.states()
        assert (state.state, state.waiting_lanes, state.waiting) == ("running", 1, {"HTTP 500": 1})
        await world.settled()
        assert world.vendor.accepted[-3:] == ["e0", "e50", "e51"]
        await world.deliverer.stop()

    play(story())


def test_waits_grow_up_to_the_cap() -> None:
    async def story() -> None:
        world = World(answers(*[500] * 14), draw=lambda: 1.0, backoff_cap=60.0)
        await world.deliver([event(1)])
        times = [arrival.at for arrival in world.vendor.arrivals]
        waits = [round(later - earlier) for earlier, later in pairwise(times)]
        assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60, 60]
        assert [attempt.attempt for attempt in world.attempts] == list(range(1, 16))

    play(story())


def test_an_event_is_given_up_after_its_maximum_age() -> None:
    async def story() -> None:
        vendor = Vendor(script=lambda arrival: httpx.Response(500 if arrival.ids == ("e1",) else 202, text="oops"))
        world = World(vendor, max_age=3600.0)
        await world.deliver([event(1), event(2)])
        (letter,) = await world.log.dead_letters()
        assert letter.reason == "given up on after 0.0416667 days: HTTP 500"
        assert (letter.event_id, letter.status, letter.answer, letter.request) == ("e1", 500, b"oops", b'["e1"]')
        assert letter.attempts == len(vendor.arrivals) - 1 > 10
        assert vendor.accepted == ["e2"]

    play(story())


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), OSError("reset")])
def test_no_answer_is_tried_again(error: Exception) -> None:
    async def story() -> None:
        vendor = Vendor(script=lambda arrival: error if len(vendor.arrivals) < 3 else httpx.Response(200))
        world = World(vendor)
        await world.deliver([event(1)])
        assert [attempt.verdict for attempt in world.attempts] == [Verdict.RETRY, Verdict.RETRY, Verdict.DONE]
        assert world.attempts[0].status is None
        assert "no answer" in world.attempts[0].why

    play(story())


def test_an_answer_that_never_ends_is_cut_off() -> None:
    async def story() -> None:
        async def hang() -> httpx.Response:
            await asyncio.sleep(1000)
            return httpx.Response(200)

        vendor = Vendor(script=lambda arrival: hang() if len(vendor.arrivals) == 1 else httpx.Response(200))
        world = World(vendor)
        await world.deliver([event(1)])
        assert world.attempts[0].why == "no answer: ReadTimeout: the answer took too long"
        assert 30 <= vendor.arrivals[1].at <= 32

    play(story())


def test_a_target_that_is_down_is_left_alone_until_a_probe_succeeds() -> None:
    async def story() -> None:
        vendor = Vendor(script=lambda arrival: httpx.Response(503 if arrival.at < 600 else 202), latency=0.01)
        world = World(vendor)
        await world.append(*(event(n, who=f"person {n}") for n in range(10_000)))
        await world.deliverer.start()
        await asyncio.sleep(500)
        assert 20 <= len(vendor.arrivals) < 60
        (state,) = world.deliverer.states()
        assert (state.state, state.reason) == ("open", "HTTP 503")
        (status,) = (await world.log.status()).targets
        assert status.parked < 60
        await world.settled()
        assert len(vendor.accepted) == 10_000
        assert world.deliverer.states()[0].state == "running"
        assert vendor.arrivals[-1].at < 1100
        await world.deliverer.stop()

    play(story())


def test_while_a_target_is_down_its_waiting_lanes_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not looked at again and again: a thousand that wait for hours must not take the others' time."""
    rests = 0
    rest = Lanes.rest

    def counted(lanes: Lanes, lane: Lane, due: float, reason: str) -> None:
        nonlocal rests
        rests += 1
        rest(lanes, lane, due, reason)

    monkeypatch.setattr(Lanes, "rest", counted)

    async def story() -> None:
        world = World(Vendor(lambda arrival: httpx.Response(503 if arrival.at < 10_000 else 202)))
        await world.append(*(event(n, who=f"person {n}") for n in range(500)))
        await world.deliverer.start()
        await asyncio.sleep(100)
        await world.deliverer.stop()
        world.build()
        await world.deliverer.start()
        await asyncio.sleep(9_000)
        assert rests < 2 * len(world.vendor.arrivals) + 1_000
        await world.settled(patience=2_000)
        assert len(world.vendor.accepted) == 500
        await world.deliverer.stop()

    play(story())


def test_events_that_always_fail_do_not_keep_the_others_back() -> None:
    """The circuit opens, but probes go through lane after lane."""

    async def story() -> None:
        poison = {f"e{n}" for n in range(30)}
        world = World(Vendor(script=lambda arrival: httpx.Response(500 if poison & {*arrival.ids} else 202)))
        await world.append(*(event(n, who=f"person {n}") for n in range(500)))
        await world.deliverer.start()
        await world.until(lambda: len(world.vendor.accepted) == 470, patience=7200)
        await world.deliverer.stop()
        await world.check()

    play(story())


@pytest.mark.parametrize(("headers", "wait"), [({"retry-after": "7"}, 7), ({}, 0.5)])
def test_too_fast_pauses_the_endpoint_and_is_no_try(headers: dict[str, str], wait: float) -> None:
    async def story() -> None:
        vendor = Vendor(script=lambda a: httpx.Response(429, headers=headers) if a.at < 1e-9 else httpx.Response(202))
        world = World(vendor)
        events = [event(n, who=f"person {n % 20}") for n in range(100)]
        await world.deliver(events)
        first = [arrival.at for arrival in vendor.arrivals if arrival.at > 1e-9]
        assert first[0] >= wait
        assert len(set(first[:20])) == 20
        assert max(attempt.attempt for attempt in world.attempts) == 1
        assert by_lane(vendor.accepted, events) == by_lane([one.id for one in events], events)
        log = world.log
        assert isinstance(log, MemoryLog)
        assert not any(settlement.park for settlement in log.settlements)

    play(story())


def test_retry_after_on_a_failure_is_obeyed_as_well() -> None:
    async def story() -> None:
        vendor = Vendor(
            script=lambda a: httpx.Response(503, headers={"retry-after": "90"}) if a.at < 1e-9 else httpx.Response(202)
        )
        world = World(vendor)
        await world.deliver([event(n, who=f"person {n}") for n in range(30)])
        assert min(arrival.at for arrival in vendor.arrivals if arrival.at > 1e-9) >= 90

    play(story())


def test_a_used_up_quota_pauses_the_endpoint() -> None:
    async def story() -> None:
        headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": "30"}
        world = World(Vendor(script=lambda arrival: httpx.Response(202, headers=headers)), concurrency=1)
        await world.deliver([event(n) for n in range(3)])
        times = [arrival.at for arrival in world.vendor.arrivals]
        assert times[1] >= 30
        assert times[2] >= 60

    play(story())


def test_too_large_is_halved_down_to_the_one_event_that_is() -> None:
    async def story() -> None:
        def script(arrival: Arrival) -> httpx.Response:
            return httpx.Response(413 if "e5" in arrival.ids or len(arrival.ids) > 6 else 202)

        world = World(Vendor(script), adapter=adapter(outbound(max_events=16)))
        events = [event(n, who=f"person {n % 3}") for n in range(16)]
        await world.deliver(events)
        (letter,) = await world.log.dead_letters()
        assert (letter.event_id, letter.reason) == ("e5", "HTTP 413: too large by itself")
        kept = [one.id for one in events if one.id != "e5"]
        assert by_lane(world.vendor.accepted, events) == by_lane(kept, events)

    play(story())


def test_a_body_beyond_the_limit_is_never_sent() -> None:
    async def story() -> None:
        world = World(adapter=adapter(outbound(max_events=4, max_body=13)))
        await world.deliver([event(1), event(2), event(3), event(10_000_000_000)])
        assert world.vendor.tried == [("e1", "e2"), ("e3",)]
        (letter,) = await world.log.dead_letters()
        assert letter.reason == "16 bytes in one request, where the vendor takes 13: too large by itself"
        assert letter.status is None

    play(story())


def test_a_wrong_account_holds_the_target_and_burns_nothing() -> None:
    async def story() -> None:
        vendor = Vendor(script=lambda arrival: httpx.Response(401 if arrival.at < 200 else 202), latency=0.01)
        world = World(vendor)
        events = [event(n, who=f"person {n % 40}") for n in range(200)]
        await world.append(*events)
        await world.deliverer.start()
        await asyncio.sleep(199)
        (state,) = world.deliverer.states()
        assert (state.state, state.reason) == ("held", "HTTP 401")
        assert len(vendor.arrivals) == 20 + 3
        await world.settled()
        assert by_lane(vendor.accepted, events) == by_lane([one.id for one in events], events)
        assert await world.log.dead_letters() == []
        assert max(attempt.attempt for attempt in world.attempts) == 1
        await world.deliverer.stop()

    play(story())


def test_a_person_can_release_a_held_target() -> None:
    async def story() -> None:
        vendor = answers(*[403] * 20)
        vendor.latency = 0.01
        world = World(vendor, hold_probe=1e6)
        await world.append(*(event(n, who=f"person {n}") for n in range(30)))
        await world.deliverer.start()
        await asyncio.sleep(10)
        assert world.vendor.accepted == []
        world.deliverer.release("crm")
        await world.settled(patience=1)
        await world.deliverer.stop()

    play(story())


def test_the_named_events_are_dead_and_the_rest_is_sent_again() -> None:
    async def story() -> None:
        def script(arrival: Arrival) -> httpx.Response:
            bad = {at: "no such metric" for at, one in enumerate(arrival.ids) if one in ("e2", "e7")}
            return httpx.Response(400, json={"bad": bad}) if bad else httpx.Response(202)

        world = World(Vendor(script), adapter=adapter(outbound(max_events=10)), concurrency=1)
        await world.deliver([event(n, who=f"person {n % 2}") for n in range(10)])
        letters = await world.log.dead_letters()
        assert {letter.event_id for letter in letters} == {"e2", "e7"}
        assert {letter.reason for letter in letters} == {"no such metric"}
        assert {letter.status for letter in letters} == {400}
        assert {letter.endpoint for letter in letters} == {"events"}
        assert len(world.vendor.arrivals) == 2

    play(story())


def test_a_success_that_names_events_delivers_the_rest() -> None:
    async def story() -> None:
        vendor = Vendor(script=lambda arrival: httpx.Response(200, json={"bad": {"1": "no identifier", "99": "?"}}))
        world = World(vendor, adapter=adapter(outbound(max_events=3)))
        await world.deliver([event(n) for n in range(3)])
        assert [letter.event_id for letter in await world.log.dead_letters()] == ["e1"]
        assert len(vendor.arrivals) == 1

    play(story())


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"bad": {}}', b'{"bad": {"x": "y"}}', b'{"bad": {"77": "z"}}'])
def test_a_refusal_that_names_nobody_is_split_down_to_the_guilty(body: bytes) -> None:
    async def story() -> None:
        def script(arrival: Arrival) -> httpx.Response:
            return httpx.Response(422, content=body) if {"e3", "e11"} & {*arrival.ids} else httpx.Response(202)

        world = World(Vendor(script), adapter=adapter(outbound(max_events=16)))
        events = [event(n, who=f"person {n % 2}") for n in range(16)]
        await world.deliver(events)
        letters = await world.log.dead_letters()
        assert [letter.event_id for letter in letters] == ["e11", "e3"]
        assert {letter.reason for letter in letters} == {"HTTP 422"}
        assert {letter.answer for letter in letters} == {body}
        kept = [one.id for one in events if one.id not in ("e3", "e11")]
        assert by_lane(world.vendor.accepted, events) == by_lane(kept, events)

    play(story())


def test_a_rule_of_the_vendor_comes_before_the_default() -> None:
    async def story() -> None:
        left = [httpx.Response(409, json={"code": "duplicate"}), httpx.Response(409, json={"code": "other"})]
        world = World(Vendor(script=lambda arrival: left.pop(0)))
        await world.deliver([event(1), event(2)])
        assert [attempt.why for attempt in world.attempts] == [
            "HTTP 409 duplicate: stored by an earlier try",
            "HTTP 409 other",
        ]
        assert [letter.event_id for letter in await world.log.dead_letters()] == ["e2"]

    play(story())


def test_secrets_are_not_in_a_dead_letter() -> None:
    async def story() -> None:
        vendor = Vendor(script=lambda arrival: httpx.Response(400, text="the key s3cret is not for this"))
        world = World(vendor)
        await world.deliver([event(1, name="telling")])
        (letter,) = await world.log.dead_letters()
        assert letter.request == b'["e1", "***"]'
        assert letter.answer == b"the key *** is not for this"

    play(story())


def test_a_secret_at_the_place_where_an_answer_is_cut_does_not_stay_in_part() -> None:
    async def story() -> None:
        vendor = Vendor(script=lambda arrival: httpx.Response(400, text="x" * (16 * 1024 - 3) + "s3cret"))
        world = World(vendor)
        await world.deliver([event(1)])
        (letter,) = await world.log.dead_letters()
        assert letter.answer is not None
        assert b"s3c" not in letter.answer

    play(story())
