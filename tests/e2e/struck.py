"""``gateway`` that is struck dead at one exact point: ``python -m tests.e2e.struck POINT NUMBER serve …``.

A point is a statement that SQLite is about to execute, within a transaction that did something particular before.
The process ends by SIGKILL, so nothing of it is finished, flushed or said.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.cli import main
from gateway.cli.processes import Process
from gateway.log import people, schema, sqlite, store


class Point(NamedTuple):
    """When to die."""

    mark: str
    """A statement that begins so came before in the transaction."""
    at: str
    """The next one that begins so is the last."""
    within_s: float = 0.0
    """Not at once but at some moment while it runs."""


POINTS: Final = {
    "before a commit": Point("INSERT INTO events", "COMMIT"),
    "within a commit": Point("INSERT INTO events", "COMMIT", 0.0005),
    "before a settlement's commit": Point("UPDATE targets", "COMMIT"),
    "within a settlement's commit": Point("UPDATE targets", "COMMIT", 0.0005),
    "within pruning": Point("DELETE FROM events", "UPDATE pruned"),
    "before pruning's commit": Point("UPDATE pruned", "COMMIT"),
    "within a checkpoint": Point("", "PRAGMA wal_checkpoint", 0.002),
    "within a migration": Point("CREATE TABLE once", "CREATE INDEX"),
    "before a migration's commit": Point("CREATE TABLE once", "COMMIT"),
}
AFTER: Final = "after a commit, before anybody is told"
ALL: Final = (*POINTS, AFTER)


class Fate:
    """Counts how often the point was come to."""

    def __init__(self, number: int) -> None:
        self.left = number

    def come(self, within_s: float = 0.0) -> None:
        """Die, the last time."""
        self.left -= 1
        if self.left == 0:
            if within_s:
                threading.Timer(random.random() * within_s, die).start()
            else:
                die()


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def trace(connection: sqlite3.Connection, point: Point, fate: Fate) -> None:
    """Watch a connection's statements."""
    marked = not point.mark

    def seen(statement: str) -> None:
        nonlocal marked
        if marked and statement.startswith(point.at):
            fate.come(point.within_s)
        if statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            marked = not point.mark
        elif point.mark and statement.startswith(point.mark):
            marked = True

    connection.set_trace_callback(seen)


def arm(name: str, number: int) -> None:
    """Have this process die at a point, the given time that it comes to it."""
    fate = Fate(number)
    hurry()
    if name == AFTER:
        confirm = store.Appender.confirm

        def confirmed(self: store.Appender) -> None:
            stored = self._unconfirmed is not None
            confirm(self)
            if stored:
                fate.come()

        store.Appender.confirm = confirmed  # type: ignore[method-assign]  # what this module is for
        return
    point = POINTS[name]
    connect = schema.connect

    def connected(*given: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*given, **named)
        trace(connection, point, fate)
        return connection

    schema.connect = connected


def hurry() -> None:
    """Have pruning begin at once; it waits for the directory of people, which takes its time."""
    sqlite.PRUNE_EVERY_S = 0.05  # type: ignore[misc]
    people.HOLD_EVERY_S = people.IDLE_S = 0.05  # type: ignore[misc]
    people.BEHIND = 0  # type: ignore[misc]


def launch(folder: Path, name: str, number: int, *arguments: str) -> Process | None:
    """Start such a process; return it once it serves, None when it was dead before."""
    ready = folder / f"struck-{time.monotonic_ns()}.json"
    command = [sys.executable, "-m", "tests.e2e.struck", name, str(number), *arguments, "--ready-file", str(ready)]
    with (folder / "struck.log").open("ab") as log:
        popen = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=log, stderr=log)
    while not ready.exists():
        if popen.poll() is not None:
            return None
        time.sleep(0.01)
    return Process(popen, msgspec.json.decode(ready.read_bytes()))


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    main(sys.argv[3:])
