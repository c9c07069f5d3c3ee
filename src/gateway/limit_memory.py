"""Keeps what limiters know beside the log, so that a restart does not break a target's limits."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.delivery import Deliverer, LimiterState
from gateway.delivery.spec import dump_state, load_state
from gateway.telemetry import Logger

EVERY_S: Final = 1.0


class LimitMemory:
    """One small file, written whole once a second while something is sent, and at the end."""

    def __init__(self, path: Path, logger: Logger) -> None:
        self._path = path
        self._logger = logger
        self._task: asyncio.Task[None] | None = None
        self._written = b""

    def recall(self) -> dict[str, LimiterState]:
        """Return what was known at the end of the last run; nothing when there was none."""
        try:
            return load_state(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            self._logger.warning("limits forgotten", path=str(self._path), reason=str(error))
            return {}

    def follow(self, deliverer: Deliverer) -> None:
        """Write from now on."""
        self._task = asyncio.create_task(self._follow(deliverer))

    async def _follow(self, deliverer: Deliverer) -> None:
        while True:
            self._write(deliverer.snapshot())
            await asyncio.sleep(EVERY_S)

    async def finish(self, states: Mapping[str, LimiterState]) -> None:
        """Write the last word."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._write(states)

    def _write(self, states: Mapping[str, LimiterState]) -> None:
        data = dump_state(states)
        if data == self._written:
            return
        partial = self._path.with_name(self._path.name + ".partial")
        try:
            partial.write_bytes(data)
            partial.replace(self._path)
            self._written = data
        except OSError as error:
            self._logger.warning("limits not kept", path=str(self._path), reason=error.strerror)
