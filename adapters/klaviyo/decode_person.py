"""Klaviyo's profiles, in their three spellings, as canonical people.

* wrapped (from 2023-07-15, and all profile endpoints): ``{"data": {"type", "id", "attributes", "meta"}}``;
* flat (up to 2023-06-15): ``{"$email": …, "plan": …}``;
* legacy (v1): the flat one, where ``email``, ``phone_number`` and ``id`` also come without their dollar.

What a profile says beyond the canonical fields (nulls, blanks, patch operations, unknown members) is kept as a tree
in the wrapped spelling, so that one encoder puts it back whatever the client spoke.
"""

from typing import Any, Final

from msgspec import UNSET, Struct

from adapters.klaviyo import limits
from adapters.klaviyo.errors import Invalid
from adapters.klaviyo.names import (
    FLAT,
    FLAT_PLACE,
    IDENTIFY_TRAITS,
    KX,
    LEGACY,
    LOCATION,
    PROFILE,
    SLUG,
    TRAITS,
    WRAPPED_KEY,
)
from adapters.klaviyo.values import check_free, is_email, is_phone, strings
from adapters.klaviyo.wire import Json, ProfileData
from gateway.adapter import Lifted
from gateway.event import ConsentChange, Location, Profile

_KEYS: Final = frozenset({key for _, key in PROFILE.paths()} | {"_kx"})
_PLACES: Final = frozenset(key for _, key in LOCATION.paths())
_IDENTIFIERS: Final = ("email", "phone", "user_id", "anonymous_id")
_TOKENS: Final = ("$ios_tokens", "$android_tokens")

CHANNELS: Final = {"email": "email", "sms": "sms", "web": "web", "directmail": "direct_mail", "mobile": "push"}
"""Values of ``$consent`` and the canonical channels."""


class Person(Struct, frozen=True):
    """A profile as far as it is canonical, and what else the client said about it."""

    profile: Profile
    ip: str | None = None
    consent: tuple[ConsentChange, ...] = ()
    raw: Json = {}
    """Canonical path -> ``[key, value]`` as the client wrote them."""
    left: Json = {}
    """The rest of the wrapped ``data`` object: ``{"id", "meta", "attributes": {…}}``, what there is of it."""


# --- wrapped ---------------------------------------------------------------------------------------------


def wrapped(data: ProfileData, *, identify: bool = False) -> Person:
    """Return the person of a profile resource.

    Raises:
        Invalid: a field is of the wrong type or form; pointers are relative to the resource's ``data``.
    """
    lifted = PROFILE.lift(data.attributes)
    fields, left, raw = lifted.parts.get("profile") or {}, lifted.rest, lifted.raw
    ip = None
    if left:
        ip = _location(fields, left, raw) if "location" in left else None
        if "properties" in left:
            _properties(fields, left, raw, IDENTIFY_TRAITS if identify else TRAITS)
        _check_types(left)
    if "" in fields.values():
        _blanks(fields, left, raw)
    if data.id or "_kx" in left:
        fields["vendor_ids"] = _vendor_ids(data, left)
    _check_contacts(fields)
    if left or data.id is not UNSET or data.meta is not UNSET:
        left = _resource_left(data, left)
    return Person(Profile(**fields), ip, (), raw, left)


def _location(fields: Json, left: Json, raw: Json) -> str | None:
    location = left.pop("location")
    if location is None:
        left["location"] = None
        return None
    if not isinstance(location, dict):
        raise Invalid("/attributes/location", "Expected an object.")
    lifted = LOCATION.lift(location)
    for key, value in lifted.rest.items():
        if key in _PLACES and value is not None:
            raise Invalid(f"/attributes/location/{key}", "Not a valid value.")
    _place(lifted, fields, raw)
    if lifted.rest or not location:
        left["location"] = lifted.rest
    ip: str | None = lifted.parts.get("context", {}).get("ip")
    return ip


def _place(lifted: Lifted, fields: Json, raw: Json) -> None:
    raw.update(lifted.raw)
    fields.update(lifted.parts.get("profile", {}))
    if inner := lifted.parts.get("profile.location"):
        fields["location"] = Location(**inner)


def _properties(fields: Json, left: Json, raw: Json, table: Any) -> None:
    properties = left.pop("properties")
    if not properties:
        if properties is not None and properties != {}:
            raise Invalid("/attributes/properties", "Expected an object.")
        left["properties"] = properties
        return
    if not isinstance(properties, dict):
        raise Invalid("/attributes/properties", "Expected an object.")
    check_free(properties, "/attributes/properties")
    lifted = table.lift(properties)
    fields.update(lifted.parts.get("profile", {}))
    raw.update(lifted.raw)
    if lifted.rest:
        fields["traits"] = lifted.rest


def _check_types(left: Json) -> None:
    for key, value in left.items():
        if key in _KEYS and value is not None and not isinstance(value, str):
            raise Invalid(f"/attributes/{key}", "Not a valid string.")


def _blanks(fields: Json, left: Json, raw: Json) -> None:
    """An empty identifier counts as none: mobile SDKs and plugins send them."""
    for name in _IDENTIFIERS:
        if fields.get(name) == "":
            del fields[name]
            raw.pop(f"profile.{name}", None)
            left[WRAPPED_KEY[f"profile.{name}"]] = ""


