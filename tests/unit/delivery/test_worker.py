"""How a worker batches, chooses endpoints, keeps to limits and to the order of lanes; in a world whose time jumps."""

from typing import Any

import httpx
import msgspec
import pytest

from gateway.adapter import Event
from gateway.errors import EncodeError, UsageError
from gateway.event import Commerce
from tests.unit.delivery.vendor_adapter import LEFT_OUT, UNENCODABLE, adapter, outbound, window
from tests.unit.delivery.world import Vendor, World, by_lane, entry, event, play


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


def test_one_dead_target_costs_the_other_nothing() -> None:
    async def story() -> None:
        world = World(Vendor(script=lambda arrival: httpx.ConnectError("gone")), Vendor())
        await world.append(*(event(n, who=f"person {n}") for n in range(3000)))
        await world.deliverer.start()
        await world.until(lambda: len(world.vendors[1].accepted) == 3000, patience=5)
        await world.deliverer.stop()
        await world.check()

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


@pytest.mark.parametrize(("ours", "seconds"), [(True, 2.0), (False, 20.0)])
def test_windows_of_a_person_replace_those_that_nobody_published(ours: bool, seconds: float) -> None:
    async def story() -> None:
        careful = msgspec.structs.replace(window(1, 1.0), ours=ours)
        world = World(adapter=adapter(outbound(windows=(careful,))), windows=(window(10, 1.0),))
        await world.deliver([event(n, who=f"p{n}") for n in range(21)])
        assert world.vendor.arrivals[-1].at == pytest.approx(seconds, abs=1.0)

    play(story())
