"""The file of receipts: its tables, how rows go in, and how old ones go out."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import LogError
from gateway.receipts.receipt import Kept

APPLICATION_ID: Final = 0x47575243
"""Marks a SQLite file as one of receipts ("GWRC")."""
VERSION: Final = 1
BUSY_S: Final = 2.0
_PAGE_BYTES: Final = 16 * 1024
"""Bodies of some kilobytes cost a third less than on SQLite's own 4 KiB."""

_TABLES: Final = (
    # Attempts that were written together: a row for each would cost more than all the rest. They are counted from 1
    # on, over all batches; `last` is the last one's number. `at`: when that was over, Unix milliseconds. `events`: 16
    # bytes for each event that any of them carried, which a search walks through from the time of its event on.
    "CREATE TABLE batches (last INTEGER PRIMARY KEY, at INTEGER NOT NULL, events BLOB NOT NULL)",
    # Under the same number the attempts themselves, a MessagePack array of `gateway.receipts.receipt.Kept`.
    "CREATE TABLE attempts (last INTEGER PRIMARY KEY, kept BLOB NOT NULL)",
)
PRUNE_BATCHES: Final = 50
"""Batches removed in one step."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Kept]).decode


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


def last_number(connection: sqlite3.Connection) -> int:
    """Return the number of the newest attempt ever written, 0 when there is none."""
    return int(connection.execute("SELECT coalesce(max(last), 0) FROM batches").fetchone()[0])


def insert(connection: sqlite3.Connection, last: int, kept: Sequence[Kept]) -> None:
    """Write attempts, at least one, the last of which has the number `last`."""
    events = b"".join([one.events for one in kept])
    texts = _encode(kept)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO batches VALUES (?, ?, ?)", (last, kept[-1].at, events))
    connection.execute("INSERT INTO attempts VALUES (?, ?)", (last, texts))
    connection.execute("COMMIT")


def attempts(connection: sqlite3.Connection, last: int) -> list[tuple[int, Kept]]:
    """Return the attempts of a batch with their numbers, none when it is gone."""
    row = connection.execute("SELECT kept FROM attempts WHERE last = ?", (last,)).fetchone()
    kept = [] if row is None else _decode(row[0])
    return list(enumerate(kept, start=last - len(kept) + 1))


# --- room ------------------------------------------------------------------------------------------------


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return how much of the file is in use; room that became free is used again, the file does not shrink."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def prune(connection: sqlite3.Connection, keep: Keep, now: float) -> int:
    """Remove some of the oldest batches if they are too old or too much; returns how many."""
    too_much = used_bytes(connection) - keep.bytes
    oldest_kept = (now - keep.seconds) * 1000
    gone = removed = 0
    for last, at, size in connection.execute(
        "SELECT b.last, b.at, length(b.events) + length(a.kept) FROM attempts a JOIN batches b ON b.last = a.last"
        " ORDER BY a.last LIMIT ?",
        (PRUNE_BATCHES,),
    ).fetchall():
        if at >= oldest_kept and too_much <= 0:
            break
        gone = last
        removed += 1
        too_much -= size
    if not removed:
        return 0
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM attempts WHERE last <= ?", (gone,))
    connection.execute(
        "DELETE FROM batches WHERE last <= ? AND last < (SELECT max(last) FROM batches)", (gone,)
    )  # the newest stays, so that numbers only grow
    connection.execute("COMMIT")
    return removed
