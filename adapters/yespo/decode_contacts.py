"""The contacts API: contacts written one by one or many at once, subscribed, found and deleted.

Sources, read 2026-11-21: docs.yespo.io/docs/api-methods-adding-contacts; the vendor's OpenAPI document (``addContact``,
``contactsBulkUpdate``, ``subscribeContact``); github.com/busfor/esputnik test/vcr_cassettes (the text that answers an
update); github.com/Yespo-CDP/yespo-shopify (failed contacts, ``not found``).
"""

from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from gateway.adapter import Decoded, Event, Request
from gateway.event import EMPTY_PROFILE, ConsentChange, Origin, Profile

from .contact import CHANNEL, CONTACT, CONTACTS, SUBSCRIBE, UPDATE, channels_of, default_envelope, read_contact
from .decode import options_of
from .errors import answer, invalid, not_found, text
from .limits import CONTACTS as MOST
from .limits import SEARCH_FIELDS, SEARCH_ROWS
from .names import identifier
from .wire import SLUG, Json, read_object

DEDUPE: Final = frozenset({"email", "sms", "push", "email_or_sms", "id", "externalCustomerId", "fieldId"})


def _event(
    request: Request, endpoint: str, profile: Profile, kept: Json, consent: tuple[ConsentChange, ...] | None = None
) -> Event:
    return Event(
        id=request.new_id(),
        kind="identify" if consent is None else "track",
        name="Identify" if consent is None else "Subscribed",
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=endpoint),
        profile=profile,
        consent=consent or (),
        residue={SLUG: kept} if kept else {},
    )


def _check_channels(contact: Json) -> None:
    rows = contact.get("channels")
    if not isinstance(rows, list) or not rows:
        raise invalid("channels are required")
    if len(channels_of(contact)) < len(rows):
        raise invalid("Every channel needs a type and a value")
    if not all(row["type"] in CHANNEL for row in rows):
        raise invalid(f"The type of a channel is one of {', '.join(CHANNEL)}")


def _id_of(request: Request, profile: Profile) -> int:
    """Return the contact's id: the one that was sent, or the one that these identifiers have here."""
    own = profile.vendor_ids.get(SLUG) or request.people.mint(profile)
    return int(own) if own.isascii() and own.isdigit() else 0


# --- one contact -----------------------------------------------------------------------------------------


def add_contact(request: Request) -> Decoded:
    """Return the identify of ``POST /api/v1/contact``; the answer is the contact's id."""
    body = read_object(request)
    _check_channels(body)
    kept: Json = {}
    profile = read_contact(body, options_of(request).contact_fields, kept)
    event = _event(request, CONTACT, profile, kept)
    return Decoded((event,), answer({"id": _id_of(request, profile)}))


def update_contact(request: Request) -> Decoded:
    """Return the identify of ``PUT /api/v1/contact/{id}``, under every identifier known for the id."""
    own = request.params.get("id", "")
    if not (own.isascii() and own.isdigit() and len(own) <= _DIGITS and int(own)):
        raise not_found("Contact")
    own = str(int(own))
    body = read_object(request)
    kept: Json = {}
    profile = read_contact({**body, "id": int(own)}, options_of(request).contact_fields, kept)
    profile = _with_known(profile, request.people.get(own))
    event = _event(request, UPDATE, profile, kept)
    return Decoded((event,), text(f"Contact with id='{own}' has been updated"))


_DIGITS: Final = 18


def _with_known(profile: Profile, known: Profile | None) -> Profile:
    """Return a profile with the identifiers that are known and that the client did not say."""
    if known is None:
        return profile
    missing = {
        field: getattr(known, field)
        for field in ("user_id", "email", "phone", "anonymous_id")
        if getattr(profile, field) is None and getattr(known, field) is not None
    }
    return msgspec.structs.replace(profile, **missing)


def delete_contact(request: Request) -> Decoded:
    """Answer ``DELETE /api/v1/contact``; nothing is deleted anywhere else."""
    query = _query(request)
    who = identifier(query.get("externalCustomerId"))
    if who is None:
        raise invalid("externalCustomerId is required")
    if request.people.find(Profile(user_id=who)) is None:
        raise not_found("Contact")
    return Decoded((), text("Contact has been deleted"))


# --- many contacts ---------------------------------------------------------------------------------------


def add_contacts(request: Request) -> Decoded:
    """Return the identifies of ``POST /api/v1/contacts``; the answer is the import's id, and lists what failed."""
    body = read_object(request)
    rows = body.pop("contacts", None)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise invalid("contacts must be a list of objects")
    if len(rows) > MOST.value:
        raise invalid(f"At most {MOST.value} contacts are allowed")
    if not isinstance(body.get("dedupeOn"), str) or body["dedupeOn"] not in DEDUPE:
        raise invalid(f"dedupeOn is required: one of {', '.join(sorted(DEDUPE))}")
    if body["dedupeOn"] == "fieldId" and body.get("fieldId") is None:
        raise invalid("fieldId is required")
    events: list[Event] = []
    failed: list[Json] = []
    names = options_of(request).contact_fields
    for row in rows:
        kept: Json = {} if body == default_envelope(row) else {"bulk": body}
        profile = read_contact(row, names, kept)
        if _is_somebody(profile):
            events.append(_event(request, CONTACTS, profile, kept))
        else:
            failed.append({"contact": row, "error": "channels, externalCustomerId and id are empty"})
    told: Json = {"asyncSessionId": request.id}
    if failed:
        told["failedContacts"] = failed[0] if len(failed) == 1 else failed
    return Decoded(events, answer(told))


