"""Which endpoint an event goes to, where endpoints take only some events of their kinds."""

import asyncio
from collections.abc import Sequence

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapter import Adapter, Encoded, Event, Outbound, Settings
from gateway.event import Kind
from tests.unit.delivery.vendor_adapter import adapter, encode, outbound, window
from tests.unit.delivery.world import Arrival, Vendor, World, by_lane, event, play

KNOWN = "Known"
STRANGE = "Strange"


SETTINGS = Settings(target="crm", credentials={})


def known(one: Event, settings: Settings) -> bool:
    return one.name == KNOWN


def not_strange(one: Event, settings: Settings) -> bool:
    return one.name != STRANGE


def paths(world: World) -> dict[str, str]:
    """Return where each event went."""
    return {one: arrival.path.removeprefix("/base/") for arrival in world.vendor.arrivals for one in arrival.ids}


def reasons(world: World) -> dict[str, str]:
    async def letters() -> dict[str, str]:
        return {letter.event_id: letter.reason for letter in await world.log.dead_letters()}

    return play(letters())


def delivered(vendor: Adapter, *events: Event, **more: object) -> World:
    """Return the world after some events are settled."""

    async def story() -> World:
        world = World(adapter=vendor, **more)  # type: ignore[arg-type]  # a target's settings
        await world.deliver(events)
        return world

    return play(story())


def test_an_event_that_an_endpoint_does_not_take_goes_to_the_next() -> None:
    vendor = adapter(outbound("people", max_events=9, takes=known), outbound("events", max_events=9))
    events = [event(n, who=f"person {n % 3}", name=KNOWN if n % 2 else STRANGE) for n in range(40)]
    world = delivered(vendor, *events)
    went = paths(world)
    assert {went[f"e{n}"] for n in range(0, 40, 2)} == {"events"}
    assert {went[f"e{n}"] for n in range(1, 40, 2)} == {"people"}
    assert by_lane(world.vendor.accepted, events) == by_lane([one.id for one in events], events)


def test_an_event_that_is_not_taken_is_never_encoded() -> None:
    given: list[Event] = []

    def overheard(events: Sequence[Event], to: Settings) -> list[Encoded]:
        given.extend(events)
        return encode(events, to)

    people = msgspec.structs.replace(outbound("people", max_events=9, takes=known), encode=overheard)
    names = [KNOWN, STRANGE, "Other"]
    delivered(adapter(people, outbound()), *(event(n, name=names[n % 3]) for n in range(30)))
    assert len(given) == 10
    assert all(known(one, SETTINGS) for one in given)


def test_what_pays_is_counted_among_events_that_could_go_the_same_way() -> None:
    bulk = outbound("bulk", max_events=50, pays_from=5, takes=known)
    vendor = adapter(bulk, outbound("single"))
    strange = [event(n, who=f"person {n}", name=STRANGE) for n in range(10)]
    few = [event(n, who=f"person {n}", name=KNOWN) for n in range(10, 14)]
    assert set(paths(delivered(vendor, *strange, *few, concurrency=1)).values()) == {"single"}
    enough = [event(n, who=f"person {n}", name=KNOWN) for n in range(10, 15)]
    went = paths(delivered(vendor, *strange, *enough, concurrency=1))
    assert {went[one.id] for one in enough} == {"bulk"}
    assert {went[one.id] for one in strange} == {"single"}


def test_one_request_carries_what_goes_different_ways_to_the_same_endpoint() -> None:
    """An endpoint for all gets the events that others would take as well, when those are shut."""
    shut = outbound("people", takes=known, windows=(window(1, 1000.0),))
    vendor = adapter(shut, outbound("events", max_events=50, kinds=("track", "page")))
    first = event(0, who="first", name=KNOWN)
    events = [event(n, who=f"person {n}", name=KNOWN if n % 2 else STRANGE) for n in range(1, 21)]
    world = delivered(vendor, first, *events, concurrency=1)
    went = paths(world)
    assert went["e0"] == "people"
    assert max(len(ids) for ids in world.vendor.tried) == 20


def test_an_event_that_no_endpoint_takes_is_dead_with_the_reason() -> None:
    people = outbound("people", kinds=("identify",), takes=known)
    both = outbound("both", kinds=("identify", "track"), takes=not_strange)
    lost = delivered(adapter(people, both), event(1, kind="identify", name=STRANGE), event(2, name="x"))
    assert reasons(lost) == {
        "e1": "made_up: an event of kind identify that cannot go to people or both has no other endpoint"
    }
    assert lost.vendor.accepted == ["e2"]


