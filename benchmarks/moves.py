"""A log of one million waiting events moved to a stream and back: how long, how much memory, how much disk.

python -m benchmarks.moves [EVENTS]
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from benchmarks.machine import describe
from benchmarks.translate import prepared
from gateway import registry
from gateway.config import load
from gateway.decision import Decision
from gateway.event import dump
from gateway.ids import uuid7
from gateway.log.port import Entry
from gateway.opening import open_log
from tests.contract.nats_server import Server

AT_ONCE: Final = 1_000
DECISION: Final = Decision(deliver=(("crm", "all"), ("mail", "all")))


class Moved(NamedTuple):
    """What one move took."""

    seconds: float
    mebibytes: float
    """Of the process's memory, at most."""


def configured(folder: Path, server: Server) -> dict[str, Path]:
    """Write a configuration for each engine."""
    target = {"vendor": "blueshift", "base_url": "http://127.0.0.1:1"}
    common = {
        "sources": {"shop": {"vendor": "klaviyo", "credentials": [{"private_key": "pk_demo"}]}},
        "targets": {name: {**target, "credentials": {"event_api_key": name}} for name in ("crm", "mail")},
        "routes": [{"name": "all", "to": ["crm", "mail"]}],
    }
    logs = {"sqlite": "gateway.db", "jetstream": {"servers": [server.url], "view": "node/view"}}
    paths = {}
    for engine, log in logs.items():
        paths[engine] = folder / f"{engine}.yaml"
        paths[engine].write_bytes(msgspec.yaml.encode({"log": {engine: log}, **common}))
    return paths


async def fill(path: Path, number: int) -> None:
    """Append events for two targets, each with a client's own key."""
    decode, request = prepared(registry.adapter("klaviyo"))
    (event,) = decode(request).events
    log = await open_log(load(path), "ingest")
    for _ in range(0, number, AT_ONCE):
        events = [msgspec.structs.replace(event, id=uuid7()) for _ in range(AT_ONCE)]
        await log.append([Entry(one.id, dump(one), DECISION, os.urandom(16)) for one in events])
    await log.close()


def move(source: Path, to: str, goal: Path) -> Moved:
    """Move a log by the command."""
    begun = time.monotonic()
    command = ["-m", "gateway", "migrate-log", "-c", str(source), "--to", to, "--config-to", str(goal), "--json"]
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return Moved(time.monotonic() - begun, usage.ru_maxrss / 1024)


def main(number: int = 1_000_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        server = Server(folder / "server").start()
        try:
            paths = configured(folder, server)
            asyncio.run(fill(paths["sqlite"], number))
            size = (folder / "gateway.db").stat().st_size / (1 << 20)
            print(f"{number} events waiting for two targets, {size:.0f} MiB; {describe()}")
            for source, goal in (("sqlite", "jetstream"), ("jetstream", "sqlite")):
                took = move(paths[source], goal, paths[goal])
                print(f"  to {goal}: {took.seconds:.1f} s, {took.mebibytes:.0f} MiB of memory")
        finally:
            server.kill()


if __name__ == "__main__":
    main(*(int(arg) for arg in sys.argv[1:2]))
