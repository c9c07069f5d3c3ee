"""What a sick target costs the others: their delay, their throughput, and the gateway's memory.

    python -m benchmarks.isolation [ROUNDS]

Two targets get every event. One is well; the other is well too, or down, or takes requests and never answers, or
answers garbage. The gateway has one core; load and targets share the other. Rounds alternate, medians are shown, and
each figure of the well target as a ratio to that beside another well one.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from benchmarks.accept import PATH
from benchmarks.load import KEY, Load, run
from benchmarks.machine import LOAD_CORE, describe, memory_mb, middle, serving
from benchmarks.sink import Sink

ROUNDS: Final = 5
RATE: Final = 400.0
"""Events a second while the delay is measured."""
RATE_S: Final = 5.0
FLOOD_S: Final = 3.0
CONNECTIONS: Final = 64
GARBAGE: Final = b"\x16\x03\x01 no HTTP \xff\r\n\r\n"


class Stamped(Load):
    """Gives each event the time at which it was sent, microseconds of the steady clock, as its id."""

    def request(self) -> bytes:
        """Return the next request."""
        return b"%s%012d%s" % (self.before, time.monotonic_ns() // 1000 % 10**12, self.after)


@dataclass
class Heard:
    """What the well target got."""

    delays: list[float] = field(default_factory=list)
    events: int = 0
    last: float = 0.0

    def take(self, data: bytes) -> None:
        """Count the events in some bytes."""
        now = time.monotonic_ns() // 1000
        start = data.find(b'"view-')
        while start >= 0:
            sent = data[start + 6 : start + 18]
            if sent.isdigit():
                self.delays.append((now - int(sent)) % 10**12 / 1000)
                self.events += 1
            start = data.find(b'"view-', start + 18)
        self.last = now / 1e6


class Well(Sink):
    """Answers everything with 202, and notes when each event came."""

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self.heard = heard

    def data_received(self, data: bytes) -> None:
        self.heard.take(data)
        super().data_received(data)


class Silent(asyncio.Protocol):
    """Takes everything and answers nothing."""


class Babbling(asyncio.Protocol):
    """Answers everything with bytes that are no HTTP."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # TCP

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - whatever it is
        self.transport.write(GARBAGE)


SICK: Final[dict[str, Callable[[], asyncio.Protocol] | None]] = {
    "well": Sink,
    "down": None,
    "silent": Silent,
    "garbage": Babbling,
}


@dataclass(frozen=True)
class Measured:
    """One run."""

    p50_ms: float
    p99_ms: float
    per_second: float
    memory_mb: float


def configuration(folder: Path, well: str, sick: str) -> Path:
    """Write a gateway.yaml with both targets."""
    target = {"vendor": "klaviyo", "credentials": {"private_key": KEY}}
    config = {
        "listen": {"port": 0},
        "admin": {"port": 0},
        "log": {"sqlite": "gateway.db"},
        "logging": {"format": "json", "level": "warning"},
        "sources": {"shop": {"vendor": "klaviyo", "path": "/klaviyo", "credentials": [{"private_key": KEY}]}},
        "targets": {"well": {**target, "base_url": well}, "sick": {**target, "base_url": sick}},
        "routes": [{"name": "all", "to": ["well", "sick"]}],
    }
    path = folder / "gateway.yaml"
    path.write_bytes(msgspec.yaml.encode(config))
    return path


async def _listen(protocol: Callable[[], asyncio.Protocol] | None) -> tuple[str, asyncio.Server | None]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol or Sink, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    if protocol is None:
        server.close()
        return url, None
    return url, server


async def measure(sickness: str) -> Measured:
    """Run one gateway beside a target with this sickness."""
    heard = Heard()
    well, first = await _listen(lambda: Well(heard))
    sick, second = await _listen(SICK[sickness])
    with _gateway(well, sick) as (pid, ready):
        host, port = ready["listen"].removeprefix("http://").split(":")
        load = Stamped(host, int(port), PATH)
        await run(load, host, int(port), 16, RATE_S, RATE)
        await _all(heard, load)
        delays = sorted(heard.delays)
        before, started = len(load.times), time.monotonic()
        await run(load, host, int(port), CONNECTIONS, FLOOD_S, None)
        await _all(heard, load)
        rate = (len(load.times) - before) / (heard.last - started)
        if load.wrong:
            raise RuntimeError(f"{load.wrong} answers were not 202")
        measured = Measured(delays[len(delays) // 2], delays[int(len(delays) * 0.99)], rate, memory_mb(pid))
    for server in (first, second):
        if server is not None:
            server.close()
    return measured


@contextmanager
def _gateway(well: str, sick: str) -> Iterator[tuple[int, dict[str, str]]]:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = configuration(Path(folder), well, sick)
        with serving(["-m", "benchmarks.whole_server", str(path), "events,event-bulk-create-jobs"]) as (popen, ready):
            yield popen.pid, ready


async def _all(heard: Heard, load: Load) -> None:
    """Wait until the well target has all that was accepted."""
    deadline = time.monotonic() + 60
    while heard.events < len(load.times):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the well target has {heard.events} of {len(load.times)} events")
        await asyncio.sleep(0.01)


def main(rounds: int = ROUNDS) -> None:
    """Measure in alternating rounds and print."""
    os.sched_setaffinity(0, {LOAD_CORE})
    runs: dict[str, list[Measured]] = {sickness: [] for sickness in SICK}
    for _ in range(rounds):
        for sickness, done in runs.items():
            done.append(uvloop.run(measure(sickness)))
    print(f"a target beside one that is ...; {describe()}")
    print(f"{'':10}{'p50 ms':>9}{'ratio':>7}{'p99 ms':>9}{'ratio':>7}{'events/s':>10}{'ratio':>7}{'memory MB':>11}")
    reference = [middle([getattr(one, name) for one in runs["well"]]) for name in _SHOWN]
    for sickness, done in runs.items():
        p50, p99, rate = (middle([getattr(one, name) for one in done]) for name in _SHOWN)
        ratios = p50 / reference[0], p99 / reference[1], rate / reference[2]
        memory = middle([one.memory_mb for one in done])
        print(
            f"{sickness:10}{p50:9.2f}{ratios[0]:7.2f}{p99:9.2f}{ratios[1]:7.2f}{rate:10,.0f}{ratios[2]:7.2f}{memory:11.0f}"
        )
    print("goal: delay and throughput within 5 %")


_SHOWN: Final = ("p50_ms", "p99_ms", "per_second")

if __name__ == "__main__":
    main(*(int(arg) for arg in sys.argv[1:2]))
