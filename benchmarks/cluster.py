"""Several gateways on one stream, and several workers on one SQLite file: what one machine makes of 1, 2 and 3.

    python -m benchmarks.cluster [ROUNDS] [SECONDS]

All share the cores of this machine: the gateways, the NATS servers (which sync every message), three load generators,
and the vendor. So a rate says what is left of the machine for it; CPU an event, of all gateways and of all servers, is
what can be compared. Each event goes to one of three targets, in bulk, or is dropped by a rule ("accept").
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import msgspec

from benchmarks.load import KEY
from benchmarks.machine import CORES, children, cpu_seconds, describe, load, middle, serving
from tests.contract.nats_server import Cluster, Server

SOURCES: Final = ("one", "two", "three")
ENDPOINTS: Final = "events,event-bulk-create-jobs"
CONNECTIONS: Final = 192
"""Of all load generators together."""
SHARE_S: Final = 5.0
"""For the nodes to share out the targets."""


class Shape(NamedTuple):
    """What is run."""

    servers: int
    """NATS servers; 0: the log is SQLite's."""
    workers: bool
    """Whether the processes are workers of one node, else each is a node."""
    processes: int
    deliver: bool

    def __str__(self) -> str:
        what = "workers" if self.workers else "nodes"
        where = f"{self.servers} NATS server{'s' * (self.servers > 1)}" if self.servers else "SQLite"
        return f"{where}, {self.processes} {what}, {'accept to vendor' if self.deliver else 'accept'}"


class Figures(NamedTuple):
    """What one round measured."""

    accepted_per_s: float
    delivered_per_s: float
    """From the first accepted to the last delivered, 0 when nothing is."""
    gateway_us: float
    server_us: float


KINDS: Final = ((1, False), (3, False), (1, True), (0, True))
SHAPES: Final = [Shape(*kind, *size) for kind, size in product(KINDS, product((1, 2, 3), (False, True)))]


def configuration(folder: Path, number: int, log: dict[str, Any], sink: str, *, deliver: bool) -> Path:
    """Write the gateway.yaml of a node."""
    config = {
        "listen": {"port": 0},
        "admin": {"port": 0},
        "log": log,
        "logging": {"format": "json", "level": "warning"},
        "receipts": {"enabled": False},
        "sources": {one: {"vendor": "klaviyo", "credentials": [{"private_key": KEY}]} for one in SOURCES},
        "targets": {
            f"to-{one}": {"vendor": "klaviyo", "base_url": sink, "credentials": {"private_key": KEY}} for one in SOURCES
        },
        "routes": [
            {"name": one, "match": {"source": one}, **({"to": f"to-{one}"} if deliver else {"drop": "measured alone"})}
            for one in SOURCES
        ],
    }
    path = folder / f"node-{number}.yaml"
    path.write_bytes(msgspec.yaml.encode(config))
    return path


@contextmanager
def brokers(folder: Path, number: int) -> Iterator[list[Server]]:
    """Run so many NATS servers."""
    servers = Cluster(folder / "cluster").servers if number == 3 else [Server(folder / f"{n}") for n in range(number)]
    try:
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.kill()


@contextmanager
def gateways(shape: Shape, folder: Path, servers: Sequence[Server], sink: str) -> Iterator[tuple[list[int], list[Any]]]:
    """Run the gateways; yields their processes, workers among them, and where they listen."""
    urls = [server.url for server in servers]
    with ExitStack() as stack:
        processes, ready = [], []
        for number in range(1 if shape.workers else shape.processes):
            log: dict[str, Any] = {"sqlite": "gateway.db"}
            if servers:
                log = {"jetstream": {"servers": urls, "replicas": len(urls), "view": f"view-{number}.db"}}
            path = configuration(folder, number, log, sink, deliver=shape.deliver)
            workers = [str(shape.processes)] if shape.workers else []
            command = ["-m", "benchmarks.whole_server", str(path), ENDPOINTS, *workers]
            process, told = stack.enter_context(serving(command, None))
            processes += [process.pid, *children(process.pid)]
            ready.append(told)
        yield processes, ready


def delivered(admin: str) -> int:
    """Wait until nothing is queued; return how many events were delivered."""
    while True:
        targets = httpx.get(f"{admin}/status", trust_env=False, timeout=60).json()["log"]["targets"]
        if not any(target["queued"] for target in targets):
            return sum(int(target["delivered"]) for target in targets)
        time.sleep(0.05)


def pressed(ready: Sequence[Any], seconds: float) -> tuple[int, float]:
    """Load every source at the same time, each at one of the gateways; return requests and requests a second."""
    with ThreadPoolExecutor(len(SOURCES)) as threads:
        places = [ready[n % len(ready)]["listen"] for n in range(len(SOURCES))]
        run = partial(load, connections=CONNECTIONS // len(SOURCES), seconds=seconds, core=None)
        running = [
            threads.submit(run, place, f"/{source}/api/events") for place, source in zip(places, SOURCES, strict=True)
        ]
        counted = [one.result() for one in running]
    return sum(one["requests"] for one in counted), sum(one["per_second"] for one in counted)


def measure(shape: Shape, seconds: float) -> Figures:
    """Run one round."""
    with (
        tempfile.TemporaryDirectory(dir=".") as name,
        serving(["-m", "benchmarks.sink"], None) as (_, sink),
        brokers(Path(name), shape.servers) as servers,
        gateways(shape, Path(name), servers, sink["url"]) as (processes, ready),
    ):
        if servers and shape.deliver:
            time.sleep(SHARE_S)
        pressed(ready, 0.5)
        before = delivered(ready[0]["admin"])
        gateway, server = used(processes), used([one.pid for one in servers])
        begun = time.monotonic()
        requests, per_s = pressed(ready, seconds)
        sent = delivered(ready[0]["admin"]) - before
        took = time.monotonic() - begun
        return Figures(
            per_s,
            sent / took,
            (used(processes) - gateway) / requests * 1e6,
            (used([one.pid for one in servers]) - server) / requests * 1e6,
        )


def used(processes: Sequence[int]) -> float:
    """Return the seconds of CPU that processes have used."""
    return sum(cpu_seconds(pid) for pid in processes)


def main(rounds: int = 3, seconds: float = 4.0) -> None:
    """Measure and print; the rounds of all shapes alternate."""
    print(f"1, 2 and 3 gateways on the {len(CORES)} cores that all else shares; {describe()}")
    found: dict[Shape, list[Figures]] = {shape: [] for shape in SHAPES}
    for _ in range(rounds):
        for shape, figures in found.items():
            figures.append(measure(shape, seconds))
    for shape, figures in found.items():
        one = Figures(*(middle(list(column)) for column in zip(*figures, strict=True)))
        print(
            f"  {shape!s:43}{one.accepted_per_s:8.0f} accepted/s{one.delivered_per_s:8.0f} delivered/s  "
            f"CPU an event: gateways {one.gateway_us:5.1f} us, servers {one.server_us:5.1f} us",
            flush=True,
        )


if __name__ == "__main__":
    main(*(int(arg) for arg in sys.argv[1:2]), *(float(arg) for arg in sys.argv[2:3]))
