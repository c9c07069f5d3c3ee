"""``gateway dead``: what was given up on, and what to do about it."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from gateway.app import open_log, run
from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json, table
from gateway.config import load
from gateway.errors import GatewayError, UsageError
from gateway.event import load as load_event
from gateway.log.port import DeadLetter
from gateway.log.sqlite import SqliteLog

_PAGE = 500


@click.group()
def dead() -> None:
    """List, show, retry or drop dead letters: events that a target will never take as they are.

    \b
    Examples:
      gateway dead list --target crm
      gateway dead show 12
      gateway dead retry 12 13        # after the mapping or the account was repaired
      gateway dead drop 14 --reason "test data"
    """


@dead.command("list")
@config_option
@click.option("--target", help="Only this target's.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, _PAGE))
@click.option("--before", type=int, metavar="ID", help="Go on from here: only older ones.")
@json_option
def list_dead(config_path: Path, target: str | None, limit: int, before: int | None, json_output: bool) -> None:
    """List dead letters, newest first.

    \b
    Examples:
      gateway dead list
      gateway dead list --target crm --limit 10 --json
    """
    letters = _with_log(config_path, lambda log: log.dead_letters(target=target, before=before, limit=limit))
    if json_output:
        as_json([_facts(letter) for letter in letters])
        return
    rows = [
        [x.id, x.target, x.died_at.isoformat(timespec="seconds"), load_event(x.body).name, x.status, x.reason]
        for x in letters
    ]
    table(["id", "target", "died", "event", "status", "reason"], rows, right=(0,))


@dead.command("show")
@config_option
@click.argument("letter_id", type=int, metavar="ID")
@json_option
def show_dead(config_path: Path, letter_id: int, json_output: bool) -> None:
    """Show one dead letter whole: the event, the last request, the target's answer.

    \b
    Example:
      gateway dead show 12
    """
    letters = _with_log(config_path, lambda log: log.dead_letters(ids=[letter_id]))
    if not letters:
        raise UsageError(f"there is no dead letter {letter_id}")
    letter = letters[0]
    if json_output:
        as_json(_facts(letter))
        return
    click.echo(f"Dead letter {letter.id}: event {letter.event_id} for {letter.target}, by rule {letter.rule}")
    click.echo(f"Died {letter.died_at.isoformat()} after {letter.attempts} attempts: {letter.reason}")
    click.echo("\nEvent")
    as_json(load_event(letter.body))
    click.echo(f"\nLast request ({letter.endpoint or 'never sent'})")
    click.echo(_text(letter.request))
    click.echo(f"\nAnswer {letter.status or ''}")
    click.echo(_text(letter.answer))


@dead.command("retry")
@config_option
@click.argument("ids", type=int, nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All of them, or all of --target.")
@click.option("--target", help="With --all: only this target's.")
def retry_dead(config_path: Path, ids: tuple[int, ...], everything: bool, target: str | None) -> None:
    """Put dead letters back into their lanes, through the mapping as it is now.

    A running gateway takes them up within seconds.

    \b
    Examples:
      gateway dead retry 12 13
      gateway dead retry --all --target crm
    """

    async def retry(log: SqliteLog) -> int:
        return await log.retry_dead(await _chosen(log, ids, everything, target))

    click.echo(f"{_with_log(config_path, retry)} put back")


@dead.command("drop")
@config_option
@click.argument("ids", type=int, nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All of them, or all of --target.")
@click.option("--target", help="With --all: only this target's.")
@click.option("--reason", required=True, help="Why; counted under this name.")
def drop_dead(config_path: Path, ids: tuple[int, ...], everything: bool, target: str | None, reason: str) -> None:
    """Drop dead letters for good, with a reason.

    \b
    Examples:
      gateway dead drop 14 --reason "test data"
      gateway dead drop --all --target crm --reason "account closed"
    """

    async def drop(log: SqliteLog) -> int:
        return await log.drop_dead(await _chosen(log, ids, everything, target), reason)

    click.echo(f"{_with_log(config_path, drop)} dropped")


async def _chosen(log: SqliteLog, ids: Sequence[int], everything: bool, target: str | None) -> list[int]:
    if bool(ids) == everything:
        raise UsageError("name dead letters by their ids, or say --all")
    if not everything:
        known = {letter.id for letter in await log.dead_letters(ids=ids, limit=len(ids))}
        missing = [str(i) for i in ids if i not in known]
        if missing:
            raise GatewayError(f"there is no dead letter {', '.join(missing)}; nothing was changed")
        return list(ids)
    found: list[int] = []
    before = None
    while page := await log.dead_letters(target=target, before=before, limit=_PAGE):
        found += [letter.id for letter in page]
        before = page[-1].id
    return found


def _with_log(config_path: Path, work: Callable[[SqliteLog], Awaitable[Any]]) -> Any:
    config = load(config_path)
    result: list[Any] = []

    async def main() -> None:
        log = await open_log(config, "inspect")
        try:
            result.append(await work(log))
        finally:
            await log.close()

    run(main())
    return result[0]


def _facts(letter: DeadLetter) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(letter),
        "body": load_event(letter.body),
        "request": None if letter.request is None else letter.request.decode("utf-8", "replace"),
        "answer": None if letter.answer is None else letter.answer.decode("utf-8", "replace"),
    }


def _text(data: bytes | None) -> str:
    return "(none)" if data is None else data.decode("utf-8", "replace") or "(empty)"
