"""What a log says of its move to another engine, so that only one of the two can ever be used.

The goal of a move is `arriving` until it has all; then the source has `moved`, and only after that the goal has
`arrived`. Nothing opens a log that is arriving or has moved. A SQLite log says so in a table of its own, and by a
mark in the file's head that older programs refuse as well; a stream says so in its metadata.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from gateway.errors import LogError

MOVED_ID: Final = 0x47574D56
"""Marks a SQLite file as a log that cannot be used, because of a move ("GWMV")."""
LOG_ID: Final = 0x47574C47
"""Marks a SQLite file as a gateway log ("GWLG")."""

_TABLE: Final = "CREATE TABLE IF NOT EXISTS move (value BLOB NOT NULL)"
_GUARDED: Final = tuple(
    (f"closed_{table}_{change}".lower(), f"BEFORE {change} ON {table}")
    for table in ("events", "targets", "parked", "dead", "replays", "holds")
    for change in ("INSERT", "UPDATE", "DELETE")
)
"""Triggers that refuse whoever has a log open from before it was closed: a name, and when."""


class Move(Struct, frozen=True, kw_only=True):
    """One move, as one of its two logs knows it."""

    id: str
    """The same in both logs."""
    state: Literal["arriving", "moved", "arrived"]
    other: str
    """What a person calls the other log."""
    at: str
    """When it began: ISO 8601, UTC."""
    content: str
    """What the source held when it was copied: something else once anything in it has changed."""
    place: int = 0
    """Of the newest event then; 0 while nothing was copied."""

    @property
    def closed(self) -> bool:
        """Whether the log cannot be used."""
        return self.state != "arrived"

    def refusal(self, name: str) -> str:
        """Return why a log of this name cannot be used."""
        if self.state == "moved":
            return f"{name} was moved to {self.other} on {self.at}: the configuration has to name that log"
        return (
            f"{name} is not whole: the move from {self.other}, begun {self.at}, is not finished; "
            "the same `gateway migrate-log` goes on with it"
        )


def dump(move: Move) -> str:
    """Return a move as text."""
    return msgspec.json.encode(move).decode()


def load(text: str | bytes) -> Move:
    """Return what `dump` wrote.

    Raises:
        LogError: it was written by a newer program.
    """
    try:
        return msgspec.json.decode(text, type=Move)
    except msgspec.MsgspecError as error:
        raise LogError(f"a move that this gateway does not understand: {error}") from error


# --- of a SQLite log -------------------------------------------------------------------------------------


def of_file(path: Path) -> Move | None:
    """Return the last move of a SQLite log, None when there was none, or no such file.

    Raises:
        LogError: it cannot be read.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            return read(connection)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite quotes garbage in its messages
        raise LogError(f"{path} cannot be used as a log: {error}") from error


def read(connection: sqlite3.Connection) -> Move | None:
    """Return the last move of a SQLite log."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'move'").fetchone():
        return None
    row = connection.execute("SELECT value FROM move").fetchone()
    return None if row is None else load(row[0])


def write(connection: sqlite3.Connection, move: Move) -> None:
    """Have a SQLite log say this of its move; within an open transaction."""
    erase(connection)
    connection.execute(_TABLE)
    connection.execute("INSERT INTO move VALUES (?)", (dump(move),))
    if move.closed:
        connection.execute(f"PRAGMA application_id={MOVED_ID}")
        for name, when in _GUARDED:
            connection.execute(f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, 'the log is being moved'); END")


def erase(connection: sqlite3.Connection) -> None:
    """Have a SQLite log say nothing of a move; within an open transaction."""
    connection.execute("DROP TABLE IF EXISTS move")
    for name, _ in _GUARDED:
        connection.execute(f"DROP TRIGGER IF EXISTS {name}")
    connection.execute(f"PRAGMA application_id={LOG_ID}")
