"""``gateway dead``: what was given up on, and what to do about it."""

import click

from gateway.cli.dead.carrying import export_dead, import_dead
from gateway.cli.dead.changing import drop_dead, retry_dead
from gateway.cli.dead.showing import list_dead, show_dead

__all__ = ["dead"]


@click.group()
def dead() -> None:
    """List, show, retry, drop, export or import dead letters: events that a target will never take as they are.

    \b
    Examples:
      gateway dead list --target crm --since 2h
      gateway dead show 12
      gateway dead retry 12 13        # after the mapping or the account was repaired
      gateway dead drop 14 --reason "test data"
      gateway dead export --target crm letters.jsonl
    """


for _command in (list_dead, show_dead, retry_dead, drop_dead, export_dead, import_dead):
    dead.add_command(_command)
