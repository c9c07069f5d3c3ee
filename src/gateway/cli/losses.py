"""What routes can lose, as a person reads it."""

from collections.abc import Sequence

import click

from gateway.cli.output import table
from gateway.fidelity import Level, Pair, Route


def show_losses(ways: Sequence[Route]) -> None:
    """Print how much of what each source can say its targets are told, and what they are not."""
    if not ways:
        return
    click.echo()
    rows = [[way.rule, f"{way.source} to {way.target}", *map(str, _counts(way.pair))] for way in ways]
    table(["rule", "of what can be said", "fully", "partly", "not at all"], rows)
    for way in ways:
        for level, words in ((Level.NONE, "not at all"), (Level.PARTLY, "partly")):
            for reason, names in _by_reason(way.pair, level).items():
                click.echo(f"\n{way.rule}, {way.source} to {way.target}, {words}: {', '.join(names)}\n  {reason}")


def _counts(pair: Pair) -> list[int]:
    return [sum(found.level is level for found in pair.values()) for level in (Level.FULLY, Level.PARTLY, Level.NONE)]


def _by_reason(pair: Pair, level: Level) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for capability, fidelity in pair.items():
        if fidelity.level is level:
            found.setdefault(fidelity.reason, []).append(f"{capability.section.lower()}: {capability.name}")
    return found
