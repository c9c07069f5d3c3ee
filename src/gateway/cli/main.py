"""The command group: every command in one place, and one way to fail.

Exit codes: 0 done, 1 the run failed, 2 wrong usage or configuration.
"""

import sys
from collections.abc import Sequence
from typing import Any

import click

from gateway import __version__
from gateway.cli.commands import Commands
from gateway.errors import GatewayError, UsageError


class _Group(click.Group):
    def main(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Any:
        try:
            return super().main(args, *rest, **more)
        except UsageError as error:
            click.echo(f"gateway: {error}", err=True)
            sys.exit(2)
        except GatewayError as error:
            click.echo(f"gateway: {error}", err=True)
            sys.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's form
        return list(self.commands)


@click.group(
    cls=_Group, commands=Commands(), context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="gateway")
def main() -> None:
    """One endpoint for every marketing platform's event API.

    Clients send events in a vendor's own dialect; the gateway stores them durably, answers as the vendor would,
    and delivers them to one or more vendors within their limits.

    \b
    Start here:
      gateway demo                       see it work, everything on this machine
      gateway check -c gateway.yaml      is my configuration right?
      gateway serve -c gateway.yaml      run it
    """
