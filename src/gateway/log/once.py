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
