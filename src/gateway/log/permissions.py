"""Who has given which permission: the last word of each person, for rules that ask for one.

Kept is the newest change of each permission under every identifier that came with it. For a log of one machine a file
of its own follows the log, as the directory of people does; nodes that share a log have it in their views.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec
from msgspec import Struct

from gateway.errors import LogError
from gateway.event import ConsentChange, Profile
from gateway.log.people import Followed

READ_EVENTS: Final = 500
READ_BYTES: Final = 4 << 20
IDLE_S: Final = 1.0
"""Seconds between looks at the log while nobody asks."""
HOLD_EVERY_S: Final = 60.0
HOLD: Final = "permissions"
MARK: Final = b'"consent":[{'
"""Stands in every event that gives or takes back a permission, and in few others."""
ANY: Final = "*"
"""Stands for all channels."""
WHOLE: Final = ""
"""Stands for no group: the channel as a whole."""

TABLE: Final = """
    CREATE TABLE IF NOT EXISTS said (
        kind TEXT NOT NULL, value TEXT NOT NULL, channel TEXT NOT NULL, grp TEXT NOT NULL,
        granted INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (kind, value, channel, grp)) WITHOUT ROWID
"""
_PLACE: Final = """
    CREATE TABLE IF NOT EXISTS place (at INTEGER NOT NULL);
    INSERT INTO place SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM place);
"""
_SAY: Final = """
    INSERT INTO said VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET granted = excluded.granted, at = excluded.at WHERE excluded.at >= said.at
"""


class _Said(Struct):
    """What matters here of an event."""

    received_at: datetime
    profile: Profile = Profile()
    consent: tuple[ConsentChange, ...] = ()
    occurred_at: datetime | None = None


_decode = msgspec.json.Decoder(_Said).decode


class Permissions(Protocol):
    """The last known permissions; used on one event loop."""

    def last_word(self, profile: Profile, channel: str, group: str | None = None) -> bool | None:
        """Tell whether a permission was given; see `last_word`."""

    async def catch_up(self) -> None:
        """Return once all events appended before the call are known.

        Raises:
            LogError: the log cannot be read.
        """

    async def close(self) -> None:
        """Let go of them; the log stays open."""


class PermissionsFile:
    """Permissions in a file beside the log, which they follow. Made by `open`."""

    def __init__(self, path: Path, log: Followed) -> None:
        self._path = path
        self._log = log
        self._connection = connect(path)
        self._place = place(self._connection)
        self._following = asyncio.Lock()
        self._holding: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path | str, log: Followed) -> Self:
        """Open the file beside a log and begin to follow.

        Raises:
            LogError: the file cannot be used.
        """
        try:
            permissions = cls(Path(path), log)
        except (sqlite3.Error, OSError) as error:
            raise LogError(f"{path} cannot be used for permissions: {error}") from error
        if permissions._place > await log.head():
            permissions._place = 0
        await permissions._hold()
        permissions._holding = asyncio.create_task(permissions._follow_idly(), name="permissions")
        return permissions

    def last_word(self, profile: Profile, channel: str, group: str | None = None) -> bool | None:
        """Tell whether a permission was given; see `last_word`."""
        return last_word(self._connection, profile, channel, group)

    async def catch_up(self) -> None:
        """Return once all events appended before the call are known.

        Raises:
            LogError: the log cannot be read, or the file not written.
        """
        async with self._following:
            while rows := await self._log.scan(self._place, READ_EVENTS, READ_BYTES):
                self._learn(rows)

    def _learn(self, rows: Sequence[tuple[int, bytes]]) -> None:
        said = [row for _, body in rows if MARK in body for row in _said(body)]
        last = rows[-1][0]
        try:
            if said:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany(_SAY, said)
                move(self._connection, last)
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise LogError(f"{self._path} cannot be written: {error}") from error
        self._place = last

    async def _follow_idly(self) -> None:
        loop = asyncio.get_running_loop()
        held_at = loop.time()
        while True:
            await asyncio.sleep(IDLE_S)
            with suppress(LogError):  # whoever asks hears of it; this is only ahead of time
                await self.catch_up()
                if loop.time() - held_at >= HOLD_EVERY_S:
                    held_at = loop.time()
                    await self._hold()

    async def _hold(self) -> None:
        with suppress(sqlite3.Error):
            move(self._connection, self._place)
        await self._log.hold(HOLD, self._place)

    async def close(self) -> None:
        """Stop following and close the file; the log stays open."""
        if self._holding is not None:
            self._holding.cancel()
            with suppress(asyncio.CancelledError):
                await self._holding
        with suppress(LogError):
            await self._hold()
        async with self._following:
            self._connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection to the file beside a log, made if need be."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(TABLE)
    connection.executescript(_PLACE)
    return connection


def place(connection: sqlite3.Connection) -> int:
    """Return up to where the log is known in such a file."""
    (at,) = connection.execute("SELECT at FROM place").fetchone()
    return int(at)


def move(connection: sqlite3.Connection, at: int) -> None:
    """Say up to where the log is known in such a file."""
    connection.execute("UPDATE place SET at = ?", (at,))


def last_word(connection: sqlite3.Connection, profile: Profile, channel: str, group: str | None = None) -> bool | None:
    """Tell whether the newest change known for any of a profile's identifiers gave a permission.

    What was said of the whole channel, or of all channels, counts for each group of it. Without a group, what was
    said of groups counts only where nothing was said of the whole.

    Returns:
        None when nothing is known.
    """
    found = [row for kind, value in _identifiers(profile) for row in _rows(connection, kind, value, channel)]
    fitting = [row for row in found if row[0] == WHOLE or row[0] == group]
    newest = max(fitting or (found if group is None else []), key=lambda row: (row[2], -row[1]), default=None)
    return None if newest is None else bool(newest[1])


def _rows(connection: sqlite3.Connection, kind: str, value: str, channel: str) -> list[tuple[str, int, float]]:
    return connection.execute(
        "SELECT grp, granted, at FROM said WHERE kind = ? AND value = ? AND channel IN (?, ?)",
        (kind, value, channel, ANY),
    ).fetchall()


def learn(connection: sqlite3.Connection, body: bytes) -> None:
    """Write down what one stored event says of permissions, after all that were stored before it."""
    connection.executemany(_SAY, list(_said(body)))


def _said(body: bytes) -> Iterator[tuple[str, str, str, str, int, float]]:
    """Yield a row for each change of permission and each identifier of an event."""
    try:
        event = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    for change in event.consent:
        at = (change.at or event.occurred_at or event.received_at).timestamp()
        for kind, value in _identifiers(event.profile):
            yield kind, value, change.channel or ANY, change.group or WHOLE, int(change.granted), at


def _identifiers(profile: Profile) -> Iterator[tuple[str, str]]:
    given = (("user_id", profile.user_id), ("email", profile.email), ("phone", profile.phone))
    for kind, value in given:
        if value:
            yield kind, value.strip().lower() if kind == "email" else value.strip()
