"""What no example tries and no event reaches: told from the rules alone, only where it can be shown."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import NamedTuple

from msgspec import Struct

from gateway.adapter import Adapter
from gateway.event import KINDS, Kind
from gateway.rehearsal.running import Result
from gateway.routing import Rule
from gateway.routing.rules import is_glob


class Unreachable(Struct, frozen=True):
    """A rule that no event can have a say by."""

    rule: str
    by: tuple[str, ...]
    """The earlier rules that hold before it; empty when no configured source can send what it is for."""


class OddName(Struct, frozen=True):
    """A name in a rule's `match` that no vendor of its sources is known to use. A client's own names are fine."""

    rule: str
    name: str
    comes_in_as: str | None
    """What events of that name are called once they are decoded, where the name is a vendor's own."""
    near: tuple[str, ...]
    """Known names that are nearly the same."""


class Coverage(Struct, frozen=True):
    """What is not tried, or cannot be."""

    rules_without_example: tuple[str, ...]
    """Rules that no example reaches."""
    unreachable_rules: tuple[Unreachable, ...]
    targets_without_rule: tuple[str, ...]
    sources_without_rule: tuple[str, ...]
    odd_names: tuple[OddName, ...]


def coverage(
    rules: Sequence[Rule], sources: Mapping[str, Adapter], targets: Sequence[str], results: Sequence[Result]
) -> Coverage:
    """Return what is not covered.

    Args:
        sources: by name, the adapter of each.
        results: of the examples.
    """
    reached = {rule for result in results for rule in result.reached}
    unreachable = tuple(_unreachable(rules, list(sources), targets))
    useless = {one.rule for one in unreachable}
    sent_to = {send.target for rule in rules if rule.name not in useless for send in rule.sends}
    return Coverage(
        tuple(rule.name for rule in rules if rule.name not in reached),
        unreachable,
        tuple(target for target in targets if target not in sent_to),
        tuple(source for source in sources if not any(_is_for(rule, source) for rule in rules)),
        tuple(odd for rule in rules for odd in _odd_names(rule, sources)),
    )


def _is_for(rule: Rule, source: str) -> bool:
    return any(source in cell for cell in _cells(rule, [source]))


# --- rules that nothing reaches --------------------------------------------------------------------------


class _Cell(NamedTuple):
    """Events of one source and kind."""

    source: str
    kind: Kind


def _cells(rule: Rule, sources: Sequence[str]) -> frozenset[_Cell]:
    """Return which sources and kinds a rule is for, whatever the name."""
    without = rule.match.not_
    return frozenset(
        _Cell(source, kind)
        for source in sources
        for kind in KINDS
        if rule.is_for(source, kind)
        and not (without and _one_fits(without.source, source))
        and not (without and _one_fits(without.kind, kind))
    )


def _unreachable(rules: Sequence[Rule], sources: Sequence[str], targets: Sequence[str]) -> Iterator[Unreachable]:
    """Yield the rules before which others always hold: an earlier `drop`, or earlier rules for all their targets."""
    earlier: dict[_Cell, list[Rule]] = {}
    for rule in rules:
        cells = _cells(rule, sources)
        groups = {tuple(map(id, several)): several for several in (earlier.get(cell, []) for cell in cells)}
        shadows = _shadows(rule, list(groups.values()), targets)
        if shadows is not None:
            yield Unreachable(rule.name, tuple(one.name for one in rules if one.name in shadows))
        if rule.where is None:
            for cell in cells:
                earlier.setdefault(cell, []).append(rule)


def _shadows(rule: Rule, groups: Sequence[Sequence[Rule]], targets: Sequence[str]) -> set[str] | None:
    """Return the rules that together always hold before a rule; None when it can have a say.

    Args:
        groups: for the sources and kinds that the rule is for, the earlier rules without a condition, in order.
    """
    found: set[str] = set()
    for earlier in groups:
        for name in _names(rule):
            shadow = _shadow(rule, name, earlier, targets)
            if shadow is None:
                return None
            found.update(shadow)
    return found


def _names(rule: Rule) -> list[str]:
    """Return the patterns of the names that a rule is for, but for texts that its `not` excludes."""
    asked, without = rule.match.name, rule.match.not_
    several = ["*"] if asked is None else [asked] if isinstance(asked, str) else asked
    return [name for name in several if is_glob(name) or not (without and _one_fits(without.name, name))]


def _shadow(rule: Rule, name: str, earlier: Sequence[Rule], targets: Sequence[str]) -> list[str] | None:
    """Return the rules that always hold before a rule for the names of a pattern; None when it can have a say."""
    holding = [one for one in earlier if _covers(one, rule, name)]
    always = [one for one in holding if not one.otherwise]
    dropping = next((one for one in always if one.drop is not None), None)
    if dropping is not None:
        return [dropping.name]
    if rule.otherwise:
        taking = [one for one in holding if one.sends or one.drop is not None]
        return [taking[0].name] if taking else None
    wanted = [send.target for send in rule.sends] if rule.drop is None else list(targets)
    takers = {send.target: one.name for one in reversed(always) for send in one.sends}
    if not wanted or not takers.keys() >= set(wanted):
        return None
    return [takers[target] for target in wanted]


def _covers(earlier: Rule, rule: Rule, name: str) -> bool:
    """Tell whether every event under a name of a rule fits an earlier rule of the same source and kind, surely."""
    asked = earlier.match.name
    several = ["*"] if asked is None else [asked] if isinstance(asked, str) else asked
    if not any(_includes(pattern, name) for pattern in several):
        return False
    excluded = earlier.match.not_.name if earlier.match.not_ else None
    mine = rule.match.not_.name if rule.match.not_ else None
    return not excluded or all(_stays_out(pattern, name, mine) for pattern in _several(excluded))


def _stays_out(excluded: str, name: str, mine: str | list[str] | None) -> bool:
    """Tell whether nothing of what an earlier rule excludes is among the names of a rule."""
    if not is_glob(name):
        return not fnmatchcase(name, excluded)
    return any(_includes(pattern, excluded) for pattern in _several(mine))


def _includes(wide: str, narrow: str) -> bool:
    """Tell whether a pattern surely fits every name that another one fits."""
    if wide in ("*", narrow):
        return True
    if not is_glob(narrow):
        return fnmatchcase(narrow, wide)
    head = wide[:-1]
    return wide.endswith("*") and not is_glob(head) and narrow.startswith(head)


def _several(patterns: str | list[str] | None) -> list[str]:
    return [patterns] if isinstance(patterns, str) else patterns or []


def _one_fits(patterns: str | Sequence[str] | None, value: str) -> bool:
    several = [patterns] if isinstance(patterns, str) else patterns or ()
    return any(fnmatchcase(value, pattern) for pattern in several)


# --- names that nobody uses ------------------------------------------------------------------------------


def _odd_names(rule: Rule, sources: Mapping[str, Adapter]) -> Iterator[OddName]:
    adapters = {sources[cell.source].slug: sources[cell.source] for cell in sorted(_cells(rule, list(sources)))}
    if not adapters:
        return
    known = {shape.name for adapter in adapters.values() for shape in adapter.vocabulary.shapes()}
    known |= {kind.capitalize() for kind in KINDS if kind != "track"}
    for name in _several(rule.match.name):
        if name in known or any(fnmatchcase(one, name) for one in known):
            continue
        renamed = (adapter.vocabulary.decode(name).name for adapter in adapters.values())
        comes_in_as = next((one for one in renamed if one != name), None)
        yield OddName(rule.name, name, comes_in_as, tuple(get_close_matches(name, sorted(known), n=3, cutoff=0.6)))
