"""``gateway tail``: what happens now."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
import msgspec

from gateway.cli.options import config_option, json_option
from gateway.cli.rehearse import masked
from gateway.config import Checked, load
from gateway.errors import UsageError
from gateway.receipts import Follower, Line, Wanted
from gateway.receipts.following import STATUSES
from gateway.shape_check import unknown

EVERY_S: Final = 0.5


@click.command()
@click.option("--source", metavar="NAME", help="Only events of this source.")
@click.option("--target", metavar="NAME", help="Only what goes to this target.")
@click.option("--name", metavar="GLOB", help="Only events of this name, as in 'Order *'.")
@click.option("--status", type=click.Choice(STATUSES), multiple=True, help="Only these; may be given several times.")
@config_option
@json_option
def tail(
    source: str | None,
    target: str | None,
    name: str | None,
    status: tuple[str, ...],
    config_path: Path,
    json_output: bool,
) -> None:
    """Follow what happens: accepted events, requests to targets with their answers, dead letters.

    One line for each event accepted, for each request to a target, and for each dead letter, until Ctrl-C. It reads
    the log and the receipts beside it, about twice a second, whether the gateway runs or not; who cannot keep up is
    told what was left out. Duplicates are not stored, so they are not seen here.

    \b
    Examples:
      gateway tail
      gateway tail --target crm --status retry --status dead
      gateway tail --source shop --name "Order *" --json
    """
    config = load(config_path)
    _check(source, list(config.sources), "source")
    _check(target, list(config.targets), "target")
    follower = Follower(Path(config.log.file), Wanted(source=source, target=target, name=name, status=status))
    try:
        while True:
            _print(follower.look(), config, json_output)
            time.sleep(EVERY_S)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        sys.stderr.close()


def _check(name: str | None, known: list[str], what: str) -> None:
    if name is not None and name not in known:
        raise UsageError(f"no {what} is called {name!r}; {unknown(name, known)}")


def _print(lines: Iterable[Line], config: Checked, json_output: bool) -> None:
    secrets = config.secrets()
    for line in lines:
        text = msgspec.json.encode(line).decode() if json_output else shown(line)
        click.echo(masked(text, secrets))


def shown(line: Line) -> str:
    """Return a line for a person."""
    at = f"{line.at:%H:%M:%S}.{line.at.microsecond // 1000:03d}"
    return f"{at}  {line.what:<9}  {_rest(line)}"


def _rest(line: Line) -> str:
    who = f"{line.event}  {line.name!r}" if line.name else line.event
    if line.what == "skipped":
        return line.why
    if line.what == "accepted":
        return f"{who} from {line.source} -> {', '.join(line.targets) or 'nowhere'}"
    if line.dead_letter is not None:
        return f"{line.target}: dead letter {line.dead_letter}, {who}: {line.why}"
    many = f"{line.events} events, {who}" if line.events > 1 else who
    how = (
        f" ({line.endpoint}, attempt {line.attempt}, {line.ms:.0f} ms)" if line.endpoint and line.ms is not None else ""
    )
    return f"{line.target}: {many}: {line.why}{how}"
