"""A node's own copy of the log: the journal's operations, done one after the other on a SQLite file.

Used by one thread at a time. What has been done is in the file, in the same transaction: a node that is killed
repeats nothing and leaves nothing out.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.errors import LogError
from gateway.log import operations, owners, people_store, permissions, prune, reader, schema
from gateway.log.dedupe import Duplicates
from gateway.log.jetstream import messages
from gateway.log.jetstream.messages import APPEND, PLACES, Message, Written
from gateway.log.jetstream.people import Minted
from gateway.log.operations import OPERATIONS
from gateway.log.people import READ_BYTES, READ_EVENTS
from gateway.log.port import Entry
from gateway.log.store import Appender

TABLES: Final = (
    # Up to which message of which stream everything is done, and the latest time of an append in Unix milliseconds.
    "CREATE TABLE IF NOT EXISTS applied (sequence INTEGER NOT NULL, at INTEGER NOT NULL, stream TEXT NOT NULL)",
    # The number of each node's last message, so that one that was stored twice is done once.
    """CREATE TABLE IF NOT EXISTS nodes (
        name TEXT PRIMARY KEY, number INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID
    """,
    *owners.TABLES,
)
"""What a view has and an embedded log has not."""
NAMES: Final = ("applied", "nodes", "beats", "owners", "limits")
"""Of these tables."""
_NODES_KEPT_MS: Final = 7 * 86_400_000
_GARBAGE: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_NOT_ITS_OWN: Final = (sqlite3.OperationalError, sqlite3.InternalError, MemoryError)
"""Errors that are not the operation's but this machine's: nothing may be left out for them."""
_CACHE_KIB: Final = 32 << 10


class Received(NamedTuple):
    """A message as the stream holds it."""

    sequence: int
    at: int
    """When the stream took it, Unix milliseconds."""
    data: bytes


class Result(NamedTuple):
    """What an operation returned, or why it did nothing."""

    value: Any
    error: LogError | None


class Done(NamedTuple):
    """A message that was done now."""

    node: str
    number: int
    results: list[Result]
    """One for each operation that is no append, in order."""


class Gap(LogError):
    """Messages are missing between what is done and what came."""


class Corrupt(LogError):
    """The file cannot be used; it can be made anew."""


class View:
    """The file, and what writes to it.

    Args:
        path: of the file.
        minted: for whom people are learnt; None: for nobody.
    """

    def __init__(self, path: Path, minted: Minted | None = None) -> None:
        self.sequence = 0
        """Up to which message everything is done."""
        self.stream = ""
        """Of which stream; empty before the first."""
        self.commits = 0
        self._path = path
        self._at = 0
        self._nodes: dict[str, int] = {}
        self._appender = Appender(Duplicates(0, 0), follow_others=False)
        self._connection: sqlite3.Connection | None = None
        self._minted = minted
        self._learner: people_store.Learner | None = None

    def open(self) -> None:
        """Make the file ready, creating it if need be.

        Raises:
            Corrupt: it cannot be used.
            LogError: a newer gateway wrote it, or the disk does not do its part.
        """
        try:
            connection = self._connected()
            self._read(connection)
        except (sqlite3.DatabaseError, LogError) as error:
            self.close()
            if isinstance(error, LogError) and "newer gateway" in str(error):
                raise
            raise Corrupt(f"{self._path}: {error}") from error

    def bind(self, stream: str) -> None:
        """Say which stream a new file belongs to."""
        self._connected().execute("UPDATE applied SET stream = ?", (stream,))
        self.stream = stream

    def last_of(self, node: str) -> int:
        """Return the number of a node's last message that was done."""
        return self._nodes.get(node, 0)

    def apply(self, received: Sequence[Received]) -> tuple[list[Done], bool]:
        """Do messages in order, in one transaction; returns what was done and whether readers have something new.

        Raises:
            Gap: they do not follow on what was done; nothing is done.
            Corrupt: the file cannot be used.
            LogError: a message cannot be understood, or the file cannot be written; nothing is done.
        """
        try:
            return self._transact(received)
        except sqlite3.Error as error:
            raise self._unwritten(error) from error

    def meet(self) -> int | None:
        """Learn whom the next events speak of; returns up to which place all are learnt now, None if no event is left.

        Raises:
            LogError: the file cannot be written.
        """
        try:
            connection = self._connected()
            rows = _not_met(connection) if self._learner is not None else []
            return self._learner.learn(rows) if self._learner is not None and rows else None
        except sqlite3.Error as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: sqlite3.Error) -> LogError:
        name = str(getattr(error, "sqlite_errorname", ""))
        self.close()
        kind = Corrupt if name.startswith(_GARBAGE) else LogError
        return kind(f"{self._path} cannot be written: {error} ({name})")

    def close(self) -> None:
        """Let go of the file."""
        connection, self._connection, self._learner = self._connection, None, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def discard(self) -> None:
        """Remove the file."""
        self.close()
        remove(self._path)
        self.sequence, self.stream, self._at = 0, "", 0
        self._nodes.clear()
        self._appender.forget()

    # --- within ------------------------------------------------------------------------------------------

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _open(self._path)
            if self._minted is not None:
                self._learner = people_store.Learner(self._connection, self._minted)
        return self._connection

    def _read(self, connection: sqlite3.Connection) -> None:
        self.sequence, self._at, self.stream = connection.execute("SELECT sequence, at, stream FROM applied").fetchone()
        connection.execute("DELETE FROM nodes WHERE at < ?", (self._at - _NODES_KEPT_MS,))
        self._nodes = dict(connection.execute("SELECT name, number FROM nodes").fetchall())

    def _transact(self, received: Sequence[Received]) -> tuple[list[Done], bool]:
        connection = self._connected()
        before = self.sequence, self._at, dict(self._nodes)
        done: list[Done] = []
        wakes = False
        connection.execute("BEGIN IMMEDIATE")
        try:
            for one in received:
                if one.sequence > self.sequence:
                    wakes = self._take(connection, one, done) or wakes
            connection.execute("UPDATE applied SET sequence = ?, at = ?", (self.sequence, self._at))
            numbers = {one.node: (one.node, one.number, self._at) for one in done}
            connection.executemany("REPLACE INTO nodes VALUES (?, ?, ?)", list(numbers.values()))
            connection.execute("COMMIT")
        except BaseException:
            self.sequence, self._at, self._nodes = before
            self._appender.forget()
            if self._learner is not None:
                self._learner.forget()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.commits += 1
        return done, wakes

    def _take(self, connection: sqlite3.Connection, one: Received, done: list[Done]) -> bool:
        """Do one message; returns whether readers have something new."""
        if one.sequence != self.sequence + 1:
            raise Gap(f"{self._path} is at message {self.sequence} and the next is {one.sequence}")
        message = messages.load(one.data)
        self.sequence = one.sequence
        if message.number <= self._nodes.get(message.node, 0):
            return False
        self._nodes[message.node] = message.number
        self._at = max(self._at, one.at if message.at is None else message.at)
        results, wakes = self._do_all(connection, message)
        done.append(Done(message.node, message.number, results))
        return wakes

    def _meet_before(self, connection: sqlite3.Connection, written: Written) -> None:
        """Learn whom those events speak of that are about to be pruned."""
        learner = self._learner
        if learner is not None and _alone(connection, _meet_before, learner, written).error is not None:
            learner.forget()

    def _do_all(self, connection: sqlite3.Connection, message: Message) -> tuple[list[Result], bool]:
        place = self.sequence * PLACES
        results: list[Result] = []
        wakes = False
        for written in message.operations:
            try:
                if written.name == APPEND:
                    entries = messages.load_batch(written)
                    wakes = self._appender.append(connection, entries, self._at, place) > 0 or wakes
                    if permissions.MARK in bytes(written.arguments):
                        _hear(connection, entries, place)
                    place += len(entries)
                else:
                    if written.name == operations.PRUNE.name:
                        self._meet_before(connection, written)
                    results.append(_attempt(connection, written))
                    wakes = wakes or (OPERATIONS[written.name].wakes and results[-1].error is None)
            except (msgspec.MsgspecError, KeyError, IndexError) as error:
                raise LogError(
                    f"message {self.sequence} holds {written.name!r}, which this gateway cannot do: "
                    f"it was written by a newer one ({error!r})"
                ) from error
        return results, wakes


