"""aiohttp behind httpx's transport interface, for targets that are reached through a proxy."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import aiohttp
import httpx
from multidict import CIMultiDict
from yarl import URL

from gateway.delivery.http1 import tls_context, whole

_OURS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp must not add by itself."""
_LENGTH: Final = "content-length"
_NO_TIMEOUT: Final[Mapping[str, float | None]] = {}


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Keeps connections alive, verifies certificates, follows no redirect, stores no cookie, decompresses nothing.

    Args:
        ca_file: certificates to trust instead of the system's.
        trust_env: whether HTTP(S)_PROXY and .netrc of the environment count.
    """

    def __init__(self, *, ca_file: str | None = None, trust_env: bool = False) -> None:
        self._context = tls_context(ca_file)
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None
        self._timeouts: dict[tuple[float | None, float | None], aiohttp.ClientTimeout] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the answer's body is read from its stream.

        Raises:
            httpx.TransportError: there was no answer.
        """
        session = self._session or self._open()
        body = await whole(request)
        try:
            answer = await session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=CIMultiDict((name, value) for name, value in request.headers.items() if name != _LENGTH),
                data=body or None,
                allow_redirects=False,
                timeout=self._timeout(request.extensions.get("timeout", _NO_TIMEOUT)),
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _translated(error) from error
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer))

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._context),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),
            auto_decompress=False,
            skip_auto_headers=_OURS,
            trust_env=self._trust_env,
        )
        return self._session

    def _timeout(self, wanted: Mapping[str, float | None]) -> aiohttp.ClientTimeout:
        key = (wanted.get("connect"), wanted.get("read"))
        known = self._timeouts.get(key)
        if known is None:
            known = self._timeouts[key] = aiohttp.ClientTimeout(sock_connect=key[0], sock_read=key[1])
        return known

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()


class _Body(httpx.AsyncByteStream):
    """An answer's body, raw; closed before its end, it takes the connection with it."""

    __slots__ = ("_answer",)

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._answer.content
        try:
            while part := await content.readany():
                yield part
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


def _translated(error: Exception) -> httpx.TransportError:
    """Return httpx's word for an error of aiohttp's."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    kinds: list[tuple[Any, type[httpx.TransportError]]] = [
        (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
        (TimeoutError, httpx.ReadTimeout),
        (aiohttp.ClientConnectorError, httpx.ConnectError),
        (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
        ((aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError), httpx.RemoteProtocolError),
        (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    ]
    for kind, ours in kinds:
        if isinstance(error, kind):
            return ours(text)
    return httpx.ReadError(text)
