"""One Vibetrace event, ``type`` and ``fields``, -> one canonical event.

What has no canonical home is kept in ``residue["vibetrace"]`` for the way back; only what is not as usual:

| entry       | content                                                                                  |
|-------------|------------------------------------------------------------------------------------------|
| ``raw``     | spellings and types of mapped values (`Lifted.raw`)                                      |
| ``type``    | the type as sent                                                                         |
| ``name``    | the ``event_name`` as sent                                                               |
| ``single``  | a ``generic`` without its second ``generic`` inside                                      |
| ``beside``  | the keys that stood beside the second ``generic``; ``twice``: what stood in both places  |
| ``bag``     | the keys that stood in a ``generic`` inside another type                                 |
| ``email``   | whether the fields repeat the user's e-mail address                                      |
| ``keep``    | fields put back verbatim                                                                 |
| ``bare_user``, ``user``, ``body`` | the user was given by ``_id`` alone; what else stood in the request        |
| ``path``, ``unread`` | another type in the collector's path; what the first API does not read of a user |
"""

from typing import Any, Final

from msgspec import Struct

from gateway.adapter import Event, Request, Shape
from gateway.event import Origin

from . import consent
from .answers import missing_name
from .wire import (
    ATTRIBUTES,
    BY_NAME,
    BY_TYPE,
    CHECKOUT,
    CUSTOM_TYPES,
    EVENT_NAME,
    GENERIC,
    LOGIN,
    ORDER,
    PAGE_NAME,
    PERSON_TYPES,
    SLUG,
    UPDATE,
    USUAL_TYPE,
    custom_name,
    normal,
    unknown,
)

Fields = dict[str, Any]


class Sender(Struct, frozen=True, kw_only=True):
    """Who an event is about, as far as that stands beside its fields."""

    email: str | None = None
    own_id: str | None = None
    """Vibetrace's ``_id``."""
    user_id: str | None = None
    anonymous_id: str | None = None
    session: str | None = None


def read_event(type_: str, fields: Fields, sender: Sender, request: Request, endpoint: str, kept: Fields) -> Event:
    """Return one event.

    Args:
        type_: as sent.
        fields: as sent; are taken apart.
        sender: who it is about.
        request: gives ids and the time of arrival.
        endpoint: our name of the endpoint.
        kept: goes into the event's residue, with what is set aside here.

    Raises:
        Rejected: a custom event has no name.
    """
    word = type_ if type_ in _PLAIN else normal(type_)
    if word in PERSON_TYPES:
        if type_ != word:
            kept["type"] = type_
        return read_person(fields, sender, request, endpoint, kept, login=word == LOGIN)
    if word in CUSTOM_TYPES:
        shape, fields = _open_custom(fields, kept)
        usual = shape.kind != "track" or shape.name not in USUAL_TYPE
        if type_ != GENERIC or not usual:
            kept["type"] = type_
    else:
        shape = BY_TYPE.get(word) or unknown(type_)
        fields = _open_typed(fields, kept)
        if type_ != USUAL_TYPE.get(shape.name):
            kept["type"] = type_
    return _read_action(word, shape, fields, sender, request, endpoint, kept)


_PLAIN: Final = frozenset({GENERIC, UPDATE, LOGIN, "confirmation", "viewitem", "addtocart"})
"""The most common types, which need no `normal`."""


# --- people ----------------------------------------------------------------------------------------------


def read_person(
    fields: Fields, sender: Sender, request: Request, endpoint: str, kept: Fields, *, login: bool = False
) -> Event:
    """Return what attributes mean: an identify, or with `login` the login that says them."""
    lifted = ATTRIBUTES.lift(fields)
    traits = lifted.rest
    email = _take_email(traits, sender, kept, usual=login)
    if lifted.raw:
        kept["raw"] = lifted.raw
    return Event(
        id=request.new_id(),
        kind="track" if login else "identify",
        name="Signed In" if login else "Identify",
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=endpoint),
        profile=lifted.profile(**_identity(sender, email), traits=traits)
        if traits
        else lifted.profile(**_identity(sender, email)),
        properties={} if sender.session is None else {"session_id": sender.session},
        residue={SLUG: kept} if kept else {},
    )


