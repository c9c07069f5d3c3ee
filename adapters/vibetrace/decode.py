"""Requests to the current API -> events: ``/v1/event`` and ``/v1/user``.

Sources, read 2026-11-21: help.vtcdn.net/kb/how-to-send-events-via-api, help.vtcdn.net/kb/api-overview.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.adapter import Decoded, Event, Once, Request, derive_uuid
from gateway.event import Profile

from .answers import EVENT_CREATED, USER_CREATED, answer, missing_event, missing_user, too_many, unknown_user
from .auth import account_of
from .decode_event import Fields, Sender, read_event, read_person
from .limits import IDENTIFIER, IN_EVENTS, OPEN_ONCE, ORDER_ONCE
from .options import SourceOptions
from .wire import OPEN_TYPES, ORDER, PURCHASE_TYPES, SLUG, is_minted, normal, parse_object

EVENT: Final = "event"
USER: Final = "user"
USER_POST: Final = "user_post"
USER_PUT: Final = "user_put"

_LONGEST: Final = IDENTIFIER.value


def is_strict(options: Any) -> bool:
    """Tell whether a source refuses users that it does not know."""
    return isinstance(options, SourceOptions) and options.strict


# --- events ----------------------------------------------------------------------------------------------


def decode_event(request: Request) -> Decoded:
    """Return the events of ``POST /v1/event``, one per type, in order.

    Raises:
        Rejected: no event, no user, a user nobody knows (strict sources), or no such JSON.
    """
    body = parse_object(request.body)
    sent, user = body.pop("event", None), body.pop("user", None)
    if not isinstance(sent, dict) or not sent:
        raise missing_event()
    if len(sent) > IN_EVENTS.value:
        raise too_many()
    kept: Fields = {"body": body} if body else {}
    sender = _sender(user, kept, request)
    events: list[Event] = []
    once: dict[str, Once] = {}
    for type_, fields in sent.items():
        if not isinstance(fields, dict):
            raise missing_event()
        # What stood beside the events is kept with the first alone: else a long one would be multiplied.
        event = read_event(type_, fields, sender, request, EVENT, kept if not events else {})
        events.append(event)
        count_once(type_, event, request, once)
    return Decoded(events, EVENT_CREATED, once)


def _sender(user: Any, kept: Fields, request: Request) -> Sender:
    """Return whose events they are, and keep what else stood in ``user``.

    Raises:
        Rejected: it names nobody, or, at a strict source, nobody who is known.
    """
    if not isinstance(user, dict):
        raise missing_user()
    email, own_id = identifier(user.pop("email", None)), identifier(user.pop("_id", None))
    if email is None and own_id is None:
        raise missing_user()
    if user:
        kept["user"] = user
    if is_strict(request.options):
        who = Profile(email=email, vendor_ids={} if own_id is None else {SLUG: own_id})
        if request.people.find(who) is None:
            raise unknown_user()
    if email is None and own_id is not None and is_minted(own_id):
        known = request.people.get(own_id)
        email = known.email if known is not None else None
    return Sender(email=email, own_id=own_id)


def identifier(value: Any) -> str | None:
    """Return an e-mail address or an id: a text that is neither blank nor endless."""
    if isinstance(value, str) and len(value) <= _LONGEST and value and not value.isspace():
        return value
    return None


def count_once(type_: str, event: Event, request: Request, once: dict[str, Once]) -> None:
    """Note an event that Vibetrace counts once: a purchase by its order, an e-mail open by its user and time."""
    if event.name == ORDER:
        order = event.commerce.order_id if event.commerce is not None else None
        if order and normal(type_) in PURCHASE_TYPES:
            once[event.id] = Once(_key("confirmation", request, order), ORDER_ONCE.value)
    elif event.name == "Email Opened" and normal(type_) in OPEN_TYPES:
        who = event.profile
        user = (who.email and who.email.lower()) or who.vendor_ids.get(SLUG) or who.user_id or who.anonymous_id
        if user:
            once[event.id] = Once(_key("open", request, user), OPEN_ONCE.value)


def _key(what: str, request: Request, value: str) -> str:
    """Return a key that tells nothing of the person, the order or the account."""
    return derive_uuid(SLUG, what, account_of(request.account), value)


# --- users -----------------------------------------------------------------------------------------------


def decode_user(request: Request) -> Decoded:
    """Return the identify of ``POST /v1/user``.

    Raises:
        Rejected: the body has neither e-mail address nor ``_id``, or is no such JSON.
    """
    fields = _attributes(request)
    own_id = identifier(fields.get("_id"))
    if identifier(fields.get("email")) is None and own_id is None:
        raise missing_user()
    if own_id is not None:
        del fields["_id"]
    return _written(fields, Sender(own_id=own_id), request, USER)


def decode_user_post(request: Request) -> Decoded:
    """Return the identify of ``POST /v1/user/{email}``."""
    return _edited(request, USER_POST)


def decode_user_put(request: Request) -> Decoded:
    """Return the identify of ``PUT /v1/user/{email}``."""
    return _edited(request, USER_PUT)


def _edited(request: Request, endpoint: str) -> Decoded:
    email = identifier(request.params["email"])
    if email is None:
        raise missing_user()
    return _written(_attributes(request), Sender(email=email), request, endpoint)


def _attributes(request: Request) -> Fields:
    """Return the body's attributes, which may stand in a ``user``."""
    body = parse_object(request.body)
    inner = body.get("user")
    return inner if len(body) == 1 and isinstance(inner, dict) else body


def _written(fields: Fields, sender: Sender, request: Request, endpoint: str) -> Decoded:
    return Decoded((read_person(fields, sender, request, endpoint, {}),), USER_CREATED)


def decode_lookup(request: Request) -> Decoded:
    """Return no event: ``GET /v1/user/{email}`` asks who is known.

    Raises:
        Rejected: nobody is known under the address.
    """
    email = identifier(request.params["email"])
    own_id = None if email is None else request.people.find(Profile(email=email))
    if own_id is None:
        raise unknown_user(404)
    user: Mapping[str, Any] = {"_id": own_id, "email": email, "attributes": {}}
    return Decoded((), answer(200, {"results": user}))
