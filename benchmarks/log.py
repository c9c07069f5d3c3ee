"""The SQLite log alone: appends by size and concurrency, reads, counts and start with a million events waiting.

    python -m benchmarks.log [FOLDER]

FOLDER must be on the disk that is to be measured (default: the temporary folder). A commit's time is the disk's; the
processor times are the log's. Medians of three rounds; the rounds of all rows alternate.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from benchmarks.machine import describe, middle
from gateway.decision import Decision
from gateway.log.port import Entry, Settlement
from gateway.log.sqlite import SqliteLog

BODY: Final = b'{"id":"' + bytes(731)
ID: Final = "01937000-0000-7000-8000-000000000000"
DECISIONS: Final = tuple(
    Decision(deliver=(("crm", f"rule {n}"),), drop=(("mail", "rest"),) if n else ()) for n in range(4)
)
SECONDS: Final = 1.5
ROUNDS: Final = 3
MILLION: Final = 1_000_000


class Shape(NamedTuple):
    """How events are appended."""

    senders: int
    events: int
    """Per append."""
    keyed: bool = False

    def entries(self) -> list[Entry]:
        """Return what one append carries."""
        key = os.urandom(16) if self.keyed else None
        return [Entry(ID, BODY, DECISIONS[n % 4], key) for n in range(self.events)]


class Figures(NamedTuple):
    """What one round measured."""

    events_per_s: float
    events_per_commit: float
    loop_us: float
    """Processor time of the event loop's thread per event, its senders included."""
    total_us: float
    """Processor time of the process per event."""
    p50_ms: float
    p99_ms: float


SHAPES: Final = (
    Shape(1, 1), Shape(1, 10), Shape(1, 100), Shape(1, 1000), Shape(64, 1), Shape(64, 1, keyed=True), Shape(256, 1),
)  # fmt: skip


async def measure(log: SqliteLog, shape: Shape) -> Figures:
    """Append for a while."""
    times: list[float] = []
    clock = time.perf_counter
    end = clock() + SECONDS

    async def send() -> None:
        entries = shape.entries()
        while (before := clock()) < end:
            await log.append(shape.entries() if shape.keyed else entries)
            times.append(clock() - before)

    commits, loop, total, begun = log.commits, time.thread_time(), time.process_time(), clock()
    await asyncio.gather(*(send() for _ in range(shape.senders)))
    seconds, events = clock() - begun, len(times) * shape.events
    times.sort()
    return Figures(
        events / seconds,
        events / (log.commits - commits),
        (time.thread_time() - loop) / events * 1e6,
        (time.process_time() - total) / events * 1e6,
        times[len(times) // 2] * 1e3,
        times[len(times) * 99 // 100] * 1e3,
    )


async def appends(folder: Path) -> None:
    """Print a table of appends."""
    found: dict[Shape, list[Figures]] = {shape: [] for shape in SHAPES}
    for number in range(ROUNDS):
        for shape in SHAPES:
            path = folder / f"appends-{number}-{SHAPES.index(shape)}.db"
            log = await SqliteLog.open(path, role="all")
            await log.register(["crm", "mail"])
            found[shape].append(await measure(log, shape))
            await log.close()
            path.unlink()
    head = ("senders", "events", "keyed", "events/s", "per commit", "loop µs", "all µs", "p50 ms", "p99 ms")
    print("".join(f"{word:>12}" for word in head))
    for shape, rounds in found.items():
        values = [middle([getattr(one, name) for one in rounds]) for name in Figures._fields]
        print(f"{shape.senders:>12}{shape.events:>12}{'yes' if shape.keyed else 'no':>12}{values[0]:>12,.0f}", end="")
        print("".join(f"{value:>12.2f}" for value in values[1:]))


async def waiting(folder: Path) -> None:
    """Print what a million waiting events cost."""
    path = folder / "million.db"
    log = await SqliteLog.open(path, role="all")
    await log.register(["crm", "mail"])
    entries = Shape(1, 1000).entries()
    for _ in range(MILLION // 1000):
        await log.append(entries)
    await log.close()
    before = time.perf_counter()
    log = await SqliteLog.open(path, role="all")
    show("open with a million waiting", time.perf_counter() - before, "s")
    before = time.perf_counter()
    status = await log.status()
    show("status", time.perf_counter() - before, "s")
    assert [target.queued for target in status.targets] == [MILLION, 0]
    for limit in (100, 1000):
        show(f"read, {limit} at a time", await read(log, limit), "events/s")
    show("settle, one event each, 64 at once", await settle(log), "settlements/s")
    await log.close()


async def read(log: SqliteLog, limit: int) -> float:
    """Return events a second of one reader."""
    begun, place, events = time.perf_counter(), 0, 0
    while time.perf_counter() - begun < SECONDS:
        records, place = await log.read("crm", place, limit, 8 << 20)
        events += len(records)
    return events / (time.perf_counter() - begun)


async def settle(log: SqliteLog) -> float:
    """Return settlements a second."""
    places = iter(range(1, MILLION))
    begun = time.perf_counter()

    async def one_by_one() -> int:
        done = 0
        while time.perf_counter() - begun < SECONDS:
            await log.settle("crm", Settlement(cursor=next(places), delivered=1))
            done += 1
        return done

    done = await asyncio.gather(*(one_by_one() for _ in range(64)))
    return sum(done) / (time.perf_counter() - begun)


def show(what: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(f"{what:<40}{value:>12,.3f} {unit}" if unit == "s" else f"{what:<40}{value:>12,.0f} {unit}")


async def run(folder: Path) -> None:
    """Print everything."""
    await appends(folder)
    print()
    await waiting(folder)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure in a folder of its own."""
    print(describe())
    with tempfile.TemporaryDirectory(dir=arguments[0] if arguments else None) as folder:
        uvloop.run(run(Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
