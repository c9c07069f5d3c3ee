"""``gateway replay``: history again, to one target."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json, table
from gateway.config import Checked, load
from gateway.delivering import Delivery
from gateway.errors import GatewayError, LogLocked, UsageError
from gateway.log.port import DEFAULT_SHARE
from gateway.log.replays import Replay
from gateway.log.sqlite import SqliteLog
from gateway.migration import Choice, Forecast, Pace, Question, forecast, go_on, span_of, to_its_end
from gateway.migration.history import question_of
from gateway.opening import open_log, run
from gateway.routing import Router
from gateway.routing.in_force import RulesInForce
from gateway.telemetry import make_logger

TELL_EVERY_S: Final = 1.0
_MOST_SHARE: Final = 1.0


@click.command()
@config_option
@click.option("--target", metavar="NAME", help="Where the events go.")
@click.option("--from", "since", metavar="TIME|ID", help="The first: 2h, 2026-11-21, 2026-11-21T09:30+02:00, or an id.")
@click.option("--to", "until", metavar="TIME|ID", help="Up to this moment, or this event; else all there is now.")
@click.option("--source", metavar="NAME", help="Only events from this source.")
@click.option("--where", metavar="CEL", help="Only events for which this expression is true.")
@click.option("--rule", metavar="NAME", help="By this rule of the target, whatever it is for.")
@click.option(
    "--rate",
    "share",
    metavar="SHARE",
    type=click.FloatRange(0, _MOST_SHARE, min_open=True),
    default=DEFAULT_SHARE,
    show_default=True,
    help="Part of the target's limits for history; the rest is kept for new events.",
)
@click.option("--dry-run", is_flag=True, help="Count what would be sent, and by which rules; send nothing.")
@click.option("--continue", "number", type=int, metavar="ID", help="Go on with an earlier replay.")
@click.option("--cancel", type=int, metavar="ID", help="Send no more of a replay.")
@click.option("--list", "listing", is_flag=True, help="Show all replays.")
@json_option
def replay(config_path: Path, json_output: bool, **asked: Any) -> None:
    """Send events that are still in the log to one target again, in their order, within a share of its limits.

    Each goes as the rule that would send it there now says, or as --rule says. New events go first, and keep at least
    the rest of the limits. A running gateway sends them; without one, this command does, and a gateway can be started
    once it has ended. It may be stopped at any time: the same command goes on where it was. Ids of events, and the
    idempotency keys made of them, are the same as at the first time.

    \b
    Examples:
      gateway replay --target crm --from 24h --dry-run
      gateway replay --target crm --from 2026-11-20 --to 2026-11-21T12:00+01:00 --rate 0.5
      gateway replay --target crm --from 7d --source shop --where 'event.commerce.total > 100.0'
      gateway replay --list
      gateway replay --continue 3
      gateway replay --cancel 3
    """
    config = load(config_path)
    if asked["listing"]:
        run(_list(config, json_output))
    elif asked["cancel"] is not None:
        run(_cancel(config, asked["cancel"]))
    elif asked["dry_run"]:
        run(_dry_run(config, _question(asked), json_output))
    else:
        question = None if asked["number"] is not None else _question(asked)
        run(_until_stopped(_replay(config, question, asked["number"], json_output)))


def _question(asked: dict[str, Any]) -> Question:
    names = {"target": "--target", "since": "--from"}
    if missing := [option for name, option in names.items() if asked[name] is None]:
        raise click.UsageError(f"Missing option '{missing[0]}'.")
    return Question(**{name: asked[name] for name in Question.__struct_fields__})


# --- looking ---------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _beside(config: Checked) -> AsyncIterator[SqliteLog]:
    """Have the log open beside whoever has it."""
    log = await open_log(config, "inspect")
    try:
        yield log
    finally:
        await log.close()


async def _list(config: Checked, json_output: bool) -> None:
    async with _beside(config) as log:
        jobs = await log.replays()
    if json_output:
        as_json([_facts(job) for job in jobs])
        return
    rows = [
        [j.id, j.target, _moment(j.begun_at), j.state, j.sent, j.waiting, sum(j.passed.values()), _part(j), j.asked]
        for j in jobs
    ]
    head = ["id", "target", "begun", "state", "sent", "waiting", "not sent", "done", "asked"]
    table(head, rows, right=(0, 4, 5, 6, 7))


async def _cancel(config: Checked, number: int) -> None:
    async with _beside(config) as log:
        if not await log.cancel_replay(number):
            raise GatewayError(f"there is no replay {number} that runs")
    click.echo(f"replay {number} is cancelled; what waits already is sent")


async def _dry_run(config: Checked, question: Question, json_output: bool) -> None:
    choice = Choice(question, config)
    async with _beside(config) as log:
        found = await forecast(log, choice, await span_of(log, question, datetime.now(UTC)))
    if json_output:
        as_json({"looked": found.looked, "sent": found.sent, "by_rule": found.by_rule, "passed": found.passed})
    else:
        _show_forecast(question, found)


def _show_forecast(question: Question, found: Forecast) -> None:
    click.echo(f"{found.sent} of {found.looked} events would be sent to {question.target}")
    for rule, count in found.by_rule.most_common():
        click.echo(f"  {count} by rule {rule}")
    for why, count in found.passed.most_common():
        click.echo(f"  {count} not: {why}")


# --- doing -----------------------------------------------------------------------------------------------


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Await work, and end it in order on SIGTERM as on Ctrl-C."""
    task = asyncio.create_task(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        raise GatewayError("stopped before its end; the same command goes on") from None


async def _replay(config: Checked, question: Question | None, number: int | None, json_output: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if question is not None:
            Choice(question, config)
        log, delivers = await _open(stack, config)
        job = await _job(log, question, number)
        question = question_of(job.asked)
        choice = Choice(question, config)
        progress = _Progress(json_output)
        progress.begin(job, question)
        if not delivers:
            await _deliver(stack, config, log, question.target)
        job = await go_on(log, job, choice, progress.tell)
        job = await to_its_end(log, job, progress.tell)
        progress.end()
    if json_output:
        as_json(_facts(job))
        return
    click.echo(f"replay {job.id}: {job.sent} of {job.looked} events sent to {job.target}")
    for why, count in job.passed.items():
        click.echo(f"  {count} not: {why}")


async def _open(stack: contextlib.AsyncExitStack, config: Checked) -> tuple[SqliteLog, bool]:
    """Open the log: to deliver, if no gateway does. Return whether one does."""
    try:
        log, delivers = await open_log(config, "deliver"), False
    except LogLocked:
        log, delivers = await open_log(config, "inspect"), True
    stack.push_async_callback(log.close)
    return log, delivers


async def _job(log: SqliteLog, question: Question | None, number: int | None) -> Replay:
    """Return the job that is meant, begun now or earlier."""
    jobs = await log.replays()
    if question is None:
        found = next((job for job in jobs if job.id == number), None)
        if found is None or found.state == "cancelled":
            raise UsageError(f"there is no replay {number} to go on with; gateway replay --list shows all")
        return found
    same = (job for job in jobs if job.state in ("running", "waiting") and job.asked == question.asked())
    known = next(same, None)
    if known is not None:
        return await log.set_replay_share(known.id, question.share)
    span = await span_of(log, question, datetime.now(UTC))
    return await log.begin_replay(question.target, question.asked(), question.share, span)


async def _deliver(stack: contextlib.AsyncExitStack, config: Checked, log: SqliteLog, target: str) -> None:
    """Deliver to the target from here; also what else waits for it."""
    click.echo(f"No gateway delivers: {target} is delivered to from here until the end.", err=True)
    alone = msgspec.structs.replace(config, targets={target: config.targets[target]})
    logger = make_logger(config.logging.format, "error", config.secrets())
    rules = RulesInForce(Router(config.rules, config.targets), config.rules)
    delivery = Delivery(alone, log, rules, logger)
    await delivery.start(alone)
    stack.push_async_callback(delivery.stop)


# --- telling ---------------------------------------------------------------------------------------------


class _Progress:
    """Says on stderr how far a job is: one line that changes on a terminal, else one now and then."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._pace = Pace(time.monotonic)
        self._told_at = 0.0
        self._said = False

    def begin(self, job: Replay, question: Question) -> None:
        """Say what is to be done."""
        begun = "begins" if job.looked == 0 else f"goes on at {_part(job)}"
        what = ", ".join(
            f"{name} {value}"
            for name, value in (("to", question.until), ("source", question.source), ("where", question.where))
            if value is not None
        )
        click.echo(
            f"replay {job.id} {begun}: to {job.target}, from {question.since}{', ' if what else ''}{what},"
            f" with {job.share:.0%} of its limits",
            err=True,
        )
        self._pace.left_s(job)

    def tell(self, job: Replay) -> None:
        """Say how far it is, unless that was said just now."""
        now = time.monotonic()
        if self._quiet or now - self._told_at < TELL_EVERY_S:
            return
        self._told_at = now
        left = self._pace.left_s(job)
        line = f"{_part(job)} looked at: {job.sent} to be sent, {job.waiting} waiting" + (
            "" if left is None else f", about {_duration(left)} left"
        )
        click.echo(f"\r\x1b[K{line}" if self._terminal else line, err=True, nl=not self._terminal)
        self._said = True

    def end(self) -> None:
        """Say no more."""
        if self._said and self._terminal:
            click.echo(err=True)


def _part(job: Replay) -> str:
    whole = job.last - job.first
    return f"{(job.place - job.first) / whole if whole else 1.0:.0%}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _facts(job: Replay) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(job)
    return {
        **found,
        "asked": msgspec.to_builtins(question_of(job.asked)),
        "begun_at": _moment(job.begun_at),
        "changed_at": _moment(job.changed_at),
    }