def test_an_event_that_only_an_endpoint_without_credentials_takes_is_dead_with_the_reason() -> None:
    people = outbound("people", kinds=("identify",), takes=known)
    closed = outbound("closed", kinds=("identify",), needs=("user_key",), takes=not_strange)
    events = [event(n, kind="identify", name=name) for n, name in enumerate([KNOWN, "Other", STRANGE])]
    lost = delivered(adapter(people, closed), *events)
    assert reasons(lost) == {
        "e1": "made_up: events of kind identify that cannot go to people need user_key, which the target crm has not",
        "e2": "made_up: an event of kind identify that cannot go to people has no other endpoint",
    }
    assert lost.vendor.accepted == ["e0"]


def test_a_kind_is_dead_with_the_reason_where_nothing_usable_has_it() -> None:
    closed = outbound("closed", kinds=("identify",), needs=("user_key",), takes=known)
    events = [event(n, kind="identify", name=name) for n, name in enumerate([KNOWN, STRANGE])]
    assert reasons(delivered(adapter(outbound(kinds=("track",)), closed), *events)) == {
        "e0": "made_up: events of kind identify need user_key, which the target crm has not",
        "e1": "made_up: no endpoint carries events of kind identify",
    }


def test_an_adapter_that_fails_at_one_event_loses_that_one() -> None:
    def fails(one: Event, settings: Settings) -> bool:
        return one.id == "e3" or 1 // (one.id != "e1") == 1

    world = delivered(adapter(outbound("picky", takes=fails)), *(event(n) for n in range(4)))
    (reason,) = reasons(world).values()
    assert reason.startswith("the adapter failed: ZeroDivisionError(")
    assert world.vendor.accepted == ["e0", "e2", "e3"]


def test_the_event_is_asked_about_as_the_route_changed_it() -> None:
    def transform(one: Event, rule: str, target: str) -> Event:
        return event(int(one.id[1:]), name=STRANGE if known(one, SETTINGS) else KNOWN)

    vendor = adapter(outbound("people", takes=known), outbound("events"))
    went = paths(delivered(vendor, event(1, name=KNOWN), event(2, name=STRANGE), transform=transform))
    assert went == {"e1": "events", "e2": "people"}


@pytest.mark.parametrize("others", ["kind", "way"])
def test_a_full_way_does_not_starve_another_at_a_slow_endpoint(others: str) -> None:
    """One request a second, and one sender, which looks for work twice for each request."""
    slow = outbound("events", windows=(window(1, 1.0),))
    vendor = adapter(outbound("people", takes=known, kinds=("page",)), slow)
    late = event(100, who="late", kind="page" if others == "way" else "identify", name=STRANGE)

    async def story() -> None:
        world = World(adapter=vendor, concurrency=1)
        await world.deliver([*(event(n, who=f"person {n}") for n in range(100)), late])
        assert world.vendor.accepted.index("e100") < 5

    play(story())


def _three_ways() -> tuple[Outbound, ...]:
    limits = (window(20, 1.0),)
    return (
        outbound("bulk", max_events=5, pays_from=3, takes=known, kinds=("identify", "track"), windows=limits),
        outbound("people", takes=not_strange, kinds=("identify",), windows=limits),
        outbound("events", max_events=3),
    )


@settings(max_examples=80, deadline=None)
@given(
    kinds=st.lists(st.tuples(st.sampled_from(["track", "identify", "page"]), st.integers(0, 2)), min_size=3),
    script=st.lists(st.sampled_from([202, 202, 202, 400, 413, 429, 500]), max_size=40),
    lanes=st.integers(1, 8),
    stop_after=st.floats(0.01, 20.0),
    seed=st.integers(0, 1000),
)
def test_events_of_a_lane_keep_their_order_whichever_ways_they_go(
    kinds: list[tuple[Kind, int]], script: list[int], lanes: int, stop_after: float, seed: int
) -> None:
    """Over any verdicts and a restart; and none goes where it is not taken."""

    async def story() -> None:
        left = list(script)

        def answer(arrival: Arrival) -> httpx.Response:
            return httpx.Response(left.pop(0) if left else 202)

        names = ("Other", KNOWN, STRANGE)
        events = [
            event(n, who=f"person {n % lanes}", kind=kinds[n % len(kinds)][0], name=names[kinds[n % len(kinds)][1]])
            for n in range(60)
        ]
        outs = _three_ways()
        vendor = Vendor(answer, latency=0.05)
        world = World(vendor, adapter=adapter(*outs), concurrency=4, seed=seed, ahead_events=25)
        await world.append(*events)
        await world.deliverer.start()
        await asyncio.sleep(stop_after)
        await world.deliverer.stop(grace=1)
        await world.check()
        world.build()
        await world.deliverer.start()
        await world.settled()
        await world.deliverer.stop()
        dead = {letter.event_id for letter in await world.log.dead_letters()}
        kept = [one.id for one in events if one.id not in dead]
        assert by_lane(vendor.accepted, events) == by_lane(kept, events)
        endpoints = {f"/base/{out.name}": out for out in outs}
        by_id = {one.id: one for one in events}
        assert all(endpoints[a.path].carries(by_id[one], SETTINGS) for a in vendor.arrivals for one in a.ids)

    play(story())
