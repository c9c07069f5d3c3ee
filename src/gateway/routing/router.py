"""Runs the rules: decides at accept, transforms at delivery."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from gateway.decision import UNROUTED, Decision
from gateway.errors import EncodeError
from gateway.event import Event, Kind
from gateway.routing.index import NameIndex
from gateway.routing.paths import Change, Path
from gateway.routing.rules import Patterns, Rule, Send

_MEMO: Final = 10_000
"""Decisions remembered by (source, kind, name); names come from clients, so the memory is bounded."""
_LONGEST_NAME: Final = 256
"""Characters of a name that is remembered."""


class Router:
    """The rules of one configuration, compiled.

    For each target the first rule that fits and names it holds; a rule with `drop` ends the search.

    Raises:
        ValueError: on construction, when a path or a literal of a rule is wrong (check with `problems_of` first).
    """

    def __init__(self, rules: Sequence[Rule], targets: Iterable[str]) -> None:
        self.targets = tuple(targets)
        self._rules = [_Compiled(rule) for rule in rules]
        self._changes = {(rule.name, send.target): _changes(send) for rule in rules for send in rule.sends()}
        self._memo: dict[tuple[str, Kind, str], Decision] = {}
        self._indexes: dict[tuple[str, Kind], NameIndex] = {}
        self._by_rules: dict[tuple[int, ...], Decision] = {}
        self._same: dict[Decision, Decision] = {}

    def decide(self, event: Event) -> Decision:
        """Return where an event goes; equal decisions are the same object."""
        key = (event.source.name, event.kind, event.name)
        known = self._memo.get(key)
        return self._remember(key) if known is None else known

    def _remember(self, key: tuple[str, Kind, str]) -> Decision:
        source, kind, name = key
        index = self._indexes.get((source, kind))
        if index is None:
            index = self._indexes[source, kind] = self._index(source, kind)
        numbers = index.fitting(name)
        decision = self._by_rules.get(numbers)
        if decision is None:
            decision = self._decided(numbers)
        if len(name) <= _LONGEST_NAME:
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[key] = decision
        return decision

    def _index(self, source: str, kind: Kind) -> NameIndex:
        rules = enumerate(self._rules)
        return NameIndex((number, rule.names) for number, rule in rules if rule.fits(source, kind))

    def _decided(self, numbers: tuple[int, ...]) -> Decision:
        """Return the decision of these rules, in their order, and remember it."""
        decision = self._decide([self._rules[number] for number in numbers])
        decision = self._same.setdefault(decision, decision)
        if len(self._by_rules) >= _MEMO:
            self._by_rules.clear()
        self._by_rules[numbers] = decision
        return decision

    def _decide(self, rules: Iterable["_Compiled"]) -> Decision:
        deliver: dict[str, str] = {}
        dropped_by = UNROUTED
        for rule in rules:
            if rule.drops:
                dropped_by = rule.name
                break
            for target in rule.targets:
                deliver.setdefault(target, rule.name)
        drop = tuple((target, dropped_by) for target in self.targets if target not in deliver)
        return Decision(tuple(deliver.items()), drop)

    def transform(self, event: Event, rule: str, target: str) -> Event:
        """Return the event as the rule changes it for the target.

        Raises:
            EncodeError: the rule is gone, so that nobody knows what it would have taken out.
        """
        changes = self._changes.get((rule, target))
        if changes is None:
            raise EncodeError(f"the rule {rule!r} no longer sends to {target!r}; route it anew or drop it")
        for change in changes:
            event = change(event)
        return event


class _Compiled:
    def __init__(self, rule: Rule) -> None:
        match = rule.match
        self.name = rule.name
        self.drops = rule.drop is not None
        self.targets = tuple(send.target for send in rule.sends())
        self.names = match.name
        self._source = match.source
        self._kinds = None if match.kind is None else {match.kind} if isinstance(match.kind, str) else set(match.kind)

    def fits(self, source: str, kind: Kind) -> bool:
        return (self._source is None or _fits(self._source, source)) and (self._kinds is None or kind in self._kinds)


def _fits(patterns: Patterns, text: str) -> bool:
    several = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatchcase(text, pattern) for pattern in several)


def _changes(send: Send) -> list[Change]:
    changes: list[Change] = [_rename(Path(old), Path(new)) for old, new in send.rename.items()]
    changes += [Path(path).drop for path in send.drop]
    changes += [_set(Path(path), value) for path, value in send.set.items()]
    if send.name is not None:
        changes.append(_set(Path("name"), send.name))
    return changes


def _rename(old: Path, new: Path) -> Change:
    def rename(event: Event) -> Event:
        value = old.get(event)
        if value is None:
            return event
        try:
            return new.set(old.drop(event), _fitted(new, value))
        except msgspec.ValidationError as error:
            raise EncodeError(f"{old.text} cannot become {new.text}: {error}") from None

    return rename


def _set(path: Path, literal: Any) -> Change:
    value = checked_literal(path, literal)
    return lambda event: path.set(event, value)


def checked_literal(path: Path, literal: Any) -> Any:
    """Return a literal as the type of its place.

    Raises:
        ValueError: it cannot be one.
    """
    try:
        return _fitted(path, literal)
    except msgspec.ValidationError as error:
        detail = str(error)
        raise ValueError(f"{path.text!r} cannot be {literal!r}: {detail[0].lower()}{detail[1:]}") from None


def _fitted(path: Path, value: Any) -> Any:
    """Return a value as the type of its place; a number may become text, and a text a number."""
    if path.type is Any:
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = repr(value)
    return msgspec.convert(value, path.type, strict=False)
