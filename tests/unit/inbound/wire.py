"""One connection of a client to the direct way, without sockets."""

import asyncio
from http.client import HTTPResponse
from io import BytesIO
from typing import Any

import httpx
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.inbound.direct import DirectProtocol
from gateway.inbound.edge import Edge

DATE = b"Sat, 21 Nov 2026 12:00:00 GMT"


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False
        self.closed = asyncio.Event()
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.closing, "written after the end"
        self.written += bytes(data)

    def close(self) -> None:
        self.closing = True
        self.closed.set()

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Wire:
    """A connection: what is sent comes to the protocol, what it writes is kept."""

    def __init__(
        self, edge: Edge, protocol: type[HttpToolsProtocol] = DirectProtocol, *, keep_alive_s: float = 75
    ) -> None:
        config = uvicorn.Config(
            edge, loop="none", ws="none", lifespan="off", interface="asgi3", access_log=False, log_config=None
        )
        config.timeout_keep_alive = keep_alive_s  # type: ignore[assignment]  # seconds, whole for uvicorn
        config.load()
        self.state = ServerState()
        self.state.default_headers = [(b"date", DATE)]
        self.transport = Transport()
        self.protocol = protocol(config, self.state, {}, asyncio.get_running_loop())
        self.protocol.connection_made(self.transport)

    @property
    def written(self) -> bytes:
        """All that was written so far."""
        return self.transport.written

    def send(self, *pieces: bytes) -> None:
        """Have bytes come, each piece by itself."""
        for piece in pieces:
            if not self.transport.closing:
                self.protocol.data_received(piece)

    async def settle(self) -> None:
        """Let all that can go on go on; nothing here waits for a clock."""
        for _ in range(20):
            await asyncio.sleep(0)

    def lose(self) -> None:
        """Have the client go away."""
        self.transport.closing = True
        self.protocol.connection_lost(None)


def raw(request: httpx.Request, version: str = "1.1") -> bytes:
    """Return a request as it is sent."""
    head = f"{request.method} ".encode() + request.url.raw_path + f" HTTP/{version}\r\n".encode()
    return head + b"".join(b"%b: %b\r\n" % pair for pair in request.headers.raw) + b"\r\n" + request.read()


class _Socket:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self.data)


def parsed(data: bytes, method: str = "POST") -> httpx.Response:
    """Return an answer that was written."""
    answer = HTTPResponse(_Socket(data), method=method)  # type: ignore[arg-type]  # all that is asked of it
    answer.begin()
    return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())


async def ask(edge: Edge, request: httpx.Request) -> httpx.Response:
    """Return the answer to one whole request."""
    wire = Wire(edge)
    wire.send(raw(request))
    await wire.settle()
    answer = parsed(wire.written, request.method)
    wire.lose()
    return answer
