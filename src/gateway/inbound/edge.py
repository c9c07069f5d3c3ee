"""The ASGI application that clients speak to.

It stands in front of Starlette's routing: on this path every microsecond is paid by every event.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from gateway.adapter import Inbound, Once, People, Refusal, RefusalKind, Rejected, Reply, Request, reply
from gateway.errors import LogUnavailable
from gateway.event import Event
from gateway.ids import request_id, uuid7
from gateway.inbound import body as bodies
from gateway.inbound.routes import Found, Source, Sources, normal_path
from gateway.inbound.stats import Stats
from gateway.telemetry import Logger

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, bodies.Receive, Send], Awaitable[None]]

RETRY_AFTER_S: Final = 2
"""What a client is told when the log cannot store: long enough to matter, short enough to be tried."""

NOWHERE: Final = reply(404, b'{"error":"no source answers here"}', "application/json")
"""The one answer that is nobody's dialect: the path belongs to no source."""


class Store(Protocol):
    """Where accepted events go."""

    def append(self, source: Source, events: Sequence[Event], once: Mapping[str, Once]) -> Awaitable[None]:
        """Store events; durable once awaited. Raises `LogUnavailable` when nothing was stored."""

    async def known(self) -> None:
        """Wait until the directory of people knows all earlier events."""

    def people(self, source: str) -> People:
        """Return who is known to a source."""


class Edge:
    """Answers every request as the vendor of its source would."""

    def __init__(self, sources: Sources, store: Store, fallback: App, logger: Logger, stats: Stats) -> None:
        self._sources = sources
        self._store = store
        self._fallback = fallback
        self._logger = logger
        self._stats = stats
        self._clock = time.monotonic
        self._room = bodies.Room()

    async def __call__(self, scope: Scope, receive: bodies.Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._fallback(scope, receive, send)
            return
        headers = scope["headers"]
        found = self._sources.find(normal_path(scope["path"]), headers)
        if found is None:
            self._stats.of("", "").add(NOWHERE.status, 0, 0.0)
            await _send(send, NOWHERE, request_id())
            return
        source, path = found
        started = self._clock()
        request = Request(
            method=scope["method"],
            path=path,
            query=scope["query_string"].decode("latin-1"),
            raw_headers=headers,
            body=b"",
            id=request_id(),
            received_at=datetime.now(UTC),
            source=source.name,
            new_id=uuid7,
            people=self._store.people(source.name),
            options=source.options,
        )
        try:
            endpoint, answer, events = await self._answer(source, request, receive)
        except bodies.Disconnected:
            return
        await _send(send, answer, request.id)
        self._record(source, endpoint, request, answer, events, self._clock() - started)

    async def _answer(self, source: Source, request: Request, receive: bodies.Receive) -> tuple[str, Reply, int]:
        found = source.endpoint(request.method, request.path)
        if found is None:
            return "", _unknown(source, request), 0
        try:
            answer, events = await self._accept(source, found, request, receive)
        except Rejected as rejected:
            return found.endpoint.name, rejected.reply, 0
        except _Refused as refused:
            return found.endpoint.name, source.adapter.refuse(refused.refusal, request), 0
        except bodies.Disconnected:
            raise
        except Exception:  # a fault of ours: the client gets the vendor's own words, we get the traceback
            self._logger.exception("fault", source=source.name, endpoint=found.endpoint.name, request_id=request.id)
            return found.endpoint.name, source.adapter.refuse(Refusal(RefusalKind.INTERNAL), request), 0
        return found.endpoint.name, answer, events

    async def _accept(
        self, source: Source, found: Found, request: Request, receive: bodies.Receive
    ) -> tuple[Reply, int]:
        endpoint = found.endpoint
        request.params = found.params
        request.body = await self._body(source, endpoint, request, receive)
        if endpoint.auth is not None:
            _authenticate(source, endpoint, request)
        if found.people:
            await self._store.known()
        try:
            decoded = endpoint.decode(request)
        except Rejected as rejected:
            return _with(rejected.reply, self._count(source, found, 0)), 0
        headers = self._count(source, found, len(decoded.events))
        if decoded.events:
            try:
                await self._store.append(source, decoded.events, decoded.once)
            except LogUnavailable as error:
                self._logger.warning("unavailable", source=source.name, request_id=request.id, reason=str(error))
                raise _Refused(Refusal(RefusalKind.UNAVAILABLE, RETRY_AFTER_S)) from None
        return _with(decoded.reply, headers), len(decoded.events)

    async def _body(self, source: Source, endpoint: Inbound, request: Request, receive: bodies.Receive) -> bytes:
        try:
            raw = await bodies.read(receive, endpoint.max_body, self._room)
            encoding = request.header(b"content-encoding")
            if encoding is None:
                return raw
            return bodies.decompress(raw, encoding, source.adapter.encodings, endpoint.max_body)
        except bodies.TooLarge:
            raise _Refused(Refusal(RefusalKind.TOO_LARGE)) from None
        except bodies.BadEncoding:
            raise _Refused(Refusal(RefusalKind.BAD_ENCODING)) from None
        except bodies.Overloaded:
            raise _Refused(Refusal(RefusalKind.UNAVAILABLE, RETRY_AFTER_S)) from None

    def _count(self, source: Source, found: Found, events: int) -> tuple[tuple[bytes, bytes], ...]:
        counter = found.counter
        if counter is None:
            return ()
        now = self._clock()
        wait = counter.take(now, events, enforce=source.enforce_limits)
        if wait is not None:
            raise _Refused(Refusal(RefusalKind.THROTTLED, wait))
        say = source.adapter.quota_headers
        return say(counter.quota(now)) if say else ()

    def _record(
        self, source: Source, endpoint: str, request: Request, answer: Reply, events: int, seconds: float
    ) -> None:
        self._stats.of(source.name, endpoint).add(answer.status, events, seconds)
        self._logger.info(
            "request",
            source=source.name,
            endpoint=endpoint or None,
            method=request.method,
            path=request.path if endpoint else None,
            status=answer.status,
            events=events,
            bytes=len(request.body),
            ms=round(seconds * 1000, 3),
            request_id=request.id,
        )


def _with(answer: Reply, headers: tuple[tuple[bytes, bytes], ...]) -> Reply:
    return Reply(answer.status, answer.headers + headers, answer.body) if headers else answer


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.kind.value)
        self.refusal = refusal


def _authenticate(source: Source, endpoint: Inbound, request: Request) -> None:
    """Find the account; all are compared, so that the time taken does not tell which one was near."""
    auth = endpoint.auth
    assert auth is not None  # noqa: S101  the caller asked
    presented = auth.present(request)
    matching = [account for account in source.accounts if auth.matches(presented, account)]
    if not matching:
        raise _Refused(Refusal(RefusalKind.BAD_CREDENTIAL))
    request.account = matching[0]


def _unknown(source: Source, request: Request) -> Reply:
    methods = source.methods(request.path)
    kind = RefusalKind.METHOD_NOT_ALLOWED if methods else RefusalKind.NOT_FOUND
    return source.adapter.refuse(Refusal(kind, allowed=methods), request)


_NO_BODY: Final = (b"Content-Length", b"0")
_REQUEST_ID: Final = b"X-Request-Id"


async def _send(send: Send, answer: Reply, number: str) -> None:
    body = answer.body
    length = (b"Content-Length", b"%d" % len(body)) if body else _NO_BODY
    headers = [*answer.headers, length]
    for name, _ in answer.headers:
        if len(name) == len(_REQUEST_ID) and name.lower() == b"x-request-id":
            break
    else:
        headers.append((_REQUEST_ID, number.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
