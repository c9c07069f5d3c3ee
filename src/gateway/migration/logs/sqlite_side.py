"""A SQLite log as one of the two sides of a move."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, Self

import msgspec

from gateway.errors import LogError, LogLocked
from gateway.log import moves, schema, store, targets
from gateway.log.jetstream import view
from gateway.log.jetstream.knowledge import PEOPLE, PERMISSIONS
from gateway.log.locks import Locks, setup_lock
from gateway.log.moves import Move
from gateway.log.port import LogStatus
from gateway.migration.logs.moving import Progress

LOG: Final = "log"
"""The name of a log that is on its way."""
RECEIPTS: Final = ".receipts"
BESIDE: Final = (PEOPLE, PERMISSIONS, RECEIPTS)
"""Files that go along, beside the log itself."""
LIMITS: Final = ".limits"


class SqliteSide:
    """One file, held for as long as it is open."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._locks = Locks()
        self._holding: sqlite3.Connection | None = None

    @classmethod
    async def open(cls, path: Path, *, source: bool, looking: bool = False) -> Self:
        """Take hold of a log that nobody uses; as a source it has to be there.

        Args:
            path: the file.
            source: whether it is the source.
            looking: whether it is only to be looked at, whoever uses it.

        Raises:
            LogLocked: somebody uses it.
            LogError: there is none, or it cannot be used.
        """
        side = cls(path)
        if source and not await asyncio.to_thread(path.exists):
            raise LogError(f"there is no log at {path}")
        await asyncio.to_thread(side._open, looking=looking)
        return side

    def _open(self, *, looking: bool) -> None:
        try:
            if not looking:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._locks.take(self._path, "all", shared_ingest=False)
            if self._path.exists():
                mark = moves.of_file(self._path)
                if mark is None or not mark.closed:
                    with setup_lock(self._path):
                        schema.prepare(self._path)
        except OSError as error:
            raise LogError(f"{self._path} cannot be used as a log: {error}") from error

    async def close(self) -> None:
        """Let go of it."""
        if self._holding is not None:
            self._holding.close()
        self._locks.release()

    async def mark(self) -> Move | None:
        """Return what it says of its last move."""
        return await asyncio.to_thread(moves.of_file, self._path)

    async def status(self) -> LogStatus:
        """Return its counts."""
        return await asyncio.to_thread(counts, self._path)

    # --- as a source -------------------------------------------------------------------------------------

    async def content(self) -> str:
        """Return what stands for all that it holds now."""
        return await asyncio.to_thread(self._content)

    def _content(self) -> str:
        mark = moves.of_file(self._path)
        if mark is not None and mark.state == "moved":
            return mark.content
        self._hold()
        wal = self._path.with_name(f"{self._path.name}-wal")
        about, ahead = self._path.stat(), wal.stat().st_size if wal.exists() else 0
        return f"{about.st_ino}.{about.st_size}.{about.st_mtime_ns}.{ahead}"

    def _hold(self) -> None:
        """Let nobody write from now on: commands do without the locks that a gateway takes."""
        if self._holding is not None:
            return
        connection = schema.connect(self._path)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            connection.close()
            raise LogLocked(f"{self._path} is in use by another command: {error}") from error
        self._holding = connection

    async def copy(self, into: Path, progress: Progress) -> LogStatus:
        """Write the log and what belongs to it to a folder."""
        progress.watch("copying", into / LOG, self._path.stat().st_size)
        await asyncio.to_thread(_copy, self._path, into)
        return await asyncio.to_thread(counts, into / LOG)

    async def leave(self, move: Move) -> bool:
        """Close it: nobody can have changed it since its content was asked for."""
        await asyncio.to_thread(self._leave, move)
        return True

    def _leave(self, move: Move) -> None:
        if self._holding is None:  # it was left before
            return
        try:
            moves.write(self._holding, move)
            self._holding.execute("COMMIT")
        except sqlite3.Error as error:
            raise LogError(f"{self._path} cannot be written: {error}") from error

    # --- as a goal ---------------------------------------------------------------------------------------

    async def is_empty(self) -> bool:
        """Tell whether no event was ever stored in it."""
        return not self._path.exists() or is_empty(await self.status())

    async def receive(self, folder: Path, move: Move, progress: Progress) -> None:
        """Put the log and what belongs to it in their places."""
        progress.tell("putting in place", 0, 0)
        await asyncio.to_thread(self._receive, folder, move)

    def _receive(self, folder: Path, move: Move) -> None:
        arrived = folder / LOG
        try:
            with closing(schema.connect(arrived)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                moves.write(connection, msgspec.structs.replace(move, place=store.head(connection)))
                connection.execute("COMMIT")
            for suffix in (*BESIDE, LIMITS, ""):
                if arrived.with_name(LOG + suffix).exists():
                    put(arrived.with_name(LOG + suffix), self._path.with_name(self._path.name + suffix))
        except (OSError, sqlite3.Error) as error:
            raise LogError(f"{self._path} cannot be written: {error}") from error

    async def arrive(self, move: Move) -> None:
        """Let it be used."""
        await asyncio.to_thread(self._arrive, move)

    def _arrive(self, move: Move) -> None:
        try:
            with closing(schema.connect(self._path)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                moves.write(connection, move)
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise LogError(f"{self._path} cannot be written: {error}") from error


def is_empty(status: LogStatus) -> bool:
    """Tell by a log's counts whether no event was ever stored in it."""
    return not status.head and not any(target.accepted for target in status.targets)


def put(file: Path, place: Path) -> None:
    """Move a whole file to its place, durably, over whatever is there."""
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    for ending in ("-wal", "-shm", "-journal"):
        place.with_name(place.name + ending).unlink(missing_ok=True)
    file.replace(place)
    schema.sync_folder(place.parent)


def copy_beside(log: Path, into: Path, *suffixes: str) -> None:
    """Copy files that stand beside a log, where there are any, to the folder of one on its way."""
    for suffix in suffixes:
        if log.with_name(log.name + suffix).exists():
            view.copy(log.with_name(log.name + suffix), into / (LOG + suffix))


def _copy(path: Path, into: Path) -> None:
    try:
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(mode=0o700)
        view.copy(path, into / LOG)
        copy_beside(path, into, *BESIDE)
        limits = path.with_name(path.name + LIMITS)
        if limits.exists():
            shutil.copyfile(limits, into / (LOG + LIMITS))
    except OSError as error:
        raise LogError(f"{path} cannot be copied to {into}: {error}") from error


def counts(path: Path) -> LogStatus:
    """Return the counts of a file.

    Raises:
        LogError: it cannot be read.
    """
    try:
        with closing(schema.connect(path, read_only=True)) as connection:
            return targets.status(connection)
    except sqlite3.Error as error:
        raise LogError(f"{path} cannot be read: {error}") from error
