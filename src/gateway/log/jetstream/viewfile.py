"""Reading a view beside its follower, for what has to be read on the event loop."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.errors import LogError
from gateway.log import schema


class ViewFile:
    """A connection to a view, which may be made anew meanwhile.

    Raises:
        LogError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.connection, self._file = self._opened()

    def look(self, last: int) -> None:
        """Read the file that may have taken the place of the one before; it has to have a message.

        Raises:
            LogError: it cannot be read, or is only being made.
        """
        try:
            if self._path.stat().st_ino != self._file:
                before = self.connection
                self.connection, self._file = self._opened()
                before.close()
            (there,) = self.connection.execute("SELECT sequence FROM applied").fetchone()
        except (sqlite3.Error, OSError) as error:
            raise LogError(f"{self._path} cannot be read: {error}") from error
        if there < last:
            raise LogError(f"{self._path} is being made anew")

    def _opened(self) -> tuple[sqlite3.Connection, int]:
        try:
            return schema.connect(self._path, read_only=True), self._path.stat().st_ino
        except (sqlite3.Error, OSError) as error:
            raise LogError(f"{self._path} cannot be read: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()


class Question:
    """Something that takes a while to find out; asked once for all who want to know what holds from then on."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._asking = asyncio.Lock()
        self._wanted = self._known = 0

    async def __call__(self) -> None:
        """Return once it was asked after this call, or raise what asking raised."""
        self._wanted += 1
        mine = self._wanted
        async with self._asking:
            if self._known < mine:
                covered = self._wanted
                await self._ask()
                self._known = covered
