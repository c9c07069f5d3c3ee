"""The directory: who is already known to each source, for endpoints whose answer depends on it.

It reads the log as one more reader and keeps identifiers only: when somebody asks, when the log is quiet, or when it is
far behind, so that accepting events costs next to nothing for it. For a log of one machine it has a SQLite file of its
own; nodes that share a log have it in their views. An event whose profile has an identifier known to its source is
about that person; the first that is known decides: ids made by vendors (the source's vendor first), user_id, email (in
lower case), phone, anonymous_id, device_id. An identifier stays with the person it was first seen with. A new person's
id is the vendor's own if the event has one, else made from the source and the first of the client's own identifiers.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, Self

from gateway.adapter import derive_uuid
from gateway.errors import LogError
from gateway.event import Profile
from gateway.log import people_store as store

Minter = Callable[[str], str]

IDLE_S: Final = 1.0
"""Seconds between looks at the log while nobody asks."""
QUIET: Final = 500
"""Events in that time up to which the log is quiet; a busier one is not read before it has to be."""
BEHIND: Final = 50_000
"""Events not yet known that have to be read however busy the log is, so that whoever asks need not wait for long."""
PAUSE_S: Final = 0.02
"""Between reads of a busy log."""
HOLD_EVERY_S: Final = 60.0
"""Seconds between telling the log what may be pruned."""
READ_EVENTS: Final = 500
READ_BYTES: Final = 4 << 20
HOLD: Final = "people"


class Followed(Protocol):
    """What the directory needs of a log."""

    async def scan(self, after: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """Return the next events."""

    async def head(self) -> int:
        """Return the place of the newest event."""

    async def hold(self, name: str, place: int | None) -> None:
        """Keep what is after a place."""


class Directory(Protocol):
    """All sources' people; used on one event loop."""

    def people(self, source: str) -> "SourcePeople":
        """Return who is known to a source."""

    async def catch_up(self) -> None:
        """Return once all events appended before the call are known.

        Raises:
            LogError: the log cannot be read, or the directory not written.
        """

    async def prepare(self, minters: Mapping[str, Minter | None]) -> None:
        """Follow further sources beside those of now.

        Raises:
            LogError: the log cannot be read.
        """

    def replace(self, minters: Mapping[str, Minter | None]) -> None:
        """Follow these sources from the next read of the log on."""

    async def close(self) -> None:
        """Let go of it; the log stays open."""


class SourcePeople:
    """Who is known to one source; `gateway.adapter.People`.

    Args:
        connection: gives what is read at present.
        source: its name.
        mint: what makes the vendor's ids out of a seed.
    """

    def __init__(self, connection: Callable[[], sqlite3.Connection], source: str, mint: Minter | None) -> None:
        self._connection = connection
        self._source = source
        self._mint = mint

    def find(self, profile: Profile) -> str | None:
        """Return the vendor id known for any identifier of `profile`, the strongest first."""
        return store.find(self._connection(), self._source, store.identifiers(profile))

    def get(self, vendor_id: str) -> Profile | None:
        """Return the newest identifier of each kind known for an id."""
        return store.profile(self._connection(), self._source, vendor_id)

    def mint(self, profile: Profile) -> str:
        """Return the id that a person with these identifiers has, or would get: the same at every call."""
        keys = store.identifiers(profile)
        return store.find(self._connection(), self._source, keys) or minted(self._mint, self._source, keys)


def minted(mint: Minter | None, source: str, keys: store.Keys) -> str:
    """Return the id for a new person; without a minter of the vendor's, a UUID."""
    seed = store.seed(source, keys)
    return mint(seed) if mint else derive_uuid("person", seed)


