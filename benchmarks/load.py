"""A load generator: keep-alive connections that send the next request when the last is answered.

    python -m benchmarks.load HOST PORT PATH CONNECTIONS SECONDS [RATE]

Every request is a Klaviyo event of 738 bytes with an id of its own, of one of ten thousand people: events of one person
wait for each other on their way out. With a RATE, requests start on a timetable and the time to answer counts from it,
so that a stalled server is seen. Prints one JSON object.
"""

import asyncio
import json
import sys
import time
from typing import Final

import uvloop

KEY: Final = "pk_0123456789abcdef0123456789abcdef01"
BODY_BYTES: Final = 738
PEOPLE: Final = 10_000


def _template() -> bytes:
    """Return an event with two places for the twelve digits of its number: what it is called, and who it is of."""
    event = {
        "data": {
            "type": "event",
            "attributes": {
                "metric": {"data": {"type": "metric", "attributes": {"name": "Viewed Product"}}},
                "profile": {
                    "data": {"type": "profile", "attributes": {"email": "n%012d@example.com", "first_name": "Nora"}}
                },
                "properties": {
                    "ProductName": "Trail Mug",
                    "ProductID": "TM-11",
                    "SKU": "TM-11-BLU",
                    "Categories": ["Kitchen", "Outdoor"],
                    "URL": "https://shop.example.com/p/tm-11",
                    "Brand": "Fjord Goods",
                    "Price": 18.5,
                    "filler": "",
                },
                "time": "2026-07-18T16:04:09+00:00",
                "value": 18.5,
                "value_currency": "USD",
                "unique_id": "view-%012d",
            },
        }
    }
    text = json.dumps(event, separators=(",", ":"))
    filler = "x" * (BODY_BYTES - len(text % (0, 0)))
    return text.replace('"filler":""', f'"filler":"{filler}"').encode()


TEMPLATE: Final = _template()


def body(number: int) -> bytes:
    """Return the event of a number; people take turns."""
    return TEMPLATE % (number % PEOPLE, number)


class Load:
    """Counts and times of one run."""

    def __init__(self, host: str, port: int, path: str) -> None:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Klaviyo-API-Key {KEY}\r\n"
            f"revision: 2026-07-15\r\nContent-Type: application/vnd.api+json\r\nAccept: application/vnd.api+json\r\n"
            f"User-Agent: benchmark/1\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
        )
        self.head = head.encode()
        self.sent = int(time.time()) % 1_000_000 * 1_000_000
        self.times: list[float] = []
        self.wrong = 0

    def request(self) -> bytes:
        """Return the next request."""
        self.sent += 1
        return self.head + body(self.sent % 10**12)


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: Load, idle: "asyncio.Queue[Connection] | None") -> None:
        self.load = load
        self.idle = idle
        self.stopping = False
        self.due = 0.0
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # TCP
        if self.idle is None:
            self.go(time.perf_counter())
        else:
            self.idle.put_nowait(self)

    def go(self, due: float) -> None:
        """Send one request; its time counts from `due`."""
        self.due = due
        self.busy = True
        self.transport.write(self.load.request())

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self.load.times.append(now - self.due)
        self.busy = False
        if not data.startswith(b"HTTP/1.1 202"):
            self.load.wrong += 1
        if self.idle is not None:
            self.idle.put_nowait(self)
        elif not self.stopping:
            self.go(now)


async def run(load: Load, host: str, port: int, connections: int, seconds: float, rate: float | None) -> float:
    """Load the server; return the seconds it took."""
    loop = asyncio.get_running_loop()
    idle: asyncio.Queue[Connection] | None = asyncio.Queue() if rate else None
    open_ = [(await loop.create_connection(lambda: Connection(load, idle), host, port))[1] for _ in range(connections)]
    started = time.perf_counter()
    if idle is None or rate is None:
        await asyncio.sleep(seconds)
    else:
        for number in range(int(rate * seconds)):
            due = started + number / rate
            wait = due - time.perf_counter()
            if wait > 0.0005:
                await asyncio.sleep(wait)
            (await idle.get()).go(due)
    took = time.perf_counter() - started
    for connection in open_:
        connection.stopping = True
    deadline = time.perf_counter() + 5
    while any(connection.busy for connection in open_) and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    for connection in open_:
        connection.transport.close()
    return took


def main() -> None:
    """Run as a command."""
    host, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    connections, seconds = int(sys.argv[4]), float(sys.argv[5])
    rate = float(sys.argv[6]) if len(sys.argv) > 6 else None
    load = Load(host, port, path)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        took = runner.run(run(load, host, port, connections, seconds, rate))
    times = sorted(load.times)
    print(
        json.dumps(
            {
                "requests": len(times),
                "per_second": len(times) / took,
                "wrong": load.wrong,
                "p50_ms": times[len(times) // 2] * 1000,
                "p99_ms": times[int(len(times) * 0.99)] * 1000,
            }
        )
    )


if __name__ == "__main__":
    main()
