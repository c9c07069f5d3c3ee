"""Writes receipts from a thread of its own, in batches, in bounded memory, and never at the cost of a delivery."""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.errors import LogError
from gateway.receipts import schema
from gateway.receipts.receipt import Attempted, Brief, Ended, kept_attempt, kept_end
from gateway.receipts.schema import Keep

TICK_S: Final = 0.5
"""How long receipts are gathered: what a killed process loses at most, beside the batch that is being written."""
BATCH: Final = 512
"""Receipts that are written together at most."""
BATCH_BYTES: Final = 1 << 20
"""A batch takes up no more once it is over this."""
WAKE_BYTES: Final = 4 << 20
"""Memory of waiting receipts that do not wait for `TICK_S`."""
DETAIL_BYTES: Final = 16 << 20
"""Memory of waiting receipts beyond which new ones are kept without their texts."""
MOST_BYTES: Final = 20 << 20
"""And beyond which they are dropped."""
PRUNE_EVERY_S: Final = 1.0
RETRY_S: Final = 5.0
"""Seconds before a file that failed is tried again."""

_OVERHEAD: Final = 1_200
"""Bytes of memory that a receipt takes beside its texts and ids, about."""
_ID_BYTES: Final = 100


class _Held(Struct, gc=False):
    """A receipt that waits."""

    at: float
    """Unix seconds."""
    it: Attempted | Ended
    size: int
    """Bytes of memory, about."""


class Counts(Struct, frozen=True, kw_only=True):
    """What became of receipts since the process began."""

    written: int
    shortened: int
    """Kept without their texts, because there were too many at once."""
    dropped: int
    """Not kept: too many at once, or the file could not be written."""
    bytes: int
    """Of the file in use, as of the last look."""
    fault: str | None
    """Why the file cannot be written now."""


class Recorder:
    """Takes receipts from the event loop and brings them into a file.

    Args:
        path: the file; it is made when the first receipt comes.
        clock: Unix seconds.
        detail_bytes: see `DETAIL_BYTES`.
        most_bytes: see `MOST_BYTES`.
    """

    def __init__(
        self,
        path: Path,
        keep: Keep,
        *,
        clock: Callable[[], float] = time.time,
        detail_bytes: int = DETAIL_BYTES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.keep = keep
        """May be exchanged at any time."""
        self._path = path
        self._clock = clock
        self._detail_bytes = detail_bytes
        self._most_bytes = most_bytes
        self._held: deque[_Held] = deque()
        self._taken = 0
        """Bytes ever taken in, counted by the event loop alone."""
        self._gone = 0
        """Bytes ever let go, counted by the thread alone."""
        self._refused = 0
        self._shortened = 0
        self._written = 0
        self._failed = 0
        self._bytes = 0
        self._fault: str | None = None
        self._connection: sqlite3.Connection | None = None
        self._number = 0
        self._prune_at = 0.0
        self._retry_at = 0.0
        self._stopping = False
        self._bell = threading.Event()
        self._thread: threading.Thread | None = None

    # --- on the event loop -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._main, name=f"receipts {self._path.name}", daemon=True)
        self._thread.start()

    def add(self, attempt: Attempted) -> None:
        """Take what is kept of an attempt that is just over; at once, whatever the state of the file."""
        if not self.keep.enabled:
            return
        body, answer = attempt.body, attempt.answer
        size = _OVERHEAD + _ID_BYTES * len(attempt.events)
        whole = size + (0 if body is None else len(body)) + (0 if answer is None else len(answer.body))
        if self._taken - self._gone + whole <= self._detail_bytes:
            self._take(attempt, whole)
        elif self._has_room(size):
            self._shortened += 1
            self._take(Brief.of(attempt), size)

    def add_end(self, end: Ended) -> None:
        """Take the end of an event that no attempt tells."""
        if self.keep.enabled and self._has_room(_OVERHEAD):
            self._take(end, _OVERHEAD)

    def _has_room(self, size: int) -> bool:
        fits = self._taken - self._gone + size <= self._most_bytes
        self._refused += not fits
        return fits

    def _take(self, it: Attempted | Ended, size: int) -> None:
        self._taken += size
        self._held.append(_Held(self._clock(), it, size))
        if self._taken - self._gone >= WAKE_BYTES and not self._bell.is_set():
            self._bell.set()

    def counts(self) -> Counts:
        """Return what became of receipts so far."""
        return Counts(
            written=self._written,
            shortened=self._shortened,
            dropped=self._refused + self._failed,
            bytes=self._bytes,
            fault=self._fault,
        )

    def close(self) -> None:
        """Write what waits, and end; blocks."""
        self._stopping = True
        self._bell.set()
        if self._thread is not None:
            self._thread.join()

    # --- the thread --------------------------------------------------------------------------------------

    def _main(self) -> None:
        while not self._stopping:
            self._bell.wait(TICK_S)
            self._bell.clear()
            self._write_all()
            self._prune()
        self._write_all()
        self._close()

    def _write_all(self) -> None:
        while self._held:
            batch = self._batch()
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001  # whatever it was, later batches are tried in their turn
                self._failed += len(batch)
                self._fail(error)
            self._gone += sum([held.size for held in batch])

    def _batch(self) -> list[_Held]:
        batch: list[_Held] = []
        size = 0
        while self._held and len(batch) < BATCH and size < BATCH_BYTES:
            batch.append(self._held.popleft())
            size += batch[-1].size
        return batch

    def _write(self, batch: list[_Held]) -> None:
        if time.monotonic() < self._retry_at:
            self._failed += len(batch)
            return
        connection = self._connected()
        limit = self.keep.request_bytes
        kept = [
            kept_end(held.at, held.it) if isinstance(held.it, Ended) else kept_attempt(held.at, held.it, limit)
            for held in batch
        ]
        schema.insert(connection, self._number + len(batch), kept)
        self._number += len(batch)
        self._written += len(batch)
        self._fault = None

    def _prune(self) -> None:
        """Remove what is too old or too much, in small steps between which others are written."""
        if time.monotonic() < max(self._prune_at, self._retry_at):
            return
        if self._connection is None and not self._path.exists():
            return
        self._prune_at = time.monotonic() + PRUNE_EVERY_S
        try:
            connection = self._connected()
            while schema.prune(connection, self.keep, self._clock()) and not self._stopping:
                self._write_all()
                connection = self._connected()
            self._bytes = schema.used_bytes(connection)
        except (sqlite3.Error, LogError, OSError) as error:
            self._fail(error)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = schema.open_for_writing(self._path)
            self._number = schema.last_number(self._connection)
        return self._connection

    def _fail(self, error: Exception) -> None:
        self._fault = str(error) or repr(error)
        self._retry_at = time.monotonic() + RETRY_S
        self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
