"""What was set aside of an event that came from Vibetrace, what is reported of one that goes there, whose it is."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.adapter import EncodeError, Event, Loss

from .wire import SLUG, is_minted

_NOTHING: Final[Mapping[str, Any]] = {}

NO_ATTRIBUTES: Final = "Vibetrace takes attributes of a person with updates and logins only."


class Kept(Struct, frozen=True):
    """What a Vibetrace decoder set aside of an event (`decode_event` lists it)."""

    all: Mapping[str, Any]
    raw: dict[str, Any]


def is_native(event: Event) -> bool:
    """Tell whether an event came from a client of Vibetrace's: it then goes back as it was sent."""
    return event.source.vendor == SLUG


def kept_of(event: Event) -> Kept:
    """Return what was set aside; nothing where another vendor's decoder read the event."""
    own = event.residue.get(SLUG) if is_native(event) else None
    if not own:
        return _NONE
    raw = own.get("raw")
    return Kept(own, raw if isinstance(raw, dict) else {})


_NONE: Final = Kept(_NOTHING, {})


def user_of(event: Event, kept: Kept, lost: list[Loss]) -> dict[str, Any]:
    """Return the ``user`` of a request.

    Raises:
        EncodeError: the event says neither e-mail address nor ``_id``, without which Vibetrace takes none.
    """
    who = event.profile
    user: dict[str, Any] = {}
    if who.email and who.email.strip():
        user["email"] = who.email
    own = who.vendor_ids.get(SLUG) if who.vendor_ids else None
    if own is not None:
        _put_id(own, user, lost)
    if not user:
        raise EncodeError("Vibetrace needs an e-mail address or its own id of the person, and the event has neither")
    if kept.all.get("bare_user") and "_id" in user:
        user.pop("email", None)
    more = kept.all.get("user")
    return {**more, **user} if isinstance(more, dict) else user


def _put_id(own: str, user: dict[str, Any], lost: list[Loss]) -> None:
    path = f"profile.vendor_ids.{SLUG}"
    if not own:
        lost.append(Loss(0, path, "dropped", "An empty id names nobody."))
    elif is_minted(own):
        lost.append(Loss(0, path, "dropped", "The gateway made this id up; Vibetrace does not know it."))
    else:
        user["_id"] = own


def report_envelope(event: Event, lost: list[Loss]) -> None:
    """Report what no call of Vibetrace's carries: times, keys, other vendors' residue, tokens, other ids."""
    if event.occurred_at is not None:
        reason = "Vibetrace takes no times: an event counts from its arrival there."
        lost.append(Loss(0, "occurred_at", "dropped", reason))
    if event.dedupe_key is not None:
        lost.append(Loss(0, "dedupe_key", "dropped", "Vibetrace has no place for a client's own key."))
    who = event.profile
    if who.push_tokens:
        lost.append(Loss(0, "profile.push_tokens", "dropped", "Vibetrace's API takes no push tokens."))
    for vendor in who.vendor_ids or ():
        if vendor != SLUG:
            reason = f"An id of {vendor}'s means nothing to Vibetrace."
            lost.append(Loss(0, f"profile.vendor_ids.{vendor}", "dropped", reason))
    if event.residue:
        _report_residue(event, lost)


def _report_residue(event: Event, lost: list[Loss]) -> None:
    for vendor, held in event.residue.items():
        if vendor != SLUG and held:
            lost.append(Loss(0, f"residue.{vendor}", "dropped", f"Only {vendor} knows what it means."))
        elif is_native(event):
            reason = "It belongs to the call that it came with."
            lost += [Loss(0, f"residue.{SLUG}.{key}", "dropped", reason) for key in _OF_OTHER_CALLS if held.get(key)]


_OF_OTHER_CALLS: Final = ("path", "unread")
