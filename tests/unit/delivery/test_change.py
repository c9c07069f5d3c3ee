"""Other targets while delivery runs: workers end and begin, nothing is lost, sent twice, or sent too fast."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from gateway.delivery import Deliverer, TargetSpec
from gateway.delivery.limiter import SPREAD
from gateway.errors import LogError
from tests.unit.delivery.memory_log import MemoryLog
from tests.unit.delivery.vendor_adapter import adapter, outbound, window
from tests.unit.delivery.world import EPOCH, Arrival, Vendor, entry, event, play

WIDE = adapter()
NARROW = adapter(outbound("single", windows=(window(5, 100.0),)))


def spec(name: str = "crm", key: str = "s3cret", **more: Any) -> TargetSpec:
    return TargetSpec(name=name, **{"adapter": WIDE, "credentials": {"key": key}, **more})


class Place:
    """A log, one vendor for all targets, and a deliverer."""

    def __init__(self, *specs: TargetSpec, vendor: Vendor | None = None) -> None:
        self.log = MemoryLog([one.name for one in specs])
        self.vendor = vendor or Vendor()
        self.deliverer = Deliverer(specs, self.log, transport=lambda _: self.vendor, draw=lambda: 0.5, wall=self.wall)

    def wall(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    async def append(self, first: int, last: int, *targets: str) -> None:
        await self.log.append([entry(event(n, f"p{n % 7}"), *targets) for n in range(first, last)])

    async def settled(self, *targets: str) -> None:
        for _ in range(100_000):
            states = {status.target: status for status in (await self.log.status()).targets}
            assert not any(status.missing for status in states.values())
            if not any(states[name].queued for name in targets or ("crm",)):
                return
            await asyncio.sleep(0.05)
        pytest.fail("something stays queued")

    async def change(self, *specs: TargetSpec) -> "asyncio.Task[None]":
        await self.log.register([one.name for one in specs])
        return self.deliverer.change(self.deliverer.plan(specs))


def key_of(arrival: Arrival) -> str:
    return arrival.request.headers["authorization"]


def test_nothing_happens_to_targets_that_stay_the_same() -> None:
    async def story() -> None:
        place = Place(spec(), spec("mail", "other"))
        await place.deliverer.start()
        plan = place.deliverer.plan([spec(), spec("mail", "other")])
        assert (plan.ends, plan.begins) == ([], [])
        await place.deliverer.stop()

    play(story())


def test_a_changed_key_counts_for_every_later_request_and_what_was_in_flight_is_not_sent_again() -> None:
    async def story() -> None:
        place = Place(spec(), vendor=Vendor(latency=12.0))
        await place.deliverer.start()
        await place.append(0, 40)
        await asyncio.sleep(1.0)
        before = len(place.vendor.arrivals)
        assert before
        change = await place.change(spec(key="fresh"))
        await place.append(40, 80)
        await change
        assert len(place.vendor.accepted) >= before, "it waited for what was in flight"
        await place.settled()
        await place.deliverer.stop()
        assert sorted(place.vendor.accepted, key=lambda one: int(one[1:])) == [f"e{n}" for n in range(80)]
        keys = [key_of(arrival) for arrival in place.vendor.arrivals]
        assert len(set(keys)) == 2
        assert keys == sorted(keys, key=keys.index), "none with the old key after one with the new"
        assert keys.index(keys[-1]) == before

    play(story())


def test_the_limiter_remembers_where_the_account_stays_the_same() -> None:
    async def story() -> None:
        place = Place(spec(adapter=NARROW))
        await place.deliverer.start()
        await place.append(0, 12)
        for concurrency in (3, 4, 5, 6, 7):
            await asyncio.sleep(1.0)
            await (await place.change(spec(adapter=NARROW, concurrency=concurrency)))
        await asyncio.sleep(50.0)
        assert len(place.vendor.arrivals) == 5
        await place.settled()
        await place.deliverer.stop()
        times = [arrival.at for arrival in place.vendor.arrivals]
        assert all(later - earlier >= 100.0 for earlier, later in zip(times, times[5:], strict=False))

    play(story())


def test_an_account_that_comes_back_is_still_known_and_told_to_the_next_process() -> None:
    async def story() -> None:
        place = Place(spec(adapter=NARROW))
        await place.deliverer.start()
        await place.append(0, 8)
        await asyncio.sleep(1.0)
        await (await place.change())
        account = spec(adapter=NARROW).account
        assert place.deliverer.snapshot()[account].slots
        await (await place.change(spec(adapter=NARROW)))
        await asyncio.sleep(50.0)
        assert len(place.vendor.arrivals) == 5
        await (await place.change())
        await asyncio.sleep(100.0 * (1 + 2 * SPREAD))
        assert place.deliverer.snapshot() == {}
        await place.deliverer.stop()

    play(story())


def test_a_limit_that_is_looser_counts_at_once() -> None:
    async def story() -> None:
        tight, loose = (window(1, 1_000.0, shared="target"), window(1_000, 1_000.0, shared="target"))
        place = Place(spec(windows=(tight,)))
        await place.deliverer.start()
        await place.append(0, 12)
        await asyncio.sleep(5.0)
        assert len(place.vendor.arrivals) == 1
        await (await place.change(spec(windows=(loose,))))
        await asyncio.sleep(5.0)
        assert len(place.vendor.accepted) == 12
        await place.deliverer.stop()

    play(story())


def test_what_waits_for_a_removed_target_stays_and_is_sent_when_it_is_back() -> None:
    async def story() -> None:
        down = Vendor(script=lambda arrival: httpx.Response(503))
        place = Place(spec(), spec("mail", "other"), vendor=down)
        await place.deliverer.start()
        await place.append(0, 10, "crm")
        await asyncio.sleep(2.0)
        await (await place.change(spec("mail", "other")))
        assert [state.target for state in place.deliverer.states()] == ["mail"]
        (crm,) = [status for status in (await place.log.status()).targets if status.target == "crm"]
        assert (crm.queued, crm.missing) == (10, 0)
        down.script = lambda arrival: httpx.Response(202)
        await asyncio.sleep(1_000.0)
        assert down.accepted == []
        await (await place.change(spec(), spec("mail", "other")))
        await place.settled("crm", "mail")
        assert len(down.accepted) == 10
        await place.deliverer.stop()

    play(story())


def test_a_new_target_gets_what_comes_from_now_on() -> None:
    async def story() -> None:
        place = Place(spec())
        await place.deliverer.start()
        await place.append(0, 5)
        change = await place.change(spec(), spec("mail", "other"))
        await place.append(5, 9, "crm", "mail")
        await change
        await place.settled("crm", "mail")
        await place.deliverer.stop()
        mail = {one for a in place.vendor.arrivals if "other" in key_of(a) for one in a.ids}
        assert mail == {"e5", "e6", "e7", "e8"}

    play(story())


def test_the_end_of_the_process_waits_for_no_slow_change() -> None:
    async def story() -> None:
        place = Place(spec(), vendor=Vendor(latency=25.0))
        await place.deliverer.start()
        await place.append(0, 3)
        await asyncio.sleep(1.0)
        await place.change(spec(key="fresh"))
        await place.change(spec(key="fresher"))
        begun = asyncio.get_running_loop().time()
        await place.deliverer.stop()
        assert asyncio.get_running_loop().time() - begun <= 15.0
        assert len({key_of(arrival) for arrival in place.vendor.arrivals}) == 1
        assert not any(status.missing for status in (await place.log.status()).targets)

    play(story())


def test_only_the_last_of_several_changes_is_delivered_by() -> None:
    async def story() -> None:
        place = Place(spec(key="k0"), vendor=Vendor(latency=3.0))
        await place.deliverer.start()
        await place.append(0, 30)
        await asyncio.sleep(1.0)
        for number in range(1, 6):
            await place.change(spec(key=f"k{number}"))
        await place.append(30, 60)
        await place.settled()
        await place.deliverer.stop()
        assert len(place.vendor.accepted) == len(set(place.vendor.accepted)) == 60
        assert len({key_of(arrival) for arrival in place.vendor.arrivals}) == 2

    play(story())


def test_targets_at_one_account_begin_anew_together() -> None:
    async def story() -> None:
        place = Place(spec(), spec("mail"), spec("other", "another"))
        await place.deliverer.start()
        plan = place.deliverer.plan([spec(concurrency=2), spec("mail"), spec("other", "another")])
        assert plan.ends == ["crm", "mail"]
        assert [worker.spec.name for worker in plan.begins] == ["crm", "mail"]
        await place.deliverer.stop()

    play(story())


def test_what_waits_in_memory_is_changed_by_the_rules_of_now() -> None:
    async def story() -> None:
        place = Place(spec(windows=(window(1, 10.0, shared="target"),)))
        names = ["before"]
        place.deliverer = Deliverer(
            [spec(windows=(window(1, 10.0, shared="target"),))],
            place.log,
            transform=lambda one, rule, target: msgspec.structs.replace(one, id=f"{one.id} {names[-1]}"),
            transport=lambda _: place.vendor,
            draw=lambda: 0.5,
            wall=place.wall,
        )
        await place.deliverer.start()
        await place.append(0, 4)
        await asyncio.sleep(1.0)
        names.append("after")
        plan = place.deliverer.plan([spec(windows=(window(1, 10.0, shared="target"),))], anew=True)
        await place.deliverer.change(plan)
        await place.settled()
        await place.deliverer.stop()
        assert sorted(place.vendor.accepted) == ["e0 before", "e1 after", "e2 after", "e3 after"]

    play(story())


def test_a_log_that_cannot_be_read_meanwhile_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        place = Place(spec())
        await place.deliverer.start()
        lanes, asked = place.log.parked_lanes, 0

        async def fail_twice(target: str) -> dict[str, float]:
            nonlocal asked
            asked += 1
            if asked <= 2:
                raise LogError("no")
            return await lanes(target)

        monkeypatch.setattr(place.log, "parked_lanes", fail_twice)
        await (await place.change(spec(key="fresh")))
        await place.append(0, 3)
        await place.settled()
        await place.deliverer.stop()
        assert len(place.vendor.accepted) == 3

    play(story())
