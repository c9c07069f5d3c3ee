"""The keys of the events of a while ago, in little memory: about 25 bytes a key, exact.

A key is found by its first two bytes among 65,536 buckets. A bucket is one byte string of entries, the rest of the
key and the tag of its generation; searching it is one call into C. Entries stand in the order in which they came,
so that a generation that ends is a prefix of every bucket.
"""

import sqlite3
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.errors import LogError

KEY_BYTES: Final = 16
_STRIDE: Final = KEY_BYTES - 2 + 1
_GENERATIONS: Final = 24
_NO_ROW: Final = 2**62
_SMALL: Final = 500 * KEY_BYTES
_JOINED: Final = 4096 * KEY_BYTES
_SETTLED_MS: Final = 60_000
"""Rows younger than this are left alone."""
_SPLIT: Final = struct.Struct(">H14s")


@dataclass(slots=True)
class _Generation:
    tag: int
    first_at: int
    last_at: int
    keys: int


class Duplicates:
    """Keys seen within a window, and no more than a number of them.

    Args:
        window_s: seconds a key is remembered; up to a 24th longer. 0: nothing is a duplicate.
        max_keys: keys kept; beyond it the oldest 24th is forgotten early.
    """

    def __init__(self, window_s: float, max_keys: int) -> None:
        self.window_ms = int(window_s * 1000)
        self.forgotten = 0
        """Keys forgotten before their time, because there were too many."""
        self._max_keys = max_keys
        self._buckets: list[bytes] = [b""] * 65536
        self._generations: deque[_Generation] = deque()
        self._next_tag = 0
        self._read_to = 0

    def __len__(self) -> int:
        return sum(generation.keys for generation in self._generations)

    def seen(self, key: bytes) -> bool:
        """Tell whether a key is remembered.

        Raises:
            LogError: the key is not 16 bytes long.
        """
        if len(key) != KEY_BYTES:
            raise LogError(f"a duplicate key has {KEY_BYTES} bytes, this one {len(key)}")
        bucket = self._buckets[key[0] << 8 | key[1]]
        rest = key[2:]
        place = bucket.find(rest)
        while place > 0 and place % _STRIDE:
            place = bucket.find(rest, place + 1)
        return place >= 0

    def add(self, keys: bytes, at: int) -> None:
        """Remember keys that stand one after the other, as of a time in Unix milliseconds."""
        if not self.window_ms:
            return
        for start in range(0, len(keys), self._share * KEY_BYTES):
            self._add(keys[start : start + self._share * KEY_BYTES], at)

    def _add(self, keys: bytes, at: int) -> None:
        generation = self._current(at)
        tag = bytes((generation.tag,))
        buckets = self._buckets
        for head, rest in _SPLIT.iter_unpack(keys):
            buckets[head] += rest + tag
        generation.keys += len(keys) // KEY_BYTES
        while len(self) > self._max_keys and len(self._generations) > 1:
            self.forgotten += self._forget_oldest()

    @property
    def _share(self) -> int:
        return max(1, self._max_keys // _GENERATIONS)

    def _current(self, at: int) -> _Generation:
        last = self._generations[-1] if self._generations else None
        if last and at - last.first_at < self.window_ms / _GENERATIONS and last.keys < self._share:
            last.last_at = max(last.last_at, at)
            return last
        generation = _Generation(self._next_tag, at, max(at, last.last_at) if last else at, 0)
        self._next_tag = (self._next_tag + 1) % 256
        self._generations.append(generation)
        return generation

    def expire(self, now: int) -> None:
        """Forget what is older than the window."""
        while self._generations and self._generations[0].last_at <= now - self.window_ms:
            self._forget_oldest()

    def _forget_oldest(self) -> int:
        generation = self._generations.popleft()
        tag = generation.tag
        for index, bucket in enumerate(self._buckets):
            if bucket and bucket[_STRIDE - 1] == tag:
                self._buckets[index] = bucket[_STRIDE * bucket[_STRIDE - 1 :: _STRIDE].count(tag) :]
        return generation.keys

    def follow(self, connection: sqlite3.Connection, now: int) -> None:
        """Add what commits of any process have written since the last call."""
        if not self.window_ms:
            return
        oldest = self._oldest_row(connection, now)
        rows = connection.execute(
            "SELECT id, at, keys FROM keys WHERE id > ? AND id >= ? ORDER BY id", (self._read_to, oldest)
        )
        for row, at, keys in _gathered(rows):
            self.add(keys, at)
            self._read_to = row
        self.expire(now)

    def _oldest_row(self, connection: sqlite3.Connection, now: int) -> int:
        """Return the first row worth reading at the start: of the window, and of the newest `max_keys`."""
        if self._read_to:
            return 0
        kept = 0
        oldest = _NO_ROW
        newest_first = connection.execute(
            "SELECT id, length(keys) FROM keys WHERE at > ? ORDER BY id DESC", (now - self.window_ms,)
        )
        for row, size in newest_first:
            kept += size // KEY_BYTES
            if kept > self._max_keys:
                break
            oldest = row
        return oldest

    def write(self, connection: sqlite3.Connection, keys: Sequence[bytes], at: int) -> tuple[int, bytes]:
        """Write the new keys of a commit; returns what `wrote` wants once it is durable."""
        joined = b"".join(keys)
        row = connection.execute("INSERT INTO keys (at, keys) VALUES (?, ?)", (at, joined)).lastrowid
        return row or 0, joined

    def wrote(self, row: int, keys: bytes, at: int) -> None:
        """Remember what `write` wrote."""
        self.add(keys, at)
        self._read_to = row


def _gathered(rows: Iterable[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
    """Put rows of the same second together, under the last one's id and time."""
    last_row = last_at = second = 0
    parts: list[bytes] = []
    for row, at, keys in rows:
        if parts and at // 1000 != second:
            yield last_row, last_at, b"".join(parts)
            parts = []
        parts.append(keys)
        last_row, last_at, second = row, at, at // 1000
    if parts:
        yield last_row, last_at, b"".join(parts)


def untidy(connection: sqlite3.Connection, window_ms: int, now: int) -> bool:
    """Tell, without writing, whether `tidy` has enough to do."""
    (past, small) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM keys WHERE at <= ? AND id < (SELECT max(id) FROM keys)),"
        " (SELECT count(*) FROM (SELECT 1 FROM keys WHERE at <= ? AND length(keys) < ? LIMIT 256)) = 256",
        (now - window_ms, now - _SETTLED_MS, _SMALL),
    ).fetchone()
    return bool(past or small)


def tidy(connection: sqlite3.Connection, window_ms: int, now: int) -> bool:
    """Delete key rows that are past the window and join small ones; returns whether there may be more to do.

    The newest row stays, so that ids only grow. Joined rows live on under the newest id among them, which every
    process that follows has either passed or still to read.
    """
    (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM keys").fetchone()
    gone = connection.execute(
        "DELETE FROM keys WHERE id IN (SELECT id FROM keys WHERE at <= ? AND id < ? ORDER BY id LIMIT 1000)",
        (now - window_ms, newest),
    ).rowcount
    return gone == 1000 or _join(connection, newest, window_ms // _GENERATIONS, now)


def _join(connection: sqlite3.Connection, newest: int, span_ms: int, now: int) -> bool:
    rows: list[tuple[int, int, bytes]] = []
    size = 0
    for row in connection.execute(
        "SELECT id, at, keys FROM keys WHERE id < ? AND at <= ? AND length(keys) < ? ORDER BY id LIMIT 1000",
        (newest, now - _SETTLED_MS, _SMALL),
    ):
        if rows and (abs(row[1] - rows[0][1]) >= span_ms or size >= _JOINED):
            break
        rows.append(row)
        size += len(row[2])
    if len(rows) < 2:
        return False
    connection.executemany("DELETE FROM keys WHERE id = ?", [(row,) for row, _, _ in rows])
    joined = b"".join(keys for _, _, keys in rows)
    connection.execute(
        "INSERT INTO keys (id, at, keys) VALUES (?, ?, ?)", (rows[-1][0], max(at for _, at, _ in rows), joined)
    )
    return True
