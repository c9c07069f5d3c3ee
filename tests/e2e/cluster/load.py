"""Clients of the nodes, in a thread: each sends one event after the other, and each event until it is answered.

What is answered 5xx or not at all is sent again under the same key, to another node. So all events of one profile are
accepted in the order of their numbers.
"""

import asyncio
import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.e2e.harness import KLAVIYO_HEADERS, klaviyo_event

ORDER: Final = "Placed Order"
ORDERS: Final = 40
"""One event in so many is an order."""
SPAN: Final = 1_000_000
"""Numbers of one device."""
PEOPLE: Final = 3
"""Profiles of one device."""
PAUSE_S: Final = 0.12
"""Between two requests of a device, at most."""
AGAIN_S: Final = 0.1
PATIENCE_S: Final = 20.0
"""How long a client waits for an answer."""


class Answer(NamedTuple):
    """What became of one request."""

    at: float
    """When, seconds of `time.monotonic`."""
    took_s: float
    node: str
    status: int | None
    """None: there was none."""


@dataclass
class Device:
    """One client."""

    number: int
    draw: random.Random
    home: int
    """The node that it sends to, of those there are."""
    accepted: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    open: int | None = None
    """The event that has no answer yet."""
    surprises: list[str] = field(default_factory=list)
    next: int = 0

    def take(self) -> int:
        """Return the event to send: the one without an answer first."""
        if self.open is None:
            self.open = self.number * SPAN + self.next
            self.next += 1
        return self.open


def bad(number: int) -> bool:
    """Tell whether an event is one that has to be refused."""
    return number % 17 == 5


def order(number: int) -> bool:
    """Tell whether an event is an order."""
    return number % ORDERS == 0


def _body(number: int) -> bytes:
    name = "x" * 200 if bad(number) else ORDER if order(number) else "Viewed Product"
    address = f"d{number // SPAN}.p{number % PEOPLE}@example.com"
    profile = {"profile": {"data": {"type": "profile", "attributes": {"email": address}}}}
    return json.dumps(klaviyo_event(number, name, **profile)).encode()


class Load(threading.Thread):
    """All devices at once, for as long as they are not told to pause or to stop.

    Args:
        nodes: the URLs that nodes listen on, by name; looked up for each request.
    """

    def __init__(self, nodes: Mapping[str, str], names: Sequence[str], devices: int, seed: int) -> None:
        super().__init__(name="load", daemon=True)
        self.devices = [Device(n, random.Random(seed * 1000 + n), n) for n in range(1, devices + 1)]
        self.answers: list[Answer] = []
        self._nodes = nodes
        self._names = names
        self._going = threading.Event()
        self._going.set()
        self._over = False
        self._under_way = 0

    def run(self) -> None:
        asyncio.run(self._all())

    def pause(self) -> None:
        """Begin nothing more, and wait until every event has been accepted or refused."""
        self._going.clear()
        end = time.monotonic() + 2 * PATIENCE_S
        while any(device.open is not None for device in self.devices):
            assert time.monotonic() < end, "an event is accepted by no node"
            time.sleep(0.02)

    def resume(self) -> None:
        """Go on, each with the node that it began with."""
        for device in self.devices:
            device.home = device.number
        self._going.set()

    def stop(self) -> None:
        """End, whatever has no answer."""
        self._over = True
        self.join()

    @property
    def accepted(self) -> set[int]:
        return {number for device in self.devices for number in device.accepted}

    @property
    def refused(self) -> set[int]:
        return {number for device in self.devices for number in device.refused}

    async def _all(self) -> None:
        await asyncio.gather(*(self._send(device) for device in self.devices))

    async def _send(self, device: Device) -> None:
        connections: dict[str, _Connection] = {}
        while not self._over:
            if device.open is None and not self._going.is_set():
                await asyncio.sleep(AGAIN_S / 5)
                continue
            name = self._names[device.home % len(self._names)]
            number, begun = device.take(), time.monotonic()
            connection = connections.setdefault(name, _Connection())
            status, body = await connection.ask(self._nodes[name], _body(number))
            self.answers.append(Answer(time.monotonic(), time.monotonic() - begun, name, status))
            self._hear(device, number, status, body)
            await asyncio.sleep(device.draw.random() * PAUSE_S if device.open is None else AGAIN_S)
        for connection in connections.values():
            await connection.end()

    def _hear(self, device: Device, number: int, status: int | None, body: bytes) -> None:
        if status is None or status == 503:
            device.home += 1
            if status == 503 and b'"errors"' not in body:
                device.surprises.append(f"503 that is not the vendor's own: {body[:200]!r}")
            return
        device.open = None
        if status == 202 and not bad(number):
            device.accepted.append(number)
        elif status == 400 and bad(number):
            device.refused.append(number)
        else:
            device.surprises.append(f"{status} to {number}: {body[:200]!r}")


class _Connection:
    """One client's connection to one node, made when it is needed."""

    def __init__(self) -> None:
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._url = ""

    async def ask(self, url: str, body: bytes) -> tuple[int | None, bytes]:
        """Send one event; return the answer's status and body, or that there was none."""
        if url != self._url:
            self._drop()
        self._url = url
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._exchange(body)
        except (OSError, EOFError, TimeoutError):
            self._drop()
            return None, b""

    async def _exchange(self, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            host, port = self._url.removeprefix("http://").split(":")
            self._streams = await asyncio.open_connection(host, int(port))
        reader, writer = self._streams
        headers: dict[str, Any] = {"Host": "gateway", **KLAVIYO_HEADERS, "Content-Length": len(body)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"POST /klaviyo/api/events HTTP/1.1\r\n{lines}\r\n".encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        answer = await reader.readexactly(int(length or b"0"))
        return int(head.split(b" ", 2)[1]), answer

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def end(self) -> None:
        """Let go of it for good."""
        if self._streams is not None:
            self._streams[1].close()
            with suppress(OSError):
                await self._streams[1].wait_closed()
