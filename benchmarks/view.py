"""What a node's view costs, alone: messages done so many in a transaction, and a snapshot of what they made.

    python -m benchmarks.view [FOLDER]

FOLDER must be on the disk that is to be measured (default: the temporary folder). Each message holds 32 events of about
825 bytes with a key of the client's each. Processor time per event; rounds alternate, medians of three.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.log import DECISIONS, ID
from benchmarks.machine import describe, middle
from gateway.log.jetstream import messages
from gateway.log.jetstream.log import JetStreamLog, JetStreamSettings
from gateway.log.jetstream.messages import VERSION, Message, Packer
from gateway.log.jetstream.view import Received, View
from gateway.log.port import Entry
from tests.contract.nats_server import Server

TOGETHER: Final = (1, 8, 64)
EVENTS: Final = 32
"""Of a message."""
MESSAGES: Final = 1024
ROUNDS: Final = 3
BODY_BYTES: Final = 825
SNAPSHOT_EVENTS: Final = 200_000
AT_ONCE: Final = 1000
_REST: Final = b"".join(b'"property %d":{"name":"Product Viewed","price":%d},' % (n, n * 37) for n in range(20))


def body() -> bytes:
    """Return what an event looks like to what compresses it: a third of it is never the same."""
    changing = os.urandom(BODY_BYTES // 6).hex()
    return b"%s %s" % (changing.encode(), _REST[: BODY_BYTES - len(changing)])


def entries(number: int) -> list[Entry]:
    """Return events with keys of their own."""
    return [Entry(ID, body(), DECISIONS[0], os.urandom(16)) for _ in range(number)]


def received() -> list[Received]:
    """Return messages as the stream holds them."""
    packer = Packer(86_400.0)
    return [
        Received(n, n, messages.dump(Message(VERSION, "node", n, None, [packer.pack(entries(EVENTS))])))
        for n in range(1, MESSAGES + 1)
    ]


def doing(folder: Path, together: int) -> float:
    """Return microseconds of CPU an event."""
    view = View(folder / f"view-{together}-{time.monotonic_ns()}.db")
    view.open()
    stream = received()
    begun = time.process_time()
    for at in range(0, len(stream), together):
        view.apply(stream[at : at + together])
    took = time.process_time() - begun
    view.close()
    return took / (MESSAGES * EVENTS) * 1e6


async def snapshot(folder: Path) -> tuple[float, float]:
    """Return the size of a view in MB, and how long a snapshot of it took."""
    server = Server(folder / "server").start()
    try:
        settings = JetStreamSettings(servers=(server.url,), view=folder / "view.db")
        log = await JetStreamLog.open(settings, role="all")
        await log.register(["crm"])
        for _ in range(0, SNAPSHOT_EVENTS, AT_ONCE):
            await log.append(entries(AT_ONCE))
        await log.head()
        begun = time.monotonic()
        await log.snapshot()
        took = time.monotonic() - begun
        await log.close()
        return settings.view.stat().st_size / 1e6, took
    finally:
        server.kill()


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print."""
    print(f"a node's view, {EVENTS} events a message; {describe()}")
    with tempfile.TemporaryDirectory(dir=arguments[0] if arguments else None) as name:
        found: dict[int, list[float]] = {together: [] for together in TOGETHER}
        for _ in range(ROUNDS):
            for together, figures in found.items():
                figures.append(doing(Path(name), together))
        for together, figures in found.items():
            print(f"  {together:3} messages in a transaction {middle(figures):6.1f} us CPU an event")
        size, took = uvloop.run(snapshot(Path(name)))
        print(f"  a snapshot of {size:.0f} MB in {took:.1f} s: {size / took:.0f} MB/s")


if __name__ == "__main__":
    main(sys.argv[1:])
