"""Bytes -> events, for the event endpoints.

Sources, read 2026-11-21: hub.synerise.com/developers/api/events/sending-events; github.com/Synerise/php-sdk
lib/V4/Events; hub.synerise.com/developers/api/recommendations/events (``ai-compat``).
"""

from collections.abc import Callable
from typing import Any, Final

from gateway.adapter import Decoded, Event, Rejected, Request

from .checks import is_action
from .decode_event import read_event
from .errors import ACCEPTED, Problem, invalid, problem
from .limits import IN_ITEMS
from .wire import CUSTOM, DEDICATED, TYPES, has_null, parse_object, parse_rows, without_nulls

BATCH: Final = "events_batch"
SINGLE: Final = "events_custom"

_MOST: Final = IN_ITEMS.value


def decode_custom(request: Request) -> Decoded:
    """Return the event of ``/v4/events/custom``."""
    body = parse_object(request)
    problems: list[Problem] = []
    action = _action(body, problems, "")
    event = read_event(body, request, SINGLE, action, problems, sent_type=CUSTOM)
    return _accepted(request, event, problems)


def dedicated(path: str) -> Callable[[Request], Decoded]:
    """Return the decoder of a dedicated endpoint, which sets the action itself."""
    kind, name = DEDICATED[path], dedicated_name(path)

    def decode_dedicated(request: Request) -> Decoded:
        body = parse_object(request)
        problems: list[Problem] = []
        event = read_event(body, request, name, kind.action, problems, kind=kind)
        return _accepted(request, event, problems)

    return decode_dedicated


def dedicated_name(path: str) -> str:
    """Return our name of a dedicated endpoint."""
    return "events_" + path.replace("-", "_").replace("/", "_")


def _accepted(request: Request, event: Event | None, problems: list[Problem]) -> Decoded:
    if event is None or problems:
        raise invalid(request, problems)
    return Decoded((event,), ACCEPTED)


def decode_batch(request: Request) -> Decoded:
    """Return the events of ``/v4/events/batch``: all of them, or none when one is wrong (our choice)."""
    rows = parse_rows(request)
    if len(rows) > _MOST:
        raise invalid(request, [problem("", f"must have {_MOST} events or fewer", len(rows))])
    nulls = has_null(request.body)
    problems: list[Problem] = []
    events = []
    for index, row in enumerate(rows):
        if type(row) is not dict:
            problems.append(problem(f"[{index}]", "must be an object"))
            continue
        event = _item(without_nulls(row) if nulls else row, request, problems, f"[{index}].")
        if event is not None:
            events.append(event)
    if problems:
        raise invalid(request, problems)
    return Decoded(events, ACCEPTED)


def _item(row: dict[str, Any], request: Request, problems: list[Problem], at: str) -> Event | None:
    sent = row.pop("type", None)
    if sent == CUSTOM:
        action = _action(row, problems, at)
        return read_event(row, request, BATCH, action, problems, sent_type=CUSTOM, at=at)
    kind = TYPES.get(sent) if isinstance(sent, str) else None
    if kind is None:
        problems.append(problem(f"{at}type", "is unknown", sent))
        return None
    return read_event(row, request, BATCH, kind.action, problems, kind=kind, sent_type=sent, at=at)


def _action(body: dict[str, Any], problems: list[Problem], at: str) -> str:
    action = body.pop("action", None)
    if type(action) is not str or not is_action(action):
        problems.append(problem(f"{at}action", "must have 1 to 32 of a-z, A-Z, 0-9, dot, dash, underscore", action))
        return ""
    return action


# --- flat events -----------------------------------------------------------------------------------------

AI_TYPES: Final = ("recommendation.view", "recommendation.click", "item.search.click")
"""Each at a path of its own."""
_AI_BATCH_TYPES: Final = frozenset({*AI_TYPES, "product.search.click"})


def ai_compat(action: str, name: str) -> Callable[[Request], Decoded]:
    """Return the decoder of one flat event."""

    def decode_flat(request: Request) -> Decoded:
        problems: list[Problem] = []
        event = _flat(parse_object(request), request, name, action, problems, "")
        return _accepted(request, event, problems)

    return decode_flat


def ai_batch(name: str) -> Callable[[Request], Decoded]:
    """Return the decoder of many flat events of one type."""

    def decode_flats(request: Request) -> Decoded:
        body = parse_object(request)
        action, rows = body.get("eventType"), body.get("items")
        if action not in _AI_BATCH_TYPES if isinstance(action, str) else True:
            raise invalid(request, [problem("eventType", "is unknown", action)])
        if not isinstance(rows, list) or len(rows) > _MOST or not all(isinstance(row, dict) for row in rows):
            raise _bad_rows(request)
        problems: list[Problem] = []
        found = [_flat(row, request, name, str(action), problems, f"items[{index}].") for index, row in enumerate(rows)]
        if problems:
            raise invalid(request, problems)
        return Decoded([event for event in found if event is not None], ACCEPTED)

    return decode_flats


def _bad_rows(request: Request) -> Rejected:
    return invalid(request, [problem("items", f"must be a list of {_MOST} events or fewer")])


def _flat(
    body: dict[str, Any], request: Request, name: str, action: str, problems: list[Problem], at: str
) -> Event | None:
    """Return a flat event, by way of the envelope that says the same."""
    who = body.pop("clientUUID", None)
    if type(who) is not str or not who:
        problems.append(problem(f"{at}clientUUID", "must not be empty", who))
        return None
    envelope: dict[str, Any] = {"label": action, "client": {"uuid": who}}
    if "EventTimestamp" in body:
        envelope["time"] = body.pop("EventTimestamp")
    envelope["params"] = body
    return read_event(envelope, request, name, action, problems, at=at)
