"""The ASGI application that clients speak to.

It stands in front of Starlette's routing: on this path every microsecond is paid by every event.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from msgspec import UNSET

from gateway.adapter import Inbound, Once, People, Refusal, RefusalKind, Rejected, Reply, Request, reply
from gateway.errors import LogUnavailable
from gateway.event import Event
from gateway.ids import request_id, uuid7
from gateway.inbound import body as bodies
from gateway.inbound.routes import Found, Place, Source, Sources
from gateway.inbound.stats import Stats
from gateway.telemetry import Logger, RequestLine

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


INVALID: Final = "invalid"
"""Why a vendor's own decoder refuses; other reasons are those of `RefusalKind`."""

Outcome = tuple[Reply, tuple[tuple[bytes, bytes], ...], int, str | None]
"""An answer, further headers of it, how many events were accepted, and why none was when the request was refused."""


class Edge:
    """Answers every request as the vendor of its source would."""

    def __init__(self, sources: Sources, store: Store, fallback: App, logger: Logger, stats: Stats) -> None:
        self.replace(sources, store, logger)
        self._fallback = fallback
        self._stats = stats
        self._clock = time.monotonic
        self._room = bodies.Room()

    def replace(self, sources: Sources, store: Store, logger: Logger) -> None:
        """Answer requests that begin from now on by these; those under way end as they began."""
        self._served = (sources, store)
        self._logger = logger
        self._say = logger.requests

    async def __call__(self, scope: Scope, receive: bodies.Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._fallback(scope, receive, send)
            return
        started = self._clock()
        sources, store = self._served
        place = sources.place(scope["method"], scope["path"], scope["headers"])
        if place is None:
            self._stats.of("", "").add(NOWHERE.status, 0, 0.0, RefusalKind.NOT_FOUND.value)
            await send(_start(NOWHERE, (), request_id()))
            await send({"type": "http.response.body", "body": NOWHERE.body})
            return
        request = _request(scope, place, store)
        try:
            answer, more, events, refused = await self._accept(place, store, request, receive)
        except bodies.Disconnected:
            return
        except Exception as error:  # noqa: BLE001  # the client gets the vendor's own words whatever it was
            (answer, refused), more, events = self._refuse(error, place, request), (), 0
        await send(_start(answer, more, request.id))
        await send({"type": "http.response.body", "body": answer.body})
        self._record(place, request, answer, events, refused, self._clock() - started)

    async def _accept(self, place: Place, store: Store, request: Request, receive: bodies.Receive) -> Outcome:
        source, _, found = place
        if found is None:
            return _unknown(source, request)
        endpoint = found.endpoint
        message = await receive()
        body = bodies.whole(message, endpoint.max_body)
        if body is None:
            body = await bodies.read(message, receive, endpoint.max_body, self._room)
        encoding = request.header(b"content-encoding")
        if encoding is not None:
            body = bodies.decompress(body, encoding, source.adapter.encodings, endpoint.max_body)
        request.body = body
        if endpoint.auth is not None:
            try:
                _authenticate(source, endpoint, request)
            except Rejected as rejected:
                return rejected.reply, (), 0, RefusalKind.BAD_CREDENTIAL.value
        if found.people:
            await store.known()
        try:
            decoded = endpoint.decode(request)
        except Rejected as rejected:
            return rejected.reply, self._count(source, found, 0), 0, INVALID
        events = decoded.events
        headers = self._count(source, found, len(events))
        if events:
            await store.append(source, events, decoded.once)
        return decoded.reply, headers, len(events), None

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

    def _refuse(self, error: Exception, place: Place, request: Request) -> tuple[Reply, str]:
        """Return the vendor's answer to what went wrong, and why; a fault of ours is logged with its traceback."""
        if isinstance(error, Rejected):
            return error.reply, INVALID
        refusal = error.refusal if isinstance(error, _Refused) else _REFUSALS.get(type(error))
        if refusal is None:
            refusal = Refusal(RefusalKind.INTERNAL)
            self._logger.error(
                "fault", source=place.source.name, endpoint=_name(place), request_id=request.id, exc_info=error
            )
        elif isinstance(error, LogUnavailable):
            self._logger.warning("unavailable", source=place.source.name, request_id=request.id, reason=str(error))
        return place.source.adapter.refuse(refusal, request), refusal.kind.value

    def _record(
        self, place: Place, request: Request, answer: Reply, events: int, refused: str | None, seconds: float
    ) -> None:
        endpoint = _name(place)
        self._stats.of(request.source, endpoint).add(answer.status, events, seconds, refused)
        if self._say is None:
            return
        line = RequestLine(
            request.source,
            endpoint or None,
            request.method,
            place.found.endpoint.path if place.found else None,
            answer.status,
            events,
            len(request.body),
            round(seconds * 1000, 3),
            request.id,
            datetime.now(UTC),
            UNSET if refused is None else refused,
        )
        self._say(line)


def _request(scope: Scope, place: Place, store: Store) -> Request:
    source, path, found = place
    return Request(
        method=scope["method"],
        path=path,
        query=scope["query_string"].decode("latin-1"),
        raw_headers=scope["headers"],
        body=b"",
        id=request_id(),
        received_at=datetime.now(UTC),
        source=source.name,
        new_id=uuid7,
        people=store.people(source.name),
        params=found.params if found else {},
        options=source.options,
    )


def _name(place: Place) -> str:
    return place.found.endpoint.name if place.found else ""


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.kind.value)
        self.refusal = refusal


_REFUSALS: Final[dict[type[Exception], Refusal]] = {
    bodies.TooLarge: Refusal(RefusalKind.TOO_LARGE),
    bodies.BadEncoding: Refusal(RefusalKind.BAD_ENCODING),
    bodies.Overloaded: Refusal(RefusalKind.UNAVAILABLE, RETRY_AFTER_S),
    LogUnavailable: Refusal(RefusalKind.UNAVAILABLE, RETRY_AFTER_S),
}


def _authenticate(source: Source, endpoint: Inbound, request: Request) -> None:
    """Find the account; all are compared, so that the time taken does not tell which one was near."""
    auth = endpoint.auth
    assert auth is not None  # noqa: S101  the caller asked
    presented = auth.present(request)
    matching = [account for account in source.accounts if auth.matches(presented, account)]
    if not matching:
        raise _Refused(Refusal(RefusalKind.BAD_CREDENTIAL))
    request.account = matching[0]


def _unknown(source: Source, request: Request) -> Outcome:
    methods = source.methods(request.path)
    kind = RefusalKind.METHOD_NOT_ALLOWED if methods else RefusalKind.NOT_FOUND
    return source.adapter.refuse(Refusal(kind, allowed=methods), request), (), 0, kind.value


_NO_BODY: Final = (b"Content-Length", b"0")


def _start(answer: Reply, more: tuple[tuple[bytes, bytes], ...], number: str) -> dict[str, Any]:
    """Return the ASGI message that begins an answer; its own X-Request-Id stays."""
    headers = [*answer.headers, *more, (b"Content-Length", b"%d" % len(answer.body)) if answer.body else _NO_BODY]
    if not any(name.lower() == b"x-request-id" for name, _ in answer.headers):
        headers.append((b"X-Request-Id", number.encode()))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}
