"""Both engines of the log in one run: SQLite, and JetStream on one server of this machine that syncs every message.

    python -m benchmarks.journal [FOLDER]

FOLDER must be on the disk that is to be measured (default: the temporary folder). Events a second are durable ones. The
processor times are per event: of the event loop's thread, of the whole process, which does the view as well, and of the
server. Medians of three rounds; the rounds of all rows alternate.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from benchmarks.log import BODY, DECISIONS, ID, ROUNDS, SECONDS, Shape
from benchmarks.machine import cpu_seconds, describe, middle
from gateway.log.jetstream.log import JetStreamLog, JetStreamSettings
from gateway.log.port import Entry, Settlement
from gateway.log.sqlite import SqliteLog
from tests.contract.nats_server import Server

SHAPES: Final = (Shape(1, 1), Shape(64, 1), Shape(64, 1, keyed=True), Shape(256, 1), Shape(1, 100), Shape(8, 1000))


class Figures(NamedTuple):
    """What one round measured."""

    events_per_s: float
    events_per_commit: float
    loop_us: float
    total_us: float
    server_us: float
    p50_ms: float
    p99_ms: float
    behind_ms: float
    """How long the view took after the last append to have done them all."""


async def measure(log: SqliteLog | JetStreamLog, shape: Shape, server: Server) -> Figures:
    """Append for a while."""
    times: list[float] = []
    clock = time.perf_counter
    end = clock() + SECONDS

    async def send() -> None:
        entries = shape.entries()
        while (before := clock()) < end:
            await log.append(shape.entries() if shape.keyed else entries)
            times.append(clock() - before)

    at_server, commits = cpu_seconds(server.pid), log.commits
    loop, total, begun = time.thread_time(), time.process_time(), clock()
    await asyncio.gather(*(send() for _ in range(shape.senders)))
    seconds, commits = clock() - begun, log.commits - commits
    await log.head()
    behind, events = clock() - begun - seconds, len(times) * shape.events
    times.sort()
    return Figures(
        events / seconds,
        events / commits,
        (time.thread_time() - loop) / events * 1e6,
        (time.process_time() - total) / events * 1e6,
        (cpu_seconds(server.pid) - at_server) / events * 1e6,
        times[len(times) // 2] * 1e3,
        times[len(times) * 99 // 100] * 1e3,
        behind * 1e3,
    )


async def opened(engine: str, folder: Path, name: str, server: Server) -> SqliteLog | JetStreamLog:
    """Open a new log."""
    log: SqliteLog | JetStreamLog
    if engine == "sqlite":
        log = await SqliteLog.open(folder / f"{name}.db", role="all")
    else:
        settings = JetStreamSettings(servers=(server.url,), stream=name, view=folder / f"{name}.view.db")
        log = await JetStreamLog.open(settings, role="all")
    await log.register(["crm", "mail"])
    return log


async def settlements(log: SqliteLog | JetStreamLog) -> float:
    """Return settlements a second of 64 at once."""
    await log.append([Entry(ID, BODY, DECISIONS[0]) for _ in range(4000)])
    places = iter([seq for seq, _ in await log.scan(0, 4000, 1 << 30)] * 100)
    begun = time.perf_counter()

    async def one_by_one() -> int:
        done = 0
        while time.perf_counter() - begun < SECONDS:
            await log.settle("crm", Settlement(cursor=next(places), delivered=1))
            done += 1
        return done

    return sum(await asyncio.gather(*(one_by_one() for _ in range(64)))) / (time.perf_counter() - begun)


async def run(folder: Path, server: Server) -> None:
    """Print everything."""
    found: dict[tuple[Shape, str], list[Figures]] = {}
    for number in range(ROUNDS):
        for shape in SHAPES:
            for engine in ("sqlite", "jetstream"):
                log = await opened(engine, folder, f"{engine}-{number}-{SHAPES.index(shape)}", server)
                found.setdefault((shape, engine), []).append(await measure(log, shape, server))
                await log.close()
    names = ("events/s", "per commit", "loop µs", "all µs", "server µs", "p50 ms", "p99 ms", "behind ms")
    print(f"{'senders x events':>18}{'engine':>11}" + "".join(f"{name:>11}" for name in names))
    for (shape, engine), rounds in found.items():
        values = [middle([getattr(one, name) for one in rounds]) for name in Figures._fields]
        what = f"{shape.senders} x {shape.events}{' keyed' if shape.keyed else ''}"
        print(f"{what:>18}{engine:>11}{values[0]:>11,.0f}" + "".join(f"{value:>11.2f}" for value in values[1:]))
    for engine in ("sqlite", "jetstream"):
        log = await opened(engine, folder, f"{engine}-settle", server)
        print(f"settle, one event each, 64 at once, {engine:<12}{await settlements(log):>11,.0f} settlements/s")
        await log.close()


def main(arguments: Sequence[str] = ()) -> None:
    """Measure in a folder of its own."""
    print(describe())
    with tempfile.TemporaryDirectory(dir=arguments[0] if arguments else None) as name:
        folder = Path(name)
        server = Server(folder / "server").start()
        try:
            uvloop.run(run(folder, server))
        finally:
            server.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
