"""Where an event goes: decided once, at accept, and stored with it."""

from msgspec import Struct

UNROUTED = "(no rule)"
"""The name under which a target counts events that no rule sent to it."""


class Decision(Struct, frozen=True):
    """The fate of one event at every configured target.

    A router returns the same object for the same outcome, so that a log can store it once.
    """

    deliver: tuple[tuple[str, str], ...] = ()
    """(target, rule) of each target that shall receive the event."""
    drop: tuple[tuple[str, str], ...] = ()
    """(target, rule) of each target that shall not: the rule that says so, or `UNROUTED`."""
