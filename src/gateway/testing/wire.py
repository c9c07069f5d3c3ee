"""HTTP/1.x on a real socket, spoken as badly as it is told: what stand-ins use to fail.

It reads requests with a Content-Length, and writes each answer as an `Act` says.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.adapter import Reply

MOST_HEAD: Final = 1 << 18
"""Bytes of a request's head."""
PIECE: Final = 1 << 16
"""Bytes of a long answer that are written at a time."""
FLUSH_S: Final = 5.0
"""How long the last bytes of a connection may take to be fetched."""
_RESET: Final = struct.pack("ii", 1, 0)
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Seen(Struct, frozen=True):
    """A request as it came."""

    number: int
    """From 1, over all connections."""
    at: float
    """When it was whole, seconds of `time.monotonic`."""
    connection: int
    """From 1, in the order in which they were opened."""
    method: str
    target: str
    """Path and query as they stood in the request."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]


class Act(Struct, frozen=True, kw_only=True):
    """What is done to one request. Where nothing is said, what a well vendor would do."""

    takes: bool | None = None
    """Whether the vendor stores what the request carries; None: when the answer is a success."""
    status: int | None = None
    """Instead of the status of the vendor behind."""
    headers: Mapping[str, str] = {}
    """Beside those of the answer, or in the place of those of the same name."""
    body: bytes | None = None
    """Instead of the answer's."""
    wait_s: float = 0.0
    """Before the answer begins."""
    hangs: bool = False
    """No answer ever comes; the connection stays open until the client ends it."""
    cut: int | None = None
    """The connection is reset after so many bytes of the answer; 0: before it begins."""
    raw: bytes | None = None
    """These bytes instead of an answer, and then the end of the connection."""
    piece: int = PIECE
    drip_s: float = 0.0
    """The answer comes in pieces of so many bytes, with so many seconds between them."""
    filler: int = 0
    """So many more bytes of body."""
    length: Literal["told", "chunked", "end"] = "told"
    """How the end of the answer is told; `end`: by closing the connection."""
    version: Literal["1.1", "1.0"] = "1.1"
    interim: bool = False
    """An answer 100 comes first."""
    closes: bool = False
    """The connection is closed after the answer, without having been announced."""


WELL: Final = Act()
Play = Callable[[Seen], Awaitable[tuple[Act, Reply]]]
"""Says what to do with a request, and what a well vendor answers."""
Written = Callable[[Seen, int | None], None]
"""Is told that a request is done with: the status that went out whole, or None."""


class Wire:
    """A server on 127.0.0.1.

    Args:
        play: decides what is done to each request.
        written: hears when its answer was written whole, or will never be.
        tls: speaks HTTPS with this.
    """

    def __init__(self, play: Play, written: Written, tls: ssl.SSLContext | None = None) -> None:
        self.requests = 0
        self.connections = 0
        self.port = 0
        self._play = play
        self._written = written
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def open(self, port: int = 0) -> str:
        """Listen and return the URL; the port of before can be given again."""
        self._server = await asyncio.start_server(
            self._begin, "127.0.0.1", port or self.port, ssl=self._tls, limit=MOST_HEAD, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self.url

    async def close(self) -> None:
        """Refuse new connections and drop the others in the middle of whatever they do."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.001)  # for sockets to close

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, OSError):
                while await self._one(reader, writer, connection):
                    pass
            writer.close()
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), FLUSH_S)
        finally:
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> bool:
        """Answer one request; return whether another may come."""
        method, target, headers, body = await _request(reader)
        self.requests += 1
        seen = Seen(self.requests, monotonic(), connection, method, target, headers, body)
        status: int | None = None
        try:
            act, reply = await self._play(seen)
            status, goes_on = await _answer(reader, writer, act, reply)
        finally:
            self._written(seen, status)
        return goes_on


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    return method, target, headers, await reader.readexactly(int(headers.get("content-length", "0")))


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, act: Act, reply: Reply
) -> tuple[int | None, bool]:
    """Do as told; return the status that went out whole, and whether the connection goes on."""
    if act.wait_s:
        await asyncio.sleep(act.wait_s)
    if act.hangs:
        await reader.read()
        return None, False
    if act.raw is not None:
        await _write(writer, act.raw, act)
        return None, False
    status = reply.status if act.status is None else act.status
    data = (_CONTINUE if act.interim else b"") + _composed(status, act, reply)
    if act.cut is not None:
        await _write(writer, data[: act.cut], act)
        _reset(writer)
        return None, False
    await _write(writer, data, act)
    await _fill(writer, act)
    return status, not (act.closes or act.length == "end" or act.version == "1.0")


def _composed(status: int, act: Act, reply: Reply) -> bytes:
    """Return head and body."""
    body = reply.body if act.body is None else act.body
    changed = {name.lower() for name in act.headers}
    headers = [(name, value) for name, value in reply.headers if name.decode("latin-1").lower() not in changed]
    headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in act.headers.items()]
    if act.length == "chunked":
        headers.append((b"Transfer-Encoding", b"chunked"))
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    elif act.length == "told" and "content-length" not in changed:
        headers.append((b"Content-Length", b"%d" % (len(body) + act.filler)))
    head = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    return b"HTTP/%b %d Said\r\n%b\r\n%b" % (act.version.encode(), status, head, body)


async def _write(writer: asyncio.StreamWriter, data: bytes, act: Act) -> None:
    for start in range(0, len(data), act.piece):
        if start and act.drip_s:
            await asyncio.sleep(act.drip_s)
        writer.write(data[start : start + act.piece])
        await writer.drain()


async def _fill(writer: asyncio.StreamWriter, act: Act) -> None:
    left = act.filler
    while left > 0:
        writer.write(b" " * min(left, PIECE))
        left -= PIECE
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a RST, so that the client sees an error and no end."""
    sock: Any = writer.get_extra_info("socket")
    with suppress(OSError, AttributeError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
