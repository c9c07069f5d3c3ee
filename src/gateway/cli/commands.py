"""Which commands there are; each is imported when it is asked for, so that none pays for what the others need.

A command is the function of its own name in the module of that name under `gateway.cli`: ``new-adapter`` is
`gateway.cli.new_adapter.new_adapter`.
"""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Final

import click

NAMES: Final = (
    "demo", "serve", "reload", "check", "explain", "translate", "status", "tail", "dead", "replay", "forget",
    "migrate-log", "adapters", "sandbox", "new-adapter",
)  # fmt: skip
"""In the order in which help lists them."""


class Commands(MutableMapping[str, click.Command]):
    """All commands by name, as click's groups hold theirs. To know the names imports nothing."""

    def __init__(self) -> None:
        self._known: dict[str, click.Command | None] = dict.fromkeys(NAMES)

    def __getitem__(self, name: str) -> click.Command:
        command = self._known[name]
        if command is None:
            command = self._known[name] = _imported(name)
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._known[name] = command

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _imported(name: str) -> click.Command:
    place = name.replace("-", "_")
    command = getattr(import_module(f"gateway.cli.{place}"), place)
    if not isinstance(command, click.Command):
        raise TypeError(f"gateway.cli.{place} holds no command")
    return command
