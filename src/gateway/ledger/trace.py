"""What each leaf of a request does: changed by itself, which parts of the events and of the requests out change."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from gateway.adapter import Event, Loss
from gateway.event import leaves as event_leaves
from gateway.ledger.changes import others
from gateway.ledger.payload import Leaf, Payload, Step, leaves

MANY: Final = 400
"""Leaves of a request beyond which its longest list is looked at one entry at a time."""
_OWN: Final = ("id", "received_at", "source")
"""Fields that the gateway gave the event."""


class _Gone(Enum):
    GONE = "gone"


PATH: Final = "{path}"
"""Stands for a request's own path."""
GONE: Final = _Gone.GONE
"""Stands for a value where there is none."""

Place = tuple[int, str]
"""Number of an event, and a path in it."""
Named = tuple[int, str, str]
"""Number of a request, a path in it, and what is there is called."""
P = TypeVar("P", Place, Named)


class Encoding(NamedTuple):
    """What becomes of some events at a vendor."""

    requests: Sequence[tuple[str, Any]]
    """Path with query, and the body as a JSON value."""
    losses: Mapping[int, Sequence[Loss]]
    """By the event's number."""


class Change(NamedTuple):
    """A place of the requests out that is another one since the leaf is."""

    path: str
    name: str
    """What the vendor calls it."""
    old: Any
    """`GONE` where there was none."""
    new: Any


class Trace(NamedTuple):
    """What one leaf does."""

    leaf: Leaf
    other: Any
    """The value that was put in its place."""
    needed: bool
    """Whether the vendor refuses the request with any other value that was tried."""
    touched: Mapping[Place, Any]
    """What of the events it says, with the values there; empty when it says nothing."""
    changes: Sequence[Change]
    """What of the requests out it says."""


Decode = Callable[[Payload], Sequence[Event] | None]
"""Returns the events of a request, with the same ids at every call; None when it is refused."""
Encode = Callable[[Sequence[Event]], Encoding]


def trace(payload: Payload, decode: Decode, encode: Encode) -> list[tuple[Sequence[Trace], Encoding, Sequence[Event]]]:
    """Return what each leaf does, in parts: large requests are looked at entry by entry.

    Each part holds traces, what becomes of the part's events, and these.
    """
    found: list[tuple[Sequence[Trace], Encoding, Sequence[Event]]] = []
    for part in _parts(payload, decode):
        events = decode(part.payload) or ()
        encoding = encode(events)
        before = _View(_said(events), _sent(encoding))
        traces = [_of_leaf(leaf, part, decode, encode, before) for leaf in part.leaves]
        found.append((traces, encoding, events))
    return found


class _View(NamedTuple):
    events: Mapping[Place, Any]
    requests: Mapping[Named, Any]


def _of_leaf(leaf: "_PartLeaf", part: "_Part", decode: Decode, encode: Encode, before: _View) -> Trace:
    refused = True
    silent: Trace | None = None
    for other in others(leaf.shown.value):
        try:
            events = decode(part.payload.changed(leaf.steps, other))
        except (TypeError, ValueError):  # a value that cannot stand there, such as a surrogate in a form
            continue
        if events is None:
            continue
        refused = False
        touched = _differing(before.events, _said(events))
        if touched:
            changes = _changes(before.requests, _sent(encode(events)))
            values = {place: before.events.get(place, GONE) for place in touched}
            found = Trace(leaf.shown, other, False, values, changes)
            if any(change.old is not GONE for change in changes):
                return found
            silent = silent or found
    return silent or Trace(leaf.shown, None, refused, {}, ())


def _said(events: Sequence[Event]) -> dict[Place, Any]:
    """Return the leaves of events by place."""
    found: dict[Place, Any] = {}
    for number, event in enumerate(events):
        tree = msgspec.to_builtins(event)
        for own in _OWN:
            tree.pop(own, None)
        found.update({(number, path): value for path, value in event_leaves(tree)})
    return found


def _sent(encoding: Encoding) -> dict[Named, Any]:
    """Return the leaves of requests by place and name."""
    found: dict[Named, Any] = {}
    for number, (path, body) in enumerate(encoding.requests):
        found[number, PATH, PATH] = path
        found.update({(number, leaf.path, leaf.name): leaf.value for leaf in leaves(body)})
    return found


def _differing(one: Mapping[P, Any], other: Mapping[P, Any]) -> list[P]:
    places = {**one, **other}
    return [place for place in places if not _identical(one.get(place, GONE), other.get(place, GONE))]


def _identical(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _changes(one: Mapping[Named, Any], other: Mapping[Named, Any]) -> list[Change]:
    """Return where requests differ."""
    return [Change(at[1], at[2], one.get(at, GONE), other.get(at, GONE)) for at in _differing(one, other)]


# --- parts -----------------------------------------------------------------------------------------------


class _PartLeaf(NamedTuple):
    shown: Leaf
    """As it stands in the whole request."""
    steps: tuple[Step, ...]
    """Where it stands in the part."""


class _Part(NamedTuple):
    payload: Payload
    leaves: Sequence[_PartLeaf]


def _parts(payload: Payload, decode: Decode) -> Iterator[_Part]:
    """Yield a request whole, or with one entry of its longest list at a time."""
    all_leaves = payload.leaves()
    at = _longest_list(payload.tree) if len(all_leaves) > MANY else None
    entries = None if at is None else _get(payload.tree, at)
    if at is None or entries is None or any(decode(payload.changed(at, [entry])) is None for entry in entries[:2]):
        yield _Part(payload, [_PartLeaf(leaf, leaf.steps) for leaf in all_leaves])
        return
    depth = len(at)
    for number, entry in enumerate(entries):
        within = [leaf for leaf in all_leaves if leaf.steps[:depth] == at and leaf.steps[depth] == number]
        beside = [leaf for leaf in all_leaves if leaf.steps[:depth] != at] if number == 0 else []
        own = [_PartLeaf(leaf, (*at, 0, *leaf.steps[depth + 1 :])) for leaf in within]
        yield _Part(payload.changed(at, [entry]), [_PartLeaf(leaf, leaf.steps) for leaf in beside] + own)


def _longest_list(value: Any, steps: tuple[Step, ...] = ()) -> tuple[Step, ...] | None:
    """Return where the longest list is that stands in objects alone."""
    found: list[tuple[int, tuple[Step, ...]]] = []

    def look(value: Any, steps: tuple[Step, ...]) -> None:
        if isinstance(value, list):
            found.append((len(value), steps))
        elif isinstance(value, dict):
            for key, inner in value.items():
                look(inner, (*steps, key))

    look(value, steps)
    longest = max(found, key=lambda one: one[0], default=(0, ()))
    return longest[1] if longest[0] > 1 else None


def _get(value: Any, steps: tuple[Step, ...]) -> Any:
    for step in steps:
        value = value[step]
    return value
