"""The order of a move: the goal gets all and stays closed; the source is closed for good; the goal is opened."""

import asyncio
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from gateway.errors import LogError, LogMoved
from gateway.log.moves import Move
from gateway.log.port import LogStatus

_TRIES: Final = 5
"""Times that a source may turn out to have been changed while it was copied."""


class Progress:
    """What a move does now; read by whoever tells it."""

    def __init__(self) -> None:
        self.what = ""
        self.of = 0
        """Bytes; 0: nobody knows."""
        self._done = 0
        self._file: Path | None = None

    def tell(self, what: str, done: int, of: int) -> None:
        """Say what is done, and how many bytes of how many; from any thread."""
        self.what, self._done, self.of, self._file = what, done, of, None

    def watch(self, what: str, file: Path, of: int) -> None:
        """Say what is done: a file is being written that will have about so many bytes."""
        self.what, self.of, self._file = what, of, file

    @property
    def done(self) -> int:
        """How many of the bytes are done."""
        if self._file is None:
            return self._done
        return self._file.stat().st_size if self._file.exists() else 0


class Side(Protocol):
    """One of the two logs. Every call may raise `LogError`."""

    name: str
    """What a person calls it."""

    async def mark(self) -> Move | None:
        """Return what it says of its last move."""

    async def arrive(self, move: Move) -> None:
        """Let it be used."""


class Source(Side, Protocol):
    """The log that is moved."""

    async def status(self) -> LogStatus:
        """Return its counts."""

    async def content(self) -> str:
        """Return what stands for all that it holds now: it is not the same again once something has changed."""

    async def copy(self, into: Path, progress: Progress) -> LogStatus:
        """Write all that it holds to a folder; return the counts of that."""

    async def leave(self, move: Move) -> bool:
        """Close it, unless it holds something else than when it was copied; return whether it was closed as copied."""


class Goal(Side, Protocol):
    """The log that it becomes."""

    async def is_empty(self) -> bool:
        """Tell whether no event was ever stored in it."""

    async def receive(self, folder: Path, move: Move, progress: Progress) -> None:
        """Take in what a source has written; it can not be used yet. Whatever it held before goes."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What was moved."""

    source: str
    goal: str
    status: LogStatus
    """Counts of what was moved, or would be."""
    already: bool = False
    """Whether it had been moved before."""


async def look(source: Source, goal: Goal) -> Outcome:
    """Return what would be moved.

    Raises:
        LogError: it could not be.
    """
    already = await _resumed(source, goal, await source.mark()) is _Over
    return Outcome(source=source.name, goal=goal.name, status=await source.status(), already=already)


async def take_back(source: Source, goal: Goal | None) -> None:
    """Let a log that was moved be used again, as it was then, because the other one is lost.

    Args:
        source: what was moved.
        goal: what there is in its place; None: nothing that can be looked at.

    Raises:
        LogError: it was not moved, or the other one can be used.
    """
    mark = await source.mark()
    if mark is None or mark.state != "moved":
        raise LogError(f"{source.name} was not moved")
    there = None if goal is None else await goal.mark()
    if there is not None and (there.id, there.state) == (mark.id, "arrived"):
        raise LogError(f"{mark.other} is not lost, and has what came since: move it back")
    await source.arrive(msgspec.structs.replace(mark, state="arrived"))


async def carry_over(source: Source, goal: Goal, folder: Path, progress: Progress) -> Outcome:
    """Move a log, or go on with a move that was cut off.

    Args:
        source: what is moved.
        goal: where to.
        folder: where what is on its way is kept.
        progress: told what is done.

    Raises:
        LogError: it cannot be; the same call goes on once what it says is put right.
    """
    move = await _resumed(source, goal, await source.mark())
    status: LogStatus | None = None
    try:
        if move is not _Over:
            status = await _finish(source, goal, move, folder, progress)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    status = status or await source.status()
    return Outcome(source=source.name, goal=goal.name, status=status, already=move is _Over)


async def _finish(source: Source, goal: Goal, move: Move, folder: Path, progress: Progress) -> LogStatus | None:
    """Go through the rest of a move; return the counts of what was copied, None when all had been before."""
    status: LogStatus | None = None
    for _ in range(_TRIES):
        content = await source.content()
        if move.content != content:
            move = msgspec.structs.replace(move, content=content)
            status = await source.copy(folder, progress)
            await goal.receive(folder, move, progress)
        there = await goal.mark()
        if there is None or (there.id, there.content) != (move.id, move.content):
            raise LogError(f"{goal.name} was taken by somebody else in the meantime")
        if await source.leave(msgspec.structs.replace(there, state="moved", other=goal.name)):
            await goal.arrive(msgspec.structs.replace(there, state="arrived"))
            return status
    raise LogError(f"{source.name} is changed again and again while it is copied: end whatever does that")


_Over: Final = Move(id="", state="arrived", other="", at="", content="")
"""Stands for a move that is finished."""


async def _resumed(source: Source, goal: Goal, mark: Move | None) -> Move:
    """Return the move to go on with, a new one, or `_Over`.

    Raises:
        LogError: the source was moved elsewhere, or the goal holds something.
    """
    there = await goal.mark()
    if mark is not None and mark.closed:
        if mark.state != "moved" or there is None or there.id != mark.id or there.state == "moved":
            raise LogMoved(mark.refusal(source.name))
        return _Over if there.state == "arrived" else there
    if there is not None and there.state == "arriving":
        if there.other != source.name:
            raise LogMoved(there.refusal(goal.name))
        return there
    came_back = there is not None and mark is not None and there.state == "moved" and there.id == mark.id
    if there is not None and there.closed and not came_back:
        raise LogMoved(there.refusal(goal.name))
    if not came_back and not await goal.is_empty():
        raise LogError(f"{goal.name} holds events: a log can be moved only to where there is none")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return Move(id=secrets.token_hex(8), state="arriving", other=source.name, at=at, content="")
