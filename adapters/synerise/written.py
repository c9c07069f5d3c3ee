"""What an encoder works with: what was set aside of an event, and the report of what did not go across unchanged."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.adapter import Event, Loss

from .wire import SLUG

_NOTHING: Final[Mapping[str, Any]] = {}
_NO_RAW: Final[dict[str, Any]] = {}


class Kept(Struct, frozen=True):
    """The residue of an event, if it came from Synerise."""

    all: Mapping[str, Any]
    raw: dict[str, Any]
    native: bool

    def part(self, name: str) -> Mapping[str, Any]:
        """Return an object in the residue, an empty one when there is none."""
        found = self.all.get(name)
        return found if isinstance(found, dict) else _NOTHING


def kept_of(event: Event) -> Kept:
    """Return what a Synerise decoder set aside of an event; nothing where another vendor's did."""
    native = event.source.vendor == SLUG
    own = event.residue.get(SLUG) if native else None
    if not own:
        return _OWN if native else _FOREIGN
    raw = own.get("raw")
    return Kept(own, raw if isinstance(raw, dict) else _NO_RAW, native)


_OWN: Final = Kept(_NOTHING, _NO_RAW, native=True)
_FOREIGN: Final = Kept(_NOTHING, _NO_RAW, native=False)


class Report:
    """Collects the losses of one event."""

    __slots__ = ("lost",)

    def __init__(self) -> None:
        self.lost: list[Loss] = []

    def dropped(self, path: str, reason: str) -> None:
        """Report a leaf, or all below it, that is not sent."""
        self.lost.append(Loss(0, path, "dropped", reason))

    def renamed(self, path: str, reason: str, to: str) -> None:
        """Report a leaf that goes to another place than its own."""
        self.lost.append(Loss(0, path, "renamed", reason, to))

    def coerced(self, path: str, reason: str, to: str | None = None) -> None:
        """Report a leaf whose value is changed."""
        self.lost.append(Loss(0, path, "coerced", reason, to))


def report_residue(event: Event, report: Report) -> None:
    """Report what only other vendors understand."""
    for vendor, kept in event.residue.items():
        if vendor != SLUG:
            for key in kept:
                if key != "raw":
                    report.dropped(f"residue.{vendor}.{key}", f"Only {vendor} understands it.")


class Written(Struct, frozen=True):
    """One item of a request and what is to be said of it."""

    body: dict[str, Any]
    lost: list[Loss]
