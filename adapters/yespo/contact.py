"""A contact of the contacts API <-> a profile.

Sources, read 2026-11-21: docs.yespo.io/docs/api-methods-adding-contacts, /adding-new-users; the vendor's OpenAPI
document (``Contact``). A custom field has a number and no name; it is the trait that the options name, else
``field_<number>``.

What is kept in ``residue["yespo"]``: ``row``, members that no profile has a place for, verbatim; ``channels`` and
``fields``, these lists as sent, where they are not the ones we would write.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.event import Location, Profile

from .limits import PHONE_DIGITS
from .names import CONTACT_KEY, Lost, identifier, is_minted
from .options import number_of, trait_of
from .person import phone_digits
from .wire import SLUG, VOCABULARY, Json, as_json

CONTACT: Final = "contact"
CONTACTS: Final = "contacts"
UPDATE: Final = "contact_update"
SUBSCRIBE: Final = "contact_subscribe"
FROM_CONTACTS: Final = frozenset({CONTACT, CONTACTS, UPDATE})

_OWN: Final = VOCABULARY.table("contact")
_ADDRESS: Final = VOCABULARY.table("contact_address")
_TEXTS: Final = {key: path.rpartition(".")[2] for path, key in _OWN.paths()}
_PLACES: Final = {key: path.rpartition(".")[2] for path, key in _ADDRESS.paths()}

CHANNEL: Final = {
    "email": "email",
    "sms": "sms",
    "viber": "viber",
    "mobilepush": "push",
    "webpush": "web",
    "appinbox": "in_app",
    "inapp": "in_app",
    "widget": "widget",
}
"""Yespo's type of a channel -> the channel of a permission."""
_TOKENS: Final = ("mobilepush", "webpush")

_NO_PLACE: Final = "Yespo's contact has no field for it."
_NO_NUMBER: Final = "Yespo keeps custom fields under numbers: give this one under contact_fields."


def default_envelope(contact: Mapping[str, Any]) -> Json:
    """Return what stands beside a contact among many, unless a client said otherwise."""
    rows = contact.get("fields")
    numbers = (
        {row["id"] for row in rows if isinstance(row, dict) and type(row.get("id")) is int}
        if isinstance(rows, list)
        else set()
    )
    return {"dedupeOn": "email_or_sms", "customFieldsIDs": sorted(numbers)} if numbers else {"dedupeOn": "email_or_sms"}


# --- in --------------------------------------------------------------------------------------------------


def channels_of(contact: Mapping[str, Any]) -> list[Json]:
    """Return the well-formed channels of a contact."""
    rows = contact.get("channels")
    return [row for row in rows if _is_channel(row)] if isinstance(rows, list) else []


def _is_channel(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("type"), str) and identifier(row.get("value")) is not None


def read_contact(contact: Json, names: Mapping[str, int], kept: Json) -> Profile:
    """Return the profile in a contact.

    Args:
        contact: the vendor's object.
        names: trait -> number of a custom field.
        kept: receives what no profile has a place for.
    """
    rest = dict(contact)
    fields: Json = {}
    for key, field in _TEXTS.items():
        if isinstance(rest.get(key), str) and rest[key].strip():
            fields[field] = rest.pop(key)
    if isinstance(rest.get("externalCustomerId"), str) and identifier(rest["externalCustomerId"]):
        fields["user_id"] = rest.pop("externalCustomerId")
    _read_ids(rest, fields)
    _read_address(rest, fields)
    _read_channels(rest, fields, kept)
    _read_fields(rest, names, fields, kept)
    if rest:
        kept["row"] = rest
    return Profile(**fields)


def _read_ids(rest: Json, fields: Json) -> None:
    ids: dict[str, str] = {}
    if type(rest.get("id")) is int and rest["id"] > 0:
        ids[SLUG] = str(rest.pop("id"))
    if isinstance(rest.get("contactKey"), str) and identifier(rest["contactKey"]):
        ids[CONTACT_KEY] = rest.pop("contactKey")
    if ids:
        fields["vendor_ids"] = ids


