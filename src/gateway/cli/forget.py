"""``gateway forget``: let go of targets that are no longer configured."""

from pathlib import Path
from typing import Any

import click
import msgspec

from gateway.cli.dead.choosing import with_log
from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json, table
from gateway.cli.running import ask, url_of
from gateway.config import Checked, load
from gateway.errors import GatewayError, UsageError
from gateway.log.engine import Engine
from gateway.log.port import TargetStatus
from gateway.shape_check import unknown

PATIENCE_S = 3.0


@click.command()
@config_option
@click.argument("names", metavar="[TARGET]...", nargs=-1)
@json_option
def forget(config_path: Path, names: tuple[str, ...], json_output: bool) -> None:
    """Let go of targets that are no longer configured.

    What a target waits for is kept, also after it was taken out of the configuration: put back, it goes on where it
    was. Until then nothing that it waits for is removed from the log. A target that is never to come back is
    forgotten with all that was kept for it, dead letters too: export these first if they matter.

    Without a name: lists the targets that the log knows and the configuration does not.

    \b
    Examples:
      gateway forget
      gateway dead export --target old-crm > old-crm.jsonl
      gateway forget old-crm
    """
    config = load(config_path)

    async def work(log: Engine) -> list[TargetStatus]:
        gone = [status for status in (await log.status()).targets if status.target not in config.targets]
        if not names:
            return gone
        _check(config, names, [status.target for status in gone])
        for name in names:
            await log.forget(name)
        return [status for status in gone if status.target in names]

    _show(with_log(config, work), done=bool(names), json_output=json_output)


def _check(config: Checked, names: tuple[str, ...], gone: list[str]) -> None:
    running = _running_targets(config)
    for name in names:
        if name in config.targets:
            raise UsageError(f"the target {name!r} is configured; take it out of the configuration first")
        if name not in gone:
            hint = f"; {unknown(name, gone)}" if gone else ": every target that it knows is configured"
            raise UsageError(f"the log has no target {name!r} to forget{hint}")
        if name in running:
            raise GatewayError(f"the running gateway still delivers to {name!r}; `gateway reload` first")


def _running_targets(config: Checked) -> set[str]:
    """Return the targets of the running gateway; none when none answers."""
    try:
        answer = ask("GET", f"{url_of(config.admin)}/status", config.admin.token, patience=PATIENCE_S)
        return {state["target"] for state in msgspec.json.decode(answer.content, type=dict[str, Any])["targets"]}
    except (GatewayError, msgspec.MsgspecError, KeyError):
        return set()


def _show(statuses: list[TargetStatus], *, done: bool, json_output: bool) -> None:
    rows = [(one.target, one.queued, one.dead, one.delivered) for one in statuses]
    if json_output:
        as_json([dict(zip(("target", "queued", "dead", "delivered"), row, strict=True)) for row in rows])
    elif not rows:
        click.echo("every target that the log knows is configured")
    else:
        table(("target", "queued", "dead", "delivered"), rows, right=(1, 2, 3))
        click.echo("forgotten" if done else "not configured; `gateway forget TARGET` lets go of one")
