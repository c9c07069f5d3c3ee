"""The directory of people as a node's view has it.

It is learnt from the view's events later than they are appended, so that appending costs nothing for it, and always
before events are pruned: whatever a view holds, it knows everyone who was ever spoken of.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from gateway.errors import LogError
from gateway.log.jetstream.viewfile import Question, ViewFile
from gateway.log.people import BEHIND, IDLE_S, PAUSE_S, QUIET, Minter, SourcePeople, minted
from gateway.log.people_store import Keys
from gateway.log.schema import NOTHING

Minted = Callable[[str, str], Callable[[Keys], str] | None]
"""(source, vendor) -> what makes the id of a new person; None: nobody asks about people of that vendor."""

_STORED: Final = "SELECT coalesce(sum(stored), 0) FROM tally WHERE decision != ?"


def minted_by(vendors: Mapping[str, Minter | None]) -> Minted:
    """Return what makes ids for every source of these vendors, whichever sources a node has."""

    @cache
    def of(source: str, vendor: str) -> Callable[[Keys], str] | None:
        if vendor not in vendors:
            return None
        return lambda keys: minted(vendors[vendor], source, keys)

    return of


def stored(connection: sqlite3.Connection) -> int:
    """Return how many events were ever stored."""
    return int(connection.execute(_STORED, (NOTHING,)).fetchone()[0])


class Reading(NamedTuple):
    """What the directory needs of its node's log."""

    reach: Callable[[], Awaitable[int]]
    """Waits until the view has all that any node had stored when it was called; returns the last message of it."""
    meet: Callable[[], Awaitable[int | None]]
    """Has the view learn from its next events; returns up to which place it has now, None if there was nothing left."""
    head: Callable[[], Awaitable[int]]
    """Returns the place of the view's newest event."""
    stored: Callable[[], Awaitable[int]]
    """Returns how many events were ever stored."""


class ViewDirectory:
    """Reads it, and has it learnt; `gateway.log.people.Directory`.

    Args:
        path: of the view.
        minters: by name of the source, what makes the vendor's ids out of a seed.
        reading: the log.

    Raises:
        LogError: the view cannot be read.
    """

    def __init__(self, path: Path, minters: Mapping[str, Minter | None], reading: Reading) -> None:
        self._file = ViewFile(path)
        self._minters = dict(minters)
        self._log = reading
        self._question = Question(self._look)
        self._stored = self._behind = 0
        self._idle = asyncio.get_running_loop().create_task(self._learn_idly(), name="directory of people")

    def people(self, source: str) -> SourcePeople:
        """Return who is known to a source."""
        return SourcePeople(lambda: self._file.connection, source, self._minters.get(source))

    async def catch_up(self) -> None:
        """Return once all events that any node had stored before the call are known.

        Raises:
            LogError: the servers cannot say, the view cannot be written, or it takes too long.
        """
        await self._question()

    async def _look(self) -> None:
        last = await self._log.reach()
        await self._learn()
        self._file.look(last)

    async def _learn(self, pause_s: float = 0.0) -> None:
        """Learn from all that is in the view; what comes meanwhile is for later."""
        head = await self._log.head()
        place = await self._log.meet()
        while place is not None and place < head:
            await asyncio.sleep(pause_s)
            place = await self._log.meet()
        self._behind = 0

    async def prepare(self, minters: Mapping[str, Minter | None]) -> None:
        """Answer for further sources beside those of now; their people are known already."""
        self.replace(minters)

    def replace(self, minters: Mapping[str, Minter | None]) -> None:
        """Answer for these sources."""
        self._minters |= minters

    async def _learn_idly(self) -> None:
        while True:
            await asyncio.sleep(IDLE_S)
            with suppress(LogError):  # whoever asks hears of it; this is only ahead of time
                before, self._stored = self._stored, await self._log.stored()
                self._behind += self._stored - before
                if self._stored - before <= QUIET:
                    await self._learn()
                elif self._behind > BEHIND:
                    await self._learn(PAUSE_S)

    async def close(self) -> None:
        """Stop learning and let go of the file."""
        self._idle.cancel()
        with suppress(asyncio.CancelledError):
            await self._idle
        self._file.close()