def _not_met(connection: sqlite3.Connection) -> list[tuple[int, bytes]]:
    """Return the next events that nobody was learnt from."""
    return reader.scan(connection, people_store.place(connection), READ_EVENTS, READ_BYTES)


def _meet_before(connection: sqlite3.Connection, learner: people_store.Learner, written: Written) -> None:
    end = prune.plan(connection, *operations.PRUNE.decode(written.arguments))
    while end is not None and people_store.place(connection) < end and (rows := _not_met(connection)):
        learner.take(rows)


def _hear(connection: sqlite3.Connection, entries: Sequence[Entry], first: int) -> None:
    """Learn the permissions that events speak of; those of repeats, which are not stored, do not count."""
    for place, entry in enumerate(entries, first):
        if permissions.MARK in entry.body:
            stored = connection.execute("SELECT 1 FROM events WHERE seq = ?", (place,)).fetchone()
            if stored:
                _alone(connection, permissions.learn, entry.body)


def _attempt(connection: sqlite3.Connection, written: Written) -> Result:
    """Do an operation, here as on every other node."""
    operation = OPERATIONS[written.name]
    return _alone(connection, operation.work, *operation.decode(written.arguments))


def _alone(connection: sqlite3.Connection, work: Callable[..., Any], *arguments: Any) -> Result:
    """Do something so that its failure undoes itself alone."""
    connection.execute("SAVEPOINT piece")
    try:
        result = Result(work(connection, *arguments), None)
    except _NOT_ITS_OWN:
        raise
    except Exception as error:  # noqa: BLE001  # whatever its arguments do, they do it on every node
        connection.execute("ROLLBACK TO piece")
        result = Result(None, error if isinstance(error, LogError) else LogError(f"cannot be done: {error!r}"))
    connection.execute("RELEASE piece")
    return result


