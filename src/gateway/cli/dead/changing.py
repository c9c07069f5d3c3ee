"""``gateway dead retry`` and ``gateway dead drop``."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from gateway.cli.dead.choosing import all_option, chosen, ids_argument, reason_glob_option, target_option, with_log
from gateway.cli.dead.showing import Rules
from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json
from gateway.config import Checked, load
from gateway.event import load as load_event
from gateway.log.engine import Engine
from gateway.log.exceptions import Wanted
from gateway.log.port import DeadLetter


class Routed(NamedTuple):
    """Letters that can be put back."""

    ids: list[int]
    rules: dict[int, str]
    """Of those whose own rule is gone, by which they go now."""
    left: dict[int, str]
    """Those that cannot be, and why."""


@click.command("retry")
@config_option
@ids_argument
@all_option
@target_option
@reason_glob_option
@json_option
def retry_dead(
    config_path: Path,
    ids: tuple[int, ...],
    everything: bool,
    target: str | None,
    reason_glob: str | None,
    json_output: bool,
) -> None:
    """Put dead letters back into their lanes, through the mapping as it is now.

    A letter goes by its own rule, as that is now; where the rule is gone, by the one that would send the event today.
    Where there is none either, it stays. A running gateway takes them up within seconds; one that still runs an
    earlier configuration has to be told first, with gateway reload.

    \b
    Examples:
      gateway dead retry 12 13
      gateway dead retry --all --target crm
      gateway dead retry --all --target crm --reason '*currency*'
    """
    config = load(config_path)

    async def retry(log: Engine) -> tuple[int, dict[int, str]]:
        letters = await chosen(log, ids, everything, Wanted(target=target, reason=reason_glob))
        routed = route(letters, config)
        return await log.retry_dead(routed.ids, routed.rules), routed.left

    count, left = with_log(config, retry)
    if json_output:
        as_json({"put_back": count, "left": left})
        return
    click.echo(f"{count} put back")
    for number, why in left.items():
        click.echo(f"{number} stays: {why}", err=True)


def route(letters: Sequence[DeadLetter], config: Checked) -> Routed:
    """Find the way of each letter by the configuration of now."""
    rules = Rules(config)
    routed = Routed([], {}, {})
    for letter in letters:
        if letter.target not in config.targets:
            routed.left[letter.id] = f"there is no target {letter.target!r} any more"
            continue
        rule = _rule(rules, letter)
        if rule is None:
            routed.left[letter.id] = f"the rule {letter.rule!r} is gone, and no rule sends the event there now"
            continue
        routed.ids.append(letter.id)
        if rule != letter.rule:
            routed.rules[letter.id] = rule
    return routed


def _rule(rules: Rules, letter: DeadLetter) -> str | None:
    try:
        return rules.now(letter.rule, letter.target, load_event(letter.body))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return letter.rule


@click.command("drop")
@config_option
@ids_argument
@all_option
@target_option
@click.option("--reason", required=True, help="Why; counted under this name.")
@json_option
def drop_dead(
    config_path: Path, ids: tuple[int, ...], everything: bool, target: str | None, reason: str, json_output: bool
) -> None:
    """Drop dead letters for good, with a reason.

    \b
    Examples:
      gateway dead drop 14 --reason "test data"
      gateway dead drop --all --target crm --reason "account closed"
    """

    async def drop(log: Engine) -> int:
        letters = await chosen(log, ids, everything, Wanted(target=target))
        return await log.drop_dead([letter.id for letter in letters], reason)

    count = with_log(load(config_path), drop)
    if json_output:
        as_json({"dropped": count})
    else:
        click.echo(f"{count} dropped")
