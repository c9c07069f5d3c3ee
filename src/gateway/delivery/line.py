"""The way to one target: a request out, an answer of bounded size and time back."""

import asyncio
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import httpx

from gateway.adapter import Answer
from gateway.delivery.http1 import LeanTransport, Message, Patience, Prepared
from gateway.delivery.spec import TargetSpec

_AGENT: Final = "event-gateway"
_WBITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Unanswered(Exception):
    """No whole answer came; whether the vendor took the request is not known."""


class Address(NamedTuple):
    """Where requests of an endpoint go, and their headers; for each kind of transport."""

    url: httpx.URL
    headers: httpx.Headers
    prepared: Prepared
    method: str


class Line:
    """The way to one target: its transport, its base address and what it may take."""

    def __init__(self, spec: TargetSpec, transport: httpx.AsyncBaseTransport) -> None:
        self._base = spec.url
        self._transport = transport
        self._lean = transport if isinstance(transport, LeanTransport) else None
        self._limit = spec.max_answer
        self._patience = Patience(spec.timeouts.connect, spec.timeouts.read, spec.timeouts.total)

    def address(self, method: str, path: str, headers: Mapping[str, str]) -> Address:
        """Return where requests to a path go.

        Raises:
            UnicodeError, httpx.InvalidURL, httpx.TransportError: the path or a header cannot stand in a request.
        """
        url = httpx.URL(self._base + path)
        all_headers = httpx.Headers({"Host": url.netloc.decode("ascii"), **_plain(headers)})
        return Address(url, all_headers, Prepared(method.upper(), url, all_headers), method.upper())

    async def send(self, address: Address, body: bytes) -> Answer:
        """Send one request.

        Raises:
            Unanswered: no connection, no whole answer, or not in time.
        """
        try:
            if self._lean is not None:
                message = await self._lean.send(address.prepared, body, self._patience)
            else:
                message = await self._exchange(address, body)
        except (httpx.TransportError, OSError) as error:
            raise Unanswered(f"no answer: {type(error).__name__}: {error}") from error
        headers = {_lower(name): value.decode("latin-1") for name, value in message.headers}
        if "content-encoding" in headers:
            return Answer(message.status, headers, _decompressed(message.body, headers, self._limit))
        return Answer(message.status, headers, message.body)

    async def _exchange(self, address: Address, body: bytes) -> Message:
        """Send through httpx's interface, whatever transport is behind it."""
        timeout = {"connect": self._patience.connect, "read": self._patience.read}
        request = httpx.Request(
            address.method, address.url, headers=address.headers, content=body, extensions={"timeout": timeout}
        )
        request.headers["content-length"] = str(len(body))
        try:
            async with asyncio.timeout(self._patience.total):
                response = await self._transport.handle_async_request(request)
                try:
                    answer = await _read(response, self._limit)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise httpx.ReadTimeout("the answer took too long") from error
        return Message(response.status_code, response.headers.raw, answer)


@lru_cache(maxsize=256)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the endpoint's headers with ours where it has none."""
    ours = {"user-agent": _AGENT, "accept": "*/*", "accept-encoding": "identity"}
    given = {name.lower() for name in headers}
    return {**{name: value for name, value in ours.items() if name not in given}, **headers}


async def _read(response: httpx.Response, limit: int) -> bytes:
    """Return at most `limit` bytes of the body; what lies beyond is never read."""
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise httpx.StreamError("the transport gave a synchronous stream")
    parts: list[bytes] = []
    size = 0
    async for part in stream:
        parts.append(part)
        size += len(part)
        if size >= limit:
            break
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    return body[:limit] if size > limit else body


def _decompressed(raw: bytes, headers: Mapping[str, str], limit: int) -> bytes:
    """Return the body as text bytes: we ask for no compression, but some answer with it."""
    wbits = _WBITS.get(headers.get("content-encoding", "").strip().lower())
    if wbits is None or not raw:
        return raw
    try:
        return zlib.decompressobj(wbits).decompress(raw, limit)
    except zlib.error:
        return raw
