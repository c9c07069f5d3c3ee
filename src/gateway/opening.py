"""A loop to run in, and the log that a configuration names: all that a command needs which only reads the log."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Literal

import uvloop

from gateway.config import Checked
from gateway.log.sqlite import Retention, SqliteLog


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


async def open_log(
    config: Checked, role: Literal["all", "ingest", "deliver", "inspect"], *, shared: bool = False
) -> SqliteLog:
    """Open the configured log; every role but `inspect` makes the targets known to it.

    Args:
        shared: whether other processes may accept at the same time.
    """
    log = await SqliteLog.open(
        Path(config.log.sqlite),
        role=role,
        retention=Retention(seconds=config.log.retention.hours * 3600, bytes=config.log.retention.bytes),
        duplicate_window_s=config.log.duplicates.hours * 3600,
        shared_ingest=shared,
    )
    if role != "inspect":
        await log.register(list(config.targets))
    return log
