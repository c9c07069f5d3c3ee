"""One call of a vendor's endpoint: a request out, an answer of bounded size and time back."""

import asyncio
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import httpx

from gateway.adapter import Answer, Outbound
from gateway.delivery.http1 import LeanTransport, Message, Patience, Prepared
from gateway.delivery.spec import TargetSpec
from gateway.errors import UsageError

_AGENT: Final = "event-gateway"
_WBITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Unanswered(Exception):
    """No whole answer came; whether the vendor took the request is not known."""


class Address(NamedTuple):
    """Where requests of an endpoint go, and their headers; for each kind of transport."""

    url: httpx.URL
    headers: httpx.Headers
    prepared: Prepared


class Call:
    """An endpoint of one target, with all that is the same in every request to it."""

    def __init__(self, endpoint: Outbound, spec: TargetSpec, transport: httpx.AsyncBaseTransport) -> None:
        self._method = endpoint.method.upper()
        self._base = spec.url
        self._transport = transport
        self._lean = transport if isinstance(transport, LeanTransport) else None
        self._limit = spec.max_answer
        self._headers = _plain(endpoint.headers(spec.credentials))
        self._patience = Patience(spec.timeouts.connect, spec.timeouts.read, spec.timeouts.total)
        try:
            self._own = self._address(endpoint.path)
        except (UnicodeError, httpx.InvalidURL, httpx.TransportError) as error:
            what = f"{endpoint.name}: a credential or base_url cannot stand in a request"
            raise UsageError(f"target {spec.name}, {what} ({type(error).__name__})") from None

    def _address(self, path: str) -> Address:
        url = httpx.URL(self._base + path)
        headers = httpx.Headers({"Host": url.netloc.decode("ascii"), **self._headers})
        return Address(url, headers, Prepared(self._method, url, headers))

    async def send(self, body: bytes, path: str | None = None) -> Answer:
        """Send one request.

        Raises:
            Unanswered: no connection, no whole answer, or not in time.
        """
        address = self._own if path is None else self._address(path)
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
            self._method, address.url, headers=address.headers, content=body, extensions={"timeout": timeout}
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
