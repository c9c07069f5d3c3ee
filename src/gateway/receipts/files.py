"""The log and its receipts as a person's command reads them: beside a running gateway, or without one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from gateway.errors import LogError
from gateway.log import schema as log_schema
from gateway.log.locks import setup_lock
from gateway.receipts import schema


class Files(NamedTuple):
    """Connections that only read."""

    log: sqlite3.Connection
    receipts: sqlite3.Connection | None
    """None: there are none."""


@contextmanager
def reading(log: Path, *, again: bool = False) -> Iterator[Files]:
    """Open a log and the receipts beside it, for one thread at a time.

    Args:
        again: whether it is known that the file is a log of this program's version.

    Raises:
        LogError: there is no log, or a file is something else or cannot be read, then or inside the block.
    """
    if not log.exists():
        raise LogError(f"there is no log at {log}")
    try:
        if not again:
            with setup_lock(log):
                log_schema.prepare(log)
        with closing(log_schema.connect(log, read_only=True)) as connection:
            receipts = schema.open_for_reading(schema.path_beside(log))
            try:
                yield Files(connection, receipts)
            finally:
                if receipts is not None:
                    receipts.close()
    except (OSError, sqlite3.Error) as error:
        raise LogError(f"{log} and its receipts cannot be read: {error}") from error
