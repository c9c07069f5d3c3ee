"""``gateway status``: counts and the conservation sum per target."""

import time
from pathlib import Path
from typing import Any

import click
import msgspec

from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json, table
from gateway.cli.running import ask, url_of
from gateway.config import Checked, load
from gateway.errors import GatewayError
from gateway.log.port import LogStatus, TargetStatus
from gateway.opening import open_log, run

PATIENCE_S = 3.0


@click.command()
@config_option
@json_option
def status(config_path: Path, json_output: bool) -> None:
    """Show, per target, what became of every accepted event; and which configuration is in force.

    accepted = delivered + queued + dropped + duplicate + dead holds at all times; the last column is what is
    missing from that sum. Reads the log itself, whether the gateway runs or not; the configuration is asked of the
    gateway. Ends with code 1 when anything is missing.

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
    in_force = _in_force(config)
    if json_output:
        as_json({**facts(now), "configuration": in_force})
    else:
        show(now)
        if in_force is not None:
            _show_configuration(in_force)
    if any(target.missing for target in now.targets):
        raise SystemExit(1)


def _in_force(config: Checked) -> dict[str, Any] | None:
    """Return which configuration the running gateway goes by; None when none answers."""
    try:
        answer = ask("GET", f"{url_of(config.admin)}/configuration", config.admin.token, patience=PATIENCE_S)
        told: dict[str, Any] = msgspec.json.decode(answer.content, type=dict)
    except (GatewayError, msgspec.MsgspecError):
        return None
    return told


def _show_configuration(told: dict[str, Any]) -> None:
    click.echo(
        f"configuration: version {told['version']}, loaded {told['loaded_at']};"
        f" {told['reloads']} reloads, {told['refused']} refused"
    )
    if told["last_refusal"]:
        click.echo(f"last refused {told['last_refusal']['at']}:\n{told['last_refusal']['why']}")


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
