"""Permissions as a node's view has them: learnt when an event is appended, on every node in the stream's order."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.errors import LogError
from gateway.event import Profile
from gateway.log import permissions, schema


class ViewPermissions:
    """Reads them; `gateway.log.permissions.Permissions`.

    Args:
        path: of the view, which may be made anew while it is read.
        reach: waits until the view has all that any node had stored when it was called; returns the last message of it.

    Raises:
        LogError: the view cannot be read.
    """

    def __init__(self, path: Path, reach: Callable[[], Awaitable[int]]) -> None:
        self._path = path
        self._reach = reach
        self._connection, self._file = self._opened()
        self._asking = asyncio.Lock()
        self._asked = self._known = 0

    def last_word(self, profile: Profile, channel: str, group: str | None = None) -> bool | None:
        """Tell whether a permission was given; see `gateway.log.permissions.last_word`."""
        return permissions.last_word(self._connection, profile, channel, group)

    async def catch_up(self) -> None:
        """Return once all events that any node had stored before the call are known; one question serves many.

        Raises:
            LogError: the servers cannot say, or it takes too long.
        """
        self._asked += 1
        mine = self._asked
        async with self._asking:
            if self._known < mine:
                covered = self._asked
                self._look(await self._reach())
                self._known = covered

    def _look(self, last: int) -> None:
        """Read the file that may have taken the place of the one before; it has to have a message."""
        try:
            if self._path.stat().st_ino != self._file:
                before = self._connection
                self._connection, self._file = self._opened()
                before.close()
            (there,) = self._connection.execute("SELECT sequence FROM applied").fetchone()
        except (sqlite3.Error, OSError) as error:
            raise LogError(f"{self._path} cannot be read: {error}") from error
        if there < last:
            raise LogError(f"{self._path} is being made anew")

    def _opened(self) -> tuple[sqlite3.Connection, int]:
        try:
            return schema.connect(self._path, read_only=True), self._path.stat().st_ino
        except (sqlite3.Error, OSError) as error:
            raise LogError(f"{self._path} cannot be read: {error}") from error

    async def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