def _vendor_ids(data: ProfileData, left: Json) -> dict[str, str]:
    ids = {}
    if data.id:
        ids[SLUG] = data.id
    if left.get("_kx"):
        ids[KX] = left.pop("_kx")
    return ids


def _check_contacts(fields: Json) -> None:
    email, phone = fields.get("email"), fields.get("phone")
    if email is not None and not is_email(email):
        raise Invalid("/attributes/email", "Invalid email address")
    if phone is not None and not is_phone(phone):
        raise Invalid("/attributes/phone_number", "Invalid phone number format. Use E.164, such as +15005550142.")


def _resource_left(data: ProfileData, left: Json) -> Json:
    rest: Json = {}
    if data.id is not UNSET and not data.id:
        rest["id"] = data.id
    if data.meta is not UNSET:
        rest["meta"] = data.meta
    if left:
        rest["attributes"] = left
    return rest


def check_identified(profile: Profile, pointer: str) -> None:
    """Raise `Invalid` when a profile names nobody."""
    who = profile
    if not (who.email or who.vendor_ids or who.phone or who.user_id or who.anonymous_id):
        detail = "A profile needs at least one of id, email, phone_number, external_id, anonymous_id and _kx."
        raise Invalid(pointer, detail)


def check_strings(attributes: Json, size: int) -> None:
    """Raise `Invalid` when the strings of a profile, in a body of `size` bytes, are too long in total."""
    if size <= limits.PROFILE_STRINGS.value:
        return
    if sum(len(text.encode()) for text in strings(attributes)) > limits.PROFILE_STRINGS.value:
        raise Invalid("/attributes", f"All strings of a profile may have at most {limits.PROFILE_STRINGS.value} bytes.")


# --- flat and legacy -------------------------------------------------------------------------------------


def flat(attributes: Json, *, legacy: bool = False, identify: bool = False) -> Person:
    """Return the person of a flat profile.

    Raises:
        Invalid: a special key has a value of the wrong type, or ``$email`` is no address; pointers are relative to
            the profile object.
    """
    lifted = (LEGACY if legacy else FLAT).lift(attributes)
    fields, rest, left = lifted.parts.get("profile", {}), lifted.rest, Json()
    if inner := lifted.parts.get("profile.location"):
        fields["location"] = Location(**inner)
    raw = {
        path: [WRAPPED_KEY[path], value] for path, (_, value) in lifted.raw.items() if _is_coerced(lifted, path, value)
    }
    _flat_ids(fields, rest)
    _flat_tokens(fields, rest)
    consent = _flat_consent(rest, raw)
    _nulls(rest, left)
    _blanks(fields, left, raw)
    if fields.get("email") and not is_email(fields["email"]):
        raise Invalid("/$email", "Invalid email address")
    if rest:
        _properties(fields, {"properties": rest}, raw, IDENTIFY_TRAITS if identify else TRAITS)
    return Person(Profile(**fields), None, consent, raw, {"attributes": left} if left else {})


def _is_coerced(lifted: Lifted, path: str, value: Any) -> bool:
    """Tell whether a value was taken for another, and not only under another key."""
    part, _, field = path.rpartition(".")
    return bool(lifted.parts[part][field] != value)


def _flat_ids(fields: Json, rest: Json) -> None:
    for key in ("$exchange_id", "_kx"):
        if rest.get(key) and isinstance(rest[key], str) and "vendor_ids" not in fields:
            fields["vendor_ids"] = {KX: rest.pop(key)}


def _flat_tokens(fields: Json, rest: Json) -> None:
    for key in _TOKENS:
        given = rest.get(key)
        tokens = [given] if isinstance(given, str) else given
        if isinstance(tokens, list) and tokens and all(isinstance(token, str) and token for token in tokens):
            fields["push_tokens"] = (*fields.get("push_tokens", ()), *tokens)


def _flat_consent(rest: Json, raw: Json) -> tuple[ConsentChange, ...]:
    """Take ``$consent``, a list of channels that the person agreed to, out of the custom properties."""
    given = rest.get("$consent")
    channels = [given] if isinstance(given, str) else given
    if (
        not isinstance(channels, list)
        or not channels
        or not all(isinstance(c, str) and c in CHANNELS for c in channels)
    ):
        return ()
    raw["consent"] = ["$consent", rest.pop("$consent")]
    return consent_of(channels)


def consent_of(given: Any) -> tuple[ConsentChange, ...]:
    """Return the permissions that a value of ``$consent`` stands for."""
    channels = [given] if isinstance(given, str) else given
    return tuple(ConsentChange(granted=True, channel=CHANNELS[channel]) for channel in channels)


def _nulls(rest: Json, left: Json) -> None:
    """A special key that is null, or of a type that it cannot have, does not become a custom property."""
    for key in [key for key in rest if key in FLAT_PLACE]:
        value = rest.pop(key)
        if value is not None:
            raise Invalid(f"/{key}", "Not a valid value.")
        *above, name = FLAT_PLACE[key]
        place = left.setdefault(above[0], {}) if above else left
        place[name] = None


def is_named_without_dollar(attributes: Json) -> bool:
    """Tell whether a flat profile has identifiers, but only such as the flat revisions do not take for any.

    Klaviyo answers 202 to these and drops the event; here it is kept, with the person unknown.
    """
    return any(attributes.get(key) for key in ("email", "phone_number", "id", "_id", "external_id", "anonymous_id"))
