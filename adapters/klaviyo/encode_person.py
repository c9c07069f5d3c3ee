"""A canonical person as Klaviyo's wrapped profile.

Every field with a place among the attributes goes there, the rest among the custom properties, and what has neither
is reported. An identifier that Klaviyo would refuse, and the whole request with it, is kept as a property instead.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

import msgspec

from adapters.klaviyo import limits
from adapters.klaviyo.decode_person import consent_of
from adapters.klaviyo.fit import fit
from adapters.klaviyo.names import IDENTIFY_TRAITS, KX, LOCATION, PROFILE, SLUG, TRAITS, is_minted
from adapters.klaviyo.values import is_email, is_phone
from adapters.klaviyo.wire import Json
from gateway.adapter import EncodeError, Event, Loss
from gateway.event import EMPTY_CONTEXT, EMPTY_PROFILE, ConsentChange, Profile, leaves

_Check = Callable[[str], Any]

_REFUSED: Final[tuple[tuple[str, str, _Check, str, str], ...]] = (
    ("email", "email", is_email, "Email Address", "Klaviyo refuses what is no e-mail address"),
    (
        "phone",
        "phone_number",
        is_phone,
        "Phone Number",
        "Klaviyo refuses a phone number that is not E.164 (+15005550142)",
    ),
    (
        "user_id",
        "external_id",
        lambda text: 0 < len(text) <= limits.EXTERNAL_ID.value,
        "External ID",
        f"an external id may have at most {limits.EXTERNAL_ID.value} characters",
    ),
    ("anonymous_id", "anonymous_id", bool, "Anonymous ID", "an empty identifier names nobody"),
)
"""(canonical field, key, check, custom property to keep it in, why it was moved)."""
_SECOND_HOMES: Final = {
    path.removeprefix("profile.") for table in (LOCATION, IDENTIFY_TRAITS) for path, _ in table.paths()
} & set(EMPTY_PROFILE.__struct_fields__)
_second_homes: Final = attrgetter(*sorted(_SECOND_HOMES))
"""The fields of a person that stand below the attributes."""
_NO_SECOND_HOMES: Final = _second_homes(EMPTY_PROFILE)
_refusable: Final = attrgetter(*(field for field, *_ in _REFUSED))
_NAMES: Final = frozenset({*(key for _, key, *_ in _REFUSED), "_kx"})
"""Keys of which a profile needs one."""

_NO_CONSENT: Final = "Klaviyo takes permissions through its subscription calls, not with events or profiles."
_TOLD: Final = ("consent[0].granted", "consent[0].channel")
"""What a metric's name can say."""
_NO_ID: Final = "no identifier that Klaviyo takes: id, email, phone (E.164), external_id, anonymous_id or _kx"


def person(
    event: Event,
    index: int,
    raw: Json,
    lost: list[Loss],
    *,
    identify: bool = False,
    told: ConsentChange | None = None,
) -> Json:
    """Return the profile resource, ``{"type", "id", "attributes"}``.

    Args:
        event: whose profile, consent and IP address are written.
        index: its place among the events given, for `lost`.
        raw: the client's own spellings, by canonical path.
        lost: receives what did not go across unchanged.
        identify: whether it goes to the profile endpoint, which takes no anonymous id.
        told: the permission that the metric's name says.

    Raises:
        EncodeError: nothing in it says who it is, as far as Klaviyo would know.
    """
    who = event.profile
    attributes, location, properties = _fields(who, index, raw, lost, identify)
    _move_refused(who, attributes, properties, index, lost)
    if identify and "anonymous_id" in attributes:
        del attributes["anonymous_id"]
        reason = "Klaviyo takes anonymous ids with events only, not with profiles."
        lost.append(Loss(index, "profile.anonymous_id", "dropped", reason))
    data: Json = {"type": "profile", "attributes": attributes}
    if who.vendor_ids:
        _put_ids(who.vendor_ids, data, attributes, index, lost)
    if "id" not in data and _NAMES.isdisjoint(attributes):
        raise EncodeError(_NO_ID)
    if event.consent:
        _put_consent(event, properties, raw, index, lost, told)
    if event.context is not EMPTY_CONTEXT and event.context.ip is not None:
        LOCATION.lower("context", event.context, raw, location, [])
    if location:
        attributes["location"] = location
    if properties:
        attributes["properties"] = fit(properties, "profile.traits", index, lost)
    return data


def _fields(who: Profile, index: int, raw: Json, lost: list[Loss], identify: bool) -> tuple[Json, Json, Json]:
    attributes: Json = {}
    location: Json = {}
    named: Json = {}
    PROFILE.lower("profile", who, raw, attributes, None)
    if _second_homes(who) != _NO_SECOND_HOMES:
        LOCATION.lower("profile", who, raw, location, None)
        (IDENTIFY_TRAITS if identify else TRAITS).lower("profile", who, raw, named, None)
    if who.location is not None:
        LOCATION.lower("profile.location", who.location, raw, location, None)
    if named and not named.keys().isdisjoint(who.traits):
        reason = "Its name is that of one of the profile's own fields."
        lost += [Loss(index, f"profile.traits.{key}", "dropped", reason) for key in who.traits if key in named]
    if who.push_tokens:
        reason = "Klaviyo has no field for it on this call."
        lost += [Loss(index, f"profile.push_tokens[{i}]", "dropped", reason) for i in range(len(who.push_tokens))]
    return attributes, location, {**who.traits, **named} if who.traits else named


def _move_refused(who: Profile, attributes: Json, properties: Json, index: int, lost: list[Loss]) -> None:
    for row, value in enumerate(_refusable(who)):
        if value is None or _REFUSED[row][2](value):
            continue
        field, key, _, kept_as, why = _REFUSED[row]
        del attributes[key]
        if not value or kept_as in properties:
            lost.append(Loss(index, f"profile.{field}", "dropped", f"Not sent: {why}."))
        else:
            properties[kept_as] = value
            place = f"profile.properties.{kept_as}"
            lost.append(Loss(index, f"profile.{field}", "renamed", f"Kept as a custom property: {why}.", place))


def _put_ids(ids: dict[str, str], data: Json, attributes: Json, index: int, lost: list[Loss]) -> None:
    for vendor, value in ids.items():
        path = f"profile.vendor_ids.{vendor}"
        if vendor == KX and value:
            attributes["_kx"] = value
        elif vendor != SLUG or not value:
            lost.append(Loss(index, path, "dropped", "This id means nothing to Klaviyo."))
        elif is_minted(value):
            lost.append(Loss(index, path, "dropped", "The gateway made this id up; Klaviyo does not know it."))
        else:
            data["id"] = value


def _put_consent(
    event: Event, properties: Json, raw: Json, index: int, lost: list[Loss], told: ConsentChange | None
) -> None:
    before = raw.get("consent")
    if before and consent_of(before[1]) == event.consent:
        properties["$consent"] = before[1]
        return
    first = event.consent[0]
    is_told = told is not None and (first.granted, first.channel) == (told.granted, told.channel)
    for path, _ in leaves(msgspec.to_builtins(event.consent), "consent"):
        if not (is_told and path in _TOLD):
            lost.append(Loss(index, path, "dropped", _NO_CONSENT))
