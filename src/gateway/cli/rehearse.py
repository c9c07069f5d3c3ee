"""What ``gateway check`` says of examples and of what they leave out."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import click

from gateway import registry
from gateway.config import Checked
from gateway.config.checks import Found
from gateway.errors import ConfigError
from gateway.offline import MASK
from gateway.parts import build_source, build_target
from gateway.rehearsal import Coverage, OddName, Result, Unreachable, World, coverage, listed, run_examples, shown


def world_of(config: Checked) -> World:
    """Return a configuration, ready to be tried out."""
    sources = {name: build_source(name, source) for name, source in config.sources.items()}
    targets = {name: build_target(name, target) for name, target in config.targets.items()}
    return World(config, sources, targets)


def results_of(config: Checked, places: Found) -> list[Result]:
    """Run all examples.

    Raises:
        ConfigError: files with requests cannot be used.
    """
    try:
        return run_examples(world_of(config), places)
    except ConfigError as error:
        lines = [masked(problem.source, config.secrets()) for problem in error.problems]
        pairs = zip(error.problems, lines, strict=True)
        raise ConfigError([dataclasses.replace(problem, source=line) for problem, line in pairs]) from None


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text with secrets blotted out, those that JSON escapes as well."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK).replace(json.dumps(secret)[1:-1], MASK)
    return text


_SHORTEST_SECRET: Final = 4
"""Characters; shorter ones are in every other word."""


def coverage_of(config: Checked, results: Sequence[Result]) -> Coverage:
    """Return what the examples of a configuration do not try, and what cannot be reached."""
    sources = {name: registry.adapter(source.vendor) for name, source in config.sources.items()}
    return coverage(config.rules, sources, list(config.targets), results)


def example_facts(results: Sequence[Result]) -> dict[str, Any]:
    """Return results for ``--json``."""
    differ = sum(not result.right for result in results)
    return {"run": len(results), "differ": differ, "results": [{"ok": one.right, **_fields(one)} for one in results]}


def _fields(result: Result) -> Mapping[str, Any]:
    return {name: getattr(result, name) for name in result.__struct_fields__}


def show_examples(results: Sequence[Result]) -> None:
    """Print each example that differs, what is worth a note, and the counts."""
    for result in results:
        if result.right and not result.notes:
            continue
        word = "" if result.right else ": differs"
        click.echo(f"\n{result.rule}, {result.name} ({result.file}:{result.line}){word}")
        for line in _told(result):
            click.echo(f"  {line}" if line else "")
    differ = sum(not result.right for result in results)
    how = "all as expected" if not differ else f"{differ} {'differs' if differ == 1 else 'differ'}"
    click.echo(f"\nExamples: {len(results)} run, {how}" if results else "\nExamples: none")


def _told(result: Result) -> Iterator[str]:
    if result.trouble:
        yield result.trouble
    heads: dict[str, list[list[str]]] = {}
    for one in result.differences:
        which = f", event {one.event + 1}" if any(other.event for other in result.differences) else ""
        holds = f"by the rule {one.rule!r}" if one.rule else "no rule holds"
        why = f": {one.why}" if one.why else ""
        rows = heads.setdefault(f"{one.target}{which}, {holds}{why}", [])
        rows.append([one.path or "the event", f"expected {shown(one.expected)}", f"found {shown(one.found)}"])
    for head, rows in heads.items():
        yield head
        yield from (f"  {line}" for line in columns(rows))
    yield from (f"note: {note}" for note in result.notes)


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows whose cells stand below each other, each on lines of its own where they are long."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    if sum(widths) <= _WIDE:
        for row in rows:
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        return
    for first, *others in rows:
        yield first
        yield from (f"  {cell}" for cell in others)


_WIDE: Final = 110
"""Characters that two columns of values may take side by side."""


def show_coverage(found: Coverage) -> None:
    """Print what is not covered."""
    click.echo("\nCoverage")
    said = list(_gaps(found))
    for head, lines in said:
        click.echo(f"  {head}")
        for line in lines:
            click.echo(f"    {line}")
    if not said:
        click.echo("  Every rule is reached by an example, every target by a rule, and every source has one.")


def _gaps(found: Coverage) -> Iterator[tuple[str, list[str]]]:
    if found.rules_without_example:
        yield "Rules that no example reaches:", list(found.rules_without_example)
    if found.unreachable_rules:
        yield "Rules that no event can reach:", [_unreachable(one) for one in found.unreachable_rules]
    if found.targets_without_rule:
        yield "Targets that no rule reaches:", list(found.targets_without_rule)
    if found.sources_without_rule:
        yield "Sources that no rule is for:", list(found.sources_without_rule)
    if found.odd_names:
        head = "note: names that no vendor of the rule's sources is known to use (a client's own names are fine):"
        yield head, [_odd(one) for one in found.odd_names]


def _unreachable(one: Unreachable) -> str:
    if not one.by:
        return f"{one.rule}: no configured source sends what it is for"
    return f"{one.rule}: {listed(one.by)} {'holds' if len(one.by) == 1 else 'hold'} before it for all its events"


def _odd(one: OddName) -> str:
    if one.comes_in_as is not None:
        return f"{one.rule}: {one.name!r} is a vendor's own; such events come in as {one.comes_in_as!r}"
    return f"{one.rule}: {one.name!r}" + (f"; near: {listed(one.near)}" if one.near else "")
