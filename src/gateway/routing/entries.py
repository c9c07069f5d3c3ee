"""A route file as it is written; `gateway.routing.rules` says what it means."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from gateway.event import Kind

Patterns = str | list[str]
"""A text, a glob (``Order *``), or a list of them of which one must fit."""
Policy = Literal["allow", "warn", "refuse"]


class NotMatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Which events a rule is not for: those that fit any of these."""

    source: Patterns | None = None
    kind: Kind | list[Kind] | None = None
    name: Patterns | None = None


class Match(Struct, frozen=True, forbid_unknown_fields=True):
    """Which events a rule is for; what is left out fits everything."""

    source: Patterns | None = None
    kind: Kind | list[Kind] | None = None
    name: Patterns | None = None
    not_: NotMatch | None = field(default=None, name="not")


class MapEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """Values for values."""

    values: dict[str, Any]
    """What is found, as text, and what stands there instead."""
    default: Any | UnsetType = UNSET
    """What stands there instead of any other value; left out: the value stays."""


class EachEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """Changes of every line item, in the order in which they are written; paths are those of one item."""

    set: dict[str, Any] = {}
    rename: dict[str, str] = {}
    drop: list[str] = []
    keep: list[str] = []
    hash: list[str] = []
    mask: list[str] = []
    map: dict[str, MapEntry] = {}


class SendEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One target of a rule, and what is changed for it, in the order in which it is written."""

    target: str
    name: str | None = None
    """The event's new name."""
    set: dict[str, Any] = {}
    """Path -> a literal, ``{expr: …}``, or ``{from: path, default: …}``."""
    rename: dict[str, str] = {}
    """Path -> path: the value moves."""
    drop: list[str] = []
    """Paths that are taken out."""
    keep: list[str] = []
    """The only paths that stay; `id`, `kind`, `name` and times always do."""
    hash: list[str] = []
    """Paths whose texts become their SHA-256, normalised first as vendors ask: e-mail trimmed and in lower case,
    phone as E.164."""
    mask: list[str] = []
    """Paths whose texts are blotted out but for a hint."""
    map: dict[str, MapEntry] = {}
    """Path -> values for values."""
    each: EachEntry | None = None
    """Changes of every line item."""
    on_loss: Policy | dict[str, Policy] = "allow"
    """What to do when the target cannot be told everything; also by path, ``*`` for the others."""


class SplitEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One of several targets for each profile, always the same one."""

    percent: dict[str, float]
    """Target -> its share; together 100."""
    by: Literal["profile", "user_id", "email", "phone", "anonymous_id"] = "profile"
    """What a profile is known by: its strongest identifier, or a certain one where every event has it."""


class RequireEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A permission that must have been given."""

    channel: str
    group: str | None = None
    unknown: Literal["withhold", "allow"] = "withhold"
    """What to do with a profile of which no permission is known."""


class RuleEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """Events that fit go to `to`, or nowhere when there is a `drop`."""

    name: str
    match: Match = Match()
    where: str | None = None
    """An expression over `event` that has to be true."""
    otherwise: bool = False
    """Only for events for which no rule before it had a place."""
    to: str | SendEntry | list[str | SendEntry] | None = None
    drop: str | None = None
    """Why these events go nowhere; later rules do not see them."""
    split: SplitEntry | None = None
    require: RequireEntry | None = None
    suppress: str | list[str] | None = None
    """Files with e-mail addresses, phone numbers or user ids, one in a line, whose events are withheld."""
    examples: list["ExampleEntry"] = []


class ExampleEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule is to do with one event."""

    given: dict[str, Any]
    """A canonical event, or ``{file: PATH, source: NAME}``: a vendor's request at a source."""
    sends: dict[str, Any] = {}
    """Target -> what the event for it holds, or the request to it; ``null`` for nothing at all."""
    exactly: dict[str, Any] = {}
    """The same, to the last field."""
    name: str | None = None
