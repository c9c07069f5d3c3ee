"""A command imports what it needs and no more: starting is most of the time that a short one takes."""

import subprocess
import sys

import pytest

from gateway.cli import main

RUN = """
import sys
from gateway.cli import main
try:
    main(sys.argv[1:])
finally:
    print("imported:", *sys.modules)
"""


def imported(*arguments: str) -> set[str]:
    """Run a command in a process of its own; return the modules that it imported."""
    command = [sys.executable, "-c", RUN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "imported:" in done.stdout, done.stderr
    return set(done.stdout.partition("imported:")[2].split())


@pytest.mark.parametrize(
    ("arguments", "costly"),
    [
        (["--version"], {"gateway.config", "httpx", "msgspec", "yaml"}),
        (["nonsense"], {"gateway.config", "httpx", "msgspec", "yaml"}),
        (["adapters"], {"aiohttp", "httpx", "lark", "uvicorn"}),
        (
            ["status", "--help"],
            {"adapters", "aiohttp", "lark", "prometheus_client", "starlette", "structlog", "uvicorn"},
        ),
        (["dead", "list", "--help"], {"adapters", "aiohttp", "lark", "uvicorn"}),
        (["check", "--help"], {"adapters", "aiohttp", "lark", "uvicorn"}),
        (["serve", "--help"], {"adapters", "aiohttp", "lark"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_command_does_not_import_what_it_does_not_need(arguments: list[str], costly: set[str]) -> None:
    assert imported(*arguments) & costly == set()


def test_every_command_is_there_under_its_name() -> None:
    assert {name: command.name for name, command in main.commands.items()} == {name: name for name in main.commands}
