"""Client devices that remember what they were told: what was accepted, refused, and never answered."""

import asyncio
import json
import random
import threading
from base64 import b64encode
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, klaviyo_event

PEOPLE = 3
"""Profiles of one device; nobody else sends for them, so their order is known."""
PAUSE_S = 0.004
SPAN = 1_000_000
"""Numbers of one device."""
ORDER = "Placed Order"
"""One event in 25."""


@dataclass
class Sent:
    """One request."""

    numbers: list[int]
    path: str
    headers: dict[str, str]
    body: bytes
    bad: bool = False
    again: bool = False
    """Whether it can be sent again under the same key."""

    def data(self) -> bytes:
        """Return it as HTTP."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        text = f"POST {self.path} HTTP/1.1\r\nHost: gateway\r\n{head}Content-Length: {len(self.body)}\r\n\r\n"
        return text.encode() + self.body


BLUESHIFT_HEADERS = {"Authorization": "Basic " + b64encode(f"{KEYS['blueshift']['event_api_key']}:".encode()).decode()}


@dataclass
class Device:
    """Sends one request after the other over one connection."""

    number: int
    draw: random.Random
    accepted: list[int] = field(default_factory=list)
    orders: set[int] = field(default_factory=set)
    """Those of all it sent that are orders."""
    refused: list[int] = field(default_factory=list)
    unanswered: list[list[int]] = field(default_factory=list)
    """Of requests without an answer: each is stored whole or not at all."""
    repeats: int = 0
    surprises: list[str] = field(default_factory=list)
    _next: int = 0
    _again: Sent | None = None

    def request(self) -> Sent:
        """Return the next request: one that got no answer first."""
        if self._again is not None:
            self.repeats += 1
            return self._again
        chance = self.draw.random()
        if chance < 0.06:
            return self._bad()
        return self._many() if chance < 0.2 else self._one()

    def _numbers(self, count: int) -> list[int]:
        start = self.number * SPAN + self._next
        self._next += count
        return list(range(start, start + count))

    def _address(self, number: int) -> str:
        return f"d{self.number}.p{number % PEOPLE}@example.com"

    def _one(self) -> Sent:
        (number,) = self._numbers(1)
        name = "Viewed Product"
        if number % 25 == 0:
            name = ORDER
            self.orders.add(number)
        return self._klaviyo(number, klaviyo_event(number, name, **self._profile(number)))

    def _profile(self, number: int) -> dict[str, Any]:
        return {"profile": {"data": {"type": "profile", "attributes": {"email": self._address(number)}}}}

    def _klaviyo(self, number: int, event: dict[str, Any], **more: str) -> Sent:
        headers = {**KLAVIYO_HEADERS, **more}
        return Sent([number], "/klaviyo/api/events", headers, json.dumps(event).encode(), again=True)

    def _many(self) -> Sent:
        numbers = self._numbers(self.draw.randint(2, 30))
        events = [{"event": "view", "email": self._address(n), "product_id": "T", "number": n} for n in numbers]
        body = json.dumps({"events": events}).encode()
        return Sent(numbers, "/blueshift/api/v1/bulkevents", BLUESHIFT_HEADERS, body)

    def _bad(self) -> Sent:
        """Return a request with something wrong: a name that is too long, a profile of nobody, a wrong key."""
        (number,) = self._numbers(1)
        kind = self.draw.randrange(3)
        if kind == 0:
            sent = self._klaviyo(number, klaviyo_event(number, "x" * 200, **self._profile(number)))
        elif kind == 1:
            sent = self._klaviyo(number, klaviyo_event(number, profile={"data": {"type": "profile"}}))
        else:
            wrong = {"Authorization": "Klaviyo-API-Key pk_" + "f" * 34}
            sent = self._klaviyo(number, klaviyo_event(number, **self._profile(number)), **wrong)
        sent.bad, sent.again = True, False
        return sent

    def hear(self, sent: Sent, status: int | None) -> None:
        """Take an answer in; None: there was none."""
        self._again = None
        if status is None and sent.again:
            self._again = sent
        elif status is None:
            if not sent.bad:
                self.unanswered.append(sent.numbers)
        elif 200 <= status < 300 and not sent.bad:
            self.accepted += sent.numbers
        elif status in (400, 401) and sent.bad:
            self.refused += sent.numbers
        else:
            self.surprises.append(f"{status} to {sent.path} {sent.body[:80]!r}")

    def give_up(self) -> None:
        """Send nothing more: what had no answer stays without."""
        if self._again is not None:
            self.unanswered.append(self._again.numbers)


class Load(threading.Thread):
    """All devices at once, until their connections end or they are told to stop."""

    def __init__(self, url: str, devices: list[Device]) -> None:
        super().__init__(daemon=True)
        self._host, port = url.removeprefix("http://").split(":")
        self._port = int(port)
        self._devices = devices
        self._stopping = threading.Event()

    def run(self) -> None:
        asyncio.run(self._all())

    def stop(self) -> None:
        """Begin nothing more, and wait for answers."""
        self._stopping.set()
        self.join()

    async def _all(self) -> None:
        await asyncio.gather(*(self._talk(device) for device in self._devices))

    async def _talk(self, device: Device) -> None:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(self._host, self._port)
            with closing(writer):
                await self._exchanges(device, reader, writer)

    async def _exchanges(self, device: Device, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _exchange(device, reader, writer):
            if self._stopping.is_set():
                return
            await asyncio.sleep(device.draw.random() * PAUSE_S)


async def _exchange(device: Device, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Send one request; return whether there was an answer."""
    sent = device.request()
    status: int | None = None
    with suppress(OSError, asyncio.IncompleteReadError):
        writer.write(sent.data())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        await reader.readexactly(int(length or b"0"))
        status = int(head.split(b" ", 2)[1])
    device.hear(sent, status)
    return status is not None
