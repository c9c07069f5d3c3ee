"""``gateway`` whose disk does as a file says: ``python -m tests.e2e.troubled FILE serve …``.

While the file holds a word, transactions that write meet a trouble:

    readonly        the file cannot be written (SQLite's own error)
    stall           a commit does not end until the word is gone
    slow SECONDS    every commit takes longer
    strike          the thread that writes dies, once, in the middle of a transaction
"""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from gateway.cli import main
from gateway.cli.processes import Process
from gateway.log import schema


class Disk:
    """What the file says."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def word(self) -> str:
        """The trouble of now; empty: none."""
        return self._path.read_text() if self._path.exists() else ""

    def begins(self, connection: sqlite3.Connection) -> None:
        """A transaction that writes begins."""
        connection.execute(f"PRAGMA query_only={int(self.word == 'readonly')}")
        if self.word == "strike":
            self._path.unlink()
            raise SystemExit("struck")

    def commits(self) -> None:
        """It is about to end."""
        while self.word == "stall":
            time.sleep(0.01)
        if self.word.startswith("slow"):
            time.sleep(float(self.word.split()[1]))


class Troubled:
    """A connection on such a disk."""

    def __init__(self, connection: sqlite3.Connection, disk: Disk) -> None:
        self._connection = connection
        self._disk = disk

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Execute a statement."""
        if statement == "BEGIN IMMEDIATE":
            self._disk.begins(self._connection)
        elif statement == "COMMIT":
            self._disk.commits()
        return self._connection.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def arm(path: Path) -> None:
    """Have this process's log live on such a disk."""
    connect = schema.connect
    disk = Disk(path)

    def connected(path: Path, *, read_only: bool = False) -> Any:
        connection = connect(path, read_only=read_only)
        return connection if read_only else Troubled(connection, disk)

    schema.connect = connected


def launch(folder: Path, word: Path, *arguments: str) -> Process:
    """Start such a process and return it once it serves."""
    ready = folder / f"troubled-{os.urandom(4).hex()}.json"
    command = [sys.executable, "-m", "tests.e2e.troubled", str(word), *arguments, "--ready-file", str(ready)]
    with (folder / "troubled.log").open("ab") as log:
        popen = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=log, stderr=log)
    while not ready.exists():
        assert popen.poll() is None, (folder / "troubled.log").read_text()
        time.sleep(0.01)
    return Process(popen, msgspec.json.decode(ready.read_bytes()))


if __name__ == "__main__":
    arm(Path(sys.argv[1]))
    main(sys.argv[2:])
