"""The durable accept path of both engines against the bare Starlette floor, in alternating rounds.

    python -m benchmarks.accept [ROUNDS] [SECONDS]

What accepts has the first core for itself; the load generator and the NATS server, which syncs every message, share the
last one. What the server takes is told apart: on a machine of its own it would take nothing from the load. "a worker"
is the one process that accepts beside one that keeps the view, which is on the last core as well.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.load import KEY
from benchmarks.machine import (
    LOAD_CORE,
    SERVER_CORE,
    children,
    cpu_seconds,
    describe,
    load,
    memory_mb,
    middle,
    move,
    on_core,
    serving,
)
from tests.contract.nats_server import Server

CONNECTIONS = 64
PATH = "/klaviyo/api/events"
SQLITE: Final = {"sqlite": "gateway.db"}
INGEST: Final = ("-m", "gateway", "serve", "--role", "ingest", "--config", "CONFIG", "--ready-file")
ALL: Final = ("-m", "gateway", "serve", "--config", "CONFIG", "--ready-file")
WORKER: Final = ("-m", "benchmarks.whole_server", "CONFIG", "event", "1")

Figures = dict[str, float]


def configuration(folder: Path, level: str, log: dict[str, Any]) -> Path:
    """Write a gateway.yaml with one source, one target and ten routes."""
    routes: list[dict[str, Any]] = [
        {"name": f"rule-{n}", "match": {"source": "shop", "name": [f"Never {n} *"]}, "to": "crm"} for n in range(9)
    ]
    config = {
        "listen": {"port": 0},
        "admin": {"port": 0},
        "log": log,
        "logging": {"format": "json", "level": level},
        "sources": {"shop": {"vendor": "klaviyo", "path": "/klaviyo", "credentials": [{"private_key": KEY}]}},
        "targets": {
            "crm": {"vendor": "blueshift", "base_url": "http://127.0.0.1:9", "credentials": {"event_api_key": "k"}}
        },
        "routes": [*routes, {"name": "all", "to": "crm"}],
    }
    path = folder / "gateway.yaml"
    path.write_bytes(msgspec.yaml.encode(config))
    return path


@contextmanager
def broker(folder: Path) -> Iterator[Server]:
    """Run a NATS server on the load's core."""
    with on_core(LOAD_CORE):
        server = Server(folder).start()
    try:
        yield server
    finally:
        server.kill()


def measure(
    command: list[str], seconds: float, rate: float | None = None, server: int | None = None, *, worker: bool = False
) -> Figures:
    """Return rate, times, CPU per request (microseconds; the NATS server's apart) and memory of one round.

    Args:
        worker: measure the one process that the command starts, and put the command itself to the load's core.
    """
    with serving(command, LOAD_CORE if worker else SERVER_CORE) as (process, ready):
        (accepting,) = children(process.pid) if worker else [process.pid]
        move(accepting, SERVER_CORE)
        load(ready["listen"], PATH, CONNECTIONS, 0.5)
        before, at_server = cpu_seconds(accepting), cpu_seconds(server) if server else 0.0
        counted = load(ready["listen"], PATH, 256 if rate else CONNECTIONS, seconds, rate)
        cpu = (cpu_seconds(accepting) - before) / counted["requests"] * 1e6
        server_cpu = (cpu_seconds(server) - at_server) / counted["requests"] * 1e6 if server else 0.0
        return {**counted, "cpu_us": cpu, "server_us": server_cpu, "memory_mb": memory_mb(accepting)}


def gateway_round(
    seconds: float,
    how: Sequence[str] = INGEST,
    *,
    nats: bool = False,
    level: str = "warning",
    rate: float | None = None,
) -> Figures:
    """Measure the gateway with a log of its own."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)

        def run(log: dict[str, Any], server: int | None = None) -> Figures:
            config = str(configuration(folder, level, log))
            command = [config if word == "CONFIG" else word for word in how]
            return measure(command, seconds, rate, server, worker=how is WORKER)

        if not nats:
            return run(SQLITE)
        with broker(folder / "server") as server:
            return run({"jetstream": {"servers": [server.url], "view": "view.db"}}, server.pid)


def floor_round(seconds: float) -> Figures:
    """Measure the floor."""
    return measure(["-m", "benchmarks.floor"], seconds)


def rounds_of(seconds: float) -> dict[str, Callable[[], Figures]]:
    """Return what is measured, by name."""
    return {
        "floor": partial(floor_round, seconds),
        "SQLite": partial(gateway_round, seconds, level="info"),
        "SQLite, no line per request": partial(gateway_round, seconds),
        "JetStream": partial(gateway_round, seconds, nats=True),
        "JetStream, a worker": partial(gateway_round, seconds, WORKER, nats=True),
        "JetStream, all in one": partial(gateway_round, seconds, ALL, nats=True),
    }


def show(name: str, values: list[Figures], floor: list[Figures]) -> None:
    """Print the medians of what was measured, and their ratios to the floor of the same round."""
    ratio = middle([v["per_second"] / f["per_second"] for v, f in zip(values, floor, strict=True)])
    work = middle([f["cpu_us"] / v["cpu_us"] for v, f in zip(values, floor, strict=True)])
    one = {key: middle([v[key] for v in values]) for key in values[0]}
    print(
        f"  {name:29} {one['per_second']:8.0f} req/s  {one['cpu_us']:5.1f} us CPU, server {one['server_us']:4.1f}  "
        f"p50 {one['p50_ms']:5.2f}  p99 {one['p99_ms']:6.2f} ms  {one['memory_mb']:4.0f} MB  "
        f"ratio {ratio:.2f}, by CPU {work:.2f}"
    )


def main(rounds: int = 3, seconds: float = 4.0) -> None:
    """Measure and print."""
    print(f"accept, {CONNECTIONS} connections, one worker on one core, 738-byte Klaviyo events; {describe()}")
    named = rounds_of(seconds)
    held: dict[str, list[Figures]] = {name: [] for name in named}
    for _ in range(rounds):
        for name, run in named.items():
            held[name].append(run())
    for name, values in held.items():
        show(name, values, held["floor"])
    for name, nats in (("SQLite", False), ("JetStream", True)):
        paced = [gateway_round(seconds, rate=10_000, nats=nats) for _ in range(rounds)]
        print(
            f"  {name + ', paced at 10,000/s':29} {middle([p['per_second'] for p in paced]):8.0f} req/s  "
            f"p50 {middle([p['p50_ms'] for p in paced]):5.2f}  p99 {middle([p['p99_ms'] for p in paced]):6.2f} ms"
        )


if __name__ == "__main__":
    main(*(int(arg) for arg in sys.argv[1:2]), *(float(arg) for arg in sys.argv[2:3]))
