"""One `Identify`, or a change of permissions, -> one item of ``/v4/clients/batch``.

Sources, read 2026-11-21: github.com/Synerise/php-sdk lib/V4/Models/CreateClientRequestBody.php and Agreements.php;
help.synerise.com/developers/api/clients/profiles. A null would delete, so none is written but those that a client of
Synerise sent.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from gateway.adapter import EncodeError, Event
from gateway.event import EMPTY_CONTEXT, Profile

from . import consent
from .checks import is_email, is_identifier, is_phone
from .encode_who import is_number
from .fit import without_nulls
from .options import TargetOptions
from .wire import ATTRIBUTE_TABLE, CLIENT_TABLE, PUSH_TOKENS, SLUG, is_reserved_attribute
from .written import Kept, Report, Written, kept_of, report_residue

SUBSCRIPTIONS: Final = frozenset({"Subscribed", "Unsubscribed"})

_IDENTIFIERS: Final = ("customId", "email", "phone", "uuid", "clientId", "custom_id")
_DATE: Final = re.compile(r"(19|[2-9]\d)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_COUNTRY: Final = re.compile(r"[A-Za-z]{2,3}")
_SEXES: Final = {
    "f": "FEMALE", "female": "FEMALE", "woman": "FEMALE",
    "m": "MALE", "male": "MALE", "man": "MALE",
    "o": "OTHER", "other": "OTHER", "not_specified": "NOT_SPECIFIED", "unspecified": "NOT_SPECIFIED",
}  # fmt: skip
_ATTRIBUTE_KEYS: Final = {key: path for path, key in ATTRIBUTE_TABLE.paths()} | {PUSH_TOKENS: "profile.push_tokens"}
_KEPT_AS: Final = "Synerise has no field for it; kept as an attribute of the profile."


def is_subscription(event: Event) -> bool:
    """Tell whether an event of another vendor changes permissions that an agreement can say."""
    if event.kind != "track" or event.name not in SUBSCRIPTIONS or event.source.vendor == SLUG:
        return False
    return any(map(consent.expressible, event.consent))


def write_profile(event: Event, options: TargetOptions) -> Written:
    """Return the profile object that stands for an event.

    Raises:
        EncodeError: it names nobody whom Synerise could know.
    """
    report = Report()
    kept = kept_of(event)
    body: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    _write_fields(event.profile, kept, body, attributes)
    if not kept.native:
        _fit_fields(event.profile, options, body, attributes, report)
    _write_ids(event.profile, kept, body, attributes, report)
    if not any(key in body for key in _IDENTIFIERS):
        raise EncodeError("a Synerise profile needs a user id, an e-mail address, a phone number or a UUID")
    _write_traits(event.profile.traits, kept, body, attributes, report)
    if event.properties:
        _write_properties(event.properties, attributes, report)
    if event.consent or "agreements" in kept.all:
        _write_agreements(event, kept, body, report)
    _report_rest(event, report)
    _restore(kept, body, attributes)
    if attributes or "attributes" in kept.all:
        body.setdefault("attributes", attributes)
    return Written(body, report.lost)


def _write_fields(who: Profile, kept: Kept, body: dict[str, Any], attributes: dict[str, Any]) -> None:
    CLIENT_TABLE.lower("profile", who, kept.raw, body, [])
    ATTRIBUTE_TABLE.lower("profile", who, kept.raw, attributes, [])
    if who.location is not None:
        CLIENT_TABLE.lower("profile.location", who.location, kept.raw, body, [])
        ATTRIBUTE_TABLE.lower("profile.location", who.location, kept.raw, attributes, [])


# --- what Synerise has rules for -------------------------------------------------------------------------


def _fit_fields(
    who: Profile, options: TargetOptions, body: dict[str, Any], attributes: dict[str, Any], report: Report
) -> None:
    """Take out of a profile of another vendor what Synerise would refuse; an attribute keeps what it can."""
    for key, path, fits in _CHECKED:
        if key in body and not (body[key] and fits(body[key])):
            del body[key]
            report.dropped(path, "Synerise refuses identifiers of this form.")
    if "uuid" in body and options.identifiers != "all" and any(key in body for key in _IDENTIFIERS[:3]):
        del body["uuid"]
        report.dropped("profile.anonymous_id", "Sent beside other identifiers it can merge profiles.")
    _fit_sex(who, body, attributes, report)
    if who.birth_date is not None and not _DATE.fullmatch(who.birth_date):
        _move("birthDate", "birthday", "profile.birth_date", body, attributes, report)
    country = who.location.country if who.location is not None else None
    if country is not None and not _COUNTRY.fullmatch(country):
        _move("countryCode", "country", "profile.location.country", body, attributes, report)


_CHECKED: Final = (
    ("customId", "profile.user_id", is_identifier),
    ("email", "profile.email", is_email),
    ("phone", "profile.phone", is_phone),
    ("uuid", "profile.anonymous_id", is_identifier),
)


def _fit_sex(who: Profile, body: dict[str, Any], attributes: dict[str, Any], report: Report) -> None:
    if who.gender is None:
        return
    known = _SEXES.get(who.gender.lower())
    if known is None:
        _move("sex", "gender", "profile.gender", body, attributes, report)
    elif known != who.gender:
        body["sex"] = known
        report.coerced("profile.gender", "Synerise has four words for it.", "sex")


def _move(key: str, name: str, path: str, body: dict[str, Any], attributes: dict[str, Any], report: Report) -> None:
    attributes[name] = body.pop(key)
    report.renamed(path, "Synerise wants another form; kept as an attribute of the profile.", f"attributes.{name}")


def _write_ids(who: Profile, kept: Kept, body: dict[str, Any], attributes: dict[str, Any], report: Report) -> None:
    """Write the vendors' own ids and push tokens."""
    for vendor, own in who.vendor_ids.items():
        if vendor != SLUG:
            attributes[f"{vendor}Id"] = own
            report.renamed(f"profile.vendor_ids.{vendor}", _KEPT_AS, f"attributes.{vendor}Id")
        elif kept.native:
            sent = kept.all.get("clientId")
            body["clientId"] = sent if sent is not None and str(sent) == own else int(own) if is_number(own) else own
        else:
            report.dropped(f"profile.vendor_ids.{vendor}", "It is an id of one workspace.")
    if kept.native and "clientId" in kept.all and "clientId" not in body:
        body["clientId"] = kept.all["clientId"]
    if who.push_tokens:
        attributes[PUSH_TOKENS] = list(who.push_tokens)
        if not kept.native:
            report.renamed("profile.push_tokens", _KEPT_AS, f"attributes.{PUSH_TOKENS}")


