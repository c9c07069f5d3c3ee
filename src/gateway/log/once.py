"""Keys that count once in a while, each with a time of its own: few, exact, and in the file alone.

For what a vendor keeps once in twenty minutes, or once for ever. The clients' own keys are in `gateway.log.dedupe`.
"""

import sqlite3
from typing import Final

_AT_ONCE: Final = 1000


def first(connection: sqlite3.Connection, key: bytes, seconds: float, at: int) -> bool:
    """Tell whether a key is the first of its time, and remember it if so; within an open transaction.

    Args:
        seconds: how long it counts from now.
        at: now, in Unix milliseconds.
    """
    row = connection.execute("SELECT until FROM once WHERE key = ?", (key,)).fetchone()
    if row is not None and row[0] > at:
        return False
    connection.execute("INSERT OR REPLACE INTO once VALUES (?, ?)", (key, at + int(seconds * 1000)))
    return True


def untidy(connection: sqlite3.Connection, now: int) -> bool:
    """Tell, without writing, whether `tidy` has anything to do."""
    (past,) = connection.execute("SELECT EXISTS (SELECT 1 FROM once WHERE until <= ?)", (now,)).fetchone()
    return bool(past)


def tidy(connection: sqlite3.Connection, now: int) -> bool:
    """Forget keys whose time is over; returns whether there may be more."""
    gone = connection.execute(
        "DELETE FROM once WHERE key IN (SELECT key FROM once WHERE until <= ? LIMIT ?)", (now, _AT_ONCE)
    )
    return gone.rowcount == _AT_ONCE


def too_many(connection: sqlite3.Connection, until: int, most: int) -> bool:
    """Tell, without writing, whether `trim` has anything to do."""
    return _ending_by(connection, until) > most


def trim(connection: sqlite3.Connection, until: int, most: int) -> int:
    """Forget keys before their time, the nearest to it first; returns how many.

    Args:
        until: only keys that end by then, in Unix milliseconds, are counted and forgotten.
        most: how many of them may stay.
    """
    excess = min(_ending_by(connection, until) - most, _AT_ONCE)
    if excess <= 0:
        return 0
    return connection.execute(
        "DELETE FROM once WHERE key IN (SELECT key FROM once ORDER BY until, key LIMIT ?)", (excess,)
    ).rowcount


def _ending_by(connection: sqlite3.Connection, until: int) -> int:
    return int(connection.execute("SELECT count(*) FROM once WHERE until <= ?", (until,)).fetchone()[0])
