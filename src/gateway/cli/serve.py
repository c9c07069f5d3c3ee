"""``gateway serve``: run."""

from pathlib import Path

import click

from gateway.app import Role, run
from gateway.app import serve as serve_gateway
from gateway.cli.options import config_option, ready_option
from gateway.config import load


@click.command()
@config_option
@click.option(
    "--role",
    type=click.Choice(["all", "ingest", "deliver"]),
    default="all",
    show_default=True,
    help="Accept events, deliver them, or both. One process of each role may share a log.",
)
@ready_option
def serve(config_path: Path, role: Role, ready_file: Path | None) -> None:
    """Run the gateway until it is told to stop (SIGTERM or Ctrl-C).

    On stopping it answers the requests it has, finishes or returns the deliveries under way, and closes the log.

    \b
    Examples:
      gateway serve
      gateway serve -c /etc/gateway/gateway.yaml --ready-file /run/gateway.json
      gateway serve --role ingest      # and, beside it: gateway serve --role deliver
    """
    run(serve_gateway(load(config_path), role, ready_file))
