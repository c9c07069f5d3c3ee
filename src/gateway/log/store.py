"""How a batch of entries becomes rows: the work of one transaction, without threads."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from gateway.decision import Decision
from gateway.log import once
from gateway.log.dedupe import Duplicates
from gateway.log.port import Entry
from gateway.log.schema import NOTHING

_MOST_ROWS: Final = 64
"""Rows of one statement. The connection keeps the statements of every number of rows: 128 are its default."""
_INSERT: Final = "INSERT INTO events (seq, decision, at, id, body) VALUES "
_INSERTS: Final = [_INSERT + ", ".join(["(?, ?, ?, ?, ?)"] * rows) for rows in range(_MOST_ROWS + 1)]
_MAX_REMEMBERED: Final = 4096

_encode = msgspec.json.Encoder().encode


class Appender:
    """Writes entries; knows decisions and duplicates."""

    def __init__(self, duplicates: Duplicates, *, follow_others: bool) -> None:
        self.duplicates = duplicates
        self._follow_others = follow_others
        self._decisions: dict[Decision, int] = {}
        self._by_object: dict[int, tuple[Decision, int]] = {}
        self._unconfirmed: tuple[int, bytes, int] | None = None
        self._head: int | None = None

    def append(
        self, connection: sqlite3.Connection, entries: Sequence[Entry], at: int, first: int | None = None
    ) -> int:
        """Write entries within an open transaction; returns how many were no duplicates.

        The caller says `confirm` after the commit or `forget` after a rollback.

        Args:
            connection: what they are written to.
            entries: what is stored.
            at: the time of their acceptance, in Unix milliseconds.
            first: place of the first entry, those after it following whether it is a duplicate or not; None: the next
                places, duplicates taking none.
        """
        if self._follow_others and any(entry.dedupe is not None for entry in entries):
            self.duplicates.follow(connection, at)
        self.duplicates.expire(at)
        place, passed_over = (self._end(connection), 0) if first is None else (first - 1, 1)
        values: list[object] = []
        fresh: dict[bytes, None] = {}
        counts: dict[int, list[int]] = {}
        firsts = _firsts(connection, entries, at)
        for entry in entries:
            key = entry.dedupe
            if key is not None:
                if entry.once_s is not None:
                    again = not next(firsts)
                elif not (again := key in fresh or self.duplicates.seen(key)):
                    fresh[key] = None
                if again:
                    place += passed_over
                    continue
            known = self._by_object.get(id(entry.decision))
            decision = known[1] if known else self._intern(connection, entry.decision)
            place += 1
            values += (place, decision, at, entry.id, entry.body)
            count = counts.get(decision)
            if count is None:
                counts[decision] = [1, len(entry.body)]
            else:
                count[0] += 1
                count[1] += len(entry.body)
        stored = len(values) // 5
        _insert(connection, values)
        if stored < len(entries):
            counts[NOTHING] = [len(entries) - stored, 0]
        _tally(connection, counts)
        if fresh:
            self._unconfirmed = (*self.duplicates.write(connection, list(fresh), at), at)
        self._head = place
        return stored

    def confirm(self) -> None:
        """What was appended is durable."""
        if self._unconfirmed:
            self.duplicates.wrote(*self._unconfirmed)
            self._unconfirmed = None

    def forget(self) -> None:
        """What was appended is rolled back."""
        self._unconfirmed = None
        self._head = None
        self._decisions.clear()
        self._by_object.clear()

    def _end(self, connection: sqlite3.Connection) -> int:
        return head(connection) if self._head is None or self._follow_others else self._head

    def _intern(self, connection: sqlite3.Connection, decision: Decision) -> int:
        row = self._decisions.get(decision)
        if row is None:
            row = self._decisions[decision] = _decision_row(connection, decision)
        if len(self._by_object) >= _MAX_REMEMBERED:
            self._by_object.clear()
        self._by_object[id(decision)] = (decision, row)
        return row


def _firsts(connection: sqlite3.Connection, entries: Sequence[Entry], at: int) -> Iterator[bool]:
    """Tell of each entry whose key counts for a time of its own whether it is the first."""
    keys = [(one.dedupe, one.once_s) for one in entries if one.dedupe is not None and one.once_s is not None]
    return iter(once.first_of(connection, keys, at))


def head(connection: sqlite3.Connection) -> int:
    """Return the place of the newest event ever stored."""
    (place,) = connection.execute(
        "SELECT max(coalesce((SELECT max(seq) FROM events), 0), (SELECT place FROM pruned))"
    ).fetchone()
    return int(place)


def _insert(connection: sqlite3.Connection, values: list[object]) -> None:
    """Insert rows in few statements: a busy event loop takes the interpreter at each one."""
    for start in range(0, len(values), _MOST_ROWS * 5):
        part = values[start : start + _MOST_ROWS * 5]
        connection.execute(_INSERTS[len(part) // 5], part)


def _tally(connection: sqlite3.Connection, counts: dict[int, list[int]]) -> None:
    for decision, (stored, size) in counts.items():
        connection.execute(
            "UPDATE tally SET stored = stored + ?, bytes = bytes + ? WHERE decision = ?", (stored, size, decision)
        )


def _decision_row(connection: sqlite3.Connection, decision: Decision) -> int:
    value = _encode(decision)
    found = connection.execute("SELECT id FROM decisions WHERE value = ?", (value,)).fetchone()
    if found:
        return int(found[0])
    row = connection.execute("INSERT INTO decisions (value) VALUES (?)", (value,)).lastrowid or 0
    connection.execute("INSERT INTO tally VALUES (?, 0, 0)", (row,))
    for delivers, pairs in ((1, decision.deliver), (0, decision.drop)):
        connection.executemany(
            "INSERT INTO fates (target, decision, rule, delivers) VALUES (?, ?, ?, ?)",
            [(target, row, rule, delivers) for target, rule in pairs],
        )
    return row
