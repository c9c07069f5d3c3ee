"""Where a process has its view: in the configured place, or in a copy beside it, to look into one that is in use."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from gateway.errors import LogError
from gateway.log.jetstream import view
from gateway.log.locks import Locks


def lock(locks: Locks, path: Path) -> None:
    """Take a view for this process alone.

    Raises:
        LogLocked: another one has it.
        LogError: it cannot be a file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        locks.take(path, "all", shared_ingest=False)
    except OSError as error:
        raise LogError(f"{path} cannot be used as a view: {error}") from error


def path_beside(path: Path) -> Path:
    """Return where this process looks into a view that another one uses; removes what killed ones have left."""
    for left in path.parent.glob(f"{path.name}.look-*"):
        number = left.name.removeprefix(f"{path.name}.look-").partition(".")[0].partition("-")[0]
        if number.isdecimal() and not _lives(int(number)):
            left.unlink(missing_ok=True)
    return path.with_name(f"{path.name}.look-{os.getpid()}-{secrets.token_hex(2)}")


def remove_all(path: Path) -> None:
    """Remove a view and what stands beside it, its locks among them."""
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink(missing_ok=True)


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def copy_if_there(path: Path, into: Path) -> None:
    """Begin with a copy of this machine's view; without one, or when it is corrupt, the snapshots have to do."""
    if path.exists():
        with suppress(LogError):
            view.copy(path, into)
