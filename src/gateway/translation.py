"""One request of a vendor, offline: decoded, encoded for another, and what became of each leaf.

The core of ``gateway translate``. Nothing is sent, nothing is stored, no secret is needed.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
from msgspec import Struct

from gateway.adapter import (
    Adapter,
    EncodeError,
    Inbound,
    Loss,
    Outbound,
    Refusal,
    RefusalKind,
    Rejected,
    Reply,
    Request,
    Settings,
)
from gateway.errors import UsageError
from gateway.event import Event
from gateway.ids import uuid7
from gateway.inbound.routes import Source, normal_path
from gateway.ledger import Clerk, Encoding, LedgerRow, Payload, trace
from gateway.offline import Nobody, OutboundRequest, json_or_text, settings_of, shown


class Translation(Struct, frozen=True):
    """The whole of it; the form of ``gateway translate --json``."""

    events: list[Event]
    requests: list[OutboundRequest]
    ledger: list[LedgerRow]
    reply: dict[str, Any]


def translate(
    given: Mapping[str, Any],
    origin: Adapter,
    goal: Adapter,
    *,
    options: Mapping[str, Any] | None = None,
    credentials: Mapping[str, str] | None = None,
) -> Translation:
    """Translate one request.

    Args:
        given: ``{"method", "path", "headers", "body"}``; the body a JSON value, a text, or None.
        origin: the vendor whose dialect it is in.
        goal: the vendor it is for.
        options: those of a source, where they are not the default.
        credentials: the account's; without them whatever the client presents is right.

    Raises:
        UsageError: `given` has another form.
    """
    chosen = msgspec.convert(options, origin.source_options) if options and origin.source_options else None
    source = Source(origin.slug, origin, [credentials] if credentials else [], options=chosen)
    request = request_of(given)
    request.people = Nobody(origin)
    request.source = origin.slug
    request.options = source.options
    return translate_request(source, request, goal)


def translate_request(source: Source, request: Request, goal: Adapter) -> Translation:
    """Translate one request as it came in at a source."""
    events, reply = _decode(source, request)
    requests, _ = encode(events, goal)
    return Translation(list(events), requests, list(_ledger(source, request, events, goal)), _reply(reply))


def _ledger(source: Source, request: Request, events: Sequence[Event], goal: Adapter) -> Iterator[LedgerRow]:
    """Yield what became of each leaf of a request that was accepted."""
    if not events:
        return

    def decoded(payload: Payload) -> Sequence[Event] | None:
        numbers = count()
        asked = copy(request)
        asked.body, asked.query, asked.params = payload.body, payload.query, payload.params
        asked.new_id = lambda: f"event {next(numbers)}"
        try:
            return _endpoint_of(source, request).decode(asked).events
        except Rejected:
            return None

    def encoded(several: Sequence[Event]) -> Encoding:
        requests, losses = encode(several, goal)
        numbers = {event.id: number for number, event in enumerate(several)}
        return Encoding([(one.path, one.body) for one in requests], {numbers[i]: lost for i, lost in losses.items()})

    clerk = Clerk(source.adapter, goal, frozenset(request.account.values()))
    seen = 0
    for traces, encoding, part in trace(Payload(request.body, request.query, request.params), decoded, encoded):
        yield from clerk.rows(traces, encoding, events[seen : seen + len(part)])
        seen += len(part)


def _endpoint_of(source: Source, request: Request) -> Inbound:
    found = source.endpoint(request.method, request.path)
    assert found is not None  # noqa: S101  it was decoded there
    return found.endpoint


def request_of(given: Mapping[str, Any]) -> Request:
    """Return the request that a JSON object describes.

    Raises:
        UsageError: it describes none.
    """
    given = given.get("request", given)
    if not isinstance(given, Mapping) or not isinstance(given.get("path"), str):
        raise UsageError('expected {"method", "path", "headers", "body"}, or a file with that as its "request"')
    headers = given.get("headers") or {}
    if not isinstance(headers, Mapping):
        raise UsageError('"headers" must be an object')
    path, _, query = given["path"].partition("?")
    body = given.get("body")
    raw = b"" if body is None else body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    return Request(
        method=str(given.get("method", "POST")).upper(),
        path=normal_path(path),
        query=query,
        raw_headers=[(str(k).lower().encode("latin-1"), str(v).encode()) for k, v in headers.items()],
        body=raw,
        id=uuid7(),
        received_at=datetime.now(UTC),
        source="",
        new_id=uuid7,
        people=None,  # type: ignore[arg-type]  # given by the caller, who knows the vendor
    )


def _decode(source: Source, request: Request) -> tuple[Sequence[Event], Reply]:
    found = source.endpoint(request.method, request.path)
    if found is None:
        kind = RefusalKind.METHOD_NOT_ALLOWED if source.methods(request.path) else RefusalKind.NOT_FOUND
        return (), source.adapter.refuse(Refusal(kind, allowed=source.methods(request.path)), request)
    request.params = found.params
    try:
        if found.endpoint.auth is not None:
            presented = found.endpoint.auth.present(request)
            anything = {credential.name: presented for credential in source.adapter.credentials}
            request.account = next(iter(source.accounts), anything)
        if len(request.body) > found.endpoint.max_body:
            return (), source.adapter.refuse(Refusal(RefusalKind.TOO_LARGE), request)
        decoded = found.endpoint.decode(request)
    except Rejected as rejected:
        return (), rejected.reply
    return decoded.events, decoded.reply


def encode(events: Sequence[Event], goal: Adapter) -> tuple[list[OutboundRequest], dict[str, list[Loss]]]:
    """Return the requests that would carry the events to a vendor, and what is lost of each, by id."""
    settings = settings_of(goal)
    requests: list[OutboundRequest] = []
    losses: dict[str, list[Loss]] = {event.id: [] for event in events}
    for endpoint, group in _groups(events, goal):
        if endpoint is None:
            losses[group[0].id].append(Loss(0, "", "dropped", _why_not(group[0], goal)))
            continue
        try:
            several = endpoint.encode(group, settings)
        except EncodeError as error:
            losses[group[0].id].append(Loss(0, "", "dropped", str(error)))
            continue
        for encoded in several:
            ids = [group[index].id for index in encoded.events]
            requests.append(shown(goal, endpoint, encoded, settings, ids))
            for loss in encoded.lost:
                losses[group[loss.event].id].append(loss)
    return requests, losses


def _groups(events: Sequence[Event], goal: Adapter) -> list[tuple[Outbound | None, list[Event]]]:
    """Cut events into runs for one endpoint; events that need `EncodeError` attribution go one by one."""
    groups: list[tuple[Outbound | None, list[Event]]] = []
    settings = settings_of(goal)
    waiting = {
        out.name: sum(out.carries(event, settings) for event in events) for out in goal.outbound if out.pays_from > 1
    }
    for event in events:
        endpoint = _endpoint(event, waiting, goal, settings)
        fits = endpoint is not None and groups and groups[-1][0] is endpoint
        if fits and endpoint and _encodes(event, endpoint, settings) and _encodes(groups[-1][1][0], endpoint, settings):
            groups[-1][1].append(event)
        else:
            groups.append((endpoint, [event]))
    return groups


def _endpoint(event: Event, waiting: Mapping[str, int], goal: Adapter, settings: Settings) -> Outbound | None:
    fitting = [out for out in goal.outbound if out.carries(event, settings)]
    paying = (out for out in fitting if out.pays_from <= waiting.get(out.name, 1))
    return next(paying, fitting[-1] if fitting else None)


def _why_not(event: Event, goal: Adapter) -> str:
    if any(event.kind in out.kinds for out in goal.outbound):
        return f"{goal.title} has no call that can carry this {event.kind} event"
    return f"{goal.title} has no call for {event.kind} events"


def _encodes(event: Event, endpoint: Outbound, settings: Settings) -> bool:
    try:
        endpoint.encode([event], settings)
    except EncodeError:
        return False
    return True


def _reply(reply: Reply) -> dict[str, Any]:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reply.headers}
    return {"status": reply.status, "headers": headers, "body": json_or_text(reply.body)}
