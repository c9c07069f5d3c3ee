"""Carries the WAL over into the file, off the writer's thread: a commit never waits for it unless the WAL is large."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.log import schema

EVERY_S: Final = 0.25
"""Between looks, and at least as long as the last checkpoint took.

Small ones hold up commits least. But each sorts up to 4,096 pages of the WAL anew, however few there are since the
last: five times as many took a tenth of the processor's time of an accepted event.
"""
ENOUGH: Final = 32
"""Commits worth a checkpoint; fewer wait for `SLOWLY_S`."""
SLOWLY_S: Final = 1.0
RESTART_FROM: Final = 8 << 20
"""Bytes of WAL above which the writer itself carries over the last of it, so that it begins anew.

A WAL that begins anew writes over blocks that the file has already, which makes a commit cheaper by a fifth.
"""


def wal_bytes(path: Path) -> int:
    """Return the size of the WAL file; it shrinks only when a large WAL begins anew."""
    with suppress(FileNotFoundError):
        return path.with_name(f"{path.name}-wal").stat().st_size
    return 0


class Checkpointer:
    """The thread and its connection.

    Args:
        path: the log's file.
        commits: how many there have been; nothing is done while it stands still.
        finish: called when the WAL is large and writing never pauses long enough for it to begin anew.
    """

    def __init__(self, path: Path, commits: Callable[[], int], finish: Callable[[], None]) -> None:
        self.fault: str | None = None
        """Why the last checkpoint failed."""
        self._path = path
        self._commits = commits
        self._finish = finish
        self._seen = 0
        self._took = 0.0
        self._last = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name=f"log-checkpoint {path.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after a last checkpoint that empties the WAL if no other process reads it; blocks."""
        self._stop.set()
        self._thread.join()

    def _main(self) -> None:
        connection: sqlite3.Connection | None = None
        while not self._stop.wait(max(EVERY_S, self._took)):
            connection = self._round(connection)
        with suppress(sqlite3.Error):
            connection = connection or schema.connect(self._path)
            connection.execute("PRAGMA busy_timeout=200")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if connection is not None:
            connection.close()

    def _round(self, connection: sqlite3.Connection | None) -> sqlite3.Connection | None:
        commits, begun = self._commits(), time.monotonic()
        if commits == self._seen or (commits < self._seen + ENOUGH and begun < self._last + SLOWLY_S):
            return connection
        self._seen = commits
        try:
            connection = connection or schema.connect(self._path)
            self._carry_over(connection)
            self.fault = None
        except sqlite3.Error as error:
            self._seen = 0
            self.fault = f"checkpoint: {error}"
            if connection is not None:
                connection.close()
                connection = None
        self._last = time.monotonic()
        self._took = self._last - begun
        return connection

    def _carry_over(self, connection: sqlite3.Connection) -> None:
        _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        if pages * page_bytes > RESTART_FROM:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # leaves the writer as little as can be
            self._finish()
