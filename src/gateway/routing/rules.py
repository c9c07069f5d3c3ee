"""What the rules of a route file mean: compiled, and every problem of theirs found on the way."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from gateway.event import Kind
from gateway.expressions import Expression
from gateway.routing.changes import Report, Wrong, compiled, of_send
from gateway.routing.entries import (
    ExampleEntry,
    Match,
    NotMatch,
    Patterns,
    Policy,
    RequireEntry,
    RuleEntry,
    SendEntry,
)
from gateway.routing.paths import Change, LossPath
from gateway.routing.split import Split, wrong_shares
from gateway.routing.suppression import Suppressed, SuppressionError, read_suppressed
from gateway.shape_check import unknown

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


class Send(Struct, frozen=True):
    """One target of a rule."""

    target: str
    changes: tuple[Change, ...] = ()
    name: str | None = None
    """What the event is called there, where the rule says so."""
    on_loss: Mapping[str, Policy] = {}
    """Path -> what to do when it is lost; ``*`` for the others."""


class Misfit(NamedTuple):
    """One part of a `match` by which an event is not for a rule."""

    part: str
    """``source``, ``kind``, ``name``; with ``not.`` before it where the rule is for all others."""
    value: str
    """What the event has there."""
    patterns: Patterns | list[Kind]


class Rule(Struct, frozen=True):
    """One rule, ready to be used."""

    name: str
    match: Match
    sends: tuple[Send, ...]
    where: Expression | None = None
    otherwise: bool = False
    drop: str | None = None
    split: Split | None = None
    require: RequireEntry | None = None
    suppressed: Suppressed | None = None
    examples: tuple[ExampleEntry, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether source, kind and name alone decide."""
        return self.where is None and self.split is None and self.suppressed is None

    def is_for(self, source: str, kind: Kind) -> bool:
        """Tell whether the rule may be for events of a source and kind, under some name."""
        return _one_fits(self.match.source, source) and _one_fits(self.match.kind, kind)

    def fits(self, source: str, kind: Kind, name: str) -> bool:
        """Tell whether the rule is for events of a source, kind and name."""
        return next(self.misfits(source, kind, name), None) is None

    def misfits(self, source: str, kind: Kind, name: str) -> Iterator[Misfit]:
        """Yield each part of `match` by which the rule is not for events of a source, kind and name."""
        match, without = self.match, self.match.not_ or NotMatch()
        given = (("source", source), ("kind", kind), ("name", name))
        for part, value in given:
            patterns = getattr(match, part)
            if not _one_fits(patterns, value):
                yield Misfit(part, value, patterns)
        for part, value in given:
            patterns = getattr(without, part)
            if patterns is not None and _one_fits(patterns, value):
                yield Misfit(f"not.{part}", value, patterns)


def rules_of(values: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """Return rules given as values.

    Raises:
        ValueError: one is wrong.
    """

    def fail(wrong: Wrong) -> None:
        raise ValueError(f"{'.'.join(map(str, wrong.place))}: {wrong.message}")

    return [compile_rule(value, FilePath(), fail) for value in values]


def compile_rule(written: Mapping[str, Any], folder: FilePath, report: Report) -> Rule:
    """Return a rule; what is wrong with it is reported, and left out.

    Args:
        written: the rule as it stands in the file, of the right shape, its keys in their order.
        folder: what relative paths are relative to.
    """
    entry = msgspec.convert(written, RuleEntry)
    _check_form(entry, report)
    where = compiled(entry.where, ("where",), report, wants="bool") if entry.where is not None else None
    return Rule(
        name=entry.name,
        match=entry.match,
        sends=tuple(_sends(entry, written, report)),
        where=where,
        otherwise=entry.otherwise,
        drop=entry.drop,
        split=_split(entry, report),
        require=entry.require,
        suppressed=_suppressed(entry, folder, report),
        examples=tuple(entry.examples),
    )


def _check_form(entry: RuleEntry, report: Report) -> None:
    if (entry.to is None and entry.split is None) == (entry.drop is None):
        report(Wrong((), "a rule needs either 'to' or 'drop'"))
    if not _NAME.fullmatch(entry.name):
        report(Wrong(("name",), "a rule's name is a line of 1 to 200 characters"))


def _sends(entry: RuleEntry, written: Mapping[str, Any], report: Report) -> Iterable[Send]:
    seen: set[str] = set()
    for index, (one, raw) in enumerate(_entries(entry, written)):
        place = ("to", index) if isinstance(entry.to, list) else ("to",)
        if one.target in seen:
            report(Wrong(place, f"the rule sends to {one.target!r} twice"))
        seen.add(one.target)

        def nested(wrong: Wrong, place: tuple[str | int, ...] = place) -> None:
            report(wrong._replace(place=(*place, *wrong.place)))

        yield Send(one.target, of_send(one, raw, nested), one.name, _policies(one, nested))


def _policies(entry: SendEntry, report: Report) -> Mapping[str, Policy]:
    """Return what to do about losses, by path."""
    if isinstance(entry.on_loss, str):
        return {"*": entry.on_loss}
    for path in entry.on_loss.keys() - {"*"}:
        try:
            LossPath(path)
        except ValueError as error:
            report(Wrong(("on_loss", path), str(error), at_key=True))
    return entry.on_loss


def _entries(entry: RuleEntry, written: Mapping[str, Any]) -> Iterable[tuple[SendEntry, Mapping[str, Any]]]:
    """Return the targets in one form, each with how it is written."""
    if entry.to is None:
        return [(SendEntry(target), {}) for target in (entry.split.percent if entry.split else ())]
    listed = written["to"] if isinstance(written["to"], list) else [written["to"]]
    given = entry.to if isinstance(entry.to, list) else [entry.to]
    return [
        (SendEntry(one), {}) if isinstance(one, str) else (one, raw) for one, raw in zip(given, listed, strict=True)
    ]


def _split(entry: RuleEntry, report: Report) -> Split | None:
    if entry.split is None:
        return None
    if wrong := wrong_shares(entry.split.percent):
        report(Wrong(("split", "percent"), wrong))
        return None
    if entry.to is not None:
        listed = entry.to if isinstance(entry.to, list) else [entry.to]
        targets = [one if isinstance(one, str) else one.target for one in listed]
        for target in entry.split.percent:
            if target not in targets:
                text = f"the rule does not send to {target!r}; {unknown(target, targets)}"
                report(Wrong(("split", "percent", target), text))
    return Split(entry.split)


def _suppressed(entry: RuleEntry, folder: FilePath, report: Report) -> Suppressed | None:
    if entry.suppress is None:
        return None
    files = [entry.suppress] if isinstance(entry.suppress, str) else entry.suppress
    try:
        return read_suppressed([folder / file for file in files])
    except SuppressionError as error:
        report(Wrong(("suppress",), str(error)))
        return None


# --- matching --------------------------------------------------------------------------------------------


def _one_fits(patterns: Patterns | list[Kind] | None, value: str) -> bool:
    if patterns is None:
        return True
    several = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatchcase(value, pattern) for pattern in several)


def is_glob(pattern: str) -> bool:
    """Tell whether a pattern stands for more than itself."""
    return any(mark in pattern for mark in "*?[")


def names_of(rules: Iterable[Rule]) -> set[str]:
    """Return the event names that rules ask for outright."""
    asked = [rule.match.name for rule in rules if rule.match.name is not None]
    several = [name for names in asked for name in ([names] if isinstance(names, str) else names)]
    return {name for name in several if not is_glob(name)}