def _is_somebody(profile: Profile) -> bool:
    return bool(profile.email or profile.phone or profile.push_tokens or profile.user_id or profile.vendor_ids)


def import_status(request: Request) -> Decoded:
    """Answer ``GET /api/v1/importstatus/{session}``: what was accepted is stored, so that every import is finished."""
    told = {"status": "FINISHED", "timestamp": int(request.received_at.timestamp() * 1000), "description": ""}
    return Decoded((), answer({**told, "mapping": []}))


# --- subscriptions ---------------------------------------------------------------------------------------


def subscribe(request: Request) -> Decoded:
    """Return the `Subscribed` of ``POST /api/v1/contact/subscribe``: a permission per channel and group."""
    body = read_object(request)
    contact = body.get("contact")
    if not isinstance(contact, dict):
        raise invalid("contact is required")
    _check_channels(contact)
    kept: Json = {}
    profile = read_contact(contact, options_of(request).contact_fields, kept)
    event = _event(request, SUBSCRIBE, profile, kept, _permissions(contact, body, kept))
    told: Json = {"id": _id_of(request, profile)}
    if profile.email is not None:
        told["emailStatus"] = "NEED_CONFIRMATION"
    return Decoded((event,), answer({**told, "new": request.people.find(profile) is None}))


def _permissions(contact: Json, body: Json, kept: Json) -> tuple[ConsentChange, ...]:
    groups, form = body.get("groups"), body.get("formType")
    named = isinstance(groups, list) and groups and all(isinstance(name, str) and name for name in groups)
    distinct: list[Any] = list(dict.fromkeys(groups)) if named and isinstance(groups, list) else [None]
    taken = {"contact"}
    if named and isinstance(groups, list) and len(distinct) == len(groups):
        taken.add("groups")
    wording = form if isinstance(form, str) and form else None
    if wording is not None:
        taken.add("formType")
    others = {name: value for name, value in body.items() if name not in taken}
    if others:
        kept["form"] = others
    channels = dict.fromkeys(CHANNEL[row["type"]] for row in channels_of(contact))
    return tuple(
        ConsentChange(granted=True, channel=channel, group=group, wording=wording)
        for channel in channels
        for group in distinct
    )


# --- reading ---------------------------------------------------------------------------------------------

_FIELDS: Final = {"email": "email", "sms": "phone", "externalCustomerId": "user_id"}


def _query(request: Request) -> dict[str, str]:
    try:
        return dict(parse_qsl(request.query, max_num_fields=SEARCH_FIELDS.value, errors="replace"))
    except ValueError:
        raise invalid("The query cannot be read") from None


def search(request: Request) -> Decoded:
    """Answer ``GET /api/v1/contacts`` with the contact that an identifier finds: its identifiers, nothing else.

    Names cannot be searched by, and without an identifier nobody is found: the directory cannot be listed.
    """
    query = _query(request)
    for name in ("startindex", "maxrows"):
        if name in query and not (query[name].isascii() and query[name].isdigit() and len(query[name]) <= _DIGITS):
            raise invalid(f"{name} must be a number")
    if int(query.get("maxrows", "1")) > SEARCH_ROWS.value:
        raise invalid(f"maxrows is at most {SEARCH_ROWS.value}")
    found = _found(request, query) if int(query.get("startindex", "1")) <= 1 else []
    reply = answer(found)
    return Decoded((), msgspec.structs.replace(reply, headers=(*reply.headers, (b"TotalCount", b"%d" % len(found)))))


def _found(request: Request, query: dict[str, str]) -> list[Json]:
    asked = {field: query[name] for name, field in _FIELDS.items() if identifier(query.get(name)) is not None}
    if not asked:
        return []
    ids = {request.people.find(msgspec.structs.replace(EMPTY_PROFILE, **{f: value})) for f, value in asked.items()}
    own = ids.pop() if len(ids) == 1 else None
    known = None if own is None else request.people.get(own)
    return [] if own is None or known is None else [_shown(own, known)]


def _shown(own: str, known: Profile) -> Json:
    rows = [("email", known.email), ("sms", known.phone)]
    channels = [{"type": kind, "value": value} for kind, value in rows if value is not None]
    shown: Json = {"id": int(own) if own.isascii() and own.isdigit() else 0, "channels": channels}
    if known.user_id is not None:
        shown["externalCustomerId"] = known.user_id
    return shown
