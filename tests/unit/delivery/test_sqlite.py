"""The same promises over the embedded log, in real time: nothing lost, each lane in order, the sum holds."""

import asyncio
import random
from pathlib import Path

import httpx
import pytest

from gateway.log.sqlite import SqliteLog
from tests.unit.delivery.vendor_adapter import adapter, outbound
from tests.unit.delivery.world import Arrival, Vendor, World, by_lane, event


class RealTime(World):
    """A world whose clock is the loop's own."""

    def wall(self) -> float:
        return asyncio.get_running_loop().time()


@pytest.mark.parametrize("seed", range(4))
def test_random_verdicts_and_restarts_over_sqlite(tmp_path: Path, seed: int) -> None:
    async def story() -> None:
        chance = random.Random(seed)
        troubles = 60

        def script(arrival: Arrival) -> httpx.Response | Exception:
            nonlocal troubles
            troubles -= 1
            verdict = chance.choice([202, 400, 401, 413, 429, 500, 0]) if troubles > 0 else 202
            headers = {"retry-after": "0"}
            return httpx.Response(verdict, headers=headers) if verdict else httpx.ReadError("reset")

        log = await SqliteLog.open(tmp_path / "gateway.db", role="all")
        await log.register(["crm"])
        world = RealTime(
            Vendor(script, latency=0.001),
            adapter=adapter(outbound(max_events=5)),
            log=log,
            seed=seed,
            backoff_base=0.01,
            hold_probe=0.02,
        )
        events = [event(n, who=f"person {n % 13}") for n in range(400)]
        await world.append(*events[:200])
        await world.deliverer.start()
        await asyncio.sleep(0.05)
        await world.append(*events[200:])
        await world.deliverer.stop(grace=1)
        await world.check()
        world.build()
        await world.deliverer.start()
        await world.settled(patience=30)
        await world.deliverer.stop()
        (status,) = (await log.status()).targets
        dead = {letter.event_id for letter in await log.dead_letters(limit=1000)}
        kept = [one.id for one in events if one.id not in dead]
        assert (status.delivered, status.dead, status.queued) == (len(kept), len(dead), 0)
        assert by_lane(world.vendor.accepted, events) == by_lane(kept, events)
        await log.close()

    asyncio.run(story())
