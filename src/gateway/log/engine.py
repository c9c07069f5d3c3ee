"""What the engines have in common: one SQLite file that is read, and operations that change it."""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from gateway.log import exceptions, operations, reader, replays, store
from gateway.log import targets as tables
from gateway.log.exceptions import Wanted
from gateway.log.operations import Operation
from gateway.log.people import Directory, Minter
from gateway.log.permissions import Permissions
from gateway.log.port import DeadLetter, Entry, Journal, LogStatus, Parked, Record, Settlement, Told
from gateway.log.replays import Replay, Step
from gateway.log.timing import Timing

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Engine(ABC):
    """`gateway.log.port.Log` without storing, opening and closing.

    Args:
        clock: Unix seconds.
        wakes: what is called when there may be something new to read.
    """

    def __init__(self, clock: Callable[[], float], wakes: list[Callable[[], None]]) -> None:
        self._clock = clock
        self._wakes = wakes

    @abstractmethod
    async def _ask(self, query: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        """Return what a query finds."""

    @abstractmethod
    async def _do(self, operation: Operation[T, *Args], *args: *Args) -> T:
        """Change the log; durable when it returns."""

    @abstractmethod
    def hand_over(self, entries: Sequence[Entry], told: Told) -> None:
        """Do what `append` does without being waited for: unless this raises, `told` is called once.

        Raises:
            LogUnavailable: they cannot be stored now.
        """

    async def append(self, entries: Sequence[Entry]) -> None:
        future = asyncio.get_running_loop().create_future()
        self.hand_over(entries, partial(_finish, future))
        await future

    @abstractmethod
    async def prune(self) -> None:
        """Remove now what the retention lets go; it is also done now and then by itself."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what is under way and let go of everything."""

    @abstractmethod
    async def directory(self, minters: Mapping[str, Minter | None]) -> Directory:
        """Follow who is known to each source.

        Args:
            minters: by name of the source, what makes the vendor's ids out of a seed; of others nobody asks.

        Raises:
            LogError: it cannot be kept.
        """

    @abstractmethod
    async def permissions(self) -> Permissions:
        """Follow who has given which permission.

        Raises:
            LogError: it cannot be kept.
        """

    @property
    @abstractmethod
    def fault(self) -> str | None:
        """Why nothing can be stored now; None when it can."""

    @property
    @abstractmethod
    def checkpoint_fault(self) -> str | None:
        """Why what keeps the log small did not succeed lately; storing goes on."""

    @property
    @abstractmethod
    def wal_bytes(self) -> int:
        """What is written ahead of the file."""

    @property
    @abstractmethod
    def forgotten_keys(self) -> int:
        """Duplicate keys forgotten before the window's end because there were too many."""

    @property
    @abstractmethod
    def commits(self) -> int:
        """Commits of this process so far."""

    @property
    @abstractmethod
    def committing(self) -> Timing:
        """What the commits of this process took."""

    @property
    def journal(self) -> Journal | None:
        """What was seen lately of the stream that nodes share; None: not looked at yet, or of one machine alone."""
        return None

    # --- reading and settling ----------------------------------------------------------------------------

    def on_append(self, wake: Callable[[], None]) -> None:
        self._wakes.append(wake)

    async def register(self, targets: Sequence[str]) -> None:
        await self._do(operations.REGISTER, targets)

    async def forget(self, target: str) -> None:
        await self._do(operations.FORGET_TARGET, target)

    async def cursor(self, target: str) -> int:
        """See `Log`; told by who writes, after all that was asked to be settled, though nobody may wait for it now.

        Whoever began before such a settlement is done would send its events and count them once more.
        """
        return await self._do(operations.PLACE_OF, target)

    async def read(self, target: str, after: int, limit: int, max_bytes: int) -> tuple[list[Record], int]:
        return await self._ask(reader.read, target, after, limit, max_bytes)

    async def scan(self, after: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]]:
        return await self._ask(reader.scan, after, limit, max_bytes)

    async def head(self) -> int:
        """Return the place of the newest event ever stored."""
        return await self._ask(store.head)

    async def settle(self, target: str, settlement: Settlement) -> None:
        await self._do(operations.SETTLE, target, settlement)

    # --- exceptions --------------------------------------------------------------------------------------

    async def parked_lanes(self, target: str) -> dict[str, float]:
        return await self._ask(exceptions.lanes, target)

    async def parked(self, target: str, lane: str, limit: int) -> list[tuple[Parked, Record]]:
        return await self._ask(exceptions.lane, target, lane, limit)

    async def dead_letters(
        self, *, target: str | None = None, ids: Sequence[int] = (), before: int | None = None, limit: int = 100
    ) -> list[DeadLetter]:
        return await self.find_dead(Wanted(target=target, ids=ids, before=before), limit)

    async def find_dead(self, wanted: Wanted, limit: int) -> list[DeadLetter]:
        """Return the dead letters that are asked for, newest first."""
        return await self._ask(exceptions.dead_letters, wanted, limit)

    async def retry_dead(self, ids: Sequence[int], rules: Mapping[int, str] | None = None) -> int:
        return await self._do(operations.RETRY, ids, self._clock(), rules)

    async def drop_dead(self, ids: Sequence[int], reason: str) -> int:
        return await self._do(operations.DROP, ids, reason)

    async def import_dead(self, letters: Sequence[DeadLetter]) -> list[int]:
        """Keep dead letters that were exported; return the ids of those that are new here.

        Raises:
            LogError: a target is not known; nothing is kept.
        """
        return await self._do(operations.TAKE_IN, letters)

    # --- history -----------------------------------------------------------------------------------------

    async def replay_share(self, target: str) -> float:
        return await self._ask(replays.share, target)

    async def replays(self, target: str | None = None) -> list[Replay]:
        """Return what was asked to be sent again, newest first."""
        return await self._ask(replays.listed, target)

    async def place_before(self, at_ms: int) -> int:
        """Return the place of the last event accepted before a moment."""
        return await self._ask(replays.place_before, at_ms)

    async def place_of_event(self, event_id: str) -> int | None:
        """Return the place of an event, None when the log does not hold it."""
        return await self._ask(replays.place_of_event, event_id)

    async def begin_replay(self, target: str, asked: str, share: float, span: tuple[int, int]) -> Replay:
        """Begin to send the events of a span (after, up to) to a target again.

        Raises:
            LogError: the log has no such target.
        """
        return await self._do(operations.BEGIN_REPLAY, target, asked, share, span, self._clock())

    async def replay(self, step: Step) -> Replay:
        """Let the chosen events of one step wait in their lanes; durable when it returns.

        Raises:
            LogError: somebody else has gone on with it, or it is at its end.
        """
        return await self._do(operations.TAKE, step, self._clock())

    async def set_replay_share(self, number: int, part: float) -> Replay:
        """Have a replay use another part of its target's limits from now on.

        Raises:
            LogError: there is no such replay.
        """
        return await self._do(operations.SET_SHARE, number, part, self._clock())

    async def finish_replay(self, number: int) -> Replay:
        """Say that the target has got all of a replay.

        Raises:
            LogError: there is no such replay.
        """
        return await self._do(operations.FINISH, number, self._clock())

    async def cancel_replay(self, number: int) -> bool:
        """Send nothing more of it; what waits already is sent. Return whether it was running."""
        return await self._do(operations.CANCEL, number, self._clock())

    # --- the whole ---------------------------------------------------------------------------------------

    async def status(self) -> LogStatus:
        return await self._ask(tables.status)

    async def hold(self, name: str, place: int | None) -> None:
        await self._do(operations.HOLD, name, place, int(self._clock() * 1000))


def _finish(future: "asyncio.Future[Any]", error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
