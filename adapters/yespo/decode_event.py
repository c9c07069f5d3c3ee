"""Parameters -> one canonical event.

Sources, read 2026-11-21: docs.yespo.io/docs/how-use-v1event-api-resource, /mapping-events-contacts-external-ids,
/site-activity-tracking-using-generate-events, /how-send-events-resource-v1event.

What has no canonical home is kept in ``residue["yespo"]`` for the way back:

| entry      | content                                                                                        |
|------------|------------------------------------------------------------------------------------------------|
| ``key``    | the event's key, where it is not the identifier that Yespo would take without one               |
| ``type``   | the type as sent, where it is not the one we would write                                       |
| ``raw``    | spellings and types of mapped values (`Lifted.raw`)                                            |
| ``who``    | identifier -> parameter's name and value, where they are not those we would write              |
| ``keep``   | parameters put back verbatim: identifiers that are nobody, empty product lists                 |
| ``texts``  | parameters that came as JSON text; ``forms``: in which form lists and objects came             |
| ``contact``| ``contactJson`` as sent                                                                        |
| ``hidden`` | fields of the profile that no parameter of their own said, with their value                    |
| ``date``   | an order's date as sent; ``occurred``: the same of a past event, where we would write another   |
| ``top``    | members of an order that no page names, and blank ones; ``info``: the same of `additionalInfo`  |
"""

from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.adapter import Event, Lifted, Request, Shape
from gateway.event import EMPTY_PROFILE, ConsentChange, Location, Origin, Profile

from . import contact_json
from .forms import Texts, open_params, open_text
from .names import (
    CONTACT_KEY,
    IDENTIFIERS,
    NAME_PARAM,
    ORDER_STATUS,
    PARAM,
    identifier,
    resolved,
    shape_of,
)
from .times import read_time, write_seconds
from .wire import SLUG, Json

CONSENT: Final = "consent"
"""The parameter in which permissions travel as an event; ours."""
PUSH_TYPES: Final = {"pushnotificationssubscribed": True, "pushnotificationsunsubscribed": False}
"""The mobile SDK's types, which say a permission by their name."""

_OPENING: Final = frozenset("[{")


class Sent(Struct):
    """Parameters sorted by what they are."""

    flat: Json
    who: dict[str, str] = {}
    """Identifier -> its text."""
    spelled: Json = {}
    """Identifier -> ``[name, value]`` where they are not those we would write."""
    keep: Json = {}
    texts: Texts = {}


def sort_params(params: Json) -> Sent:
    """Sort parameters into identifiers, nobodies, and values."""
    sent = Sent({})
    flat = sent.flat
    for given, value in params.items():
        name, field = _known(given) if len(given) <= _LONGEST else (given, None)
        if field is not None and type(value) not in _STRUCTURES:
            _take_identifier(sent, field, name, value)
        elif field is None and type(value) is str and value[:1] in _OPENING:
            open_text(name, value, flat, sent.texts)
        else:
            flat[name] = value
    return sent


_STRUCTURES: Final = frozenset({dict, list})
_LONGEST: Final = max(map(len, IDENTIFIERS))


@lru_cache(maxsize=4_096)
def _known(name: str) -> tuple[str, str | None]:
    """Return a parameter's name, the same object whenever it comes, and which identifier it is.

    Cached, so the name must be a short one.
    """
    return name, IDENTIFIERS.get(name.lower())


def _take_identifier(sent: Sent, field: str, name: str, value: Any) -> None:
    text = identifier(value)
    if text is None:
        sent.keep[name] = value
    elif field in sent.who:
        sent.flat[name] = value
    else:
        sent.who[field] = text
        if name != PARAM[field] or text is not value:
            sent.spelled[field] = [name, value]


class Moment(Struct):
    """When an event happened, as a client said beside its parameters."""

    at: datetime
    text: Any = None


def read_event(
    type_key: str,
    key: str | None,
    sent: Sent,
    request: Request,
    endpoint: str,
    moment: Moment | None = None,
    more: Json | None = None,
) -> Event:
    """Return the event of a type with its parameters.

    Args:
        type_key: the event's type.
        key: its key, None when it had none.
        sent: its parameters; they are taken over.
        request: gives ids and the time of arrival.
        endpoint: our name of the endpoint.
        moment: when it happened, where the endpoint has a place for that.
        more: what else to keep for the way back.
    """
    shape = shape_of(type_key)
    kept: Json = more or {}
    forms: Json = {}
    flat = sent.flat
    open_params(shape, flat, sent.texts, sent.keep, forms)
    consent = _take_consent(type_key, flat, sent.texts)
    hidden = _take_contact(flat, sent, kept)
    lifted, commerce = shape.lift(flat)
    occurred_at = _take_time(shape, lifted.rest, moment, kept)
    profile = _profile(lifted, sent, key, hidden, identify=shape.kind == "identify")
    name = _take_name(shape, lifted)
    if type_key != shape.vendor_name:
        kept["type"] = type_key
    if key is not None and key != resolved(sent.who):
        kept["key"] = key
    _keep(kept, lifted, sent, forms, hidden)
    return Event(
        id=request.new_id(),
        kind=shape.kind,
        name=name,
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=endpoint),
        occurred_at=occurred_at,
        profile=profile,
        commerce=commerce,
        consent=consent,
        context=lifted.context(),
        properties={} if shape.kind == "identify" else lifted.properties(),
        residue={SLUG: kept} if kept else {},
    )


