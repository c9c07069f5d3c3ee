"""A route file as it is written."""

from typing import Any

from msgspec import Struct

from gateway.event import Kind

Patterns = str | list[str]
"""A text, a glob (``Order *``), or a list of them of which one must fit."""


class Match(Struct, frozen=True, forbid_unknown_fields=True):
    """Which events a rule is for; what is left out fits everything."""

    source: Patterns | None = None
    kind: Kind | list[Kind] | None = None
    name: Patterns | None = None


class Send(Struct, frozen=True, forbid_unknown_fields=True):
    """One target of a rule, and what is changed for it: `rename`, `drop`, `set`, `name`, in this order."""

    target: str
    rename: dict[str, str] = {}
    """Path -> path: the value moves."""
    drop: list[str] = []
    """Paths that are taken out."""
    set: dict[str, Any] = {}
    """Path -> literal."""
    name: str | None = None
    """The event's new name."""


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """Events that fit `match` go to `to`, or nowhere when there is a `drop`."""

    name: str
    match: Match = Match()
    to: str | list[str | Send] | None = None
    drop: str | None = None
    """Why these events go nowhere; later rules do not see them."""

    def sends(self) -> list[Send]:
        """Return the targets in one form."""
        to = [self.to] if isinstance(self.to, str) else self.to or []
        return [Send(entry) if isinstance(entry, str) else entry for entry in to]
