"""``gateway migrate-log``: from a SQLite log to a JetStream log, and back."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json
from gateway.cli.status import facts, show
from gateway.config import Checked, load
from gateway.errors import UsageError
from gateway.migration.logs import Goal, Outcome, Progress, Source, carry_over, look
from gateway.migration.logs.sqlite_side import SqliteSide
from gateway.opening import needs_extra, run, stream_settings

TELL_EVERY_S: Final = 1.0
_KINDS: Final = ("jetstream", "sqlite")


@click.command()
@config_option
@click.option("--to", "kind", type=click.Choice(_KINDS), required=True, help="The engine that the log is moved to.")
@click.option(
    "--config-to",
    "goal_path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The configuration that names the new log; otherwise it may be the same.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would be moved, and whether it can be; move nothing.")
@json_option
def migrate_log(config_path: Path, kind: str, goal_path: Path, dry_run: bool, json_output: bool) -> None:
    """Move all that a log holds to the other engine: a SQLite file to a JetStream stream, or back.

    What waits, what is dead, counts, clients' own keys and what is kept for replays go along; nothing is sent twice or
    out of order. No gateway may use either log. It may be killed at any time: the same command goes on, and until it is
    done at most one of the logs can be used. Afterwards the old log refuses to be opened; the way back is another move.

    \b
    Examples:
      gateway migrate-log -c gateway.yaml --to jetstream --config-to cluster.yaml --dry-run
      gateway migrate-log -c gateway.yaml --to jetstream --config-to cluster.yaml
      gateway migrate-log -c cluster.yaml --to sqlite --config-to gateway.yaml
    """
    source, goal = load(config_path), load(goal_path)
    _check(source, config_path, "sqlite" if kind == "jetstream" else "jetstream")
    _check(goal, goal_path, kind)
    run(_migrate(source, goal, dry_run=dry_run, json_output=json_output))


def _check(config: Checked, path: Path, kind: str) -> None:
    if (kind == "jetstream") != (config.log.jetstream is not None):
        other = "sqlite" if kind == "jetstream" else "jetstream"
        raise UsageError(f"{path} names a log of {other}, and should name one of {kind}")
    if kind == "jetstream":
        needs_extra()


async def _migrate(source: Checked, goal: Checked, *, dry_run: bool, json_output: bool) -> None:
    begun = time.monotonic()
    file = Path((goal if source.log.jetstream else source).log.file)
    async with contextlib.AsyncExitStack() as stack:
        window_s = (goal if source.log.jetstream else source).log.duplicates.hours * 3600
        old: Source = await _side(stack, source, window_s, source=True)
        new: Goal = await _side(stack, goal, window_s, source=False)
        if dry_run:
            done = await look(old, new)
        else:
            async with _told(quiet=json_output) as progress:
                done = await carry_over(old, new, file.with_name(f"{file.name}.move"), progress)
    _show(done, time.monotonic() - begun, dry_run=dry_run, json_output=json_output)


async def _side(stack: contextlib.AsyncExitStack, config: Checked, window_s: float, *, source: bool) -> Any:
    """Take hold of a configured log."""
    side: Any
    if config.log.jetstream is None:
        side = await SqliteSide.open(Path(config.log.file), source=source)
    else:
        from gateway.migration.logs.stream_side import StreamSide  # of an extra

        settings = stream_settings(config.log.jetstream, Path(config.log.file))
        side = await StreamSide.open(settings, source=source, window_s=window_s)
    stack.push_async_callback(side.close)
    return side


# --- telling ---------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _told(*, quiet: bool) -> AsyncIterator[Progress]:
    """Have what is done told on stderr: one line that changes on a terminal, else one now and then."""
    progress = Progress()
    telling = asyncio.create_task(_tell(progress)) if not quiet else None
    try:
        yield progress
    finally:
        if telling is not None:
            telling.cancel()
            await asyncio.wait([telling])
            if sys.stderr.isatty():
                click.echo("\r\x1b[K", err=True, nl=False)


async def _tell(progress: Progress) -> None:
    terminal, said = sys.stderr.isatty(), ""
    while True:
        await asyncio.sleep(TELL_EVERY_S)
        part = f" {min(progress.done / progress.of, 1):.0%} of {_size(progress.of)}" if progress.of else ""
        line = f"{progress.what}{part}"
        if line != said and progress.what:
            click.echo(f"\r\x1b[K{line}" if terminal else line, err=True, nl=not terminal)
            said = line


def _size(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"


def _show(done: Outcome, seconds: float, *, dry_run: bool, json_output: bool) -> None:
    what = "moved before" if done.already else "can be moved" if dry_run else "moved"
    if json_output:
        state = {"source": done.source, "goal": done.goal, "state": what, "seconds": round(seconds, 3)}
        as_json({**state, "log": facts(done.status)})
        return
    show(done.status)
    click.echo(f"{what}: {done.source} to {done.goal}" + ("" if dry_run else f", in {seconds:.1f} s"))
