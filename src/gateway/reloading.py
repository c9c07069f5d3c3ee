"""Brings another configuration in force while the gateway runs: when told to, and when its files change."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from gateway.errors import ConfigError, GatewayError
from gateway.loading import (
    InForce,
    Loaded,
    Refusal,
    Stamps,
    differences,
    load_whole,
    needing_restart,
    stamps,
    survey,
    version_of,
)
from gateway.telemetry import Logger

LOOK_EVERY_S: Final = 1.0
"""Between two looks at the files."""


class Outcome(Struct, frozen=True):
    """What became of a reload."""

    outcome: Literal["done", "refused"]
    version: str
    """In force now."""
    problems: list[str] = []
    """Why it was refused."""
    changes: list[str] = []
    """Sources, targets and rules that came, went or changed; rules by their names only."""
    seconds: float = 0.0


class Reloader:
    """Loads the configuration anew and has it put in force, one time after the other.

    Args:
        change: puts a configuration in force, or raises and leaves everything as it was.
        log: gives the logger of now.
    """

    def __init__(
        self,
        loaded: Loaded,
        in_force: InForce,
        change: Callable[[Loaded], Awaitable[None]],
        log: Callable[[], Logger],
    ) -> None:
        self._loaded = loaded
        self._in_force = in_force
        self._change = change
        self._log = log
        self._lock = asyncio.Lock()
        self._ready = False
        self._hangup = asyncio.Event()
        self._refused = ""
        """The version refused last."""
        self._read = loaded.stamps
        """Of what was read last, be it refused or not."""
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def path(self) -> Path:
        """The file that `gateway serve` was given."""
        return self._loaded.path

    async def reload(self, why: str) -> Outcome:
        """Put the configuration in force that is in the files now; a wrong one is refused, and nothing changes."""
        if not self._ready:
            return Outcome("refused", self._in_force.version, problems=["the gateway is starting"])
        async with self._lock:
            begun = time.monotonic()
            before = self._loaded.config
            seen = await asyncio.to_thread(stamps, tuple(self._read))
            try:
                loaded = await asyncio.to_thread(self._load)
                await self._change(loaded)
            except ConfigError as error:
                return await self._refuse(why, [str(problem) for problem in error.problems], seen)
            except GatewayError as error:
                return await self._refuse(why, [str(error)], seen)
            except Exception as error:  # noqa: BLE001  # whatever it was, the old configuration serves on
                self._log().error("fault", exc_info=error)
                return await self._refuse(why, [f"a fault: {error!r}"], seen)
            self._loaded, self._read = loaded, loaded.stamps
            self._in_force.reloads += 1
            self._refused = ""
            seconds = time.monotonic() - begun
            self._log().info("reloaded", why=why, version=loaded.version, ms=round(seconds * 1000, 3))
            told = differences(before, loaded.config)
            return Outcome("done", loaded.version, changes=told, seconds=round(seconds, 3))

    def _load(self) -> Loaded:
        loaded = load_whole(self._loaded.path)
        if problems := needing_restart(self._loaded.config, loaded.config, loaded.path):
            raise ConfigError(problems)
        return loaded

    async def _refuse(self, why: str, problems: list[str], seen: Stamps) -> Outcome:
        self._in_force.refused += 1
        self._in_force.last_refusal = Refusal(datetime.now(UTC), "\n".join(problems))
        files = await asyncio.to_thread(self._files)
        self._refused = await asyncio.to_thread(version_of, self._loaded.path, files)
        self._read = {**await asyncio.to_thread(stamps, files), **seen}
        self._log().error("reload refused", why=why, version=self._in_force.version, problems=problems)
        return Outcome("refused", self._in_force.version, problems=problems)

    def _files(self) -> tuple[Path, ...]:
        """Return what the configuration in force was read from, and what would be read now."""
        return tuple(dict.fromkeys((*survey(self._loaded.path), *self._loaded.files)))

    def _version_in_files(self) -> str:
        return version_of(self._loaded.path, self._files())

    async def renew(self) -> bool:
        """Reload if the files were changed since, unless that was refused; tell whether they are in force now."""
        version = await asyncio.to_thread(self._version_in_files)
        if version not in (self._in_force.version, self._refused):
            await self.reload("a worker starts")
        return await asyncio.to_thread(self._version_in_files) == self._in_force.version

    # --- when ----------------------------------------------------------------------------------------

    def start(self, *, watch: bool) -> None:
        """Reload on SIGHUP from now on, and whenever the files change if they are to be watched."""
        self._ready = True
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hangup.set)
        self._tasks = [asyncio.create_task(self._on_hangup(), name="reload on SIGHUP")]
        if watch:
            self._tasks.append(asyncio.create_task(self._on_change(), name="watch the configuration"))

    async def _on_hangup(self) -> None:
        while True:
            await self._hangup.wait()
            self._hangup.clear()
            await self.reload("SIGHUP")

    async def _on_change(self) -> None:
        """Reload once the files differ from those read last, and have stood still from one look to the next."""
        before: Stamps = {}
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = await asyncio.to_thread(stamps, tuple(self._read))
            if now != self._read and now == before:
                await self.reload("the files changed")
            before = now

    async def stop(self) -> None:
        """Do nothing more; a reload under way is finished."""
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        async with self._lock:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