def _keep(kept: Json, lifted: Lifted, sent: Sent, forms: Json, hidden: Json) -> None:
    if lifted.raw:
        kept["raw"] = lifted.raw
    if sent.spelled:
        kept["who"] = sent.spelled
    if sent.keep:
        kept["keep"] = sent.keep
    if sent.texts:
        kept["texts"] = sent.texts
    if forms:
        kept["forms"] = forms
    if hidden:
        kept["hidden"] = hidden


# --- the person ------------------------------------------------------------------------------------------


def _profile(lifted: Lifted, sent: Sent, key: str | None, hidden: Json, *, identify: bool) -> Profile:
    who = sent.who
    fields: Json = {}
    if hidden:
        fields.update(hidden)
        if "city" in fields:
            fields["location"] = Location(city=fields.pop("city"))
        _hide_known(hidden, lifted, who)
    if not who and key is not None:
        fields.update(_weak(key, hidden))
    for field in who:
        if field in _OWN_FIELD:
            fields[field] = who[field]
    if "push_token" in who:
        fields["push_tokens"] = (who["push_token"],)
    if "contact_id" in who or "contact_key" in who:
        fields["vendor_ids"] = vendor_ids(who)
    if identify and lifted.rest:
        fields["traits"] = lifted.rest
    if "profile" in lifted.parts:
        fields.update(lifted.parts["profile"])
    return Profile(**fields) if fields else EMPTY_PROFILE


_OWN_FIELD: Final = frozenset({"user_id", "email", "phone"})
"""Identifiers that are fields of a profile under the same name."""


def _hide_known(hidden: Json, lifted: Lifted, who: dict[str, str]) -> None:
    """Forget of a contact what a parameter said as well."""
    for field in [field for field in hidden if field in who or field in lifted.parts.get("profile", {})]:
        del hidden[field]


def _weak(key: str, hidden: Json) -> Json:
    """Return whom a key names in the absence of anything better: Yespo itself takes it for nobody."""
    local, at, domain = key.partition("@")
    if at and local and "." in domain and " " not in key:
        hidden["email"] = key
        return {"email": key}
    if key.startswith("+") and key[1:].isdigit() and _PHONE_LEAST <= len(key) <= _PHONE_MOST:
        hidden.setdefault("phone", key)
        return {"phone": hidden["phone"]}
    return {}


_PHONE_LEAST: Final = len("+1234567")
_PHONE_MOST: Final = len("+123456789012345")


def vendor_ids(who: dict[str, str]) -> dict[str, str]:
    """Return the ids that Yespo, or its account, has for somebody."""
    names = {"contact_id": SLUG, "contact_key": CONTACT_KEY}
    return {name: who[field] for field, name in names.items() if field in who}


def _take_contact(flat: Json, sent: Sent, kept: Json) -> Json:
    """Take a valid ``contactJson`` out of the values; returns what it says of the person."""
    contact = flat.get(contact_json.PARAM)
    if not isinstance(contact, dict) or contact_json.problems(contact):
        return {}
    del flat[contact_json.PARAM]
    text = sent.texts.pop(contact_json.PARAM, None)
    kept["contact"] = contact if text is None else text if text is not True else msgspec.json.encode(contact).decode()
    return contact_json.person(contact)


def _take_consent(type_key: str, flat: Json, texts: Texts) -> tuple[ConsentChange, ...]:
    if CONSENT in flat:
        try:
            changes = msgspec.convert(flat[CONSENT], tuple[ConsentChange, ...])
        except (msgspec.ValidationError, RecursionError):
            return ()
        if not changes:
            return ()
        del flat[CONSENT]
        texts.pop(CONSENT, None)
        return changes
    return implied_consent(type_key)


def implied_consent(type_key: str) -> tuple[ConsentChange, ...]:
    """Return the permission that an event's type says."""
    granted = PUSH_TYPES.get(type_key.lower())
    return () if granted is None else (ConsentChange(granted=granted, channel="push"),)


# --- name and time ---------------------------------------------------------------------------------------


def _take_name(shape: Shape, lifted: Lifted) -> str:
    param = NAME_PARAM.get(shape.kind)
    if param is None or not isinstance(lifted.rest.get(param), str) or not lifted.rest[param]:
        return shape.name
    name: str = lifted.rest.pop(param)
    return name


def _take_time(shape: Shape, rest: Json, moment: Moment | None, kept: Json) -> datetime | None:
    at = None if moment is None else moment.at
    if moment is not None and moment.text is not None and moment.text != write_seconds(moment.at):
        kept["occurred"] = moment.text
    if shape.name not in ORDER_STATUS or "date" not in rest:
        return at
    date = read_time(rest["date"])
    if date is None or (at is not None and at != date):
        return at
    kept["date"] = rest.pop("date")
    return date