def _identity(sender: Sender, email: str | None) -> Fields:
    who: Fields = {} if email is None else {"email": email}
    if sender.own_id is not None:
        who["vendor_ids"] = {SLUG: sender.own_id}
    if sender.user_id is not None:
        who["user_id"] = sender.user_id
    if sender.anonymous_id is not None:
        who["anonymous_id"] = sender.anonymous_id
    return who


def _take_email(rest: Fields, sender: Sender, kept: Fields, *, usual: bool) -> str | None:
    """Return whose event it is; take the address out of the fields, where it only says the same again.

    Another one than the user's stays a free value: what it is for is the client's business.
    """
    own, said = sender.email, rest.get("email")
    if not isinstance(said, str) or not said.strip() or (own is not None and said != own):
        if usual and own is not None:
            kept["email"] = False
        return own
    del rest["email"]
    if not usual:
        kept["email"] = True
    if own is None and sender.own_id is not None:
        kept["bare_user"] = True
    return said


# --- all others ------------------------------------------------------------------------------------------


def _open_custom(fields: Fields, kept: Fields) -> tuple[Shape, Fields]:
    """Return what a custom event means, and its fields in one level.

    Raises:
        Rejected: it has no name.
    """
    bag = fields.get(GENERIC)
    if not isinstance(bag, dict):
        bag = fields
        kept["single"] = True
    elif len(fields) > 1:
        _join_beside(bag, fields, kept)
    name = bag.pop(EVENT_NAME, None)
    if not isinstance(name, str) or not name.strip():
        raise missing_name()
    shape = BY_NAME.get(normal(name)) or unknown(name)
    if name != custom_name(shape):
        kept["name"] = name
    return shape, bag


def _join_beside(bag: Fields, fields: Fields, kept: Fields) -> None:
    """Put what stood beside the bag into it; what has its like there, or would be its name, is set aside."""
    beside = {key: value for key, value in fields.items() if key != GENERIC}
    free = {key: value for key, value in beside.items() if key not in bag and key != EVENT_NAME}
    if free:
        kept["beside"] = [*free]
    if len(free) < len(beside):
        kept["twice"] = {key: value for key, value in beside.items() if key not in free}
    bag.update(free)


def _open_typed(fields: Fields, kept: Fields) -> Fields:
    """Return the fields in one level: some stand in a ``generic`` inside, as in the collector's form."""
    bag = fields.get(GENERIC)
    if not isinstance(bag, dict) or not bag or not bag.keys().isdisjoint(fields):
        return fields
    kept["bag"] = [*bag]
    del fields[GENERIC]
    return {**fields, **bag}


def _read_action(
    word: str, shape: Shape, fields: Fields, sender: Sender, request: Request, endpoint: str, kept: Fields
) -> Event:
    if sender.session is not None:
        fields.setdefault("sessionId", sender.session)
    lifted, commerce = shape.lift(fields)
    rest = lifted.rest
    email = _take_email(rest, sender, kept, usual=False) if "email" in rest else sender.email
    name = _name(word, shape, rest, kept)
    if lifted.raw:
        kept["raw"] = lifted.raw
    changes = consent.read(name, rest) if "channel" in rest else ()
    return Event(
        id=request.new_id(),
        kind=shape.kind,
        name=name,
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=endpoint),
        profile=lifted.profile(**_identity(sender, email)),
        commerce=commerce,
        consent=changes,
        context=lifted.context(),
        properties=lifted.properties(),
        residue={SLUG: kept} if kept else {},
    )


def _name(word: str, shape: Shape, rest: Fields, kept: Fields) -> str:
    """Return the event's name, which some fields decide; set aside what says nothing to others."""
    keep: Fields = {}
    if rest.get("items") == []:
        keep["items"] = rest.pop("items")
    name = shape.name
    if word == CHECKOUT and isinstance(rest.get("confirmation"), bool):
        keep["confirmation"] = rest.pop("confirmation")
        name = ORDER if keep["confirmation"] else name
    elif shape.kind in PAGE_NAME:
        said = rest.get(PAGE_NAME[shape.kind])
        if isinstance(said, str) and said.strip() and said != name:
            name = rest.pop(PAGE_NAME[shape.kind])
    if keep:
        kept["keep"] = keep
    return name