def _open(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that is ready.

    A view is not what makes an event durable: `NORMAL` leaves it whole after a power cut, though perhaps a little
    behind, and it follows on from there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    schema.prepare(path)
    connection = schema.connect(path)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint=2000")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    for statement in TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO applied SELECT 0, 0, '' WHERE NOT EXISTS (SELECT 1 FROM applied)")
    _with_permissions(connection)
    if not _has(connection, "people"):
        _in_one(connection, lambda: [connection.execute(statement) for statement in people_store.TABLES])
    return connection


def _has(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None


def _in_one(connection: sqlite3.Connection, work: Callable[[], Any]) -> None:
    """Do something in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def learn_permissions(connection: sqlite3.Connection, after: int = 0) -> None:
    """Learn the permissions that the events behind a place speak of; within an open transaction."""
    for (body,) in connection.execute("SELECT body FROM events WHERE seq > ? ORDER BY seq", (after,)):
        if permissions.MARK in body:
            _alone(connection, permissions.learn, body)


def _with_permissions(connection: sqlite3.Connection) -> None:
    """Make the table of permissions of a file that has none, out of the events that are in it."""

    def work() -> None:
        connection.execute(permissions.TABLE)
        learn_permissions(connection)

    if not _has(connection, "said"):
        _in_one(connection, work)


def remove(path: Path) -> None:
    """Remove a SQLite file and what stands beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def copy(path: Path, into: Path) -> None:
    """Write a copy of a view as of one moment, without holding up who writes to it.

    Raises:
        LogError: it cannot be read, or the copy cannot be written.
    """
    into.unlink(missing_ok=True)
    try:
        with closing(schema.connect(path, read_only=True)) as connection:
            connection.execute("PRAGMA query_only=0")
            connection.execute("VACUUM INTO ?", (str(into),))
    except sqlite3.Error as error:
        raise LogError(f"{path} cannot be copied to {into}: {error}") from error


def sequence_of(path: Path) -> tuple[int, str]:
    """Return up to which message of which stream a whole file is.

    Raises:
        LogError: it is no view, or is not whole.
    """
    try:
        with closing(schema.connect(path, read_only=True)) as connection:
            (sound,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if sound != "ok":
                raise LogError(f"{path}: {sound}")
            sequence, stream = connection.execute("SELECT sequence, stream FROM applied").fetchone()
    except sqlite3.Error as error:
        raise LogError(f"{path}: {error}") from error
    return int(sequence), str(stream)
