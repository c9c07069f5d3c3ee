"""``gateway serve``: run."""

from pathlib import Path

import click

from gateway.app import Role, run, serve_as_worker, serve_with_workers
from gateway.app import serve as serve_here
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
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that accept; with more than one, a further one delivers.",
)
@click.option("--listen-fd", type=int, hidden=True, help="A worker's listener, handed down by its parent.")
@ready_option
def serve(config_path: Path, role: Role, workers: int, listen_fd: int | None, ready_file: Path | None) -> None:
    """Run the gateway until it is told to stop (SIGTERM or Ctrl-C).

    On stopping it answers the requests it has, finishes or returns the deliveries under way, and closes the log.

    \b
    Examples:
      gateway serve
      gateway serve -c /etc/gateway/gateway.yaml --ready-file /run/gateway.json
      gateway serve --workers 4
      gateway serve --role ingest      # and, beside it: gateway serve --role deliver
    """
    config = load(config_path)
    if listen_fd is not None:
        run(serve_as_worker(config, listen_fd))
    elif workers > 1:
        if role != "all":
            raise click.UsageError("--workers is for --role all")
        run(serve_with_workers(config_path, config, workers, ready_file))
    else:
        run(serve_here(config, role, ready_file))