class DirectoryFile:
    """All sources' people in a file beside the log. Made by `open`; used on the event loop that opened it.

    Several processes may have the same directory open: each follows the log, and they share what they learn.
    """

    def __init__(self, path: Path, log: Followed, minters: Mapping[str, Minter | None]) -> None:
        self._log = log
        self._minters = dict(minters)
        self._path = path
        self._reads = store.connect(path)
        self._writes = store.connect(path)
        self._learner = store.Learner(self._writes, self._minted(minters))
        self._place = store.place(self._reads)
        self._head = 0
        self._held_at = 0.0
        self._asked = self._known = 0
        self._following = asyncio.Lock()
        self._idle: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path | str, log: Followed, minters: Mapping[str, Minter | None]) -> Self:
        """Open the directory beside a log.

        Args:
            path: its own file.
            log: what it follows.
            minters: by name of the source, what makes the vendor's ids out of a seed; other sources are not followed.

        Raises:
            LogError: the file cannot be used.
        """
        path = Path(path)
        try:
            await asyncio.to_thread(store.prepare, path)
            directory = cls(path, log, minters)
        except (sqlite3.Error, OSError) as error:
            raise LogError(f"{path} cannot be used as a directory of people: {error}") from error
        if minters:
            await directory._begin()
        return directory

    async def _begin(self) -> None:
        self._head = await self._log.head()
        if self._place > self._head:
            self._place = 0
            await asyncio.to_thread(self._learner.restart)
        await self._hold()
        self._idle = asyncio.create_task(self._follow_idly(), name="directory of people")

    async def prepare(self, minters: Mapping[str, Minter | None]) -> None:
        """Follow further sources beside those of now.

        Raises:
            LogError: the log cannot be read.
        """
        self.replace({**minters, **self._minters})
        if self._minters and self._idle is None:
            await self._begin()

    def replace(self, minters: Mapping[str, Minter | None]) -> None:
        """Follow these sources from the next read of the log on; a read under way goes on with those before."""
        self._minters |= minters
        self._learner = store.Learner(self._writes, self._minted(minters))

    def _minted(self, minters: Mapping[str, Minter | None]) -> Callable[[str, str], Callable[[store.Keys], str] | None]:
        vendor_ids = {name: self._vendor_id(name) for name in minters}
        return lambda source, _: vendor_ids.get(source)

    def _vendor_id(self, source: str) -> Callable[[store.Keys], str]:
        return lambda keys: minted(self._minters[source], source, keys)

    def people(self, source: str) -> SourcePeople:
        """Return who is known to a source."""
        return SourcePeople(lambda: self._reads, source, self._minters.get(source))

    async def catch_up(self) -> None:
        """Return once all events appended before the call are known.

        Raises:
            LogError: the log cannot be read, or the directory not written.
        """
        self._asked += 1
        mine = self._asked
        async with self._following:
            if self._known >= mine or not self._minters:
                return
            covered = self._asked
            await self._follow()
            self._known = covered

    async def _follow(self) -> None:
        """Read up to the head of now; what comes meanwhile is for later."""
        head = await self._log.head()
        while self._place < head and await self._step():
            pass

    async def _step(self) -> bool:
        """Read the next events; tell whether there were any. What another process has learnt is passed over."""
        try:
            self._place = max(self._place, store.place(self._reads))
            rows = await self._log.scan(self._place, READ_EVENTS, READ_BYTES)
            if rows:
                self._place = await asyncio.to_thread(self._learner.learn, rows)
        except sqlite3.Error as error:
            raise LogError(f"{self._path} cannot be used: {error}") from error
        return bool(rows)

    async def _follow_idly(self) -> None:
        while True:
            await asyncio.sleep(IDLE_S)
            with suppress(LogError):  # whoever asks hears of it; this is only ahead of time
                await self._look()
                if time.monotonic() - self._held_at >= HOLD_EVERY_S:
                    await self._hold()

    async def _look(self) -> None:
        before, self._head = self._head, await self._log.head()
        if self._head - before <= QUIET:
            await self.catch_up()
        while self._head - self._place > BEHIND:
            async with self._following:
                await self._step()
            await asyncio.sleep(PAUSE_S)
            self._head = await self._log.head()

    async def _hold(self) -> None:
        self._held_at = time.monotonic()
        await self._log.hold(HOLD, self._place)

    async def close(self) -> None:
        """Stop following and close the file; the log stays open."""
        if self._idle is not None:
            self._idle.cancel()
            with suppress(asyncio.CancelledError):
                await self._idle
            self._idle = None
            with suppress(LogError):
                await self._hold()
        async with self._following:
            self._reads.close()
            self._writes.close()
