"""An embedded log made into a view of a stream, and a view into an embedded log, in a file of their own.

Both have the same tables; places, counts, what waits and what is dead stay as they are. What differs: where clients'
own keys are kept (`gateway.log.dedupe` against `gateway.log.once`), who holds back pruning, what a view alone has, and
known people and permissions (`gateway.log.jetstream.knowledge`).
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

from gateway.errors import LogError
from gateway.log import moves, owners, schema, store, targets
from gateway.log.dedupe import KEY_BYTES
from gateway.log.jetstream import knowledge, view

T = TypeVar("T")

_REPLAYS: Final = "replay *"
"""Names of the holds that go along; all others are of readers that begin again."""
_AT_ONCE: Final = 4096
"""Keys of one row."""
_SORTING: Final = "PRAGMA temp_store=FILE"


def to_view(
    path: Path, stream: str, sequence: int, *, window_ms: int, now_ms: int, limits: Mapping[str, bytes]
) -> None:
    """Make a copy of an embedded log a view that has done everything up to a message.

    Args:
        path: the copy, with what stands beside it.
        stream: what tells the stream from another of the same name.
        sequence: its next message's places are beyond all that the log has.
        window_ms: how long the log remembered a client's own key.
        now_ms: Unix milliseconds.
        limits: what was sent lately, by account.

    Raises:
        LogError: the copy cannot be written, or does not come out even.
    """

    def work(connection: sqlite3.Connection) -> None:
        moves.erase(connection)
        _keys_to_once(connection, window_ms, now_ms)
        _let_go(connection)
        for statement in view.TABLES:
            connection.execute(statement)
        knowledge.into_view(connection, path)
        newest = connection.execute("SELECT at FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        connection.execute("INSERT INTO applied VALUES (?, ?, ?)", (sequence, newest[0] if newest else 0, stream))
        connection.executemany("INSERT INTO limits VALUES (?, ?)", list(limits.items()))

    _changed(path, work)


def to_log(path: Path, *, window_ms: int, now_ms: int) -> dict[str, bytes]:
    """Make a copy of a view an embedded log, and what stands beside that; return limits by account.

    Args:
        path: the copy.
        window_ms: how long the log will remember a client's own key.
        now_ms: Unix milliseconds.

    Raises:
        LogError: the copy cannot be written, or does not come out even.
    """

    def work(connection: sqlite3.Connection) -> dict[str, bytes]:
        _once_to_keys(connection, window_ms, now_ms)
        _let_go(connection)
        limits = owners.limits(connection)
        knowledge.out_of_view(connection, path, now_ms)
        for name in (*view.NAMES, *knowledge.TABLES):
            connection.execute(f"DROP TABLE {name}")
        return limits

    return _changed(path, work)


def _changed(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """Change a file in one transaction, and see that it then holds what it did."""
    try:
        with closing(schema.connect(path)) as connection:
            before = targets.status(connection)
            connection.execute(_SORTING)
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            connection.execute("COMMIT")
            after = targets.status(connection)
            (sound,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise LogError(f"{path} cannot be written: {error}") from error
    if sound != "ok" or after != before:
        raise LogError(f"{path} is no faithful copy: {sound}")
    return result


def place_of_end(path: Path) -> int:
    """Return the place of the newest event ever stored in a file.

    Raises:
        LogError: it cannot be read.
    """
    try:
        with closing(schema.connect(path, read_only=True)) as connection:
            return store.head(connection)
    except sqlite3.Error as error:
        raise LogError(f"{path} cannot be read: {error}") from error


def _let_go(connection: sqlite3.Connection) -> None:
    """Drop what readers of this machine hold back: they say again what they need when they open the other log."""
    connection.execute("DELETE FROM holds WHERE name NOT GLOB ?", (_REPLAYS,))


# --- clients' own keys -----------------------------------------------------------------------------------


def _keys_to_once(connection: sqlite3.Connection, window_ms: int, now_ms: int) -> None:
    """Give each key of a commit the time until which it counts."""
    connection.execute("CREATE TEMP TABLE known (key BLOB NOT NULL, until INTEGER NOT NULL)")
    rows = connection.execute("SELECT at, keys FROM keys WHERE at > ?", (now_ms - window_ms,))
    connection.executemany("INSERT INTO known VALUES (?, ?)", _each_key(rows, window_ms))
    connection.execute("INSERT INTO known SELECT key, until FROM once WHERE until > ?", (now_ms,))
    connection.execute("DELETE FROM once")
    connection.execute("DELETE FROM keys")
    connection.execute("INSERT INTO once SELECT key, max(until) FROM known GROUP BY key ORDER BY key")
    connection.execute("DROP TABLE known")


def _each_key(rows: Iterable[tuple[int, bytes]], window_ms: int) -> Iterator[tuple[bytes, int]]:
    for at, keys in rows:
        for start in range(0, len(keys), KEY_BYTES):
            yield keys[start : start + KEY_BYTES], at + window_ms


def _once_to_keys(connection: sqlite3.Connection, window_ms: int, now_ms: int) -> None:
    """Have clients' own keys where the embedded engine looks for them.

    A view does not tell them from keys that count once in a time of their own. Those stay beside: nobody's own key is
    ever equal to one of them.
    """
    connection.execute("DELETE FROM keys")
    rows = connection.execute("SELECT key, until FROM once WHERE until > ? ORDER BY until", (now_ms,))
    connection.executemany("INSERT INTO keys (at, keys) VALUES (?, ?)", _joined(rows, window_ms, now_ms))


def _joined(rows: Iterable[tuple[bytes, int]], window_ms: int, now_ms: int) -> Iterator[tuple[int, bytes]]:
    """Put keys of about the same time together; none is from later than now."""
    parts: list[bytes] = []
    last = 0
    for key, until in rows:
        at = min(until - window_ms, now_ms)
        if parts and (at // 1000 != last // 1000 or len(parts) == _AT_ONCE):
            yield last, b"".join(parts)
            parts = []
        parts.append(key)
        last = at
    if parts:
        yield last, b"".join(parts)
