"""A lean HTTP/1.1 client behind httpx's transport interface: asyncio's connections, httptools' parser.

For small requests and small answers to a few hosts, which is all that delivery has: an answer is read whole, up to
a limit, before the response is given. It keeps connections alive, verifies certificates, follows no redirect,
stores no cookie, asks no proxy, decompresses nothing. `docs/adr/0003-delivery-transport.md` says why it exists.
"""

import asyncio
import ssl
from functools import cache
from typing import Any, Final, NamedTuple

import httptools
import httpx

KEEP_ALIVE: Final = 15.0
"""Seconds that an idle connection is kept: less than vendors' load balancers keep theirs."""
_ENDLESS: Final = 86_400.0
_PORTS: Final = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where a connection leads."""

    scheme: str
    host: str
    port: int


class Patience(NamedTuple):
    """Seconds: to connect, between two pieces of an answer, for the whole answer."""

    connect: float
    read: float
    total: float


class Prepared:
    """An endpoint's address and the head of each request to it, but for the length.

    Raises:
        httpx.LocalProtocolError: a header would break out of its line.
        httpx.UnsupportedProtocol: neither http nor https.
    """

    __slots__ = ("head", "origin")

    def __init__(self, method: str, url: httpx.URL, headers: httpx.Headers) -> None:
        if url.scheme not in _PORTS:
            raise httpx.UnsupportedProtocol(f"{url.scheme!r} is neither http nor https")
        self.origin = Origin(url.scheme, url.host, url.port or _PORTS[url.scheme])
        lines = [method.encode("ascii") + b" " + url.raw_path + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in headers.raw if name.lower() != b"content-length"]
        if "host" not in headers:
            lines.append(b"Host: " + url.netloc)
        if any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines):
            raise httpx.LocalProtocolError("a header or the address holds a line break")
        self.head = b"\r\n".join(lines) + b"\r\nContent-Length: "


class Message(NamedTuple):
    """An answer as it came."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Connection(asyncio.Protocol):
    """One connection, with at most one request under way."""

    def __init__(self, limit: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Message] | None = None
        self._deadline = self._end = self._pause = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reset()
        self.usable = False
        """Whether it can carry another request."""
        self.idle_since = 0.0

    def _reset(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._size = 0
        self._begun = False

    # --- requests ------------------------------------------------------------------------------------

    def ask(self, data: bytes, pause: float, total: float) -> "asyncio.Future[Message]":
        """Send a request; the future gives its answer.

        Args:
            pause: seconds between two pieces of the answer.
            total: seconds until the answer has to be whole.
        """
        self._waiter = self._loop.create_future()
        now = self._loop.time()
        self._pause = pause
        self._end = now + total
        self._deadline = now + min(pause, total)
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._check)
        self._transport.write(data)
        return self._waiter

    def _check(self) -> None:
        """Look whether the answer is overdue; one timer serves many requests."""
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() >= self._deadline:
            self._fail(httpx.ReadTimeout("the answer took too long"))
        else:
            self._timer = self._loop.call_at(self._deadline, self._check)

    def _fail(self, error: httpx.TransportError) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self.close()

    def _finish(self) -> None:
        waiter, self._waiter = self._waiter, None
        message = Message(self._parser.get_status_code(), self._headers, b"".join(self._parts)[: self._limit])
        self._reset()
        if waiter is not None and not waiter.done():
            waiter.set_result(message)

    def close(self) -> None:
        """End the connection now."""
        self.usable = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()

    # --- asyncio.Protocol ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self.usable = True

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self.close()
            return
        self._deadline = min(self._loop.time() + self._pause, self._end)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(httpx.RemoteProtocolError("the server wants another protocol"))
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(f"no HTTP: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        if self._waiter is None:
            return
        names = {name.lower() for name, _ in self._headers}
        if self._begun and error is None and not names & {b"content-length", b"transfer-encoding"}:
            self._finish()
        elif error is None:
            self._fail(httpx.RemoteProtocolError("the server closed the connection before its answer was whole"))
        else:
            self._fail(httpx.ReadError(f"{type(error).__name__}: {error}"))

    # --- httptools -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._waiter is None:
            self.usable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._begun = True

    def on_body(self, part: bytes) -> None:
        if self._waiter is None:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._limit:
            self._finish()
            self.close()

    def on_message_complete(self) -> None:
        if self._waiter is None:
            return
        if self._parser.get_status_code() < 200:
            self._reset()
            return
        if not self._parser.should_keep_alive():
            self.usable = False
        self._finish()


@cache
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return what verifies servers: the system's certificates, or those of a PEM file."""
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


class LeanTransport(httpx.AsyncBaseTransport):
    """Sends requests over kept connections.

    Args:
        ca_file: certificates to trust instead of the system's.
        max_answer: bytes of an answer's body that are read; then the connection is closed.
    """

    def __init__(self, *, ca_file: str | None = None, max_answer: int = 1024 * 1024) -> None:
        self._context = tls_context(ca_file)
        self._limit = max_answer
        self._idle: dict[Origin, list[Connection]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and read its answer.

        Raises:
            httpx.TransportError: there was no whole answer.
        """
        prepared = Prepared(request.method, request.url, request.headers)
        wanted = request.extensions.get("timeout", {})
        patience = Patience(wanted.get("connect") or _ENDLESS, wanted.get("read") or _ENDLESS, _ENDLESS)
        message = await self.send(prepared, await whole(request), patience)
        return httpx.Response(message.status, headers=message.headers, stream=httpx.ByteStream(message.body))

    async def send(self, prepared: Prepared, body: bytes, patience: Patience) -> Message:
        """Do the same without httpx's types around it: the short way for the core's own calls.

        Raises:
            httpx.TransportError: there was no whole answer.
        """
        origin = prepared.origin
        connection = self._kept(origin) or await self._connect(origin, patience.connect)
        try:
            data = b"%b%d\r\n\r\n%b" % (prepared.head, len(body), body)
            message = await connection.ask(data, patience.read, patience.total)
        except BaseException:
            connection.close()
            raise
        self._keep(origin, connection)
        return message

    def _kept(self, origin: Origin) -> Connection | None:
        """Return an idle connection, the last used first."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable and asyncio.get_running_loop().time() - connection.idle_since < KEEP_ALIVE:
                return connection
            connection.close()
        return None

    def _keep(self, origin: Origin, connection: Connection) -> None:
        if connection.usable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.setdefault(origin, []).append(connection)
        else:
            connection.close()

    async def _connect(self, origin: Origin, limit: float) -> Connection:
        """Open a connection: each of the host's addresses is tried for its share of the time."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit):
                found = await loop.getaddrinfo(origin.host, origin.port, type=1)
                return await self._first(origin, [address[0] for *_, address in found], limit / len(found))
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection to {origin.host} within {limit:g} s") from error
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"{type(error).__name__}: {error}") from error

    async def _first(self, origin: Origin, addresses: list[Any], share: float) -> Connection:
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(share):
                    return await self._open(origin, address)
            except OSError:  # TimeoutError is one
                continue
        return await self._open(origin, addresses[-1])

    async def _open(self, origin: Origin, address: str) -> Connection:
        secure = origin.scheme == "https"
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._limit),
            address,
            origin.port,
            ssl=self._context if secure else None,
            server_hostname=origin.host if secure else None,
        )
        return connection

    async def aclose(self) -> None:
        """Close all idle connections; a busy one is closed by its request's end."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
        await asyncio.sleep(0)


async def whole(request: httpx.Request) -> bytes:
    """Return a request's body."""
    if not isinstance(request.stream, httpx.AsyncByteStream):
        raise TypeError("the request's body is a synchronous stream")
    return b"".join([part async for part in request.stream])
