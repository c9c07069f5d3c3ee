"""The person of an event, written as parameters: identifiers first, then what is known of them."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final

import msgspec

from gateway.adapter import Loss
from gateway.event import EMPTY_PROFILE, Location, Profile

from .limits import NAME_LENGTH
from .names import CHECKED, CONTACT_KEY, IDENTIFIERS, PARAM, identifier, is_legal, is_minted
from .wire import SLUG, VOCABULARY, Json

READ: Final = VOCABULARY.table("person")
"""What is read from the parameters of an event."""
_WRITTEN: Final = VOCABULARY.table("person", "person_written")

BECOMES_PARAM: Final = "Yespo keeps it with the event; the contact itself is not changed."
_MINTED: Final = "The gateway gave out this id itself; Yespo does not know it."
_ILLEGAL: Final = "Yespo's identifiers have at most 300 characters, and no quotes, slashes, or any of < > ; | ^ ? ! ,"
_NULL: Final = "Yespo takes it for nobody."

_KEYS: Final = dict(VOCABULARY.table("person_written").paths())
_PLACE: Final = "profile.location."
_PERSON_FIELDS: Final = {path: path.removeprefix("profile.") for path in _KEYS if not path.startswith(_PLACE)}
_PLACE_FIELDS: Final = {path: path.removeprefix(_PLACE) for path in _KEYS if path.startswith(_PLACE)}
_PERSON_LOSSES: Final = [Loss(0, path, "renamed", BECOMES_PARAM, _KEYS[path]) for path in _PERSON_FIELDS]
_PLACE_LOSSES: Final = [Loss(0, path, "renamed", BECOMES_PARAM, _KEYS[path]) for path in _PLACE_FIELDS]
_place_values: Final = attrgetter(*_PLACE_FIELDS.values())
_person_values: Final = attrgetter(*_PERSON_FIELDS.values())
_NOBODY: Final = _person_values(EMPTY_PROFILE)
_read_values: Final = attrgetter(*(path.removeprefix("profile.") for path, _ in READ.paths()))
_UNKNOWN: Final = _read_values(EMPTY_PROFILE)


def visible(profile: Profile, hidden: Any) -> Profile:
    """Return a profile without the fields that no parameter of their own said, where they are unchanged since."""
    if not isinstance(hidden, dict) or not hidden:
        return profile
    same = {field: None for field, value in hidden.items() if getattr(profile, field, None) == value}
    place = profile.location
    if "city" in hidden and place is not None and place.city == hidden["city"]:
        rest = msgspec.structs.replace(place, city=None)
        return msgspec.structs.replace(profile, **same, location=rest if rest != _NOWHERE else None)
    return msgspec.structs.replace(profile, **same)


_NOWHERE: Final = Location()


def identifiers(profile: Profile, lost: list[Loss], *, native: bool) -> dict[str, str]:
    """Return who the event is about, by identifier in Yespo's priority, as Yespo takes it."""
    found: dict[str, str] = {}
    ids = profile.vendor_ids
    if ids:
        _own_ids(ids, found, lost)
    if profile.user_id is not None:
        found["user_id"] = profile.user_id
    if profile.email is not None:
        found["email"] = profile.email
    if profile.phone is not None:
        found["phone"] = profile.phone
    tokens = profile.push_tokens
    if tokens:
        found["push_token"] = tokens[0]
        if len(tokens) > 1:
            reason = "A Yespo event belongs to one device."
            lost += [Loss(0, f"profile.push_tokens[{at}]", "dropped", reason) for at in range(1, len(tokens))]
    if CONTACT_KEY in ids:
        found["contact_key"] = ids[CONTACT_KEY]
    if not native and found:
        _make_legal(found, lost)
    return found


def _own_ids(ids: Mapping[str, str], found: dict[str, str], lost: list[Loss]) -> None:
    if SLUG not in ids:
        return
    if is_minted(ids[SLUG]):
        lost.append(Loss(0, f"profile.vendor_ids.{SLUG}", "dropped", _MINTED))
    else:
        found["contact_id"] = ids[SLUG]


def _make_legal(found: dict[str, str], lost: list[Loss]) -> None:
    """Leave out what Yespo refuses or takes for nobody; a phone number becomes its digits.

    An e-mail address with an apostrophe stays: most accounts take it.
    """
    for field, text in list(found.items()):
        if identifier(text) is None:
            lost.append(Loss(0, _PATHS[field], "dropped", _NULL))
            del found[field]
        elif field == "phone":
            _write_phone(found, lost)
        elif field in CHECKED and field != "email" and not is_legal(text):
            lost.append(Loss(0, _PATHS[field], "dropped", _ILLEGAL))
            del found[field]


_PATHS: Final = {
    "user_id": "profile.user_id",
    "email": "profile.email",
    "phone": "profile.phone",
    "contact_id": f"profile.vendor_ids.{SLUG}",
    "contact_key": f"profile.vendor_ids.{CONTACT_KEY}",
    "push_token": "profile.push_tokens[0]",
}


def _write_phone(found: dict[str, str], lost: list[Loss]) -> None:
    digits = phone_digits(found["phone"])
    if digits is None:
        lost.append(Loss(0, "profile.phone", "dropped", "It has no digits."))
        del found["phone"]
    elif digits != found["phone"]:
        lost.append(Loss(0, "profile.phone", "coerced", "Yespo writes phone numbers as digits alone.", PARAM["phone"]))
        found["phone"] = digits


def phone_digits(phone: str) -> str | None:
    """Return a phone number as Yespo's pages write it, None when it has no digits."""
    if phone.isascii() and phone.isdigit():
        return phone
    return "".join(char for char in phone if char in "0123456789") or None


def write_identifiers(found: Mapping[str, str], spelled: Mapping[str, Any], out: Json) -> None:
    """Write identifiers as parameters: spelled as they came where they are the same still."""
    for field, text in found.items():
        before = spelled.get(field)
        if before and identifier(before[1]) == text:
            out[before[0]] = before[1]
        else:
            out[PARAM[field]] = text


def write_person(profile: Profile, raw: Json, out: Json, lost: list[Loss]) -> None:
    """Write what is known of the person besides identifiers."""
    values = _person_values(profile)
    if values == _NOBODY and profile.location is None and _read_values(profile) == _UNKNOWN:
        _write_foreign_ids(profile, out, lost)
        return
    _WRITTEN.lower("profile", profile, raw, out, [])
    if profile.location is not None:
        _WRITTEN.lower("profile.location", profile.location, raw, out, [])
    if values != _NOBODY:
        lost += [loss for value, loss in zip(values, _PERSON_LOSSES, strict=True) if value is not None]
    if profile.location is not None:
        place = _place_values(profile.location)
        lost += [loss for value, loss in zip(place, _PLACE_LOSSES, strict=True) if value is not None]
    _write_foreign_ids(profile, out, lost)


def _write_foreign_ids(profile: Profile, out: Json, lost: list[Loss]) -> None:
    for vendor, own in profile.vendor_ids.items():
        if vendor not in (SLUG, CONTACT_KEY):
            name = f"{vendor}Id"[: NAME_LENGTH.value]
            path = f"profile.vendor_ids.{vendor}"
            if name in out or name.lower() in IDENTIFIERS:
                lost.append(Loss(0, path, "dropped", f"{name} stands for something else."))
            else:
                out[name] = own
                lost.append(Loss(0, path, "renamed", f"Yespo keeps {vendor}'s id as a parameter of the event.", name))
