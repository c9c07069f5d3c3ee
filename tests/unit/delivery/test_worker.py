"""What a worker does with each verdict, in a world whose time jumps."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapter import Event, Verdict
from gateway.delivery import Attempt
from gateway.errors import EncodeError, LogError, UsageError
from gateway.event import Commerce
from tests.unit.delivery.memory_log import MemoryLog
from tests.unit.delivery.vendor_adapter import LEFT_OUT, UNENCODABLE, adapter, outbound, window
from tests.unit.delivery.world import EPOCH, Arrival, Vendor, World, by_lane, entry, event, play


def answers(*statuses: int) -> Vendor:
    """Return a vendor with these answers, and 202 after them."""
    left = list(statuses)
    return Vendor(script=lambda arrival: httpx.Response(left.pop(0) if left else 202))


def test_each_event_arrives_once_and_in_the_order_of_its_lane() -> None:
    async def story() -> None:
        world = World(Vendor(latency=0.05))
        events = [event(n, who=f"person {n % 7}") for n in range(300)]
        await world.deliver(events)
        assert by_lane(world.vendor.accepted, events) == by_lane([one.id for one in events], events)
        assert world.vendor.most_in_flight == 7

    play(story())


def test_in_flight_is_bounded() -> None:
    async def story() -> None:
        world = World(Vendor(latency=0.05), concurrency=4)
        await world.deliver([event(n, who=f"person {n}") for n in range(100)])
        assert world.vendor.most_in_flight == 4

    play(story())


def test_a_batch_holds_several_events_of_a_lane_in_order() -> None:
    async def story() -> None:
        world = World(adapter=adapter(outbound(max_events=10)), concurrency=2)
        events = [event(n, who=f"person {n % 2}") for n in range(40)]
        await world.deliver(events)
        assert max(len(ids) for ids in world.vendor.tried) == 10
        assert by_lane(world.vendor.accepted, events) == by_lane([one.id for one in events], events)

    play(story())


def test_the_request_is_what_the_adapter_said() -> None:
    async def story() -> None:
        world = World(base_url="http://127.0.0.1:1/prefix/")
        await world.deliver([event(1)])
        request = world.vendor.arrivals[0].request
        assert request.method == "POST"
        assert str(request.url) == "http://127.0.0.1:1/prefix/events"
        assert request.headers["authorization"] == "Key s3cret"
        assert request.headers["host"] == "127.0.0.1:1"
        assert request.headers["content-length"] == "6"
        assert request.headers["accept-encoding"] == "identity"

    play(story())


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


def test_one_dead_target_costs_the_other_nothing() -> None:
    async def story() -> None:
        world = World(Vendor(script=lambda arrival: httpx.ConnectError("gone")), Vendor())
        await world.append(*(event(n, who=f"person {n}") for n in range(3000)))
        await world.deliverer.start()
        await world.until(lambda: len(world.vendors[1].accepted) == 3000, patience=5)
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


def test_windows_are_kept() -> None:
    async def story() -> None:
        world = World(
            Vendor(latency=0.02),
            adapter=adapter(outbound(max_events=3, windows=(window(30, 10.0, "events"), window(7, 1.0)))),
            windows=(window(2, 0.5),),
        )
        await world.deliver([event(n, who=f"person {n}") for n in range(300)])
        arrivals = world.vendor.arrivals
        for count, seconds in ((7, 1.0), (2, 0.5)):
            times = [arrival.at for arrival in arrivals]
            assert all(later - earlier >= seconds for earlier, later in zip(times, times[count:], strict=False))
        times = [arrival.at for arrival in arrivals for _ in arrival.ids]
        assert all(later - earlier >= 10.0 for earlier, later in zip(times, times[30:], strict=False))

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


def test_an_event_that_cannot_be_encoded_costs_only_itself() -> None:
    async def story() -> None:
        world = World(adapter=adapter(outbound(max_events=10)))
        await world.deliver(
            [event(1), event(2, name=UNENCODABLE), event(3), event(4, name=LEFT_OUT), event(5, who="bob")]
        )
        assert sorted(world.vendor.accepted) == ["e1", "e3", "e5"]
        reasons = {letter.event_id: letter.reason for letter in await world.log.dead_letters()}
        assert reasons == {
            "e2": "this vendor has no such event",
            "e4": "the adapter put the event into no request",
        }

    play(story())


def test_a_kind_that_nothing_carries_is_dead_with_the_reason() -> None:
    async def story() -> None:
        people = outbound("people", kinds=("identify",), needs=("key", "user_key"))
        world = World(adapter=adapter(outbound(kinds=("track",)), people))
        await world.deliver([event(1, kind="alias"), event(2, kind="identify"), event(3)])
        reasons = {letter.event_id: letter.reason for letter in await world.log.dead_letters()}
        assert reasons == {
            "e1": "made_up: no endpoint carries events of kind alias",
            "e2": "made_up: events of kind identify need key and user_key, which the target crm has not",
        }
        assert world.vendor.accepted == ["e3"]

    play(story())


def test_what_the_log_cannot_give_back_is_dead() -> None:
    async def story() -> None:
        world = World()
        await world.append(event(1))
        broken = entry(event(2))
        await world.log.append([type(broken)("e2", b'{"id": 7}', broken.decision)])
        await world.deliver([event(3)])
        (letter,) = await world.log.dead_letters()
        assert "the log holds no event here" in letter.reason
        assert letter.body == b'{"id": 7}'
        assert world.vendor.accepted == ["e1", "e3"]

    play(story())


def test_the_rule_changes_the_event_on_its_way() -> None:
    """Lanes and dead letters are those of the event as it was accepted."""

    def transform(one: Event, rule: str, target: str) -> Event:
        assert (rule, target) == ("rule", "crm")
        if one.id == "e2":
            raise EncodeError("refused by the rule")
        if one.id == "e3":
            raise ZeroDivisionError
        return event(100 + int(one.id[1:]))

    async def story() -> None:
        world = World(transform=transform)
        await world.deliver([event(1), event(2), event(3), event(4)])
        assert world.vendor.accepted == ["e101", "e104"]
        reasons = {letter.event_id: letter.reason for letter in await world.log.dead_letters()}
        assert reasons == {"e2": "refused by the rule", "e3": "the rule 'rule' failed: ZeroDivisionError()"}

    play(story())


def test_a_bulk_endpoint_is_used_from_where_it_pays() -> None:
    async def story() -> None:
        bulk = outbound("bulk", max_events=50, pays_from=5)
        world = World(adapter=adapter(bulk, outbound("single")), concurrency=1)
        await world.deliver([event(n, who=f"person {n}") for n in range(57)])
        assert [(arrival.path, len(arrival.ids)) for arrival in world.vendor.arrivals] == [
            ("/base/bulk", 50),
            ("/base/bulk", 7),
        ]
        world = World(adapter=adapter(bulk, outbound("single")), concurrency=1)
        await world.deliver([event(n, who=f"person {n}") for n in range(4)])
        assert {arrival.path for arrival in world.vendor.arrivals} == {"/base/single"}

    play(story())


def test_kinds_take_turns_within_a_lane() -> None:
    async def story() -> None:
        tracks, people = outbound("tracks", kinds=("track",), max_events=9), outbound("people", kinds=("identify",))
        world = World(adapter=adapter(tracks, people))
        kinds = ("track", "track", "identify", "track", "identify", "identify", "track")
        events = [event(n, kind=kind) for n, kind in enumerate(kinds)]  # type: ignore[arg-type]  # a tuple of Kinds
        await world.deliver(events)
        assert world.vendor.accepted == [one.id for one in events]
        assert world.vendor.tried[0] == ("e0", "e1")

    play(story())


def test_an_event_in_two_requests_is_delivered_with_the_second() -> None:
    async def story() -> None:
        left = [202, 500, 202, 202]
        world = World(Vendor(script=lambda arrival: httpx.Response(left.pop(0))), adapter=adapter(outbound(twice=True)))
        await world.deliver([event(1)])
        assert [str(arrival.request.url.raw_path) for arrival in world.vendor.arrivals] == [
            "b'/base/events'",
            "b'/base/second?x=%2F'",
        ] * 2
        (status,) = (await world.log.status()).targets
        assert status.delivered == 1

    play(story())


def test_requests_that_would_overtake_are_put_off() -> None:
    async def story() -> None:
        world = World(adapter=adapter(outbound(max_events=4, reversing=True)), concurrency=1)
        events = [event(1), event(2, who="bob"), event(3), event(4, who="bob")]
        await world.deliver(events)
        assert by_lane(world.vendor.accepted, events) == {"ann": ["e1", "e3"], "bob": ["e2", "e4"]}
        assert len(world.vendor.arrivals) == 4

    play(story())


def test_a_batch_whose_requests_cannot_be_ordered_is_made_smaller() -> None:
    async def story() -> None:
        world = World(adapter=adapter(outbound(max_events=4, interleaving=True)), concurrency=1)
        await world.deliver([event(n) for n in range(4)])
        assert world.vendor.accepted == ["e0", "e1", "e2", "e3"]
        assert world.vendor.tried == [("e0",), ("e1",), ("e2",), ("e3",)]

    play(story())


def test_losses_are_told_once_per_request() -> None:
    async def story() -> None:
        world = World(adapter=adapter(outbound(max_events=5)))
        with_money = event(2)
        with_money = Event(
            id="e2", kind="track", name="x", received_at=with_money.received_at, source=with_money.source,
            profile=with_money.profile, commerce=Commerce(order_id="1"),
        )  # fmt: skip
        await world.deliver([event(1), with_money])
        assert world.losses == [("shop", "crm", "commerce.tax")]

    play(story())


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


@pytest.mark.parametrize("path", ["/a\nb", "a", "@other.example/a", "", ".example/a", ":80@other.example/"])
def test_an_address_that_cannot_be_used_costs_its_events(path: str) -> None:
    """Nor can one be used that would lead to another host, with our credentials."""

    async def story() -> None:
        world = World(adapter=adapter(outbound(max_events=3, astray=path)))
        await world.deliver([event(1), event(2)])
        reasons = {letter.reason for letter in await world.log.dead_letters()}
        assert reasons == {"the adapter made an address that cannot be used"}
        assert world.vendor.arrivals == []

    play(story())


@pytest.mark.parametrize(
    "bad", [{"credentials": {"key": "a\nb"}}, {"credentials": {"key": "é"}}, {"base_url": "ftp://x"}]
)
def test_what_cannot_stand_in_a_request_is_told_at_once_and_not_shown(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="target crm, events: a credential or base_url cannot stand") as caught:
        World(**bad)
    assert "é" not in str(caught.value)


def test_a_deliverer_that_was_never_started_can_be_asked_and_stopped() -> None:
    async def story() -> None:
        deliverer = World().deliverer
        assert deliverer.states() == []
        assert (await deliverer.stop()).keys() == deliverer.snapshot().keys()

    play(story())


def test_no_kind_starves_another_at_one_endpoint() -> None:
    async def story() -> None:
        world = World(Vendor(latency=0.1), concurrency=1)
        tracks = [event(n, who=f"person {n}") for n in range(100)]
        await world.deliver([*tracks, event(100, who="late", kind="page")])
        assert world.vendor.accepted.index("e100") < 20

    play(story())


def test_two_targets_at_one_account_share_its_limits() -> None:
    async def story() -> None:
        both = Vendor()
        world = World(both, both, adapter=adapter(outbound(windows=(window(10, 1.0),))))
        await world.deliver([event(n, who=f"person {n}") for n in range(50)])
        times = [arrival.at for arrival in both.arrivals]
        assert len(times) == 100
        assert all(later - earlier >= 1.0 for earlier, later in zip(times, times[10:], strict=False))

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
        await world.append(*events)
        for seconds in stops:
            await world.deliverer.start()
            await asyncio.sleep(seconds)
            await world.deliverer.stop(grace=1)
            await world.check()
            world.build()
        await world.deliverer.start()
        await world.settled()
        await world.deliverer.stop()
        dead = {letter.event_id for letter in await world.log.dead_letters()}
        assert len(vendor.accepted) == len(set(vendor.accepted))
        assert {*vendor.accepted} | dead == {one.id for one in events}
        kept = [one.id for one in events if one.id not in dead]
        assert by_lane(vendor.accepted, events) == by_lane(kept, events)

    play(story())


def test_the_epoch_of_a_world_is_its_walls() -> None:
    async def story() -> None:
        assert World().wall() == EPOCH

    play(story())
