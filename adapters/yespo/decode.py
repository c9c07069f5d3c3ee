"""The event endpoints: live ones in three versions, and past ones.

Sources, read 2026-11-21: docs.yespo.io/docs/how-use-v1event-api-resource, /validating-event-parameters,
/how-send-past-events; clients: github.com/dkulyk/esputnik (``/event?``), urumtsev/ok-esputnik (``/event/``),
PipedreamHQ/pipedream (``/api/event``).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import UNSET

from gateway.adapter import Decoded, Event, Rejected, Request, json_bytes

from . import contact_json
from .decode_event import Moment, Sent, read_event, sort_params
from .errors import ACCEPTED, answer, invalid, text
from .limits import KEY_LENGTH, NAME_LENGTH, PAST_EVENTS, TYPE_LENGTH
from .names import CHECKED, IDENTIFIERS, PARAM, PRIORITY, is_legal, resolved
from .options import SourceOptions
from .times import read_millis, read_time
from .wire import EventBody, Json, Param, PastBody, Period, read, read_object, scalar

V1: Final = "event_v1"
V2: Final = "event_v2"
V3: Final = "event_v3"
UNVERSIONED: Final = "event"
PAST_V1: Final = "past_events_v1"
PAST_V2: Final = "past_events_v2"

_event: Final = msgspec.json.Decoder(EventBody)
_past: Final = msgspec.json.Decoder(PastBody)
_period: Final = msgspec.json.Decoder(Period)
_NO_OPTIONS: Final = SourceOptions()


def options_of(request: Request) -> SourceOptions:
    """Return the source's options."""
    options = request.options
    return options if isinstance(options, SourceOptions) else _NO_OPTIONS


# --- live ------------------------------------------------------------------------------------------------


def decode_v2(request: Request) -> Decoded:
    """Return the one event of ``POST /api/v2/event``."""
    return _live(request, V2, v2=True)


def decode_v1(request: Request) -> Decoded:
    """Return the one event of ``POST /api/v1/event``."""
    return _live(request, V1, v2=False)


def decode_unversioned(request: Request) -> Decoded:
    """Return the one event of ``POST /api/event``, which is v1 to the clients that still use it."""
    return _live(request, UNVERSIONED, v2=False)


def _live(request: Request, endpoint: str, *, v2: bool) -> Decoded:
    body = read(request, _event)
    event = _read(body, request, endpoint, None, v2=v2)
    return Decoded((event,), ACCEPTED)


def _read(body: EventBody, request: Request, endpoint: str, moment: Moment | None, *, v2: bool) -> Event:
    """Check one event as Yespo does, and return it.

    Raises:
        Rejected: 400, and why.
    """
    options = options_of(request)
    type_key = _type(body.event_type_key)
    key = check_key(body.key_value)
    params = body.params or []
    sent = sort_params(_by_name(params, strict=options.strict_v1 and not v2))
    if options.structures and type_key in options.structures:
        _check_structure(options.structures[type_key], {param.name for param in params})
    if v2 and contact_json.PARAM in sent.flat:
        _check_contact(sent.flat[contact_json.PARAM])
    check_identifiers(sent)
    if key is None and resolved(sent.who) is None:
        key = None if v2 else _any_identifier(sent)
        if key is None:
            raise invalid("keyValue, or an identifier among the params, is required")
    return read_event(type_key, key, sent, request, endpoint, moment)


def _type(value: Any) -> str:
    name = scalar(value)
    if name is None or not name.strip():
        raise invalid("eventTypeKey is required")
    if not is_legal(name, TYPE_LENGTH.value):
        raise invalid(f"eventTypeKey has more than {TYPE_LENGTH.value} characters or a forbidden one")
    return name


def check_key(value: Any) -> str | None:
    """Return an event's key as text, None when it has none (or a blank one).

    Raises:
        Rejected: it is no text, is too long, or has a forbidden character.
    """
    if value is None:
        return None
    key = scalar(value)
    if key is None:
        raise invalid("keyValue must be a string")
    if not is_legal(key):
        raise invalid(f"keyValue has more than {KEY_LENGTH.value} characters or a forbidden one")
    return key if key.strip() else None


def _by_name(params: Sequence[Param], *, strict: bool) -> Json:
    """Return the values by their names.

    Raises:
        Rejected: one is missing, too long, a second of its name, or (`strict`) a structure.
    """
    values: Json = {}
    for param in params:
        name, value = param.name, param.value
        if value is UNSET:
            raise invalid("Every param needs a name and a value")
        if not 0 < len(name) <= _LONGEST_NAME:
            raise invalid(f"The name of a param has 1 to {_LONGEST_NAME} characters")
        if strict and isinstance(value, (dict, list)):
            raise invalid("The value of a param must be a string")
        values[name] = value
    if len(values) < len(params):
        raise invalid("The names of params must be unique")
    return values


_LONGEST_NAME: Final = NAME_LENGTH.value


def check_identifiers(sent: Sent) -> None:
    """Refuse identifiers with characters or lengths that Yespo forbids.

    Raises:
        Rejected: 400, with the parameter's name.
    """
    for field, value in sent.who.items():
        if field in CHECKED and not is_legal(value):
            limit = f"more than {KEY_LENGTH.value} characters or a forbidden one"
            raise invalid(f"{PARAM[field]} has {limit}")


