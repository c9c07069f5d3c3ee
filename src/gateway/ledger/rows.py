"""The ledger's rows: what a trace means, in words of a marketer."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.adapter import Adapter, Event, Loss, parse_time, parse_unix
from gateway.ledger.payload import Leaf, leaves
from gateway.ledger.trace import GONE, PATH, Change, Encoding, Place, Trace
from gateway.values import to_decimal

Outcome = Literal["carried", "renamed", "coerced", "dropped"]

_THIS_CENTURY: Final = 946_684_800
_MILLISECONDS: Final = 100_000_000_000
_ALIKE: Final = 0.6
"""Texts that share so much are forms of one another."""
_AS_KEY: Final = 0.95
"""How well a place fits whose key is the leaf's value: nearly as well as one that holds it."""
_LOOKED_AT: Final = 100
"""Characters of a text that are compared with those of another."""


class LedgerRow(Struct, frozen=True):
    """What happened to one leaf of the client's request."""

    event: str | None
    """Id of the first event that it is a part of; None for what belongs to no event."""
    path: str
    outcome: Outcome
    to: str | None
    """Its place in the request out."""
    reason: str | None


class Clerk:
    """Writes the rows of one translation.

    Args:
        credentials: values that are no part of what the client says.
    """

    def __init__(self, origin: Adapter, goal: Adapter, credentials: frozenset[str] = frozenset()) -> None:
        self._origin = origin
        self._goal = goal
        self._credentials = credentials

    def rows(self, traces: Sequence[Trace], encoding: Encoding, events: Sequence[Event]) -> Iterator[LedgerRow]:
        """Yield a row for each leaf."""
        for one in traces:
            number = min((place[0] for place in one.touched if place[0] < len(events)), default=None)
            outcome, to, reason = self._outcome(one, encoding)
            yield LedgerRow(None if number is None else events[number].id, one.leaf.path, outcome, to, reason)

    def _outcome(self, one: Trace, encoding: Encoding) -> tuple[Outcome, str | None, str | None]:
        if not one.touched:
            return self._silent(one, encoding)
        losses = [loss for number, path in _said_by(one) for loss in _of(encoding, number, path)]
        match = best(one)
        if match is None:
            return "dropped", None, self._why_dropped(one, losses)
        if _is_name(one) and not _score(one, match)[0]:
            return self._by_form(one)
        return self._carried(one, match, losses)

    def _by_form(self, one: Trace) -> tuple[Outcome, str | None, str | None]:
        """What a request says by its address, or by how it is built."""
        if any(change.path == PATH for change in one.changes):
            return "renamed", PATH, f"{self._goal.title}'s address says it."
        gone = [change.path for change in one.changes if change.new is GONE]
        place = _common(gone) or next(change.path for change in one.changes if change.old is not GONE)
        return "renamed", place, f"{self._goal.title} says it by {_key(place)}."

    def _silent(self, one: Trace, encoding: Encoding) -> tuple[Outcome, str | None, str | None]:
        """What says nothing of any event, or can be said in one way only."""
        if self._goal.slug == self._origin.slug and (place := _stands_in(one.leaf, encoding)):
            return "carried", place, None
        if isinstance(one.leaf.value, str) and one.leaf.value in self._credentials:
            return "dropped", None, "The account's credential: the target has its own."
        if _is_empty(one.leaf.value):
            return "dropped", None, EMPTY
        if one.needed:
            return "dropped", None, f"A part of {self._origin.title}'s request form: it says nothing of the event."
        return "dropped", None, f"{self._origin.title} gives it no meaning here."

    def _why_dropped(self, one: Trace, losses: Sequence[Loss]) -> str:
        if _is_empty(one.leaf.value):
            return EMPTY
        if losses:
            return losses[0].reason
        places = [path for (_, path), value in one.touched.items() if value is not GONE]
        if all(path.startswith(f"residue.{self._origin.slug}.raw.") for path in places):
            return "It repeats what another part of the request says."
        if all(path.startswith(f"residue.{self._origin.slug}") for path in places):
            return f"Only {self._origin.title} has a place for it."
        return undeclared(self._goal)

    def _carried(self, one: Trace, match: Change, losses: Sequence[Loss]) -> tuple[Outcome, str | None, str | None]:
        form = _form(one.leaf.value, match.old)
        coerced = next((loss.reason for loss in losses if loss.outcome == "coerced"), None)
        if coerced or (form and not _is_name(one)):
            return "coerced", match.path, coerced or form
        if form:
            return "renamed", match.path, f"{self._goal.title} calls it {match.old}."
        if match.name == one.leaf.name or _stands_as_key(one, match):
            return "carried", match.path, None
        told = next((loss.reason for loss in losses if loss.outcome == "renamed"), None)
        return "renamed", match.path, told or f"{self._goal.title} calls it {match.name}."


