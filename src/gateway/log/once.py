"""Keys that count once in a while, each with a time of its own: few, exact, and in the file alone.

For what a vendor keeps once in twenty minutes, or once for ever. The clients' own keys are in `gateway.log.dedupe`.
"""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final

_AT_ONCE: Final = 1000
_MOST_KEYS: Final = 64
"""Keys of one statement; a power of two, as are all: few statements for any number of keys."""


def _remember(keys: int) -> str:
    """Return the statement that keeps so many keys unless they are kept already, and names those that it kept."""
    return (
        f"INSERT INTO once VALUES {', '.join(['(?, ?)'] * keys)} "  # noqa: S608  # no value is in it
        "ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE until <= ? RETURNING key"
    )


_REMEMBER: Final = {size: _remember(size) for size in (1, 2, 4, 8, 16, 32, 64)}


def first_of(connection: sqlite3.Connection, keys: Sequence[tuple[bytes, float]], at: int) -> list[bool]:
    """Tell of each key whether it is the first of its time, and remember those; within an open transaction.

    Args:
        keys: in order, each with how many seconds it counts from now; one may stand there twice.
        at: now, in Unix milliseconds.
    """
    first: Counter[bytes] = Counter()
    begin = 0
    while begin < len(keys):
        size = min(_MOST_KEYS, 1 << (len(keys) - begin).bit_length() - 1)
        values: list[object] = []
        for key, seconds in keys[begin : begin + size]:
            values += (key, at + int(seconds * 1000))
        first.update(key for (key,) in connection.execute(_REMEMBER[size], (*values, at)))
        begin += size
    return [_taken(first, key) for key, _ in keys]


def _taken(first: Counter[bytes], key: bytes) -> bool:
    """Take a key out, if it is there."""
    there = first[key] > 0
    if there:
        first[key] -= 1
    return there


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
