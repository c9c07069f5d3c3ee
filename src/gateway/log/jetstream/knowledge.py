"""Known people and permissions on their way from the files beside an embedded log into a view, and back.

Both sides hold the same rows, and up to which place of the log they have learnt. What lies behind that place is learnt
where the rows arrive: permissions at once, people when somebody asks, and until then those events are not pruned.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.log import people, people_store, permissions, store, targets
from gateway.log.jetstream import view

PEOPLE: Final = ".people"
PERMISSIONS: Final = ".permissions"
TABLES: Final = ("people", "identifiers", "place", "said")
"""What a view has in itself and an embedded log has beside it."""


def into_view(connection: sqlite3.Connection, log: Path) -> None:
    """Take in what stands beside a log; within an open transaction.

    Args:
        connection: to a copy of the log.
        log: whose name the files' names begin with; there may be none.

    Raises:
        sqlite3.Error: one of them is something else.
    """
    end = store.head(connection)
    for statement in people_store.TABLES:
        connection.execute(statement)
    known, said = _beside(log, PEOPLE), _beside(log, PERMISSIONS)
    if known.exists():
        with closing(people_store.connect(known)) as file:
            _copy(file, connection, "people", "identifiers")
            connection.execute("UPDATE place SET seq = ?", (_within(people_store.place(file), end),))
    connection.execute(permissions.TABLE)
    place = 0
    if said.exists():
        with closing(permissions.connect(said)) as file:
            _copy(file, connection, "said")
            place = _within(permissions.place(file), end)
    view.learn_permissions(connection, after=place)


def out_of_view(connection: sqlite3.Connection, log: Path, now_ms: int) -> None:
    """Make the files beside a log of a view's tables; within an open transaction.

    Args:
        connection: to a copy of the view, with `TABLES`.
        log: whose name the files' names begin with; there are none yet.
        now_ms: Unix milliseconds.

    Raises:
        sqlite3.Error: a file cannot be written.
        LogError: likewise.
    """
    place, end = people_store.place(connection), store.head(connection)
    people_store.prepare(_beside(log, PEOPLE))
    with closing(people_store.connect(_beside(log, PEOPLE))) as file, file:
        _copy(connection, file, "people", "identifiers")
        file.execute("UPDATE place SET seq = ?", (place,))
    with closing(permissions.connect(_beside(log, PERMISSIONS))) as file, file:
        _copy(connection, file, "said")
        permissions.move(file, end)
    if place < end:
        targets.hold(connection, people.HOLD, place, now_ms)


def _beside(log: Path, suffix: str) -> Path:
    return log.with_name(log.name + suffix)


def _within(place: int, end: int) -> int:
    """Return up to where a file has learnt from this log: one that is ahead of it has followed another."""
    return place if place <= end else 0


def _copy(source: sqlite3.Connection, goal: sqlite3.Connection, *tables: str) -> None:
    for table in tables:
        rows = source.execute(f"SELECT * FROM {table}")  # noqa: S608  names of this module
        goal.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows.description))})", rows)  # noqa: S608
