"""A sick target costs the others nothing: they finish, memory stays bounded, and what waited drains at once after.

`python -m benchmarks.isolation` measures delay and throughput.
"""

import asyncio
from pathlib import Path

import httpx
import pytest

from gateway import registry
from gateway.delivery import Timeouts
from gateway.testing.faults import Fault, FaultyVendor, drips, garbage, giant, hangs, refuses, resets, serving
from gateway.testing.wire import Act
from tests.e2e.delivering import account, delivering, event, number_of, spec, with_windows
from tests.unit.delivery.vendor_adapter import adapter, outbound, window
from tests.unit.delivery.world import Vendor, World, play
from tests.unit.delivery.world import event as made_up

NUMBER = 1_500
PEOPLE = 50
BULK = with_windows(registry.adapter("klaviyo"), only=("event-bulk-create-jobs",))
ONE = with_windows(registry.adapter("klaviyo"), only=("events",))

SICK: dict[str, Act | None] = {
    "down": None,
    "silent": hangs(),
    "failing": refuses(500),
    "cut off": resets(),
    "babbling": garbage(),
    "dripping": drips(0.2),
    "giant": giant(64 << 20, status=503),
    "throttling": refuses(429),
    "locked": refuses(401),
}


def vendor(sickness: Act | None = None) -> FaultyVendor:
    faults = [Fault(sickness)] if sickness else []
    return FaultyVendor(BULK, [account(BULK)], faults=faults, key=number_of, keep_bodies=False)


@pytest.mark.parametrize("name", SICK)
def test_the_others_finish_and_the_sick_one_is_caught_up_with(tmp_path: Path, name: str) -> None:
    """All events are for three targets; the sick one gets none until it is well, and then all of them, in order."""
    one, many, sick = vendor(), vendor(), vendor(SICK[name])

    async def story() -> None:
        async with serving(one) as first, serving(many) as second, serving(sick) as third:
            if SICK[name] is None:
                await third.close()
            targets = [
                spec(ONE, first.url, "one", concurrency=5, timeouts=Timeouts()),
                spec(BULK, second.url, "many", timeouts=Timeouts()),
                spec(ONE, third.url, "sick", ahead_events=300, ahead_bytes=2 << 20, concurrency=5),
            ]
            async with delivering(tmp_path, *targets) as made:
                for start in range(0, NUMBER, 100):
                    await made.accept([event(n, f"p{n % PEOPLE}") for n in range(start, start + 100)])
                counts = await made.settled("one", "many")
                assert (counts["one"].delivered, counts["many"].delivered) == (NUMBER, NUMBER)
                assert counts["sick"].delivered == 0
                state = next(state for state in made.deliverer.states() if state.target == "sick")
                assert state.memory <= 2 << 20
                sick.faults = []
                if SICK[name] is None:
                    await third.open()
                await made.settled()

    asyncio.run(story())
    for target in (one, many, sick):
        assert target.lost(map(str, range(NUMBER))) == set()
        assert target.out_of_order() == []
    assert set(one.keys().values()) == set(many.keys().values()) == {1}


@pytest.mark.parametrize("outage", [60.0, 3_600.0, 86_400.0])
def test_after_an_outage_what_waited_drains_at_the_full_rate(outage: float) -> None:
    """In a time that jumps: down for a minute, an hour, a day; 10 a second are allowed, and taken."""
    backlog, rate = 3_000, 10

    async def story() -> tuple[list[float], float]:
        loop = asyncio.get_running_loop()

        def script(_: object) -> httpx.Response | Exception:
            return httpx.Response(202) if loop.time() >= outage else httpx.ConnectError("down")

        vendor = Vendor(script=script)
        world = World(vendor, adapter=adapter(outbound(windows=(window(rate, 1.0),))))
        await world.append(*(made_up(n, f"p{n}") for n in range(backlog)))
        await world.deliverer.start()
        await world.settled()
        await world.deliverer.stop()
        return [arrival.at for arrival in vendor.arrivals if arrival.at >= outage], outage

    came, since = play(story())
    assert came[0] - since <= 61, "a target that is down is asked at least once a minute"
    nearly_all = came[int(len(came) * 0.99)]
    assert (nearly_all - came[0]) <= backlog / rate * 1.06
