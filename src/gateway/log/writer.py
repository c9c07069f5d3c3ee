"""The one thread that writes: group commit.

One commit is in flight; what is asked for meanwhile joins the next one. Appends and all other writes share its
fsync. A batch that fails is rolled back whole, its waiters are told, and the next batch is tried as if nothing had
happened; a batch that fails for a reason of its own content is tried again one piece at a time.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from msgspec import Struct

from gateway.errors import LogError, LogUnavailable
from gateway.log import schema
from gateway.log.port import Entry, Told
from gateway.log.store import Appender
from gateway.log.timing import Timing

Work = Callable[[sqlite3.Connection], Any]
"""Writes within an open transaction; raises `LogError` or `sqlite3.IntegrityError` to undo itself alone."""

TICK_S: Final = 0.075
"""How often an idle writer looks for other processes' commits and for chores."""
MAX_EVENTS: Final = 4096
MAX_BYTES: Final = 8 << 20
"""A commit takes up no more once it is over these."""
_MOST_HANDED: Final = 256
"""Appends and calls that the thread gets at once."""
PROBE_S: Final = 1.0
"""How often a log that has failed tries by itself whether it can write again."""

_ILL: Final = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")
"""Errors after which the connection is opened anew."""


class Append(Struct, gc=False):
    """Entries to store."""

    told: Told
    entries: Sequence[Entry]
    size: int


class Call(Struct):
    """Any other write."""

    future: "asyncio.Future[Any] | None"
    work: Work
    wakes: bool = False
    """Whether readers have something new when it is done."""

    def told(self, error: Exception | None, value: Any = None) -> None:
        """Tell who waits what became of it; on the event loop."""
        if self.future is None or self.future.done():
            return
        if error is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(error)


Done = list[tuple[Told, Exception | None]]


class Chore(Struct):
    """Something to do now and then, in small steps."""

    wanted: Callable[[sqlite3.Connection], bool]
    """Looks, without writing, whether there is anything to do."""
    work: Callable[[sqlite3.Connection], bool]
    """Does one step; returns whether there is more."""
    every_s: float
    due: float = 0.0


