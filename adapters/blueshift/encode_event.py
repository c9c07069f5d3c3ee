"""One canonical event -> one flat Blueshift object, and a report of what did not go across unchanged.

Mapped values are written first; free ones (properties, traits) fill the rest of the one flat level and give way
where a key is taken. An event that came from Blueshift gets its own spellings back, and nothing added.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from gateway.adapter import EncodeError, Event, Loss, derive_uuid
from gateway.event import EMPTY_CONTEXT, EMPTY_PROFILE, Commerce, Profile, leaves

from . import consent, products
from .decode_event import read_key, read_tokens
from .encode_free import write_free
from .names import put_aside, write_name
from .row import BECOMES_PROPERTY, BECOMES_TRAIT, OF_PERSONS, Kept, Written, kept_of
from .times import read_since, read_time, write_arrival, write_time
from .wire import CONTROL, LOWER_TABLE, PATH_KEYS, SLUG, VOCABULARY


def write_event(event: Event) -> Written:
    """Return the object that stands for the event on the event endpoints.

    Raises:
        EncodeError: the event has no name.
    """
    kept = kept_of(event)
    written = Written({}, [])
    write_name(event, kept.all, written.body, written.lost)
    _write_timestamp(event, kept, written.body)
    _write_key(event, kept, written)
    _write_mapped(event, kept, written, customer=False)
    if event.kind != "track":
        _write_call(event, written)
    if event.kind not in OF_PERSONS:
        _report_person(event.profile, written.lost)
    write_free(event, kept, written, customer=False)
    return written


def write_customer(event: Event) -> Written:
    """Return the customer row that stands for an ``identify``.

    Raises:
        EncodeError: Blueshift's customer endpoints need an e-mail address or a customer id, and there is neither.
    """
    who = event.profile
    if not (who.email or who.user_id):
        raise EncodeError("a Blueshift customer needs an e-mail address or a user id, and the event has neither")
    kept = kept_of(event)
    written = Written({}, [])
    _write_mapped(event, kept, written, customer=True)
    _report_name(event, written.lost)
    if event.occurred_at is not None:
        written.lost.append(Loss(0, "occurred_at", "dropped", "A customer row has no time of its own."))
    if event.dedupe_key is not None:
        written.lost.append(Loss(0, "dedupe_key", "dropped", "A customer row is stored once however often it is sent."))
    _report_moved(event.commerce, "commerce", written.lost)
    _report_moved(None if event.context is EMPTY_CONTEXT else event.context, "context", written.lost)
    write_free(event, kept, written, customer=True)
    return written


# --- the head --------------------------------------------------------------------------------------------


def _write_timestamp(event: Event, kept: Kept, out: dict[str, Any]) -> None:
    """Write the time: as sent where it still means the same, else ISO 8601; without one, that of arrival."""
    if "timestamp" in kept.keep:
        device = event.context.device
        if read_time(kept.keep["timestamp"], device.type if device else None) == event.occurred_at:
            out["timestamp"] = kept.keep["timestamp"]
            return
    moment = event.occurred_at
    out["timestamp"] = write_arrival(event.received_at) if moment is None else write_time(moment)


def _write_key(event: Event, kept: Kept, written: Written) -> None:
    """Write ``event_uuid``: the client's own where it came from Blueshift or is a UUID, else one made of our id."""
    own = event.dedupe_key
    sent = kept.keep.get("event_uuid")
    if sent is not None and read_key(sent) == own:
        written.body["event_uuid"] = sent
    elif own is not None and (kept.native or _is_uuid(own)):
        written.body["event_uuid"] = own
    else:
        written.body["event_uuid"] = derive_uuid(event.id)
        if own is not None:
            reason = "Blueshift asks for a UUID; one is made of the event's id."
            written.lost.append(Loss(0, "dedupe_key", "coerced", reason, "event_uuid"))


def _is_uuid(text: str) -> bool:
    if len(text) < _UUID_DIGITS:
        return False
    try:
        UUID(text)
    except ValueError:
        return False
    return True


_UUID_DIGITS: Final = 32


def _write_call(event: Event, written: Written) -> None:
    """Write the name of a page or a screen, and report what the other calls do to an event."""
    if event.kind in ("page", "screen"):
        _write_page_name(event, written)
        return
    _report_name(event, written.lost)
    if event.kind in OF_PERSONS:
        _report_moved(event.commerce, "commerce", written.lost)


def _write_page_name(event: Event, written: Written) -> None:
    shape = VOCABULARY.encode(event)
    if event.kind == "page" and event.name == shape.name:
        return
    key = "page_name" if event.kind == "page" else "screen_viewed"
    if event.name in (written.body.get(key), ""):
        return
    if key in written.body:
        put_aside(written.body, key, event.name, "event_", "name", written.lost)
        return
    written.body[key] = event.name
    written.lost.append(Loss(0, "name", "renamed", "Blueshift calls every page and screen pageload.", key))


def _report_name(event: Event, lost: list[Loss]) -> None:
    if event.name not in (event.kind.capitalize(), ""):
        lost.append(Loss(0, "name", "dropped", f"Blueshift has one name for every {event.kind}."))


def _report_moved(part: Struct | None, at: str, lost: list[Loss]) -> None:
    """Report values that stand on a person in Blueshift: all that an identify or a customer row says is theirs."""
    if part is None:
        return
    for path, value in leaves(msgspec.to_builtins(part), at):
        if value is not None:
            lost.append(Loss(0, path, "renamed", BECOMES_TRAIT, PATH_KEYS.get(path)))


