"""The flat object an event is written into, and what was set aside of an event that came from Blueshift."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.adapter import Event, Loss

from .wire import SLUG

_NOTHING: Final[Mapping[str, Any]] = {}

OF_PERSONS: Final = ("identify", "group")
"""Kinds that become Blueshift's identify."""
BECOMES_TRAIT: Final = "On an identify Blueshift takes it for an attribute of the person."
BECOMES_PROPERTY: Final = "On any event but identify Blueshift takes it for an attribute of the event."


class Written(Struct, frozen=True):
    """A flat object and what is to be said of it."""

    body: dict[str, Any]
    lost: list[Loss]


class Kept(Struct, frozen=True):
    """What was set aside when the event came in, if it came from Blueshift."""

    all: Mapping[str, Any]
    raw: dict[str, Any]
    keep: Mapping[str, Any]
    native: bool


def kept_of(event: Event) -> Kept:
    """Return what a Blueshift decoder set aside of an event; nothing where another vendor's did."""
    own = event.residue.get(SLUG) or _NOTHING
    if own is _NOTHING:
        return _OWN if event.source.vendor == SLUG else _FOREIGN
    raw, keep = own.get("raw"), own.get("keep")
    return Kept(
        own,
        raw if isinstance(raw, dict) else {},
        keep if isinstance(keep, dict) else _NOTHING,
        event.source.vendor == SLUG,
    )


_OWN: Final = Kept(_NOTHING, {}, _NOTHING, native=True)
_FOREIGN: Final = Kept(_NOTHING, {}, _NOTHING, native=False)
