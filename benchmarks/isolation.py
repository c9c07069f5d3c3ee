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
from benchmarks.load import KEY, Load, body, run
from benchmarks.machine import LOAD_CORE, cpu_seconds, describe, memory_mb, middle, serving
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
        return self.head + body(time.monotonic_ns() // 1000 % 10**12)


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
    cpu_us: float
    """Of the gateway, for one event from client to well target: what a busy machine changes least."""
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
        before, used, started = len(load.times), cpu_seconds(pid), time.monotonic()
        await run(load, host, int(port), CONNECTIONS, FLOOD_S, None)
        await _all(heard, load)
        events = len(load.times) - before
        if load.wrong:
            raise RuntimeError(f"{load.wrong} answers were not 202")
        measured = Measured(
            delays[len(delays) // 2],
            delays[int(len(delays) * 0.99)],
            events / (heard.last - started),
            (cpu_seconds(pid) - used) / events * 1e6,
            memory_mb(pid),
        )
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
    print(f"{'':10}" + "".join(f"{title:>10}{'ratio':>7}" for title in _SHOWN.values()) + f"{'memory MB':>11}")
    reference = {name: _median(runs["well"], name) for name in _SHOWN}
    for sickness, done in runs.items():
        figures = [(_median(done, name), _median(done, name) / reference[name]) for name in _SHOWN]
        shown = "".join(f"{figure:10,.1f}{ratio:7.2f}" for figure, ratio in figures)
        print(f"{sickness:10}{shown}{_median(done, 'memory_mb'):11.0f}")
    print("goal: delay and throughput within 5 %")


def _median(runs: list[Measured], name: str) -> float:
    return middle([getattr(one, name) for one in runs])


_SHOWN: Final = {"p50_ms": "p50 ms", "p99_ms": "p99 ms", "per_second": "events/s", "cpu_us": "CPU us"}

if __name__ == "__main__":
    main(*(int(arg) for arg in sys.argv[1:2]))
