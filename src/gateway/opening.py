"""A loop to run in, and the log that a configuration names: all that a command needs which only reads the log."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Literal

import uvloop

from gateway import registry
from gateway.config import Checked, JetStreamConfig
from gateway.errors import UsageError
from gateway.log.engine import Engine
from gateway.log.jetstream.settings import JetStreamSettings
from gateway.log.sqlite import Retention, SqliteLog


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


async def open_log(
    config: Checked, role: Literal["all", "ingest", "deliver", "inspect"], *, shared: bool = False
) -> Engine:
    """Open the configured log; every role but `inspect` makes the targets known to it.

    Args:
        shared: whether other processes of this machine may accept at the same time.
    """
    retention = Retention(seconds=config.log.retention.hours * 3600, bytes=config.log.retention.bytes)
    window_s = config.log.duplicates.hours * 3600
    log: Engine
    if config.log.jetstream is not None:
        log = await _open_stream(config.log.jetstream, role, retention, window_s, shared=shared)
    else:
        log = await SqliteLog.open(
            Path(config.log.file), role=role, retention=retention, duplicate_window_s=window_s, shared_ingest=shared
        )
    if role != "inspect":
        await log.register(list(config.targets))
    return log


async def _open_stream(
    config: JetStreamConfig,
    role: Literal["all", "ingest", "deliver", "inspect"],
    retention: Retention,
    window_s: float,
    *,
    shared: bool,
) -> Engine:
    """Open a stream; of processes that share this machine the first has the view, and is there before the others."""
    needs_extra()
    from gateway.log.jetstream.beside import JetStreamLogBeside
    from gateway.log.jetstream.log import JetStreamLog

    engine = JetStreamLogBeside if shared else JetStreamLog
    return await engine.open(
        stream_settings(config),
        role=role,
        retention=retention,
        duplicate_window_s=window_s,
        minters=registry.minters(),
    )


def needs_extra() -> None:
    """Refuse to go on without what a stream needs.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import nats  # noqa: F401  # an extra
    except ImportError as error:
        raise UsageError(f"log.jetstream needs the extra 'jetstream' of this package: {error}") from None


def stream_settings(config: JetStreamConfig) -> JetStreamSettings:
    """Return where a configured stream is, and this node's view of it."""
    return JetStreamSettings(
        servers=tuple(config.servers),
        view=Path(config.view),
        stream=config.stream,
        replicas=config.replicas,
        user=config.user,
        password=config.password,
        token=config.token,
        credentials=None if config.credentials is None else Path(config.credentials),
        max_bytes=config.bytes,
        snapshot_messages=config.snapshot_messages,
    )
