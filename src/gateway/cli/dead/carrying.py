"""``gateway dead export`` and ``gateway dead import``."""

from pathlib import Path
from typing import BinaryIO

import click

from gateway.cli.dead.changing import route
from gateway.cli.dead.choosing import all_that_fit, reason_glob_option, target_option, with_log
from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json
from gateway.config import Checked, load
from gateway.errors import UsageError
from gateway.log.engine import Engine
from gateway.log.exceptions import Wanted
from gateway.log.port import DeadLetter
from gateway.migration import from_lines, to_line
from gateway.shape_check import unknown


@click.command("export")
@config_option
@target_option
@reason_glob_option
@click.argument("file", type=click.File("wb"), default="-")
def export_dead(config_path: Path, target: str | None, reason_glob: str | None, file: BinaryIO) -> None:
    """Write dead letters to FILE (- or nothing: standard output), one JSON object a line, whole, newest first.

    The letters stay where they are. Secrets of the configuration are blotted out wherever they stand; the events
    themselves are personal data, so guard the file.

    \b
    Examples:
      gateway dead export letters.jsonl
      gateway dead export --target crm | gzip > crm.jsonl.gz
    """
    config = load(config_path)

    async def export(log: Engine) -> int:
        count = 0
        async for letter in all_that_fit(log, Wanted(target=target, reason=reason_glob)):
            file.write(to_line(letter, config.secrets()))
            count += 1
        return count

    click.echo(f"{with_log(config, export)} exported", err=True)


@click.command("import")
@config_option
@click.option("--retry", "again", is_flag=True, help="Into their lanes at once, as gateway dead retry would.")
@json_option
@click.argument("file", type=click.File("rb"))
def import_dead(config_path: Path, again: bool, json_output: bool, file: BinaryIO) -> None:
    """Take in dead letters that were exported, here or elsewhere; - reads standard input.

    A letter is known by its target and its event: one that is here already, or was imported before, is left out, so
    that a file may be imported twice. All or nothing: a wrong line, or a target that the configuration has not,
    changes nothing. Each counts as accepted once more.

    \b
    Examples:
      gateway dead import letters.jsonl
      gateway dead import --retry letters.jsonl
      gunzip -c crm.jsonl.gz | gateway dead import -
    """
    config = load(config_path)
    letters = _read(file, config)

    async def take_in(log: Engine) -> tuple[int, int, dict[int, str]]:
        ids = await log.import_dead(letters)
        if not again or not ids:
            return len(ids), 0, {}
        routed = route([one async for one in all_that_fit(log, Wanted(ids=ids))], config)
        return len(ids), await log.retry_dead(routed.ids, routed.rules), routed.left

    new, put_back, left = with_log(config, take_in)
    known = len(letters) - new
    if json_output:
        as_json({"imported": new, "known": known, "put_back": put_back, "left": left})
        return
    click.echo(f"{new} imported, {known} known before" + (f", {put_back} put back into their lanes" if again else ""))
    for number, why in left.items():
        click.echo(f"{number} stays a dead letter: {why}", err=True)


def _read(file: BinaryIO, config: Checked) -> list[DeadLetter]:
    letters = list(from_lines(file, file.name))
    for letter in letters:
        if letter.target not in config.targets:
            raise UsageError(f"there is no target {letter.target!r}; {unknown(letter.target, list(config.targets))}")
    return letters
