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
from gateway.errors import LogError, UsageError
from gateway.migration.logs import Goal, Outcome, Progress, Source, carry_over, look, take_back
from gateway.migration.logs.sqlite_side import SqliteSide
from gateway.opening import needs_extra, run, stream_settings

TELL_EVERY_S: Final = 1.0
_KINDS: Final = ("jetstream", "sqlite")
_BEFORE: Final = "moved before"


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
@click.option("--lost", is_flag=True, help="The new log is lost: let the old one be used again, as it was left.")
@json_option
def migrate_log(config_path: Path, kind: str, goal_path: Path, dry_run: bool, lost: bool, json_output: bool) -> None:
    """Move all that a log holds to the other engine: a SQLite file to a JetStream stream, or back.

    What waits, what is dead, counts, clients' own keys and what is kept for replays go along; nothing is sent twice or
    out of order. No gateway may use either log. It may be killed at any time: the same command goes on, and until it is
    done at most one of the logs can be used. Afterwards the old log refuses to be opened; the way back is another move.

    \b
    Examples:
      gateway migrate-log -c gateway.yaml --to jetstream --config-to cluster.yaml --dry-run
      gateway migrate-log -c gateway.yaml --to jetstream --config-to cluster.yaml
      gateway migrate-log -c cluster.yaml --to sqlite --config-to gateway.yaml
      gateway migrate-log -c gateway.yaml --to jetstream --config-to cluster.yaml --lost
    """
    source, goal = load(config_path), load(goal_path)
    _check(source, config_path, "sqlite" if kind == "jetstream" else "jetstream")
    _check(goal, goal_path, kind)
    work = _Work(source, goal)
    if lost and dry_run:
        raise UsageError("--lost changes the old log; leave out --dry-run")
    if lost:
        run(work.take_back(json_output))
    else:
        run(work.look(json_output) if dry_run else work.move(json_output))


def _check(config: Checked, path: Path, kind: str) -> None:
    if (kind == "jetstream") != (config.log.jetstream is not None):
        other = "sqlite" if kind == "jetstream" else "jetstream"
        raise UsageError(f"{path} names a log of {other}, and should name one of {kind}")
    if kind == "jetstream":
        needs_extra()


class _Work:
    """What is done with the logs of two configurations."""

    def __init__(self, source: Checked, goal: Checked) -> None:
        self._source = source
        self._goal = goal
        self._sqlite = goal if source.log.jetstream else source

    async def look(self, json_output: bool) -> None:
        """Tell what would be moved."""
        async with contextlib.AsyncExitStack() as stack:
            source: Source = await self._side(stack, self._source, looking=True)
            done = await look(source, await self._side(stack, self._goal, looking=True))
        _show(done, _BEFORE if done.already else "can be moved once no gateway runs", json_output)

    async def move(self, json_output: bool) -> None:
        """Move, and tell what was."""
        file = Path(self._sqlite.log.file)
        begun = time.monotonic()
        async with contextlib.AsyncExitStack() as stack:
            source: Source = await self._side(stack, self._source)
            goal: Goal = await self._side(stack, self._goal)
            async with _told(quiet=json_output) as progress:
                done = await carry_over(source, goal, file.with_name(f"{file.name}.move"), progress)
        state = _BEFORE if done.already else "moved"
        _show(done, state, json_output, seconds=round(time.monotonic() - begun, 1))

    async def take_back(self, json_output: bool) -> None:
        """Let the old log be used again."""
        async with contextlib.AsyncExitStack() as stack:
            source: Source = await self._side(stack, self._source)
            goal: Goal | None = None
            with contextlib.suppress(LogError):
                goal = await self._side(stack, self._goal, looking=True)
            await take_back(source, goal)
        if json_output:
            as_json({"source": source.name, "state": "taken back"})
        else:
            click.echo(f"{source.name} can be used again, as it was left; what was sent since is sent again")

    async def _side(self, stack: contextlib.AsyncExitStack, config: Checked, *, looking: bool = False) -> Any:
        """Take hold of a configured log, or look at it."""
        side: Any
        is_source = config is self._source
        if config.log.jetstream is None:
            side = await SqliteSide.open(Path(config.log.file), source=is_source, looking=looking)
        else:
            from gateway.migration.logs.stream_side import StreamSide  # of an extra

            settings = stream_settings(config.log.jetstream)
            window_s = self._sqlite.log.duplicates.hours * 3600
            side = await StreamSide.open(settings, source=is_source, window_s=window_s, looking=looking)
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


def _show(done: Outcome, state: str, json_output: bool, **more: float) -> None:
    if json_output:
        as_json({"source": done.source, "goal": done.goal, "state": state, **more, "log": facts(done.status)})
        return
    show(done.status)
    click.echo(f"{state}: {done.source} to {done.goal}" + "".join(f", in {seconds} s" for seconds in more.values()))
