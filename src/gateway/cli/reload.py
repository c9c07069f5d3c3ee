"""``gateway reload``: have the running gateway take the configuration that is in the files now."""

from pathlib import Path

import click
import msgspec

from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json
from gateway.cli.running import admin_of, ask, url_of
from gateway.errors import ConfigError, GatewayError
from gateway.reloading import Outcome

PATIENCE_S = 120.0


@click.command("reload")
@config_option
@click.option("--admin", "url", metavar="URL", help="Where the admin listener is, if not where the configuration says.")
@json_option
def reload(config_path: Path, url: str | None, json_output: bool) -> None:
    """Have the running gateway take the configuration that is in the files now.

    It is checked whole first: with anything wrong it is refused, every problem is told, and the one before stays in
    force. Nothing under way is lost. What `listen`, `admin` and `log` say can only be changed by a restart.

    Ends with code 1 when it was refused, or when no gateway runs.

    \b
    Examples:
      gateway reload
      gateway reload -c /etc/gateway/gateway.yaml
      gateway reload --admin http://127.0.0.1:8081 --json
    """
    try:
        admin = admin_of(config_path)
    except ConfigError as error:
        raise GatewayError(f"refused; a gateway that runs was not asked, and serves on:\n{error}") from None
    outcome = _asked(url or url_of(admin), admin.token)
    if json_output:
        as_json(outcome)
    else:
        _show(outcome)
    if outcome.outcome == "refused":
        raise SystemExit(1)


def _asked(url: str, token: str | None) -> Outcome:
    answer = ask("POST", f"{url.rstrip('/')}/reload", token, patience=PATIENCE_S)
    try:
        return msgspec.json.decode(answer.content, type=Outcome)
    except msgspec.MsgspecError:
        raise GatewayError(f"what answers at {url} is no gateway: HTTP {answer.status_code}") from None


def _show(outcome: Outcome) -> None:
    if outcome.outcome == "refused":
        told = "\n".join(outcome.problems)
        click.echo(f"gateway: refused; version {outcome.version} serves on:\n{told}", err=True)
        return
    click.echo(f"reloaded in {outcome.seconds:.2f} s: version {outcome.version} is in force")
    for change in outcome.changes:
        click.echo(f"  {change}")
