"""One request to a source, from its head to its answer: the same steps whichever way it came."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Protocol

from gateway.adapter import Decoded, Inbound, Once, People, Refusal, RefusalKind, Rejected, Reply, Request, reply
from gateway.errors import LogUnavailable
from gateway.event import Event
from gateway.ids import request_id, uuid7
from gateway.inbound import body as bodies
from gateway.inbound.answers import Headers
from gateway.inbound.routes import Place, Source
from gateway.log.port import Told

RETRY_AFTER_S: Final = 2
"""What a client is told when the log cannot store: long enough to matter, short enough to be tried."""
INVALID: Final = "invalid"
"""Why a vendor's own decoder refuses; other reasons are those of `RefusalKind`."""

_NOT_YET: Final = reply(500)


class Store(Protocol):
    """Where accepted events go."""

    def append(self, source: Source, events: Sequence[Event], once: Mapping[str, Once], told: Told) -> None:
        """Store events, and tell when that is done.

        Raises:
            LogUnavailable: they cannot be stored now; `told` is not called.
        """

    async def known(self) -> None:
        """Wait until the directory of people knows all earlier events."""

    def people(self, source: str) -> People:
        """Return who is known to a source."""


class Refused(Exception):
    """The core refuses a request; its vendor's adapter has the words for it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.kind.value)
        self.refusal = refusal


class Unproven(Rejected):
    """The adapter refuses a request for its credential."""


_REFUSALS: Final[dict[type[Exception], Refusal]] = {
    bodies.TooLarge: Refusal(RefusalKind.TOO_LARGE),
    bodies.BadEncoding: Refusal(RefusalKind.BAD_ENCODING),
    bodies.Overloaded: Refusal(RefusalKind.UNAVAILABLE, RETRY_AFTER_S),
    LogUnavailable: Refusal(RefusalKind.UNAVAILABLE, RETRY_AFTER_S),
}


class Exchange:
    """One request and its answer.

    Args:
        place: the source and the endpoint.
        store: where its events go.
        method: of HTTP.
        query: raw, without the question mark.
        headers: names in lower case.
        named: the same by name, of several the last; None: not made yet.
    """

    __slots__ = ("_store", "events", "found", "headers", "refused", "reply", "request", "source", "started")

    def __init__(
        self,
        place: Place,
        store: Store,
        method: str,
        query: bytes,
        headers: Headers,
        named: dict[bytes, bytes] | None = None,
    ) -> None:
        source, path, found = place
        self.source = source
        self.request = Request(
            method=method,
            path=path,
            query=query.decode("latin-1"),
            raw_headers=headers,
            body=b"",
            id=request_id(),
            received_at=datetime.now(UTC),
            source=source.name,
            new_id=uuid7,
            people=store.people(source.name),
            params=found.params if found else {},
            options=source.options,
            _headers=named,
        )
        self.started = monotonic()
        self.reply: Reply = _NOT_YET
        """The answer; of meaning once the exchange is over."""
        self.headers: Headers = ()
        """Further headers of the answer."""
        self.events = 0
        """How many were accepted."""
        self.refused: str | None = None
        """Why none was."""
        self.found = found
        self._store = store

    @property
    def endpoint(self) -> Inbound:
        """What it is for.

        Raises:
            Refused: the source has nothing there, or not for this method.
        """
        if self.found is not None:
            return self.found.endpoint
        methods = self.source.methods(self.request.path)
        kind = RefusalKind.METHOD_NOT_ALLOWED if methods else RefusalKind.NOT_FOUND
        raise Refused(Refusal(kind, allowed=methods))

    @property
    def name(self) -> str:
        """The endpoint's, empty where there is none."""
        return self.found.endpoint.name if self.found else ""

    def admit(self, body: bytes) -> None:
        """Take the body as it was sent, and find out whose it is.

        Raises:
            Exception: one that `refuse` has an answer to.
        """
        endpoint, request = self.endpoint, self.request
        if len(body) > endpoint.max_body:
            raise bodies.TooLarge
        encoding = request.header(b"content-encoding")
        if encoding is not None:
            body = bodies.decompress(body, encoding, self.source.adapter.encodings, endpoint.max_body)
        request.body = body
        if endpoint.auth is not None:
            try:
                request.account = _authenticated(self.source, endpoint, request)
            except Rejected as rejected:
                raise Unproven(rejected.reply) from None

    async def know_people(self) -> None:
        """Wait until all earlier events are known, if the decoder asks for people."""
        if self.found is not None and self.found.people:
            await self._store.known()

    def accept(self, told: Told) -> bool:
        """Decode the body and hand over what it brings.

        Returns:
            whether `told` is to be waited for.

        Raises:
            Exception: one that `refuse` has an answer to; `told` is not called.
        """
        decoded = self._decoded()
        self.reply = decoded.reply
        self.events = len(decoded.events)
        if not decoded.events:
            return False
        self._store.append(self.source, decoded.events, decoded.once, told)
        return True

    def _decoded(self) -> Decoded:
        """Return what the body means; counted, as the vendor counts refused requests too."""
        try:
            decoded = self.endpoint.decode(self.request)
        except Rejected:
            self._count(0)
            raise
        self._count(len(decoded.events))
        return decoded

    def _count(self, events: int) -> None:
        counter = self.found.counter if self.found else None
        if counter is None:
            return
        now = monotonic()
        wait = counter.take(now, events, enforce=self.source.enforce_limits)
        if wait is not None:
            raise Refused(Refusal(RefusalKind.THROTTLED, wait))
        say = self.source.adapter.quota_headers
        if say is not None:
            self.headers = say(counter.quota(now))

    def refuse(self, error: Exception) -> bool:
        """Answer in the vendor's words to what went wrong; tell whether that is a fault of ours."""
        self.reply, self.events, self.refused = _NOT_YET, 0, RefusalKind.INTERNAL.value
        if isinstance(error, Rejected):
            self.reply = error.reply
            self.refused = RefusalKind.BAD_CREDENTIAL.value if isinstance(error, Unproven) else INVALID
            return False
        refusal = error.refusal if isinstance(error, Refused) else _REFUSALS.get(type(error))
        ours = refusal is None
        refusal = refusal or Refusal(RefusalKind.INTERNAL)
        self.headers = ()
        self.reply = self.source.adapter.refuse(refusal, self.request)
        self.refused = refusal.kind.value
        return ours


def _authenticated(source: Source, endpoint: Inbound, request: Request) -> Mapping[str, str]:
    """Return the account; all are compared, so that the time taken does not tell which one was near."""
    auth = endpoint.auth
    assert auth is not None  # noqa: S101  the caller asked
    presented = auth.present(request)
    matching = [account for account in source.accounts if auth.matches(presented, account)]
    if not matching:
        raise Refused(Refusal(RefusalKind.BAD_CREDENTIAL))
    return matching[0]
