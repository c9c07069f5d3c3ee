"""Bytes -> events, for Blueshift's event endpoints.

Sources, read 2026-11-21: developer.blueshift.com/reference/post_api-v1-event and /post_api-v1-bulkevents.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.adapter import Decoded, Request

from .auth import is_bare
from .decode_event import read_event
from .errors import OK, answer, blank, too_large
from .limits import IN_EVENTS
from .names import read_name
from .wire import IDENTIFIERS, is_blank, parse_object

EVENT: Final = "event"
BULK: Final = "bulkevents"


def decode_event(request: Request) -> Decoded:
    """Return the one event of ``POST /api/v1/event``; it needs a name and somebody it is about."""
    body = parse_object(request)
    check_event(request, body)
    event = read_event(body, request, EVENT, bare=is_bare(request))
    return Decoded((event,), answer(request, 200, OK))


def check_event(request: Request, body: Mapping[str, Any]) -> None:
    """Refuse a single event without a name or without any identifier.

    Raises:
        Rejected: with the field that Blueshift's own 400 names.
    """
    if read_name(body.get("event")) is None:
        raise blank(request, "event")
    for key in IDENTIFIERS:
        if key in body and not is_blank(body[key]):
            return
    raise blank(request, "customer_id")


def decode_bulk(request: Request) -> Decoded:
    """Return the events of ``POST /api/v1/bulkevents``.

    There is no answer for a single row in this contract, and a refusal costs the vendor's SDKs up to 100 events:
    rows without a name or an identifier are taken as they are. Only a row that is no object spoils the call.
    """
    rows = parse_object(request).get("events")
    if not isinstance(rows, list):
        raise blank(request, "events")
    if len(rows) > IN_EVENTS.value:
        raise too_large(request)
    if not all(isinstance(row, dict) for row in rows):
        raise blank(request, "event")
    bare = is_bare(request)
    events = [read_event(row, request, BULK, bare=bare) for row in rows]
    return Decoded(events, answer(request, 200, b'{"status":"ok","count":%d}' % len(events)))
