"""All commands, in the order in which help lists them."""

from typing import Final

import click

from gateway.cli.adapters import adapters
from gateway.cli.check import check
from gateway.cli.dead import dead
from gateway.cli.demo import demo
from gateway.cli.explain import explain
from gateway.cli.new_adapter import new_adapter
from gateway.cli.reload import reload
from gateway.cli.replay import replay
from gateway.cli.sandbox import sandbox
from gateway.cli.serve import serve
from gateway.cli.status import status
from gateway.cli.tail import tail
from gateway.cli.translate import translate

ALL: Final[tuple[click.Command, ...]] = (
    demo, serve, reload, check, explain, translate, status, tail, dead, replay, adapters, sandbox, new_adapter,
)  # fmt: skip
