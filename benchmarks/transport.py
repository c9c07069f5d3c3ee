"""Ways to send a 738-byte event, with 20 and 100 requests in flight, against the least server there is.

    python -m benchmarks.transport

pyreqwest is measured too where it is installed; it is no dependency.
"""

import asyncio
import importlib
import importlib.util
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import httpx
import uvloop

from benchmarks.load import KEY, body
from benchmarks.machine import LOAD_CORE, SERVER_CORE, describe, middle, serving
from gateway.delivery.http1 import LeanTransport, Patience, Prepared
from gateway.delivery.proxied import AiohttpTransport

ROUNDS: Final = 3
REQUESTS: Final = {"httpx": 1_000, "httpx over aiohttp": 5_000}
MANY: Final = 12_000
EVENT: Final = body(0)
HEADERS: Final = {
    "Authorization": f"Klaviyo-API-Key {KEY}",
    "revision": "2026-07-15",
    "Content-Type": "application/vnd.api+json",
    "Accept": "application/vnd.api+json",
    "User-Agent": "event-gateway",
}
Send = Callable[[], Awaitable[int]]


@asynccontextmanager
async def with_httpx(url: str) -> AsyncIterator[Send]:
    """httpx as it comes."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None)) as client:

        async def send() -> int:
            return (await client.post(url, content=EVENT, headers=HEADERS)).status_code

        yield send


@asynccontextmanager
async def with_httpx_over_aiohttp(url: str) -> AsyncIterator[Send]:
    """httpx's client over aiohttp's connections."""
    async with httpx.AsyncClient(transport=AiohttpTransport()) as client:

        async def send() -> int:
            return (await client.post(url, content=EVENT, headers=HEADERS)).status_code

        yield send


def through(transport: httpx.AsyncBaseTransport, url: str) -> Send:
    """Return a sender that calls a transport through httpx's types."""
    address, headers = httpx.URL(url), httpx.Headers({**HEADERS, "Content-Length": str(len(EVENT))})

    async def send() -> int:
        request = httpx.Request("POST", address, headers=headers, content=EVENT)
        response = await transport.handle_async_request(request)
        if isinstance(response.stream, httpx.AsyncByteStream):
            async for _ in response.stream:
                pass
        await response.aclose()
        return response.status_code

    return send


@asynccontextmanager
async def with_aiohttp_transport(url: str) -> AsyncIterator[Send]:
    """aiohttp behind httpx's types."""
    transport = AiohttpTransport()
    yield through(transport, url)
    await transport.aclose()


@asynccontextmanager
async def with_lean_transport(url: str) -> AsyncIterator[Send]:
    """Our own client behind httpx's types: asyncio's connections, httptools' parser."""
    transport = LeanTransport()
    yield through(transport, url)
    await transport.aclose()


@asynccontextmanager
async def with_lean_client(url: str) -> AsyncIterator[Send]:
    """The same, called as delivery calls it."""
    transport = LeanTransport()
    address = httpx.URL(url)
    prepared, patience = Prepared("POST", address, httpx.Headers(HEADERS)), Patience(5, 15, 30)

    async def send() -> int:
        return (await transport.send(prepared, EVENT, patience)).status

    yield send
    await transport.aclose()


@asynccontextmanager
async def with_aiohttp(url: str) -> AsyncIterator[Send]:
    """aiohttp as it comes."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send() -> int:
            async with session.post(url, data=EVENT, headers=HEADERS) as response:
                await response.read()
                return response.status

        yield send


@asynccontextmanager
async def with_pyreqwest(url: str) -> AsyncIterator[Send]:
    """pyreqwest (Rust) as it comes."""
    client_module: Any = importlib.import_module("pyreqwest.client")
    async with client_module.ClientBuilder().build() as client:

        async def send() -> int:
            response = await client.post(url).body_bytes(EVENT).headers(HEADERS).build().send()
            await response.bytes()
            return int(response.status)

        yield send


async def rate(send: Send, number: int, in_flight: int) -> tuple[float, float]:
    """Return requests per second, and microseconds of CPU per request."""
    left = number

    async def sender() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            if await send() != 202:
                raise RuntimeError("the sink did not take a request")

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(sender() for _ in range(in_flight)))
    return number / (time.perf_counter() - started), (time.process_time() - cpu) / number * 1e6


async def measure(url: str, name: str, in_flight: int) -> tuple[float, float]:
    """Measure one way once."""
    async with WAYS[name](url) as send:
        await rate(send, 200, in_flight)
        return await rate(send, REQUESTS.get(name, MANY), in_flight)


WAYS: Final = {
    "httpx": with_httpx,
    "httpx over aiohttp": with_httpx_over_aiohttp,
    "aiohttp": with_aiohttp,
    "aiohttp behind httpx's types": with_aiohttp_transport,
    "our own behind httpx's types": with_lean_transport,
    "our own, the short way": with_lean_client,
    "pyreqwest": with_pyreqwest,
}


def main() -> None:
    """Measure in alternating rounds and print the medians."""
    names = [name for name in WAYS if name != "pyreqwest" or importlib.util.find_spec("pyreqwest")]
    print(describe())
    print(f"{'in flight':>9}  {'way':30}{'req/s':>9}{'CPU us':>9}{'of aiohttp':>12}")
    os.sched_setaffinity(0, {LOAD_CORE})
    with serving(["-m", "benchmarks.sink"], SERVER_CORE) as (_, ready):
        for in_flight in (20, 100):
            runs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
            for _ in range(ROUNDS):
                for name in names:
                    runs[name].append(uvloop.run(measure(ready["url"], name, in_flight)))
            rates = {name: middle([run[0] for run in runs[name]]) for name in names}
            for name in names:
                cpu = middle([run[1] for run in runs[name]])
                share = rates[name] / rates["aiohttp"]
                print(f"{in_flight:9}  {name:30}{rates[name]:9,.0f}{cpu:9.1f}{share:12.2f}")


if __name__ == "__main__":
    main()