def _any_identifier(sent: Sent) -> str | None:
    """Return the key that v1 takes where nobody is named: an identifier that v2 would take for empty."""
    rank = {field: at for at, field in enumerate(PRIORITY)}
    texts = {IDENTIFIERS[name.lower()]: value for name, value in sent.keep.items() if isinstance(value, str) and value}
    found = min((field for field in texts if field in rank), key=lambda field: rank[field], default=None)
    return None if found is None else texts[found] if texts[found].strip() else None


def _check_contact(value: Any) -> None:
    problems = contact_json.problems(value)
    if problems:
        raise contact_json.refusal(problems)


def _check_structure(declared: Mapping[str, bool], given: set[str]) -> None:
    """Refuse an event whose parameters are not those that the account declared for its type.

    Raises:
        Rejected: 400 with the declaration, which is text with a JSON tail.
    """
    required = {name for name, needed in declared.items() if needed}
    if required <= given <= declared.keys():
        return
    rows = [{"name": name, "required": needed} for name, needed in declared.items()]
    tail = msgspec.json.format(json_bytes(rows), indent=4).decode()
    raise Rejected(text(f"The event should have the following params: {tail}", 400))


# --- past ------------------------------------------------------------------------------------------------


def decode_past_v2(request: Request) -> Decoded:
    """Return the accepted ones of ``POST /api/v2/past_events``; the answer has a status for each."""
    return _decode_past(request, PAST_V2, v2=True)


def decode_past_v1(request: Request) -> Decoded:
    """Return the accepted ones of ``POST /api/v1/past_events``."""
    return _decode_past(request, PAST_V1, v2=False)


_ACCEPTED: Final = "ACCEPTED"


def _decode_past(request: Request, endpoint: str, *, v2: bool) -> Decoded:
    rows = read(request, _past).events
    if len(rows) > PAST_EVENTS.value:
        raise invalid(f"At most {PAST_EVENTS.value} events are allowed")
    depth = timedelta(days=options_of(request).past_depth_days)
    events: list[Event] = []
    statuses: list[str] = []
    for row in rows:
        if check_key(row.key_value) is None:
            raise invalid("keyValue is required")
        moment = read_time(row.occurred)
        status = _status(row.occurred, moment, request.received_at, depth)
        event = _read(row, request, endpoint, _moment(moment, row.occurred), v2=v2)
        statuses.append(status)
        if status == _ACCEPTED:
            events.append(event)
    results = [{"status": status} for status in statuses]
    body = {"results": results, "successCount": len(events), "errorCount": len(rows) - len(events)}
    return Decoded(events, answer(body))


def _moment(at: datetime | None, text: Any) -> Moment | None:
    return None if at is None else Moment(at, text)


def _status(occurred: Any, moment: datetime | None, now: datetime, depth: timedelta) -> str:
    if occurred is None or occurred == "":
        return "OCCURRED_DATE_IS_REQUIRED"
    if moment is None:
        return "INCORRECT_OCCURRED_DATE_FORMAT"
    if moment > now:
        return "OCCURRED_TIME_IN_FUTURE"
    return "OCCURRED_TIME_TOO_DEPTH" if now - moment > depth else _ACCEPTED


def delete_past(request: Request) -> Decoded:
    """Answer ``DELETE /api/v1/past_events``; what targets have received is not taken back."""
    period = read(request, _period)
    start, end = read_time(period.from_), read_time(period.to)
    if start is None or end is None or start > end:
        raise invalid("from and to must be times in this order")
    return Decoded((), ACCEPTED)


# --- v3 --------------------------------------------------------------------------------------------------

_HEAD: Final = frozenset({"eventTypeKey", "eventKey", "keyValue", "params", "eventData", "occurred", "eventDate"})


def decode_v3(request: Request) -> Decoded:
    """Return the event of ``POST /api/v3/event``, which no page documents: whatever has a type and somebody.

    The type is ``eventTypeKey`` or ``eventKey``; parameters are a list or an object in ``params``, an object in
    ``eventData``, and identifiers beside them; of two with one name the first holds.
    """
    body = read_object(request)
    type_key = scalar(body.get("eventTypeKey")) or scalar(body.get("eventKey"))
    if type_key is None or not type_key.strip():
        raise invalid("eventTypeKey is required")
    sent = sort_params(_v3_params(body))
    key = scalar(body.get("keyValue")) or None
    if key is None and resolved(sent.who) is None:
        raise invalid("An identifier is required")
    moment = _v3_moment(body)
    return Decoded((read_event(type_key, key, sent, request, V3, moment),), ACCEPTED)


def _v3_params(body: Json) -> Json:
    found: Json = {}
    for name, value in (*_named(body.get("params")), *_named(body.get("eventData")), *body.items()):
        if name not in _HEAD and name not in found:
            found[name] = value
    return found


def _named(params: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(params, dict):
        return params.items()
    rows = params if isinstance(params, list) else ()
    return [
        (row["name"], row["value"])
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("name"), str) and row["name"] and "value" in row
    ]


def _v3_moment(body: Json) -> Moment | None:
    given = body.get("occurred", body.get("eventDate"))
    return _moment(read_time(given) or read_millis(given), given)
