"""Permissions as a node's view has them: learnt when an event is appended, on every node in the stream's order."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.event import Profile
from gateway.log import permissions
from gateway.log.jetstream.viewfile import Question, ViewFile


class ViewPermissions:
    """Reads them; `gateway.log.permissions.Permissions`.

    Args:
        path: of the view.
        reach: waits until the view has all that any node had stored when it was called; returns the last message of it.

    Raises:
        LogError: the view cannot be read.
    """

    def __init__(self, path: Path, reach: Callable[[], Awaitable[int]]) -> None:
        self._file = ViewFile(path)
        self._reach = reach
        self._question = Question(self._look)

    def last_word(self, profile: Profile, channel: str, group: str | None = None) -> bool | None:
        """Tell whether a permission was given; see `gateway.log.permissions.last_word`."""
        return permissions.last_word(self._file.connection, profile, channel, group)

    async def catch_up(self) -> None:
        """Return once all events that any node had stored before the call are known.

        Raises:
            LogError: the servers cannot say, or it takes too long.
        """
        await self._question()

    async def _look(self) -> None:
        self._file.look(await self._reach())

    async def close(self) -> None:
        """Let go of the file."""
        self._file.close()
