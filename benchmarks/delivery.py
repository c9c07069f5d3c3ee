"""The delivery worker, one request per event and in bulk, against an aiohttp loop that sends ready bodies.

    python -m benchmarks.delivery

The worker does the whole way: reads a SQLite log, decodes, transforms, encodes for Klaviyo, keeps to (very wide)
windows, sends, judges, settles. Rounds alternate; medians of three.
"""

import asyncio
import gc
import os
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from benchmarks.load import KEY
from benchmarks.machine import LOAD_CORE, SERVER_CORE, describe, middle, serving
from benchmarks.translate import prepared
from benchmarks.transport import rate, with_aiohttp
from gateway import registry
from gateway.adapter import Adapter, Outbound
from gateway.decision import Decision
from gateway.delivery import Attempt, Deliverer, Hooks, TargetSpec
from gateway.event import Event, dump
from gateway.ids import uuid7
from gateway.log.port import Entry
from gateway.log.sqlite import SqliteLog
from gateway.receipts import Keep, Recorder

ROUNDS: Final = 3
EVENTS: Final = 12_000
BULK: Final = 40_000
IN_FLIGHT: Final = 20
GOALS: Final = "must 0.50, aim 0.80"
SENT_TO: Final = Decision(deliver=(("crm", "all"),))


def wide(endpoint: Outbound) -> Outbound:
    """Return the endpoint with as many windows as before, none of which is ever full."""
    windows = tuple(msgspec.structs.replace(window, count=10**9) for window in endpoint.windows)
    return msgspec.structs.replace(endpoint, windows=windows)


def vendor(*names: str) -> Adapter:
    """Return Klaviyo with some of its endpoints and no limits."""
    adapter = registry.adapter("klaviyo")
    endpoints = tuple(wide(one) for one in adapter.outbound if one.name in names)
    return msgspec.structs.replace(adapter, outbound=endpoints)


def events(number: int) -> list[Event]:
    """Return events of as many people, each 738 bytes on the wire."""
    decode, request = prepared(registry.adapter("klaviyo"))
    (first,) = decode(request).events
    changed = []
    for n in range(number):
        profile = msgspec.structs.replace(first.profile, email=f"nora{n:06}@example.com")
        changed.append(msgspec.structs.replace(first, id=uuid7(), profile=profile))
    return changed


async def deliver(url: str, adapter: Adapter, number: int, *, receipts: bool = False) -> tuple[float, float]:
    """Return events per second and microseconds of CPU per event of a worker emptying a log.

    Args:
        receipts: whether receipts are kept; the CPU is counted until the last one is written.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = await SqliteLog.open(Path(folder) / "gateway.db", role="all")
        await log.cursor("crm")
        batch = [Entry(event.id, dump(event), SENT_TO) for event in events(number)]
        for start in range(0, number, 1_000):
            await log.append(batch[start : start + 1_000])
        del batch
        gc.collect()
        done = asyncio.Event()
        sent = 0
        recorder = Recorder(Path(folder) / "gateway.db.receipts", Keep(enabled=receipts))

        def observe(attempt: Attempt) -> None:
            nonlocal sent
            sent += len(attempt.events)
            if receipts:
                recorder.add(attempt)
            if attempt.status != 202:
                raise RuntimeError(attempt.why)
            if sent == number:
                done.set()

        spec = TargetSpec(
            name="crm", adapter=adapter, credentials={"private_key": KEY}, base_url=url, concurrency=IN_FLIGHT
        )
        deliverer = Deliverer([spec], log, hooks=Hooks(observe=observe))
        started, cpu = time.perf_counter(), time.process_time()
        recorder.start()
        await deliverer.start()
        await done.wait()
        taken = time.perf_counter() - started
        await asyncio.to_thread(recorder.close)
        used = time.process_time() - cpu
        if receipts and (recorder.counts().shortened or recorder.counts().dropped):
            raise RuntimeError(f"{recorder.counts()}: receipts did not keep up")
        await deliverer.stop()
        (status,) = (await log.status()).targets
        if (status.delivered, status.missing) != (number, 0):
            raise RuntimeError(f"{status} does not add up")
        await log.close()
        return number / taken, used / number * 1e6


async def bare(url: str) -> tuple[float, float]:
    """Return requests per second and microseconds of CPU of the reference."""
    async with with_aiohttp(url) as send:
        await rate(send, 200, IN_FLIGHT)
        return await rate(send, EVENTS, IN_FLIGHT)


def main() -> None:
    """Measure in alternating rounds and print the medians."""
    one, bulk = vendor("events"), vendor("event-bulk-create-jobs")
    names = (
        "bare aiohttp loop",
        "one request per event",
        "the same, with receipts",
        "in bulk",
        "in bulk, with receipts",
    )
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    print(describe())
    os.sched_setaffinity(0, {LOAD_CORE})
    with serving(["-m", "benchmarks.sink"], SERVER_CORE) as (_, ready):
        for _ in range(ROUNDS):
            runs["bare aiohttp loop"].append(uvloop.run(bare(ready["url"])))
            runs["one request per event"].append(uvloop.run(deliver(ready["url"], one, EVENTS)))
            runs["the same, with receipts"].append(uvloop.run(deliver(ready["url"], one, EVENTS, receipts=True)))
            runs["in bulk"].append(uvloop.run(deliver(ready["url"], bulk, BULK)))
            runs["in bulk, with receipts"].append(uvloop.run(deliver(ready["url"], bulk, BULK, receipts=True)))
    print(f"{'delivery, 20 in flight, one core':34}{'events/s':>10}{'CPU us':>9}{'of bare':>9}")
    reference = middle([run[0] for run in runs["bare aiohttp loop"]])
    for name, measured in runs.items():
        speed, cpu = (middle([run[at] for run in measured]) for at in (0, 1))
        goals = GOALS if name == "one request per event" else ""
        print(f"{name:34}{speed:10,.0f}{cpu:9.1f}{speed / reference:9.2f}  {goals}")


if __name__ == "__main__":
    main()
