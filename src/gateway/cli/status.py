"""``gateway status``: counts and the conservation sum per target."""

import time
from pathlib import Path

import click
import msgspec

from gateway.app import open_log, run
from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json, table
from gateway.config import Checked, load
from gateway.log.port import LogStatus, TargetStatus


@click.command()
@config_option
@json_option
def status(config_path: Path, json_output: bool) -> None:
    """Show, per target, what became of every accepted event.

    accepted = delivered + queued + dropped + duplicate + dead holds at all times; the last column is what is
    missing from that sum. Reads the log itself, whether the gateway runs or not. Ends with code 1 when anything
    is missing.

    \b
    Examples:
      gateway status
      gateway status -c gateway.yaml --json
    """
    run(_status(load(config_path), json_output))


async def _status(config: Checked, json_output: bool) -> None:
    log = await open_log(config, "inspect")
    try:
        now = await log.status()
    finally:
        await log.close()
    if json_output:
        as_json(facts(now))
    else:
        show(now)
    if any(target.missing for target in now.targets):
        raise SystemExit(1)


def facts(now: LogStatus) -> dict[str, object]:
    """Return the counts as JSON shows them."""
    targets = [{**msgspec.to_builtins(target), "missing": target.missing} for target in now.targets]
    return {"targets": targets, "events": now.events, "bytes": now.bytes, "head": now.head}


def show(now: LogStatus) -> None:
    """Print the counts for a person."""
    head = ["target", "accepted", "delivered", "queued", "dropped", "duplicate", "dead", "missing", "oldest waiting"]
    table(head, [_row(target) for target in now.targets], right=range(1, 8))
    for target in now.targets:
        for rule, count in sorted(target.dropped_by.items()):
            click.echo(f"  {target.target}: {count} dropped by {rule}")
    click.echo(f"log: {now.events} events, {now.bytes} bytes")


def _row(target: TargetStatus) -> list[object]:
    age = "" if target.oldest_queued_at is None else f"{max(0.0, time.time() - target.oldest_queued_at):.1f} s"
    return [
        target.target,
        target.accepted,
        target.delivered,
        target.queued,
        target.dropped,
        target.duplicate,
        target.dead,
        target.missing,
        age,
    ]
