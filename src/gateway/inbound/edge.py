"""What clients speak to, in two ways: the ASGI application, and the direct way of requests that are whole at once.

It stands in front of Starlette's routing: on this path every microsecond is paid by every event.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, Final

from msgspec import UNSET

from gateway.adapter import RefusalKind, Reply, reply
from gateway.errors import LogUnavailable
from gateway.ids import request_id
from gateway.inbound import body as bodies
from gateway.inbound.answers import Headers, headers_of
from gateway.inbound.exchange import Exchange, Store
from gateway.inbound.routes import Sources
from gateway.inbound.stats import Stats
from gateway.telemetry import Logger, RequestLine

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, bodies.Receive, Send], Awaitable[None]]

Over = Callable[[Exchange], None]
"""Called when an exchange can be answered."""

NOWHERE: Final = reply(404, b'{"error":"no source answers here"}', "application/json")
"""The one answer that is nobody's dialect: the path belongs to no source."""


class Edge:
    """Answers every request as the vendor of its source would."""

    def __init__(self, sources: Sources, store: Store, fallback: App, logger: Logger, stats: Stats) -> None:
        self.replace(sources, store, logger)
        self._fallback = fallback
        self._stats = stats
        self._room = bodies.Room()

    def replace(self, sources: Sources, store: Store, logger: Logger) -> None:
        """Answer requests that begin from now on by these; those under way end as they began."""
        self._served = (sources, store)
        self._logger = logger
        self._say = logger.requests

    # --- the ASGI way ------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: bodies.Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._fallback(scope, receive, send)
            return
        sources, store = self._served
        place = sources.place(scope["method"], scope["path"], scope["headers"])
        if place is None:
            self._stats.of("", "").add(NOWHERE.status, 0, 0.0, RefusalKind.NOT_FOUND.value)
            await _send(send, NOWHERE, (), request_id())
            return
        it = Exchange(place, store, scope["method"], scope["query_string"], scope["headers"])
        try:
            it.admit(await self._body(it, receive))
            await it.know_people()
        except bodies.Disconnected:
            return
        except Exception as error:  # noqa: BLE001  # the client gets the vendor's own words whatever it was
            self._refuse(it, error)
        else:
            await self._accepted(it)
        await _send(send, it.reply, it.headers, it.request.id)
        self.record(it)

    async def _body(self, it: Exchange, receive: bodies.Receive) -> bytes:
        limit = it.endpoint.max_body
        message = await receive()
        body = bodies.whole(message, limit)
        return await bodies.read(message, receive, limit, self._room) if body is None else body

    async def _accepted(self, it: Exchange) -> None:
        over = asyncio.get_running_loop().create_future()
        self._accept(it, lambda _: None if over.done() else over.set_result(None))
        await over

    # --- the direct way ----------------------------------------------------------------------------------

    def begin(
        self, method: str, path: str, query: bytes, headers: Headers, named: dict[bytes, bytes]
    ) -> Exchange | None:
        """Return the exchange of a request that waits for nothing but the log; None: the ASGI way is for it.

        Args:
            named: the same headers by name, of several the last.
        """
        sources, store = self._served
        place = sources.place(method, path, headers)
        if place is None or place.found is None or place.found.people:
            return None
        return Exchange(place, store, method, query, headers, named)

    def handle(self, it: Exchange, body: bytes, over: Over) -> None:
        """Take the whole body of a request; `over` is called, now or later, when it can be answered."""
        try:
            it.admit(body)
        except Exception as error:  # noqa: BLE001  # as above
            self._refuse(it, error)
            over(it)
        else:
            self._accept(it, over)

    # --- both --------------------------------------------------------------------------------------------

    def _accept(self, it: Exchange, over: Over) -> None:
        try:
            if it.accept(partial(self._stored, it, over)):
                return
        except Exception as error:  # noqa: BLE001  # as above
            self._refuse(it, error)
        over(it)

    def _stored(self, it: Exchange, over: Over, error: Exception | None) -> None:
        if error is not None:
            self._refuse(it, error)
        over(it)

    def _refuse(self, it: Exchange, error: Exception) -> None:
        """Have the vendor's answer to what went wrong; a fault of ours is logged with its traceback."""
        try:
            ours = it.refuse(error)
        except Exception as worse:  # noqa: BLE001  # an adapter without words: a bare 500
            error, ours = worse, True
        name, number = it.source.name, it.request.id
        if ours:
            self._logger.error("fault", source=name, endpoint=it.name, request_id=number, exc_info=error)
        elif isinstance(error, LogUnavailable):
            self._logger.warning("unavailable", source=name, request_id=number, reason=str(error))

    def record(self, it: Exchange) -> None:
        """Count an answered request, and write its line."""
        seconds = monotonic() - it.started
        self._stats.of(it.source.name, it.name).add(it.reply.status, it.events, seconds, it.refused)
        if self._say is not None:
            self._say(_line(it, seconds))


def _line(it: Exchange, seconds: float) -> RequestLine:
    found = it.found
    return RequestLine(
        it.source.name,
        it.name or None,
        it.request.method,
        found.endpoint.path if found else None,
        it.reply.status,
        it.events,
        len(it.request.body),
        round(seconds * 1000, 3),
        it.request.id,
        datetime.now(UTC),
        UNSET if it.refused is None else it.refused,
    )


async def _send(send: Send, answer: Reply, more: Headers, number: str) -> None:
    headers = headers_of(answer, more, number)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
