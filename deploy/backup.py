"""Copies the log and what belongs to it while the gateway runs: ``backup.py /data/gateway.db FOLDER``.

By SQLite's online backup: each file as it was at one moment. The log comes last, so that no other file knows more
than it. Each copy is read through before it takes its name. The gateway's limits and receipts are not copied.
"""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

SUFFIXES = (".people", ".permissions", "")


def main(log: Path, folder: Path) -> None:
    """Copy what there is."""
    if not log.is_file():
        sys.exit(f"backup: there is no log at {log}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for suffix in SUFFIXES:
        source = log.with_name(log.name + suffix)
        if source.is_file():
            copy(source, folder / source.name)


def copy(source: Path, into: Path) -> None:
    """Make one copy, whole or not at all."""
    partial = into.with_name(into.name + ".partial")
    partial.unlink(missing_ok=True)
    there = f"{source.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(there, uri=True, timeout=60)) as live, closing(sqlite3.connect(partial)) as kept:
        live.backup(kept)
        kept.execute("PRAGMA journal_mode=DELETE")
        (found,) = kept.execute("PRAGMA quick_check").fetchone()
    if found != "ok":
        sys.exit(f"backup: the copy of {source} is not sound: {found}")
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(into)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: backup.py LOG FOLDER")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
