"""The embedded engine: one SQLite file, one thread that writes, a few that read."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple, Self, TypeVar, TypeVarTuple

from gateway.errors import LogError, LogUnavailable
from gateway.log import dedupe, moves, once, reader, schema
from gateway.log.checkpoint import Checkpointer, wal_bytes
from gateway.log.dedupe import Duplicates
from gateway.log.engine import Engine
from gateway.log.locks import Locks, setup_lock
from gateway.log.operations import Operation
from gateway.log.people import DirectoryFile, Minter
from gateway.log.permissions import PermissionsFile
from gateway.log.port import Entry, Record, Role, Told
from gateway.log.prune import Pruner, Retention
from gateway.log.store import Appender
from gateway.log.timing import Timing
from gateway.log.writer import Chore, Writer

__all__ = ["Retention", "SqliteLog"]

T = TypeVar("T")
Args = TypeVarTuple("Args")

PRUNE_EVERY_S: Final = 5.0
TIDY_EVERY_S: Final = 30.0


class _Parts(NamedTuple):
    locks: Locks
    writer: Writer
    duplicates: Duplicates
    pruner: Pruner
    gaps: int
    """The place up to which places have gaps."""


class SqliteLog(Engine):
    """`gateway.log.port.Log` on SQLite. Made by `open`, used on the event loop that opened it."""

    def __init__(
        self,
        path: Path,
        role: Role,
        parts: _Parts,
        wakes: list[Callable[[], None]],
        clock: Callable[[], float],
        max_pending: int,
    ) -> None:
        self._path = path
        self._locks, self._writer, self._duplicates, self._pruner, self._gaps = parts
        super().__init__(clock, wakes)
        self._max_pending = max_pending
        self._closed = False
        self._refusal = None if role in ("all", "ingest") else f"{path} is open for {role}, which stores no events"
        self._readers = reader.Readers(path)
        self._checkpointer = Checkpointer(path, lambda: self.commits, self._writer.finish_wal)

    @classmethod
    async def open(
        cls,
        path: Path | str,
        *,
        role: Role,
        retention: Retention | None = None,
        duplicate_window_s: float = 86_400,
        max_duplicate_keys: int = 2_000_000,
        max_pending_bytes: int = 64 << 20,
        shared_ingest: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Open a log, creating the file and its folder if need be.

        Args:
            path: the file.
            role: what this process does with it.
            retention: how long events are kept once every target has passed them.
            duplicate_window_s: how long a client's own key is remembered.
            max_duplicate_keys: how many of them at most, the newest; about 25 bytes of memory each.
            max_pending_bytes: bodies that wait for their commit; beyond it `append` refuses.
            shared_ingest: let several processes have the role ``ingest``, all of them opened so.
            clock: Unix seconds.

        Raises:
            LogLocked: another process has it.
            LogError: it cannot be used.
        """
        path = Path(path)
        stores = role in ("all", "ingest")
        duplicates = Duplicates(duplicate_window_s if stores else 0, max_duplicate_keys)
        locks = Locks()
        gaps = await asyncio.to_thread(_claim, path, role, locks, duplicates, shared_ingest=shared_ingest, now=clock())
        pruner = Pruner(retention or Retention(), clock)
        wakes: list[Callable[[], None]] = []
        writer = Writer(
            path,
            Appender(duplicates, follow_others=shared_ingest),
            clock,
            lambda: _call_all(wakes),
            _chores(role, pruner, duplicates, clock),
        )
        return cls(path, role, _Parts(locks, writer, duplicates, pruner, gaps), wakes, clock, max_pending_bytes)

    # --- storing -----------------------------------------------------------------------------------------

    def hand_over(self, entries: Sequence[Entry], told: Told) -> None:
        if self._refusal is not None:
            raise LogUnavailable(self._refusal)
        if ill := self._readers.fault:
            raise LogUnavailable(f"{self._path}: {ill}")
        size = 0
        for entry in entries:
            size += len(entry.body)
        writer = self._writer
        if writer.waiting + size > self._max_pending and writer.waiting:
            raise LogUnavailable(f"{self._path}: {writer.waiting} bytes wait to be stored")
        if entries:
            writer.append(entries, size, told)
        else:
            told(None)

    async def read(self, target: str, after: int, limit: int, max_bytes: int) -> tuple[list[Record], int]:
        return await self._ask(
            reader.read_over_gaps if after < self._gaps else reader.read, target, after, limit, max_bytes
        )

    # --- the whole ---------------------------------------------------------------------------------------

    async def directory(self, minters: Mapping[str, Minter | None]) -> DirectoryFile:
        return await DirectoryFile.open(self._path.with_name(f"{self._path.name}.people"), self, minters)

    async def permissions(self) -> PermissionsFile:
        return await PermissionsFile.open(self._path.with_name(f"{self._path.name}.permissions"), self)

    async def prune(self) -> None:
        """Remove now what the retention lets go; it is also done now and then by itself."""
        while await self._write(self._pruner.step):
            pass

    @property
    def fault(self) -> str | None:
        return self._writer.fault or self._readers.fault

    @property
    def checkpoint_fault(self) -> str | None:
        """Why the last checkpoint failed; storing goes on, and the WAL grows."""
        return self._checkpointer.fault

    @property
    def wal_bytes(self) -> int:
        """Size of the WAL file."""
        return wal_bytes(self._path)

    @property
    def commits(self) -> int:
        """Commits of this process so far."""
        return self._writer.commits

    @property
    def committing(self) -> Timing:
        """What the commits of this process took."""
        return self._writer.committing

    @property
    def forgotten_keys(self) -> int:
        """Duplicate keys forgotten before the window's end because there were too many."""
        return self._duplicates.forgotten

    async def _ask(self, query: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        return await self._readers.run(query, *args)

    async def _do(self, operation: Operation[T, *Args], *args: *Args) -> T:
        if self._closed:
            raise LogUnavailable(f"{self._path}: the log is closed")
        work = operation.work
        result: T = await self._writer.call(lambda connection: work(connection, *args), wakes=operation.wakes)
        return result

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work of this process alone."""
        if self._closed:
            raise LogUnavailable(f"{self._path}: the log is closed")
        result: T = await self._writer.call(work)
        return result

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._refusal = f"{self._path}: the log is closed"
        self._writer.flush()
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._writer.stop()
        self._readers.close()
        self._checkpointer.stop()
        self._locks.release()


def _claim(path: Path, role: Role, locks: Locks, duplicates: Duplicates, *, shared_ingest: bool, now: float) -> int:
    """Take the locks, bring the file up to date and read the duplicate keys; return up to where places have gaps."""
    if role == "inspect" and not path.exists():
        raise LogError(f"there is no log at {path}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with setup_lock(path):
            locks.take(path, role, shared_ingest=shared_ingest)
            schema.prepare(path)
            with closing(schema.connect(path, read_only=True)) as connection:
                duplicates.follow(connection, int(now * 1000))
                move = moves.read(connection)
                return move.place if move else 0
    except (OSError, sqlite3.Error) as error:
        locks.release()
        raise LogError(f"{path} cannot be used as a log: {error}") from error
    except LogError:
        locks.release()
        raise


def _chores(role: Role, pruner: Pruner, duplicates: Duplicates, clock: Callable[[], float]) -> list[Chore]:
    chores = []
    start = time.monotonic()
    window = duplicates.window_ms

    def now() -> int:
        return int(clock() * 1000)

    if role in ("all", "deliver"):
        chores.append(Chore(pruner.wanted, pruner.step, PRUNE_EVERY_S, start + PRUNE_EVERY_S))
    if window:
        chores.append(
            Chore(
                lambda connection: dedupe.untidy(connection, window, now()),
                lambda connection: dedupe.tidy(connection, window, now()),
                TIDY_EVERY_S,
                start + TIDY_EVERY_S,
            )
        )
    chores.append(
        Chore(
            lambda connection: once.untidy(connection, now()),
            lambda connection: once.tidy(connection, now()),
            TIDY_EVERY_S,
            start + TIDY_EVERY_S,
        )
    )
    return chores


def _call_all(wakes: Sequence[Callable[[], None]]) -> None:
    for wake in wakes:
        wake()