def _read_address(rest: Json, fields: Json) -> None:
    address = rest.get("address")
    if not isinstance(address, dict):
        return
    found = {_PLACES[key]: value for key, value in address.items() if key in _PLACES and _says(value)}
    others = {key: value for key, value in address.items() if not (key in _PLACES and _says(value))}
    if found:
        fields["location"] = Location(**found)
        del rest["address"]
        if others:
            rest["address"] = others


def _says(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _read_channels(rest: Json, fields: Json, kept: Json) -> None:
    rows = channels_of(rest)
    found = _addresses(rows)
    fields.update(found)
    if "channels" in rest:
        sent = rest.pop("channels")
        if not sent or sent != _channels(found.get("email"), found.get("phone")):
            kept["channels"] = sent


def _addresses(rows: list[Json]) -> Json:
    """Return the first of each address, and all push tokens."""
    found: Json = {}
    for kind, field in (("email", "email"), ("sms", "phone"), ("viber", "phone")):
        value = next((identifier(row["value"]) for row in rows if row["type"] == kind), None)
        if value is not None and field not in found:
            found[field] = value
    tokens = tuple(str(row["value"]) for row in rows if row["type"] in _TOKENS)
    if tokens:
        found["push_tokens"] = tokens
    return found


def _channels(email: str | None, phone: str | None) -> list[Json]:
    pairs = (("email", email), ("sms", phone))
    return [{"type": kind, "value": value} for kind, value in pairs if value is not None]


def _read_fields(rest: Json, names: Mapping[str, int], fields: Json, kept: Json) -> None:
    rows = rest.get("fields")
    if not isinstance(rows, list):
        return
    by_number = {number: trait for trait, number in names.items()}
    traits = {
        trait_of(number, by_number): row["value"]
        for row in rows
        if isinstance(row, dict) and "value" in row and (number := _number(row.get("id"))) is not None
    }
    del rest["fields"]
    if traits:
        fields["traits"] = traits
    if rows != _rows(traits, names):
        kept["fields"] = rows


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        value = int(value)
    return value if type(value) is int and value > 0 else None


_DIGITS: Final = 18


def _rows(traits: Mapping[str, Any], names: Mapping[str, int]) -> list[Json]:
    numbers = {trait: number_of(trait, names) for trait in traits}
    return [{"id": numbers[trait], "value": value} for trait, value in traits.items() if numbers[trait] is not None]


# --- out -------------------------------------------------------------------------------------------------


def write_contact(
    profile: Profile, kept: Mapping[str, Any], names: Mapping[str, int], lost: list[Lost], *, native: bool
) -> Json:
    """Return the contact of a profile, and report what has no place there."""
    out: Json = {}
    _write_channels(profile, kept, out, lost, native=native)
    _write_ids(profile, out, lost, native=native)
    _OWN.lower("profile", profile, {}, out, [])
    _leave_out_blanks(out, _TEXTS, "profile", lost)
    if profile.location is not None:
        _write_address(profile.location, out, lost)
    _write_fields(profile, kept, names, out, lost, native=native)
    _report_rest(profile, names, lost)
    row = kept.get("row")
    if isinstance(row, dict):
        for key, value in row.items():
            if key == "address" and isinstance(value, dict) and "address" in out:
                out["address"] = {**value, **out["address"]}
            else:
                out.setdefault(key, value)
    return out


def _write_channels(profile: Profile, kept: Mapping[str, Any], out: Json, lost: list[Lost], *, native: bool) -> None:
    sent = kept.get("channels")
    if sent is not None and _is_unchanged(profile, channels_of(kept)):
        out["channels"] = sent
        return
    email = profile.email if identifier(profile.email) else None
    if profile.email is not None and email is None:
        lost.append(Lost("profile.email", "dropped", "Yespo takes it for nobody."))
    rows = _channels(email, _phone(profile, lost, native=native))
    if rows:
        out["channels"] = rows
    reason = "Yespo needs more of an app or a browser than its token."
    lost += [Lost(f"profile.push_tokens[{at}]", "dropped", reason) for at in range(len(profile.push_tokens))]


def _is_unchanged(profile: Profile, rows: list[Json]) -> bool:
    found = _addresses(rows)
    held = (profile.email, profile.phone, profile.push_tokens)
    return held == (found.get("email"), found.get("phone"), found.get("push_tokens", ()))


def _phone(profile: Profile, lost: list[Lost], *, native: bool) -> str | None:
    phone = profile.phone
    if phone is None or native:
        return phone
    digits = phone_digits(phone)
    if digits is None or len(digits) > PHONE_DIGITS.value:
        lost.append(Lost("profile.phone", "dropped", "It is no phone number."))
        return None
    if digits != phone:
        lost.append(Lost("profile.phone", "coerced", "Yespo writes phone numbers as digits alone.", "channels"))
    return digits


def _write_ids(profile: Profile, out: Json, lost: list[Lost], *, native: bool) -> None:
    if profile.user_id is not None:
        if native or identifier(profile.user_id):
            out["externalCustomerId"] = profile.user_id
        else:
            lost.append(Lost("profile.user_id", "dropped", "Yespo takes it for nobody."))
    for vendor, own in profile.vendor_ids.items():
        if vendor == CONTACT_KEY:
            out["contactKey"] = own
        elif vendor == SLUG and own.isascii() and own.isdigit() and not is_minted(own):
            out["id"] = int(own)
        else:
            lost.append(Lost(f"profile.vendor_ids.{vendor}", "dropped", _NO_PLACE))


def _write_address(location: Location, out: Json, lost: list[Lost]) -> None:
    address: Json = {}
    missing: list[str] = []
    _ADDRESS.lower("profile.location", location, {}, address, missing)
    _leave_out_blanks(address, _PLACES, "profile.location", lost)
    if address:
        out["address"] = address
    lost += [Lost(path, "dropped", _NO_PLACE) for path in missing]


def _leave_out_blanks(out: Json, fields: Mapping[str, str], at: str, lost: list[Lost]) -> None:
    """Take out texts that say nothing: by Yespo's rules they count as absent."""
    for key in [key for key, value in out.items() if key in fields and not _says(value)]:
        del out[key]
        lost.append(Lost(f"{at}.{fields[key]}", "dropped", "To Yespo a blank text is none."))


def _write_fields(
    profile: Profile, kept: Mapping[str, Any], names: Mapping[str, int], out: Json, lost: list[Lost], *, native: bool
) -> None:
    sent = kept.get("fields")
    if isinstance(sent, list):
        before: Json = {}
        _read_fields({"fields": sent}, names, before, {})
        if before.get("traits", {}) == profile.traits:
            out["fields"] = sent
            return
    rows: list[Json] = []
    for trait, value in profile.traits.items():
        number = number_of(trait, names)
        if number is None:
            lost.append(Lost(f"profile.traits.{trait}", "dropped", _NO_NUMBER))
        else:
            rows.append({"id": number, "value": value if native else _text(trait, value, number, lost)})
    rows += _named_fields(profile, names)
    if rows:
        out["fields"] = rows


def _text(trait: str, value: Any, number: int, lost: list[Lost]) -> str:
    if isinstance(value, str):
        return value
    lost.append(Lost(f"profile.traits.{trait}", "coerced", "Yespo keeps custom fields as text.", f"fields.{number}"))
    return as_json(value).decode()


_UNPLACED: Final = ("gender", "birth_date", "organization", "title", "image_url")
"""Texts of a profile that a custom field may hold, under their own names."""


def _named_fields(profile: Profile, names: Mapping[str, int]) -> list[Json]:
    return [
        {"id": names[field], "value": getattr(profile, field)}
        for field in _UNPLACED
        if field in names and field not in profile.traits and getattr(profile, field) is not None
    ]


def _report_rest(profile: Profile, names: Mapping[str, int], lost: list[Lost]) -> None:
    for field in (*_UNPLACED, "anonymous_id", "device_id", "created_at"):
        if getattr(profile, field) is None:
            continue
        if field in _UNPLACED and field in names and field not in profile.traits:
            lost.append(Lost(f"profile.{field}", "renamed", "It is a custom field there.", f"fields.{names[field]}"))
        else:
            lost.append(Lost(f"profile.{field}", "dropped", _NO_PLACE))