EMPTY: Final = "It is empty and says nothing."


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def undeclared(goal: Adapter) -> str:
    """Return the reason for a loss that the encoder did not tell of: a fault of the adapter's."""
    return f"{goal.title} has no place for it."


def _of(encoding: Encoding, number: int, path: str) -> list[Loss]:
    return [loss for loss in encoding.losses.get(number, ()) if covers(loss.path, path)]


def _said_by(one: Trace) -> list[Place]:
    """Return the places of the events that hold the leaf, or all that it touches where none does."""
    holding = [place for place, value in one.touched.items() if _likeness(one.leaf.value, value)]
    return sorted(holding or one.touched)


def covers(lost: str, path: str) -> bool:
    """Tell whether a loss at one path is a loss of what stands at another."""
    return not lost or path == lost or (path.startswith(lost) and path[len(lost)] in ".[")


def _is_name(one: Trace) -> bool:
    return any(path in ("name", "kind") for _, path in one.touched)


# --- where it went ---------------------------------------------------------------------------------------


def best(one: Trace) -> Change | None:
    """Return the place of the requests out that says the leaf, None when none does."""
    told = [change for change in one.changes if change.old is not GONE]
    return max(told, key=lambda change: _score(one, change), default=None)


def _score(one: Trace, change: Change) -> tuple[float, float, int]:
    """Return how well a place fits: by its value before and after, then by its name."""
    if _stands_as_key(one, change):
        return (_AS_KEY, 0.0, -len(change.path))
    near = _likeness(one.leaf.value, change.old) + 0.5 * _likeness(one.other, change.new)
    return (near, _ratio(change.name, one.leaf.name), -len(change.path))


def _stands_as_key(one: Trace, change: Change) -> bool:
    """Tell whether the leaf is the name of a value there: another name, and the value stands elsewhere."""
    return change.new is GONE and isinstance(one.leaf.value, str) and change.name == one.leaf.value


def _likeness(said: Any, sent: Any) -> float:
    if sent is GONE:
        return 0.0
    if type(said) is type(sent) and said == sent:
        return 1.0
    if _form(said, sent) is not None and _form(said, sent) != OTHER:
        return 0.9
    ratio = _ratio(str(said), str(sent))
    return ratio * 0.8 if ratio >= _ALIKE else 0.0


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower()[:_LOOKED_AT], other.lower()[:_LOOKED_AT]).ratio()


TO_NUMBER: Final = "Written as a number instead of text."
TO_TEXT: Final = "Written as text instead of a number."
SAME_TIME: Final = "The same moment, written in another way."
OTHER: Final = "Said in another way."


def _form(said: Any, sent: Any) -> str | None:
    """Return how a value is written otherwise; None when it is the same."""
    if sent is GONE or (type(said) is type(sent) and said == sent):
        return None
    number, other = to_decimal(said), to_decimal(sent)
    if number is not None and number == other:
        if isinstance(said, str) == isinstance(sent, str):
            return None
        return TO_NUMBER if isinstance(said, str) else TO_TEXT
    moment = _moment(said)
    return SAME_TIME if moment is not None and moment == _moment(sent) else OTHER


def _moment(value: Any) -> datetime | None:
    """Return the time that a value may mean: ISO 8601, or Unix seconds or milliseconds of this century."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    number = to_decimal(value)
    if number is None:
        return parse_time(value) if isinstance(value, str) else None
    seconds = float(number) / 1000 if number > _MILLISECONDS else float(number)
    return parse_unix(seconds) if seconds > _THIS_CENTURY else None


def _stands_in(leaf: Leaf, encoding: Encoding) -> str | None:
    """Return where the same is said under the same name, whatever it is a part of."""
    sent = (one for _, body in encoding.requests for one in leaves(body))
    return next((one.path for one in sent if one.name == leaf.name and one.value == leaf.value), None)


def _common(paths: Sequence[str]) -> str:
    """Return what all paths lie in, below the outermost key."""
    if not paths:
        return ""
    steps = [path.split(".") for path in paths]
    shared = [step[0] for step in zip(*steps, strict=False) if len(set(step)) == 1]
    return ".".join(shared) if len(shared) > 1 else ""


def _key(path: str) -> str:
    return path.rpartition(".")[2].split("[")[0]
