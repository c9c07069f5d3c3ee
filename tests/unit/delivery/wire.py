"""A small HTTP server on a real socket that answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx

from gateway.adapter import Answer
from gateway.delivery.calls import Call
from gateway.delivery.line import Line
from gateway.delivery.spec import TargetSpec, Timeouts
from tests.unit.delivery.vendor_adapter import adapter, outbound


def raw(status: str = "202 Accepted", body: bytes = b"{}", **headers: str) -> bytes:
    """Return an answer's bytes; underscores in header names stand for hyphens."""
    given = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


@dataclass(frozen=True)
class Seen:
    """A request as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes


Reaction = Callable[[Seen, asyncio.StreamWriter], "bytes | Awaitable[bytes]"]


@dataclass
class Server:
    """Counts connections, keeps requests."""

    react: Reaction
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    broken: int = 0
    """Connections that the client ended."""
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                request = await _request(reader)
                self.seen.append(request)
                answer = self.react(request, writer)
                writer.write(answer if isinstance(answer, bytes) else await answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.broken += 1
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 0.2)

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}"


async def _request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Seen(head[0], headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@asynccontextmanager
async def serving(react: Reaction, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve on a free port of 127.0.0.1."""
    server = Server(react)
    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def call(
    transport: httpx.AsyncBaseTransport, url: str, body: bytes = b'["e1"]', path: str | None = None
) -> Answer:
    """Send one request over a transport and close it."""
    timeouts = Timeouts(connect=2.0, read=0.2, total=0.4)
    target = TargetSpec(name="crm", adapter=adapter(), credentials={"key": "k"}, base_url=url, timeouts=timeouts)
    try:
        return await Call(outbound(), target, Line(target, transport)).send(body, path)
    finally:
        await transport.aclose()
