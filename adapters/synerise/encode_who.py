"""Who an event is about: the ``client`` object.

Several identifiers in one object merge profiles for good (help.synerise.com/developers/api/clients/profiles/
merging-profiles, read 2026-11-21). An event that came from Synerise carries what its client sent; any other one
carries the strongest identifier it has, unless the target says otherwise.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final

from gateway.adapter import EncodeError, Event, Loss
from gateway.event import EMPTY_PROFILE, Profile

from .checks import is_email, is_identifier
from .options import TargetOptions
from .wire import SLUG
from .written import Kept, Report

_KEYS: Final = (("user_id", "customId"), ("email", "email"), ("anonymous_id", "uuid"))
"""Strongest first: what identifies a person in the workspace's own system, then by address, then a browser."""

_OTHERS: Final = (
    "phone", "push_tokens", "first_name", "last_name", "gender", "birth_date", "organization", "title", "image_url",
    "locale", "timezone", "created_at", "location", "traits",
)  # fmt: skip
_others: Final = attrgetter(*_OTHERS)
_NOBODY: Final = _others(EMPTY_PROFILE)
_IDENTIFIERS_ONLY: Final = "A Synerise event carries identifiers only; the profile is written by an identify."
_OTHERS_LOST: Final = [Loss(0, f"profile.{name}", "dropped", _IDENTIFIERS_ONLY) for name in _OTHERS]
_ORGANIZATION: Final = "profile.organization"
"""The group, where the event is about one."""


def write_client(event: Event, kept: Kept, options: TargetOptions, report: Report) -> dict[str, Any]:
    """Return the ``client`` object.

    Raises:
        EncodeError: the event names nobody whom Synerise could know.
    """
    who = event.profile
    client = _as_sent(who, kept) if kept.native else _chosen(who, options, report)
    if not client:
        raise EncodeError("a Synerise event needs a user id, an e-mail address or a UUID that it accepts")
    held = _others(who)
    if held != _NOBODY:
        rows = zip(held, _NOBODY, _OTHERS_LOST, strict=True)
        lost = [loss for value, nothing, loss in rows if value is not nothing and value != nothing]
        report.lost += lost if event.kind != "group" else [loss for loss in lost if loss.path != _ORGANIZATION]
    return client


def _as_sent(who: Profile, kept: Kept) -> dict[str, Any]:
    client: dict[str, Any] = {}
    if who.vendor_ids and (own := who.vendor_ids.get(SLUG)) is not None:
        client["id"] = int(own) if is_number(own) else own
    for name, key in _KEYS:
        if (value := getattr(who, name)) is not None:
            client[key] = value
    if "client" in kept.all:
        _restore(kept.part("client"), client)
    return client


def is_number(text: str) -> bool:
    """Tell whether an id of Synerise's can be written as an integer."""
    return text.isascii() and text.isdigit() and len(text) < _LONGEST


_LONGEST: Final = 20
"""Digits of a 64-bit integer, one more."""
_KNOWN: Final = frozenset({"id", *(key for _, key in _KEYS)})


def _restore(sent: Mapping[str, Any], client: dict[str, Any]) -> None:
    """Put back what was no text, where it still means the same, and what is no identifier."""
    for key, value in sent.items():
        if key not in _KNOWN or str(value) == str(client.get(key, "")):
            client[key] = value


def _chosen(who: Profile, options: TargetOptions, report: Report) -> dict[str, Any]:
    client: dict[str, Any] = {}
    several = options.identifiers == "all"
    for name, key in _KEYS:
        value = getattr(who, name)
        if value is None:
            continue
        if not fits(name, value):
            report.dropped(f"profile.{name}", "Synerise refuses identifiers of this form.")
        elif client and not several:
            report.dropped(f"profile.{name}", "Several identifiers in one event can merge profiles; one is sent.")
        else:
            client[key] = value
    for vendor, own in who.vendor_ids.items():
        if vendor == SLUG and not client and is_number(own):
            client["id"] = int(own)
        else:
            report.dropped(f"profile.vendor_ids.{vendor}", "It is an id of one account of one vendor.")
    return client


def fits(name: str, value: str) -> bool:
    """Tell whether Synerise takes an identifier."""
    return bool(value) and (is_email(value) if name == "email" else is_identifier(value))
