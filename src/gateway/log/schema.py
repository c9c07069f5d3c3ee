"""The tables of a log file, and how an older file becomes a newer one."""

import os
import sqlite3
from pathlib import Path
from typing import Final

from gateway.errors import LogError, LogMoved
from gateway.log import moves
from gateway.log.moves import LOG_ID, MOVED_ID

BUSY_S: Final = 10.0
"""Seconds to wait for another process's transaction."""

NOTHING: Final = 0
"""The row of `tally` that counts duplicates: no decision has this id."""

_V1: Final = (
    # Every accepted event. `at` is the time of the append in Unix milliseconds. There is no index on `id`: it is a
    # UUIDv7 given just before the append, so a search by time over (seq, at) finds it.
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY, decision INTEGER NOT NULL, at INTEGER NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL)
    """,
    # Counts what waits for a target, and finds its next event far ahead, without touching bodies.
    "CREATE INDEX events_by_decision ON events (decision, seq)",
    "CREATE TABLE decisions (id INTEGER PRIMARY KEY, value BLOB NOT NULL UNIQUE)",
    """CREATE TABLE fates (
        target TEXT NOT NULL, decision INTEGER NOT NULL, rule TEXT NOT NULL, delivers INTEGER NOT NULL,
        PRIMARY KEY (target, decision)) WITHOUT ROWID
    """,
    # Events and bytes ever stored per decision.
    "CREATE TABLE tally (decision INTEGER PRIMARY KEY, stored INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "INSERT INTO tally VALUES (0, 0, 0)",
    "CREATE TABLE targets (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL, delivered INTEGER NOT NULL) WITHOUT ROWID",
    # What `tally` held when the target was registered.
    """CREATE TABLE baselines (
        target TEXT NOT NULL, decision INTEGER NOT NULL, stored INTEGER NOT NULL,
        PRIMARY KEY (target, decision)) WITHOUT ROWID
    """,
    # Dead letters dropped by hand; what rules drop is in `tally` and `fates`.
    """CREATE TABLE dropped (
        target TEXT NOT NULL, rule TEXT NOT NULL, events INTEGER NOT NULL, PRIMARY KEY (target, rule)) WITHOUT ROWID
    """,
    # `body` is NULL while the event itself is kept in `events` for it.
    """CREATE TABLE parked (
        target TEXT NOT NULL, lane TEXT NOT NULL, seq INTEGER NOT NULL, due_at REAL NOT NULL, attempts INTEGER NOT NULL,
        reason TEXT NOT NULL, first_at REAL NOT NULL, at INTEGER NOT NULL, rule TEXT NOT NULL, body BLOB,
        PRIMARY KEY (target, lane, seq)) WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX parked_by_event ON parked (seq, target)",
    """CREATE TABLE dead (
        id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
        event_id TEXT NOT NULL, rule TEXT NOT NULL, body BLOB NOT NULL, reason TEXT NOT NULL, died_at TEXT NOT NULL,
        attempts INTEGER NOT NULL, lane TEXT NOT NULL, endpoint TEXT, request BLOB, status INTEGER, answer BLOB)
    """,
    "CREATE INDEX dead_by_target ON dead (target, id)",
    # Up to `place` every event is gone from `events`, but for those parked; the sums are what went.
    "CREATE TABLE pruned (place INTEGER NOT NULL, events INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "INSERT INTO pruned VALUES (0, 0, 0)",
    # Readers beside the targets, behind whose place nothing is pruned. `at`: when it was last said, milliseconds.
    "CREATE TABLE holds (name TEXT PRIMARY KEY, place INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
    # Duplicate keys of one commit, 16 bytes each, one after the other.
    "CREATE TABLE keys (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, keys BLOB NOT NULL)",
    # Filled and emptied to find out whether there is room again.
    "CREATE TABLE probe (filler BLOB NOT NULL)",
)

_V2: Final = (
    # Keys that count until a time of their own (Unix milliseconds).
    "CREATE TABLE once (key BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX once_by_end ON once (until)",
)

_V3: Final = (
    # Events that came to a target once more, beside the way through `events`: each counts as accepted again.
    """CREATE TABLE again (
        target TEXT NOT NULL, why TEXT NOT NULL, events INTEGER NOT NULL, PRIMARY KEY (target, why)) WITHOUT ROWID
    """,
    # Dead letters that were imported: an event's id, or a hash of what has none.
    "CREATE TABLE imported (target TEXT NOT NULL, event TEXT NOT NULL, PRIMARY KEY (target, event)) WITHOUT ROWID",
    # History on its way to a target: events after `first` up to `last`, done up to `place`. Times in Unix seconds.
    """CREATE TABLE replays (
        id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, asked TEXT NOT NULL, share REAL NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL, place INTEGER NOT NULL, state TEXT NOT NULL,
        looked INTEGER NOT NULL, sent INTEGER NOT NULL, passed TEXT NOT NULL,
        begun_at REAL NOT NULL, changed_at REAL NOT NULL)
    """,
    "CREATE INDEX replays_by_target ON replays (target, id)",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_V1, _V2, _V3)
"""Statements that lead from each version to the next; a new file passes through all of them."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection for one thread at a time, in autocommit mode.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=1")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute(f"PRAGMA query_only={int(read_only)}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(path: Path) -> None:
    """Create the file, or bring it to this program's version. The caller holds the file's setup lock.

    Raises:
        LogError: it is no log, is corrupt, cannot be written, was moved, or was written by a newer program.
    """
    fresh = not path.exists()
    try:
        connection = connect(path)
        try:
            _check(connection, path)
            connection.execute("PRAGMA journal_mode=WAL")
            _migrate(connection)
        finally:
            connection.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite quotes garbage in its messages
        raise LogError(f"{path} cannot be used as a log: {error}") from error
    if fresh:
        sync_folder(path.parent)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if mark == MOVED_ID and (move := moves.read(connection)) is not None:
        raise LogMoved(move.refusal(str(path)))
    if mark != LOG_ID and (tables or mark or version):
        raise LogError(f"{path} cannot be used as a log: it is another program's SQLite file")
    if version > len(MIGRATIONS):
        raise LogError(
            f"{path} has schema version {version} and this program knows {len(MIGRATIONS)}: "
            "it was written by a newer gateway"
        )


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        if version < len(MIGRATIONS):
            connection.execute(f"PRAGMA application_id={LOG_ID}")
            connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def sync_folder(folder: Path) -> None:
    """Make the new file's name survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
