"""``gateway serve``: run."""

from pathlib import Path

import click

from gateway.app import Role, serve_as_worker, serve_with_workers
from gateway.app import serve as serve_here
from gateway.cli.options import config_option, ready_option
from gateway.errors import GatewayError
from gateway.loading import load_whole
from gateway.opening import run
from gateway.workers import ignore_hangup


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
@click.option("--watch", is_flag=True, help="Reload the configuration whenever one of its files changes.")
@click.option("--listen-fd", type=int, hidden=True, help="A worker's listener, handed down by its parent.")
@click.option("--config-version", hidden=True, help="Which configuration a worker has to find.")
@ready_option
def serve(
    config_path: Path,
    role: Role,
    workers: int,
    watch: bool,
    listen_fd: int | None,
    config_version: str | None,
    ready_file: Path | None,
) -> None:
    """Run the gateway until it is told to stop (SIGTERM or Ctrl-C).

    On stopping it answers the requests it has, finishes or returns the deliveries under way, and closes the log.
    On SIGHUP it reloads its configuration, as `gateway reload` has it do.

    \b
    Examples:
      gateway serve
      gateway serve -c /etc/gateway/gateway.yaml --ready-file /run/gateway.json
      gateway serve --workers 4
      gateway serve --watch
      gateway serve --role ingest      # and, beside it: gateway serve --role deliver
    """
    if listen_fd is not None:
        _serve_as_worker(config_path, listen_fd, config_version)
        return
    loaded = load_whole(config_path)
    if workers > 1:
        if role != "all":
            raise click.UsageError("--workers is for --role all")
        run(serve_with_workers(loaded, workers, ready_file, watch=watch))
    else:
        run(serve_here(loaded, role, ready_file, watch=watch))


def _serve_as_worker(path: Path, descriptor: int, version: str | None) -> None:
    ignore_hangup()
    loaded = load_whole(path)
    if version is not None and loaded.version != version:
        raise GatewayError(f"{path} is not what the other processes go by: it changed in the meantime")
    run(serve_as_worker(loaded, descriptor))
