"""The file of receipts: its tables, how rows go in, and how old ones go out."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.errors import LogError
from gateway.receipts.receipt import Row

APPLICATION_ID: Final = 0x47575243
"""Marks a SQLite file as one of receipts ("GWRC")."""
VERSION: Final = 1
BUSY_S: Final = 2.0
_PAGE_BYTES: Final = 16 * 1024
"""Bodies of some kilobytes cost a third less than on SQLite's own 4 KiB."""

_TABLES: Final = (
    # One row per request, and one for each end of an event that no request tells. `at`: when it was over, Unix
    # milliseconds. `events`: 16 bytes for each event it carried, one after the other. `request_bytes` and
    # `answer_bytes` are the sizes of the whole texts. `headers`: of the answer, as a JSON object.
    """CREATE TABLE attempts (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, target TEXT NOT NULL, endpoint TEXT NOT NULL, status INTEGER,
        verdict TEXT NOT NULL, why TEXT NOT NULL, attempt INTEGER NOT NULL, us INTEGER NOT NULL, events BLOB NOT NULL,
        method TEXT, path TEXT, request_bytes INTEGER, request BLOB, headers BLOB, answer_bytes INTEGER, answer BLOB)
    """,
    # The events of all attempts that were written together, up to the attempt `last`: what a search for an event
    # walks through, from the time of the event on. An index on every event would cost more than all the rest.
    "CREATE TABLE batches (last INTEGER PRIMARY KEY, at INTEGER NOT NULL, events BLOB NOT NULL)",
)
_EVENTS: Final = 9
"""The column `attempts.events`, counted from 0."""
_COLUMNS: Final = 17
_ROW: Final = f"({', '.join('?' * _COLUMNS)})"
_INSERTS: Final = {n: f"INSERT INTO attempts VALUES {', '.join([_ROW] * n)}" for n in (64, 16, 4, 1)}  # noqa: S608  # own names
"""By rows of one statement: a busy event loop takes the interpreter at each one."""
PRUNE_ROWS: Final = 500
"""Attempts removed in one step."""


class Keep(Struct, frozen=True, kw_only=True):
    """What is kept, and for how long."""

    enabled: bool = True
    seconds: float = 72 * 3600.0
    bytes: int = 1 << 30
    """Of the file."""
    request_bytes: int = 32 * 1024
    """Of a request that was taken; of others, up to 1 MiB is kept."""


def path_beside(log: str | Path) -> Path:
    """Return where the receipts of a log lie."""
    return Path(f"{log}.receipts")


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Return a connection to the file, made if need be.

    Raises:
        LogError: it is something else, or was written by a newer program.
        sqlite3.Error: it cannot be used.
    """
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
    connection.execute("PRAGMA secure_delete=0")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA journal_size_limit={64 << 20}")
    connection.execute("BEGIN IMMEDIATE")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables:
        _check(connection, path)
    else:
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (mark, version) != (APPLICATION_ID, VERSION):
        raise LogError(f"{path} holds no receipts that this program knows")


def open_for_reading(path: Path) -> sqlite3.Connection | None:
    """Return a connection that only reads; None when there is no file, or nothing in it yet.

    Raises:
        LogError: it holds no receipts, or cannot be used.
    """
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA query_only=1")
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables:
                _check(connection, path)
                return connection
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise LogError(f"{path} cannot be read as receipts: {error}") from error
    connection.close()
    return None


def last_id(connection: sqlite3.Connection) -> int:
    """Return the number of the newest attempt ever written that is still known of, 0 when there is none."""
    return int(connection.execute("SELECT coalesce(max(last), 0) FROM batches").fetchone()[0])


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write rows within an open transaction."""
    done = 0
    for size, statement in _INSERTS.items():
        while len(rows) - done >= size:
            connection.execute(statement, [value for row in rows[done : done + size] for value in row])
            done += size
    number, at = rows[-1][:2]
    connection.execute("INSERT INTO batches VALUES (?, ?, ?)", (number, at, b"".join([row[_EVENTS] for row in rows])))


# --- room ------------------------------------------------------------------------------------------------


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return how much of the file is in use; room that became free is used again, the file does not shrink."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def prune(connection: sqlite3.Connection, keep: Keep, now: float) -> int:
    """Remove some of the oldest attempts if they are too old or too much; returns how many."""
    too_much = used_bytes(connection) > keep.bytes
    rows = connection.execute("SELECT id, at FROM attempts ORDER BY id LIMIT ?", (PRUNE_ROWS,)).fetchall()
    oldest_kept = (now - keep.seconds) * 1000
    gone = [number for number, at in rows if too_much or at < oldest_kept]
    if not gone:
        return 0
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM attempts WHERE id <= ?", (gone[-1],))
    connection.execute(
        "DELETE FROM batches WHERE last <= ? AND last < (SELECT max(last) FROM batches)", (gone[-1],)
    )  # the newest stays, so that numbers only grow
    connection.execute("COMMIT")
    return len(gone)
