"""Runs the rules: decides at accept, transforms at delivery."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from gateway.decision import UNROUTED, Decision
from gateway.errors import EncodeError
from gateway.event import Event, Kind
from gateway.routing.entries import Policy, RequireEntry
from gateway.routing.index import NameIndex
from gateway.routing.rules import Rule, Send

_MEMO: Final = 10_000
"""Decisions remembered by (source, kind, name); names come from clients, so the memory is bounded."""
_LONGEST_NAME: Final = 256
"""Characters of a name that is remembered."""

SPLIT: Final = "split"
SUPPRESSED: Final = "suppressed"
NOBODY: Final = "\x00"
"""A target that no rule sends to: the rule that drops its event is the one that ended the search."""


class Plan(NamedTuple):
    """What has to be asked of each event of one source, kind and name: rules, in their order."""

    rules: tuple[Rule, ...]
    conditions: tuple[tuple[int, Callable[[Event], Any]], ...]
    """A bit for each condition, and the condition."""
    decisions: dict[int, Decision] | None
    """By the bits of the conditions that hold; None where more than conditions decides."""


class Step(NamedTuple):
    """Where an event goes before and after one rule is asked, `NOBODY` among its targets."""

    rule: Rule
    before: Decision
    after: Decision

    @property
    def had_a_say(self) -> bool:
        """Whether the rule changed what becomes of the event at any target."""
        return self.before.deliver != self.after.deliver or self.before.drop[:-1] != self.after.drop[:-1]


class Router:
    """The rules of one configuration.

    For each target the first rule that fits and names it holds; a rule with `drop` ends the search.
    """

    def __init__(self, rules: Sequence[Rule], targets: Iterable[str]) -> None:
        self.targets = tuple(targets)
        self._rules = tuple(rules)
        self._excluding = {number for number, rule in enumerate(rules) if rule.match.not_ is not None}
        self._sends: dict[tuple[str, str], Send] = {}
        self._requires = {rule.name: rule.require for rule in rules if rule.require is not None}
        for rule in rules:
            self._sends |= {(rule.name, send.target): send for send in rule.sends}
        self._memo: dict[tuple[str, Kind, str], Decision | Plan] = {}
        self._indexes: dict[tuple[str, Kind], NameIndex] = {}
        self._by_rules: dict[tuple[int, ...], Decision | Plan] = {}
        self._same: dict[Decision, Decision] = {}

    def decide(self, event: Event) -> Decision:
        """Return where an event goes; equal decisions are the same object."""
        key = (event.source.name, event.kind, event.name)
        known = self._memo.get(key)
        if known is None:
            known = self._remember(key)
        return known if type(known) is Decision else self._ask(known, event)  # type: ignore[arg-type]  # the other one

    def _remember(self, key: tuple[str, Kind, str]) -> Decision | Plan:
        source, kind, name = key
        index = self._indexes.get((source, kind))
        if index is None:
            index = self._indexes[source, kind] = self._index(source, kind)
        numbers = index.fitting(name)
        if not self._excluding.isdisjoint(numbers):
            numbers = tuple(number for number in numbers if self._rules[number].fits(source, kind, name))
        found = self._by_rules.get(numbers)
        if found is None:
            found = self._planned(numbers)
        if len(name) <= _LONGEST_NAME:
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[key] = found
        return found

    def _fitting(self, key: tuple[str, Kind, str]) -> tuple[int, ...]:
        """Return the numbers of the rules that are for a source, kind and name, in order."""
        source, kind, name = key
        index = self._indexes.get((source, kind))
        if index is None:
            index = self._indexes[source, kind] = self._index(source, kind)
        numbers = index.fitting(name)
        if any(self._rules[number].match.not_ is not None for number in numbers):
            numbers = tuple(number for number in numbers if self._rules[number].fits(source, kind, name))
        return numbers

    def _index(self, source: str, kind: Kind) -> NameIndex:
        rules = enumerate(self._rules)
        return NameIndex((number, rule.match.name) for number, rule in rules if rule.is_for(source, kind))

    def _planned(self, numbers: tuple[int, ...]) -> Decision | Plan:
        """Return the decision of these rules, or what has to be asked of each event; and remember it."""
        rules = tuple(_up_to_the_end(self._rules[number] for number in numbers))
        plain = all(rule.plain for rule in rules)
        found = self._same_as(_decided(rules, None, self.targets)) if plain else _plan(rules)
        if len(self._by_rules) >= _MEMO:
            self._by_rules.clear()
        self._by_rules[numbers] = found
        return found

    def _ask(self, plan: Plan, event: Event) -> Decision:
        known = plan.decisions
        if known is None:
            return self._same_as(_decided(plan.rules, event, self.targets))
        holding = 0
        for bit, condition in plan.conditions:
            if condition(event):
                holding |= bit
        found = known.get(holding)
        if found is None:
            if len(known) >= _MEMO:
                known.clear()
            found = known[holding] = self._same_as(_decided(plan.rules, event, self.targets))
        return found

    def _same_as(self, decision: Decision) -> Decision:
        if len(self._same) >= _MEMO:
            self._same.clear()
        return self._same.setdefault(decision, decision)

    def transform(self, event: Event, rule: str, target: str) -> Event:
        """Return the event as the rule changes it for the target.

        Raises:
            EncodeError: the rule is gone, so that nobody knows what it would have taken out; or a change fails.
        """
        for change in self._send(rule, target).changes:
            event = change(event)
        return event

    def _send(self, rule: str, target: str) -> Send:
        send = self._sends.get((rule, target))
        if send is None:
            raise EncodeError(f"the rule {rule!r} no longer sends to {target!r}; route it anew or drop it")
        return send

    def stages(self, event: Event, rule: str, target: str) -> Iterator[Event]:
        """Yield the event after each change of `transform`.

        Raises:
            EncodeError: as `transform` does, once the changes before are told.
        """
        for change in self._send(rule, target).changes:
            event = change(event)
            yield event

    def steps(self, event: Event) -> Iterator[Step]:
        """Yield where the event goes by the rules up to each: what `decide` would say of these alone, told slowly."""
        targets = (*self.targets, NOBODY)
        fitting = frozenset(self._fitting((event.source.name, event.kind, event.name)))
        asked: list[Rule] = []
        before = _decided(asked, event, targets)
        for number, rule in enumerate(self._rules):
            after = before
            if number in fitting:
                asked.append(rule)
                after = _decided(asked, event, targets)
            yield Step(rule, before, after)
            before = after

    def policies(self, rule: str, target: str) -> Mapping[str, Policy]:
        """Return what a rule wants done about losses, by path; empty when nothing."""
        send = self._sends.get((rule, target))
        return {} if send is None else send.on_loss

    def required(self, rule: str) -> RequireEntry | None:
        """Return the permission that a rule asks for."""
        return self._requires.get(rule)

    @property
    def minds_losses(self) -> bool:
        """Whether any rule wants anything done about losses."""
        return any(policy != "allow" for send in self._sends.values() for policy in send.on_loss.values())


def _plan(rules: tuple[Rule, ...]) -> Plan:
    asking = [rule.where for rule in rules if rule.where is not None]
    conditions = tuple((1 << number, where.run) for number, where in enumerate(asking))
    only_conditions = all(rule.split is None and rule.suppressed is None for rule in rules)
    return Plan(rules, conditions, {} if only_conditions else None)


def _up_to_the_end(rules: Iterable[Rule]) -> Iterable[Rule]:
    """Yield rules up to the first that drops whatever comes to it."""
    for rule in rules:
        yield rule
        if rule.drop is not None and rule.plain and not rule.otherwise:
            return


def _decided(rules: Sequence[Rule], event: Event | None, targets: Sequence[str]) -> Decision:
    """Return where rules send an event; without one, where they send any."""
    deliver: dict[str, str] = {}
    held: dict[str, str] = {}
    dropped_by = UNROUTED
    for rule in rules:
        if rule.otherwise and (deliver or held):
            continue
        if event is not None and rule.where is not None and not rule.where.run(event):
            continue
        if rule.drop is not None:
            dropped_by = rule.name
            break
        _send(rule, event, deliver, held)
    drop = tuple((target, held.get(target, dropped_by)) for target in targets if target not in deliver)
    return Decision(tuple(deliver.items()), drop)


def _send(rule: Rule, event: Event | None, deliver: dict[str, str], held: dict[str, str]) -> None:
    """Give the rule's targets the event, or hold it back from them by name, unless an earlier rule did either."""
    suppressed = event is not None and rule.suppressed is not None and event in rule.suppressed
    chosen = rule.split.choose(event) if event is not None and rule.split is not None else None
    for send in rule.sends:
        target = send.target
        if target in deliver or target in held:
            continue
        if suppressed:
            held[target] = f"{rule.name}: {SUPPRESSED}"
        elif chosen is not None and rule.split is not None and target in rule.split.targets and target != chosen:
            held[target] = f"{rule.name}: {SPLIT}"
        else:
            deliver[target] = rule.name
