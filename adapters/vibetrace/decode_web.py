"""Requests to the two older surfaces -> events: the collector of the browser script, and the first API.

Sources, read 2026-11-21: help.vtcdn.net/kb/how-to-send-events-through-the-api (collector, cookie);
github.com/vibetrace/api (first API).
"""

from typing import Any, Final
from urllib.parse import parse_qsl

from gateway.adapter import Decoded, Event, Once, Request
from gateway.event import Origin, Profile

from .answers import LEGACY_CREATED, answer, collected, missing_event, missing_user, other_app, too_many, unreadable
from .auth import APP_ID
from .decode import count_once, identifier
from .decode_event import Fields, Sender, read_event
from .limits import IN_EVENTS, IN_QUERY
from .wire import CUSTOM_TYPES, GENERIC, SLUG, normal, parse_object, parse_value

COLLECTOR: Final = "collector"
COLLECTOR_TYPED: Final = "collector_typed"
LEGACY_EVENT: Final = "legacy_event"
LEGACY_USER: Final = "legacy_user"

_COOKIE: Final = "_vt_user"


# --- collector -------------------------------------------------------------------------------------------


def decode_collector(request: Request) -> Decoded:
    """Return the events of ``GET /event/{account_id}``."""
    return _collect(request, COLLECTOR)


def decode_collector_typed(request: Request) -> Decoded:
    """Return the events of ``GET /event/{account_id}/{type}``."""
    return _collect(request, COLLECTOR_TYPED)


def _collect(request: Request, endpoint: str) -> Decoded:
    """Return the events in ``data``: a list of ``{"type", "userId", "sessionId", "items", "generic"}``.

    Raises:
        Rejected: there is no such list, or one of them has no type or no name.
    """
    given = _query(request.query)
    elements = parse_value(given.get("data", "").encode("utf-8", "surrogatepass"))
    if isinstance(elements, dict):
        elements = [elements]
    if not isinstance(elements, list) or not all(isinstance(element, dict) for element in elements):
        raise unreadable()
    if len(elements) > IN_EVENTS.value:
        raise too_many()
    visitor = _visitor(request)
    events: list[Event] = []
    once: dict[str, Once] = {}
    for element in elements:
        type_, kept = _type(element, request.params.get("type"))
        sender = _sender(element, visitor)
        event = read_event(type_, _in_one_level(type_, element), sender, request, endpoint, kept)
        events.append(event)
        count_once(type_, event, request, once)
    return Decoded(events, collected(given.get("callback")), once)


def _query(query: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, max_num_fields=IN_QUERY.value))
    except ValueError:
        raise unreadable() from None


def _type(element: Fields, in_path: str | None) -> tuple[str, Fields]:
    """Return an event's type and what to keep of it: its own wins over that in the path."""
    own = element.pop("type", None)
    if not isinstance(own, str) or not own.strip():
        if not in_path:
            raise missing_event()
        return in_path, {}
    return own, {"path": in_path} if in_path and normal(in_path) != normal(own) else {}


def _visitor(request: Request) -> tuple[str | None, str | None]:
    """Return visitor and session in the cookie, ``<userId>_<sessionId>_<flag>_<flag>``."""
    for name, value in request.raw_headers:
        if name != b"cookie":
            continue
        for pair in value.decode("latin-1").split(";"):
            key, _, text = pair.partition("=")
            if key.strip() == _COOKIE:
                user, _, rest = text.strip().partition("_")
                return identifier(user), identifier(rest.partition("_")[0])
    return None, None


def _sender(element: Fields, visitor: tuple[str | None, str | None]) -> Sender:
    """Return who an event is about: by its own ``userId`` and ``sessionId``, else by the cookie."""
    user, session = _taken(element, "userId"), _taken(element, "sessionId")
    if user is None and session is None:
        user, session = visitor
    return Sender(anonymous_id=user, session=session)


def _taken(element: Fields, key: str) -> str | None:
    """Take an id out of an event; what is no text stays."""
    value = identifier(element.get(key))
    if value is not None:
        del element[key]
    return value


def _in_one_level(type_: str, element: Fields) -> Fields:
    """Return fields as the other surfaces send them: those in ``generic`` beside the others."""
    bag = element.get(GENERIC)
    if not isinstance(bag, dict) or normal(type_) in CUSTOM_TYPES or not bag.keys().isdisjoint(element):
        return element
    del element[GENERIC]
    return {**element, **bag}


# --- first API -------------------------------------------------------------------------------------------


def decode_legacy_event(request: Request) -> Decoded:
    """Return the event of ``POST /api/v3/apps/{app_id}/events/{type}``, whose body holds the fields alone.

    Raises:
        Rejected: the app is not the key's (403), or there is no such JSON.
    """
    _check_app(request)
    type_ = request.params["type"]
    event = read_event(type_, _fields(type_, parse_object(request.body)), Sender(), request, LEGACY_EVENT, {})
    once: dict[str, Once] = {}
    count_once(type_, event, request, once)
    return Decoded((event,), LEGACY_CREATED, once)


def _fields(type_: str, body: Fields) -> Fields:
    if not type_.strip():
        raise missing_event()
    return body


def decode_legacy_user(request: Request) -> Decoded:
    """Return the identify of ``PUT /api/v3/apps/{app_id}/users/{user_id}``, which changes an e-mail address.

    Raises:
        Rejected: the app is not the key's (403), or there is no address.
    """
    _check_app(request)
    body, user_id = parse_object(request.body), identifier(request.params["user_id"])
    email = identifier(body.pop("email", None))
    if email is None or user_id is None:
        raise missing_user()
    event = Event(
        id=request.new_id(),
        kind="identify",
        name="Identify",
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=LEGACY_USER),
        profile=Profile(user_id=user_id, email=email),
        residue=_unread(body),
    )
    return Decoded((event,), answer(200, {"id": user_id, "email": email}))


def _unread(body: Fields) -> dict[str, dict[str, Any]]:
    """Return what Vibetrace does not read of a body: only the address may change."""
    return {SLUG: {"unread": body}} if body else {}


def _check_app(request: Request) -> None:
    if request.params["app_id"] != request.account.get(APP_ID):
        raise other_app()
