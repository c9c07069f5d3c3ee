"""Starting with one million waiting events: time until ready, and memory.

python -m benchmarks.backlog [EVENTS]
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.accept import SQLITE, configuration
from benchmarks.machine import describe, memory_mb, serving
from benchmarks.translate import prepared
from gateway import registry
from gateway.config import load
from gateway.decision import Decision
from gateway.event import dump
from gateway.ids import uuid7
from gateway.log.port import Entry
from gateway.opening import open_log

AT_ONCE = 1_000


async def fill(path: Path, number: int) -> float:
    """Append events for one target; return the seconds it took."""
    decode, request = prepared(registry.adapter("klaviyo"))
    (event,) = decode(request).events
    decision = Decision(deliver=(("crm", "all"),))
    log = await open_log(load(path), "ingest")
    started = time.monotonic()
    for _ in range(0, number, AT_ONCE):
        events = [msgspec.structs.replace(event, id=uuid7()) for _ in range(AT_ONCE)]
        await log.append([Entry(one.id, dump(one), decision) for one in events])
    took = time.monotonic() - started
    await log.close()
    return took


def main(number: int = 1_000_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = configuration(Path(folder), "warning", SQLITE)
        took = asyncio.run(fill(path, number))
        started = time.monotonic()
        with serving(["-m", "gateway", "serve", "-c", str(path), "--ready-file"]) as (process, _):
            ready = time.monotonic() - started
            time.sleep(3)
            memory = memory_mb(process.pid)
    print(f"{number} events waiting; {describe()}")
    print(f"  filled at {number / took:.0f} events/s; ready after start in {ready:.2f} s (must 3, aim 1)")
    print(f"  memory while the target is down {memory:.0f} MB (must 150, aim 100)")


if __name__ == "__main__":
    main(*(int(arg) for arg in sys.argv[1:2]))