class Writer:
    """Owns the writing connection and its thread.

    Args:
        path: the log's file, ready for use.
        appender: writes entries.
        clock: Unix seconds.
        wake: called on the event loop when there may be something new to read.
        chores: done between other work.
    """

    def __init__(
        self,
        path: Path,
        appender: Appender,
        clock: Callable[[], float],
        wake: Callable[[], None],
        chores: Sequence[Chore] = (),
    ) -> None:
        self.fault: str | None = None
        """Why a commit failed; None once as much could be stored again."""
        self.commits = 0
        self.committing = Timing()
        """What the commits took: writing and fsync."""
        self.waiting = 0
        """Bytes of bodies handed over and not yet committed."""
        self._path = path
        self._appender = appender
        self._clock = clock
        self._wake = wake
        self._chores = chores
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[list[Append | Call] | None] = SimpleQueue()
        self._handed: list[Append | Call] = []
        """What was handed over in this turn of the event loop."""
        self._batch: list[Append | Call] = []
        self._stopping = False
        self._finish_wal = False
        self._connection: sqlite3.Connection | None = None
        self._version = 0
        self._looked_at = 0.0
        self._probed_at = 0.0
        self._refused = 0
        """Bytes of the largest append that could not be stored since the last fault began."""
        self._thread = self._start()

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._main, name=f"log-writer {self._path.name}", daemon=True)
        thread.start()
        return thread

    # --- called on the event loop ------------------------------------------------------------------------

    def append(self, entries: Sequence[Entry], size: int, told: Told) -> None:
        """Hand over entries of so many bytes; `told` is called when they are durable, or cannot be stored."""
        self.waiting += size
        self._hand_over(Append(told, entries, size))

    def call(self, work: Work, *, wakes: bool = False) -> "asyncio.Future[Any]":
        """Hand over any other write; the future gets what `work` returns once that is durable."""
        future = self._loop.create_future()
        self._hand_over(Call(future, work, wakes))
        return future

    def _hand_over(self, item: Append | Call) -> None:
        """Wake the thread once for all of a turn of the loop: each time it takes the interpreter from it."""
        handed = self._handed
        if not handed:
            self._loop.call_soon(self.flush)
        handed.append(item)
        if len(handed) >= _MOST_HANDED:
            self.flush()

    def flush(self) -> None:
        """Let the thread have what was handed over."""
        handed, self._handed = self._handed, []
        if handed:
            self._queue.put(handed)

    def finish_wal(self) -> None:
        """Have the writer carry over what is left of the WAL between two commits; from any thread."""
        self._finish_wal = True

    def stop(self) -> None:
        """Finish what was handed over, and end; blocks, so not for the event loop."""
        self._stopping = True
        self._queue.put(None)
        while self._thread.is_alive():
            self._thread.join(0.1)

    def _complete(self, done: Done, size: int, wakes: bool) -> None:
        self.waiting -= size
        for told, error in done:
            try:
                told(error)
            except Exception as fault:  # noqa: BLE001  # of one who waits: the others are told all the same
                self._loop.call_exception_handler({"message": "who waited for a commit failed", "exception": fault})
        if wakes:
            self._wake()

    # --- the thread --------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException as error:  # noqa: BLE001  # whatever it was, waiters must hear and a successor start
            self._close()
            self._appender.forget()
            self._fail(self._batch, f"the writer crashed: {error!r}")
            if self._stopping:
                self._queue.put(None)
            self._thread = self._start()
        else:
            self._close()

    def _turn(self) -> bool:
        going_on = self._gather()
        if self._batch:
            self._commit(self._batch)
            self._batch = []
        self._look_around()
        return going_on

    def _gather(self) -> bool:
        """Take what was handed over; return whether there may be more to come."""
        batch = self._batch = []
        events = size = 0
        with suppress(Empty):
            handed = self._queue.get(timeout=TICK_S)
            while handed is not None:
                batch += handed
                events += _events(handed)
                size += _size(handed)
                if events >= MAX_EVENTS or size >= MAX_BYTES:
                    return True
                handed = self._queue.get_nowait()
            return False
        return True

    def _commit(self, batch: list[Append | Call]) -> None:
        try:
            done, wakes = self._transact(batch)
        except Exception as error:  # noqa: BLE001  # a batch that cannot be written is its waiters' news, whatever it was
            if isinstance(error, sqlite3.OperationalError):
                self._fail(batch, _text(error))
            elif len(batch) > 1:
                for item in batch:
                    self._commit([item])
            else:
                self._refuse(batch[0], error)
        else:
            if _size(batch) >= self._refused:
                self.fault = None
                self._refused = 0
            self.commits += 1
            self._tell(done, batch, wakes=wakes)

    def _transact(self, batch: list[Append | Call]) -> tuple[Done, bool]:
        connection = self._connected()
        appends = [item for item in batch if isinstance(item, Append)]
        wakes = False
        done: Done = [(item.told, None) for item in appends]
        try:
            connection.execute("BEGIN IMMEDIATE")
            if appends:
                entries = appends[0].entries if len(appends) == 1 else [e for item in appends for e in item.entries]
                wakes = self._appender.append(connection, entries, int(self._clock() * 1000)) > 0
            for item in batch:
                if isinstance(item, Call):
                    value, error = _attempt(connection, item.work)
                    wakes = wakes or (item.wakes and error is None)
                    done.append((partial(item.told, value=value), error))
            begun = time.monotonic()
            connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back(connection, error)
            raise
        self.committing.add(time.monotonic() - begun)
        self._appender.confirm()
        return done, wakes

    def _roll_back(self, connection: sqlite3.Connection, error: BaseException) -> None:
        self._appender.forget()
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._close()
        if isinstance(error, sqlite3.DatabaseError) and _name(error).startswith(_ILL):
            self._close()

    def _fail(self, batch: list[Append | Call], reason: str) -> None:
        if any(isinstance(item, Append) or item.future is not None for item in batch):
            self._refused = max(self._refused, *(item.size for item in batch if isinstance(item, Append)), 0)
            self._probed_at = time.monotonic()
        self.fault = reason
        done: Done = [(item.told, LogUnavailable(f"{self._path}: {reason}")) for item in batch]
        self._tell(done, batch, wakes=False)

    def _refuse(self, item: Append | Call, error: Exception) -> None:
        """Tell the one whose content cannot be written; the log itself is well, unless the file is corrupt."""
        if isinstance(error, sqlite3.DatabaseError) and _name(error).startswith(_ILL):
            self._fail([item], _text(error))
        else:
            reason = error if isinstance(error, LogError) else LogError(f"cannot be stored: {error!r}")
            self._tell([(item.told, reason)], [item], wakes=False)

    def _tell(self, done: Done, batch: list[Append | Call], *, wakes: bool) -> None:
        size = _size(batch)
        if done or wakes or size:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._complete, done, size, wakes)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = schema.connect(self._path)
            self._connection.execute(f"PRAGMA journal_size_limit={64 << 20}")
            self._appender.duplicates.follow(self._connection, int(self._clock() * 1000))
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    # --- between commits ---------------------------------------------------------------------------------

    def _look_around(self) -> None:
        now = time.monotonic()
        if self._stopping or (now - self._looked_at < TICK_S and not self._finish_wal):
            return
        self._looked_at = now
        try:
            if self._finish_wal:
                self._finish_wal = False
                self._connected().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._look_for_others()
            self._do_chores(now)
        except sqlite3.Error as error:
            self.fault = _text(error)

    def _probe(self, now: float) -> None:
        """Try to store twice what could not be stored: a little may find room where that still would not."""
        self._probed_at = now
        before = self.commits
        self._commit([Call(None, partial(_fill, 2 * min(self._refused, MAX_BYTES)))])
        if self.commits > before:
            self._refused = 0
            self._commit([Call(None, _clear)])

    def _look_for_others(self) -> None:
        """Wake readers when another process has committed: this connection's own commits do not count here."""
        (version,) = self._connected().execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            self._tell([], [], wakes=True)

    def _do_chores(self, now: float) -> None:
        if self.fault is not None and now - self._probed_at >= PROBE_S:
            self._probe(now)
        for chore in self._chores:
            if now >= chore.due:
                chore.due = now + chore.every_s
                if chore.wanted(self._connected()):
                    self._commit([Call(None, partial(_step, chore))])


def _events(batch: Sequence[Append | Call]) -> int:
    return sum(len(item.entries) for item in batch if isinstance(item, Append))


def _size(batch: Sequence[Append | Call]) -> int:
    return sum(item.size for item in batch if isinstance(item, Append))


def _step(chore: Chore, connection: sqlite3.Connection) -> None:
    if chore.work(connection):
        chore.due = 0.0


def _attempt(connection: sqlite3.Connection, work: Work) -> tuple[Any, Exception | None]:
    """Do one piece of work so that its failure undoes itself alone."""
    connection.execute("SAVEPOINT piece")
    try:
        value = work(connection)
    except (LogError, sqlite3.IntegrityError) as error:
        connection.execute("ROLLBACK TO piece")
        connection.execute("RELEASE piece")
        return None, error if isinstance(error, LogError) else LogError(str(error))
    connection.execute("RELEASE piece")
    return value, None


def _fill(size: int, connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO probe VALUES (zeroblob(?))", (size,))


def _clear(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM probe")


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


def _text(error: Exception) -> str:
    name = _name(error) if isinstance(error, sqlite3.Error) else ""
    return f"{error} ({name})" if name else str(error) or repr(error)