# --- free values -----------------------------------------------------------------------------------------


def _write_traits(
    traits: Mapping[str, Any], kept: Kept, body: dict[str, Any], attributes: dict[str, Any], report: Report
) -> None:
    """Write traits; of what a client of Synerise sent, values stay as they are, nulls within them too."""
    if not traits:
        return
    if not kept.native or None in traits.values():
        traits = without_nulls(dict(traits), "profile.traits", report)
    for key, value in traits.items():
        if key in _OWN_TRAITS and (kept.native or _OWN_TRAITS[key](value)):
            body[key] = value
        elif kept.native:
            attributes[key] = value
        else:
            _put(key, value, "trait_", f"profile.traits.{key}", attributes, report)


def _are_tags(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(tag, str) for tag in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_OWN_TRAITS: Final = {"displayName": _is_text, "tags": _are_tags}
"""Traits with a member of their own, and the form that it has."""


def _write_properties(properties: Mapping[str, Any], attributes: dict[str, Any], report: Report) -> None:
    for key, value in without_nulls(dict(properties), "properties", report).items():
        path = f"properties.{key}"
        before = len(report.lost)
        _put(key, value, "property_", path, attributes, report)
        if len(report.lost) == before:
            report.renamed(path, _KEPT_AS, f"attributes.{key}")


def _put(key: str, value: Any, prefix: str, path: str, attributes: dict[str, Any], report: Report) -> None:
    """Write a free value; where its name is taken or reserved it gets a prefix."""
    name = prefix + key if key in attributes or is_reserved_attribute(key) else key
    if name in attributes:
        report.dropped(path, "Another attribute has this name.")
        return
    attributes[name] = value
    if name != key:
        report.renamed(path, "Synerise has another use for this name.", f"attributes.{name}")
    elif name in _ATTRIBUTE_KEYS:
        report.renamed(path, f"It is read as {_ATTRIBUTE_KEYS[name]}.", f"attributes.{name}")


# --- permissions and the rest ----------------------------------------------------------------------------


def _write_agreements(event: Event, kept: Kept, body: dict[str, Any], report: Report) -> None:
    sent = kept.all.get("agreements")
    if sent is not None and event.consent == (consent.read(sent) if isinstance(sent, dict) else ()):
        body["agreements"] = sent
        return
    agreements = consent.write(event.consent)
    if agreements:
        body["agreements"] = agreements
    for index, change in enumerate(event.consent):
        _report_permission(index, change, report)


def _report_permission(index: int, change: Any, report: Report) -> None:
    path = f"consent[{index}]"
    if not consent.expressible(change):
        report.dropped(path, "Synerise keeps one permission for e-mail, SMS, push and web push each, and none of this.")
        return
    if change.channel is None:
        report.coerced(path, "Synerise keeps a permission per channel; all four are set.", "agreements")
    for name in ("group", "at", "wording"):
        if getattr(change, name) is not None:
            report.dropped(f"{path}.{name}", "Synerise keeps one permission per channel and nothing about it.")


def _report_rest(event: Event, report: Report) -> None:
    if event.kind != "identify":
        reason = "Synerise keeps permissions on the profile: it is written, and there is no event."
        report.coerced("kind", reason, "agreements")
        report.coerced("name", reason, "agreements")
    elif event.name != "Identify":
        report.dropped("name", "A profile has no event name.")
    if event.occurred_at is not None:
        report.dropped("occurred_at", "A profile is written as of now.")
    if event.dedupe_key is not None:
        report.dropped("dedupe_key", "A profile that is written twice is the same.")
    if event.commerce is not None:
        report.dropped("commerce", "A profile has no orders and products of its own.")
    if event.context is not EMPTY_CONTEXT:
        report.dropped("context", "A profile has no circumstances.")
    if event.residue:
        report_residue(event, report)


def _restore(kept: Kept, body: dict[str, Any], attributes: dict[str, Any]) -> None:
    """Put back what only Synerise knows: reserved attributes, deletions, unknown members."""
    if not kept.all:
        return
    for key, value in kept.part("rest").items():
        body.setdefault(key, value)
    own = kept.all.get("attributes")
    if isinstance(own, dict):
        for key, value in own.items():
            attributes.setdefault(key, value)
    elif own is not None and not attributes:
        body["attributes"] = own
    for key in kept.all.get("nulls", ()):
        body.setdefault(key, None)
    for key in kept.all.get("null_attributes", ()):
        attributes.setdefault(key, None)
