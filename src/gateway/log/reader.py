"""Reading a log: short transactions on a few connections, off the event loop."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from gateway.errors import LogError
from gateway.log import schema, store
from gateway.log.port import Record

T = TypeVar("T")

THREADS: Final = 2
ILL_S: Final = 5.0
"""How long it counts that a query met garbage. Targets read every second while they cannot."""
_GARBAGE: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
SPAN: Final = 10_000
"""Events one read walks through, whoever they are for."""


class Readers:
    """Runs queries in threads, each with a connection of its own for as long as it takes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="log-reader")
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._ill: dict[str, tuple[str, float]] = {}
        """Queries that met garbage -> what they met, and when."""

    @property
    def fault(self) -> str | None:
        """What is wrong with the file's content, as far as it was met lately; None when nothing is."""
        if not self._ill:
            return None
        now = time.monotonic()
        return next((why for why, at in list(self._ill.values()) if now - at < ILL_S), None)

    async def run(self, query: Callable[..., T], *args: Any) -> T:
        """Return ``query(connection, *args)``.

        Raises:
            LogError: the file cannot be read.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, query, args)
        except RuntimeError as error:
            raise LogError(f"{self._path}: the log is closed") from error

    def _run(self, query: Callable[..., T], args: tuple[Any, ...]) -> T:
        try:
            with self._borrowed() as connection:
                result = query(connection, *args)
        except sqlite3.Error as error:
            if str(getattr(error, "sqlite_errorname", "")).startswith(_GARBAGE):
                self._ill[query.__qualname__] = (f"cannot be read: {error}", time.monotonic())
            raise LogError(f"{self._path} cannot be read: {error}") from error
        if self._ill:
            self._ill.pop(query.__qualname__, None)
        return result

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection; one that has met an error is not used again."""
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = schema.connect(self._path, read_only=True)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)

    def close(self) -> None:
        """Finish the queries under way; blocks."""
        self._threads.shutdown()
        while not self._idle.empty():
            self._idle.get_nowait().close()


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Have all queries inside see the log as of one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def read(
    connection: sqlite3.Connection, target: str, after: int, limit: int, max_bytes: int, *, gaps: bool = False
) -> tuple[list[Record], int]:
    """Return a target's next records and the place searched up to.

    Walks the events themselves, which is best while most are for the target; when a whole span is not, the index
    finds the next one however far it is.

    Args:
        connection: to the log.
        target: who reads.
        after: place to go on from.
        limit: records at most.
        max_bytes: of their bodies, but for one that is larger.
        gaps: whether places have so many gaps that events have to be counted, which costs an eighth more of a read.
    """
    head = store.head(connection)
    walk = _walk_over_gaps if gaps else _walk
    records, place = walk(connection, target, after, head, limit, max_bytes)
    if records or place >= head:
        return records, max(after, place)
    following = next_place(connection, target, place)
    if following is None:
        return [], head
    return walk(connection, target, following - 1, head, limit, max_bytes)


def read_over_gaps(
    connection: sqlite3.Connection, target: str, after: int, limit: int, max_bytes: int
) -> tuple[list[Record], int]:
    """Do what `read` does where places have gaps."""
    return read(connection, target, after, limit, max_bytes, gaps=True)


def _walk(
    connection: sqlite3.Connection, target: str, after: int, head: int, limit: int, max_bytes: int
) -> tuple[list[Record], int]:
    last = min(after + SPAN, head)
    rows = connection.execute(
        "SELECT e.seq, e.body, f.rule FROM events e CROSS JOIN fates f"
        " ON f.target = ? AND f.decision = e.decision AND f.delivers = 1"
        " WHERE e.seq > ? AND e.seq <= ? ORDER BY e.seq LIMIT ?",
        (target, after, last, limit),
    )
    records, full = _taken(rows, limit, max_bytes)
    return records, records[-1].seq if full else last


def _walk_over_gaps(
    connection: sqlite3.Connection, target: str, after: int, head: int, limit: int, max_bytes: int
) -> tuple[list[Record], int]:
    # Without ORDER BY, which would sort all that was walked: a cross join keeps the order of what is on its left.
    rows = connection.execute(
        "SELECT e.seq, e.body, f.rule FROM"
        " (SELECT seq, body, decision FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?) e"
        " CROSS JOIN fates f ON f.target = ? AND f.decision = e.decision AND f.delivers = 1 LIMIT ?",
        (after, head, SPAN, target, limit),
    )
    records, full = _taken(rows, limit, max_bytes)
    return records, records[-1].seq if full else _walked_to(connection, after, head)


def _taken(rows: sqlite3.Cursor, limit: int, max_bytes: int) -> tuple[list[Record], bool]:
    """Return records of rows as far as they may go, and whether that is why they end."""
    records: list[Record] = []
    size = 0
    for seq, body, rule in rows:
        size += len(body)
        if records and size > max_bytes:
            return records, True
        records.append(Record(seq, body, rule))
    return records, len(records) == limit


def _walked_to(connection: sqlite3.Connection, after: int, head: int) -> int:
    """Return the place of the last event of a whole walk."""
    if head - after <= SPAN:
        return head
    row = connection.execute(
        "SELECT seq FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT 1 OFFSET ?", (after, head, SPAN - 1)
    ).fetchone()
    return head if row is None else int(row[0])


def next_place(connection: sqlite3.Connection, target: str, after: int) -> int | None:
    """Return the place of a target's first event after a place."""
    (place,) = connection.execute(
        "SELECT min((SELECT min(e.seq) FROM events e WHERE e.decision = f.decision AND e.seq > ?))"
        " FROM fates f WHERE f.target = ? AND f.delivers = 1",
        (after, target),
    ).fetchone()
    return None if place is None else int(place)


def scan(connection: sqlite3.Connection, after: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]]:
    """Return the next events, whoever they are for; at least one if there is any.

    All in one row: between rows a busy event loop would keep this thread waiting for the interpreter each time.
    """
    places, sizes, bodies = connection.execute(
        "SELECT group_concat(seq), group_concat(size), CAST(group_concat(body, '') AS BLOB) FROM ("
        " SELECT seq, body, length(body) AS size, sum(length(body)) OVER (ORDER BY seq) AS so_far"
        " FROM events WHERE seq > ? ORDER BY seq LIMIT ?) WHERE so_far <= ? OR so_far = size",
        (after, limit, max_bytes),
    ).fetchone()
    if places is None:
        return []
    ends = [0, *accumulate(map(int, sizes.split(",")))]
    cut = [bodies[start:end] for start, end in pairwise(ends)]
    return sorted(zip(map(int, places.split(",")), cut, strict=True))


def cursor(connection: sqlite3.Connection, target: str) -> int | None:
    """Return a target's place, None when it is not registered."""
    row = connection.execute("SELECT cursor FROM targets WHERE name = ?", (target,)).fetchone()
    return None if row is None else int(row[0])