def _report_person(who: Profile, lost: list[Loss]) -> None:
    """Report values of a person that stand on an event in Blueshift: its names for persons are ours there."""
    if who is EMPTY_PROFILE or (who.location is None and _person_values(who) == _NOBODY):
        return
    for path, field in _PERSON_FIELDS.items():
        if getattr(who, field) is not None:
            lost.append(Loss(0, path, "renamed", BECOMES_PROPERTY, PATH_KEYS[path]))
    for path, field in _PLACE_FIELDS.items():
        if who.location is not None and getattr(who.location, field) is not None:
            lost.append(Loss(0, path, "renamed", BECOMES_PROPERTY, PATH_KEYS[path]))


_PERSON_PATHS: Final = [path for path, _ in VOCABULARY.table("person").paths()]
_PLACE: Final = "profile.location."
_PLACE_FIELDS: Final = {path: path.removeprefix(_PLACE) for path in _PERSON_PATHS if path.startswith(_PLACE)}
_PERSON_FIELDS: Final = {path: path.removeprefix("profile.") for path in _PERSON_PATHS if path not in _PLACE_FIELDS}
_person_values: Final = attrgetter(*_PERSON_FIELDS.values())
_NOBODY: Final = _person_values(EMPTY_PROFILE)


# --- mapped values ---------------------------------------------------------------------------------------


def _write_mapped(event: Event, kept: Kept, written: Written, *, customer: bool) -> None:
    if event.profile is not EMPTY_PROFILE:
        _write_profile(event.profile, kept, written, customer=customer)
    if event.context is not EMPTY_CONTEXT:
        LOWER_TABLE.lower_context(event.context, kept.raw, written.body, [])
    if event.commerce is not None:
        _write_commerce(event.commerce, event.name, kept, written)
    if event.consent:
        _write_consent(event, kept, written)


def _write_profile(who: Profile, kept: Kept, written: Written, *, customer: bool) -> None:
    LOWER_TABLE.lower("profile", who, kept.raw, written.body, None)
    if who.location is not None:
        LOWER_TABLE.lower("profile.location", who.location, kept.raw, written.body, None)
    if kept.keep:
        _restore_dates(who, kept, written.body)
    if who.vendor_ids:
        _write_vendor_ids(who.vendor_ids, written)
    if who.push_tokens:
        _write_tokens(who.push_tokens, kept, written, customer=customer)


def _write_vendor_ids(ids: Mapping[str, str], written: Written) -> None:
    for vendor, own in ids.items():
        key = "uuid" if vendor == SLUG else f"{vendor}_id"
        if key in written.body or (key in CONTROL and vendor != SLUG):
            put_aside(written.body, key, own, "vendor_", f"profile.vendor_ids.{vendor}", written.lost)
        else:
            written.body[key] = own
            if vendor != SLUG:
                reason = f"Blueshift keeps {vendor}'s id as a plain attribute."
                written.lost.append(Loss(0, f"profile.vendor_ids.{vendor}", "renamed", reason, key))


def _restore_dates(who: Profile, kept: Kept, out: dict[str, Any]) -> None:
    """Put numeric dates back where they still mean the same."""
    keep, ios = kept.keep, kept.all.get("ios") is True
    if "joined_at" in keep:
        joined = read_since(keep["joined_at"], ios=ios)
        if joined is not None and joined == who.created_at:
            out["joined_at"] = keep["joined_at"]
    if "date_of_birth" in keep:
        born = read_since(keep["date_of_birth"], ios=ios)
        if born is not None and born.date().isoformat() == who.birth_date:
            out["date_of_birth"] = keep["date_of_birth"]


def _write_tokens(tokens: tuple[str, ...], kept: Kept, written: Written, *, customer: bool) -> None:
    sent = kept.all.get("tokens")
    if isinstance(sent, dict) and read_tokens(sent) == tokens:
        written.body.update(sent)
    elif customer and not kept.native:
        written.body["device_tokens"] = list(tokens)
    else:
        written.body["device_token"] = tokens[0]
        reason = "A Blueshift event belongs to one device."
        for index in range(1, len(tokens)):
            written.lost.append(Loss(0, f"profile.push_tokens[{index}]", "dropped", reason))


def _write_commerce(commerce: Commerce, name: str, kept: Kept, written: Written) -> None:
    LOWER_TABLE.lower("commerce", commerce, kept.raw, written.body, None)
    if commerce.items:
        flat = name in products.FLAT_EVENTS
        out = products.write(commerce.items, kept.all.get("form"), kept.raw, flat=flat, lost=written.lost)
        _merge(written, out, "commerce.items")


def _write_consent(event: Event, kept: Kept, written: Written) -> None:
    sent = kept.all.get("consent")
    if isinstance(sent, dict) and consent.read(str(written.body.get("event")), sent).changes == event.consent:
        written.body.update(sent)
    else:
        _merge(written, consent.write(event.consent, written.lost), "consent")


def _merge(written: Written, more: Mapping[str, Any], path: str) -> None:
    if more.keys().isdisjoint(written.body):
        written.body.update(more)
        return
    for key, value in more.items():
        if key in written.body:
            put_aside(written.body, key, value, "property_", path, written.lost)
        else:
            written.body[key] = value
