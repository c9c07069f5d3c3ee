"""Who may have a log open at the same time, over all processes of one machine."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.errors import LogLocked
from gateway.log.port import Role

_HALVES: Final[dict[Role, tuple[str, ...]]] = {
    "all": ("ingest", "deliver"),
    "ingest": ("ingest",),
    "deliver": ("deliver",),
    "inspect": (),
}


class Locks:
    """The locks of one open log: a file per half of it, locked with flock, so that a killed process holds none."""

    def __init__(self) -> None:
        self._handles: list[int] = []

    def take(self, path: Path, role: Role, *, shared_ingest: bool) -> None:
        """Take what a role needs.

        Raises:
            LogLocked: another open log, here or in another process, has it; the message names the process.
        """
        try:
            for half in _HALVES[role]:
                shared = shared_ingest and role == "ingest"
                self._handles.append(_lock(path, half, f"{os.getpid()} {role}", shared=shared))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let go of everything."""
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()


@contextmanager
def setup_lock(path: Path) -> Iterator[None]:
    """Hold off every other process that opens this log."""
    handle = os.open(_beside(path, "setup"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _beside(path: Path, half: str) -> Path:
    return path.with_name(f"{path.name}.{half}.lock")


def _lock(path: Path, half: str, mine: str, *, shared: bool) -> int:
    handle = os.open(_beside(path, half), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 100, 0).decode("ascii", "replace").split()
        os.close(handle)
        known = f"process {holder[0]} (role {holder[1]})" if len(holder) == 2 else "another process"
        raise LogLocked(f"{path} is in use by {known}") from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, mine.encode(), 0)
    return handle
