"""Removing what everyone has passed and nobody has asked to keep."""

import sqlite3
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from gateway.log import reader, store

CHUNK: Final = 500
"""Events looked at in one step."""
HOLD_LEASE_S: Final = 7 * 86_400
"""A hold that nobody has renewed for so long is void: what kept it is gone from the configuration."""
AT_NODE: Final = "@"
"""Between the name of a hold and that of its node, where there are several."""
NODE_LEASE_S: Final = 6 * 3_600
"""The same for a hold of one node among several: the others go on without it."""


class Retention(Struct, frozen=True):
    """How long events are kept after all targets have passed them: until either is exceeded."""

    seconds: float = 3 * 86_400
    bytes: int = 2 << 30
    """Of all stored events' bodies."""


class Pruner:
    """Prunes one log in small steps."""

    def __init__(self, retention: Retention, clock: Callable[[], float]) -> None:
        self._retention = retention
        self._clock = clock

    def wanted(self, connection: sqlite3.Connection) -> bool:
        """Tell, without writing, whether a step would remove anything."""
        return self.plan(connection) is not None

    def step(self, connection: sqlite3.Connection) -> bool:
        """Remove some events within an open transaction; returns whether there may be more."""
        place = self.plan(connection)
        if place is None:
            return False
        gone = connection.execute(
            "DELETE FROM events WHERE seq > (SELECT place FROM pruned) AND seq <= ?"
            " AND seq NOT IN (SELECT seq FROM parked WHERE seq > (SELECT place FROM pruned) AND seq <= ?)"
            " RETURNING length(body)",
            (place, place),
        ).fetchall()
        size = sum(length for (length,) in gone)
        connection.execute(
            "UPDATE pruned SET place = ?, events = events + ?, bytes = bytes + ?", (place, len(gone), size)
        )
        return True

    def plan(self, connection: sqlite3.Connection) -> int | None:
        """Return the place up to which the next step removes."""
        start, over = self._excess(connection)
        oldest_kept = (self._clock() - self._retention.seconds) * 1000
        limit = passed_by_all(connection, self._clock())
        place = None
        for seq, at, size in connection.execute(
            "SELECT seq, at, length(body) FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (start, limit, CHUNK),
        ):
            if at >= oldest_kept and over <= 0:
                break
            place = seq
            over -= size
        return place

    def _excess(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """Return the place pruned up to, and how many bytes the log holds beyond its share."""
        start, size = connection.execute("SELECT place, (SELECT sum(bytes) FROM tally) - bytes FROM pruned").fetchone()
        return int(start), int(size) - self._retention.bytes


def step(connection: sqlite3.Connection, retention: Retention, now: float) -> bool:
    """Remove some of what a retention lets go at a time (Unix seconds); returns whether there may be more."""
    return Pruner(retention, lambda: now).step(connection)


def plan(connection: sqlite3.Connection, retention: Retention, now: float) -> int | None:
    """Return the place up to which `step` would remove now, None when it would not."""
    return Pruner(retention, lambda: now).plan(connection)


def passed_by_all(connection: sqlite3.Connection, now: float) -> int:
    """Return the place before which nobody waits for anything, parked events aside.

    A target holds back only from the first event that is for it: one that has nothing to do holds nothing.
    """
    end = store.head(connection)
    for name, place in connection.execute("SELECT name, cursor FROM targets").fetchall():
        following = reader.next_place(connection, name, place)
        if following is not None:
            end = min(end, following - 1)
    (held,) = connection.execute(
        "SELECT min(place) FROM holds WHERE at > iif(instr(name, ?), ?, ?)",
        (AT_NODE, (now - NODE_LEASE_S) * 1000, (now - HOLD_LEASE_S) * 1000),
    ).fetchone()
    return end if held is None else min(end, int(held))
