"""The second engine: `gateway.log.port.Log` on a JetStream stream and a view of it."""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar, TypeVarTuple

import msgspec
import nats.errors
from nats.js import api

from gateway.errors import LogError, LogUnavailable
from gateway.log import once, operations, owners, reader
from gateway.log.engine import Engine
from gateway.log.jetstream import people, stream, view, viewpath
from gateway.log.jetstream.chores import Chores
from gateway.log.jetstream.connection import Connection
from gateway.log.jetstream.follower import Follower, has_lost
from gateway.log.jetstream.following import Following
from gateway.log.jetstream.messages import Packer
from gateway.log.jetstream.people import ViewDirectory
from gateway.log.jetstream.permissions import ViewPermissions
from gateway.log.jetstream.publisher import Publisher, Untold
from gateway.log.jetstream.settings import JetStreamSettings
from gateway.log.jetstream.snapshots import Snapshots
from gateway.log.jetstream.view import View
from gateway.log.locks import Locks
from gateway.log.operations import Operation
from gateway.log.owners import Owners
from gateway.log.people import Minter
from gateway.log.port import Entry, Journal, Record, Role, Settlement, Told
from gateway.log.prune import AT_NODE, Pruner, Retention
from gateway.log.timing import Timing

__all__ = ["JetStreamLog", "JetStreamSettings"]

T = TypeVar("T")
Args = TypeVarTuple("Args")

BEHIND_S: Final = 10.0
"""How long a read waits for the view to have done what this node has written."""
STILL_S: Final = 30.0
"""How long opening waits for a view that does not move."""
LOST_S: Final = 3.0
"""How long opening waits for a stream that ends before the view does."""
LOOK_S: Final = 0.1
PRUNE_EVERY_S: Final = 5.0
TIDY_EVERY_S: Final = 30.0
SNAPSHOT_EVERY_S: Final = 5.0


class _Limits(NamedTuple):
    retention: Retention
    window_s: float
    max_keys: int
    max_pending: int


class JetStreamLog(Engine):
    """Made by `open`, used on the event loop that opened it."""

    def __init__(
        self,
        settings: JetStreamSettings,
        role: Role,
        limits: _Limits,
        clock: Callable[[], float] | None,
        path: Path,
        minters: Mapping[str, Minter | None] | None,
    ) -> None:
        super().__init__(clock or time.time, [])
        self._forgotten = 0
        self._settings = settings
        self._role = role
        self._limits = limits
        self._told_clock = clock
        self._path = path
        self._node = secrets.token_hex(8)
        self._view = View(path, None if minters is None else people.minted_by(minters))
        self._follower: Following
        self._parts = AsyncExitStack()
        self._refusal = (
            None if role in ("all", "ingest") else f"{self._name} is open for {role}, which stores no events"
        )
        self._closed = False
        self._chores = Chores(
            {
                self._prune_if_due: PRUNE_EVERY_S,
                self._forget_if_due: TIDY_EVERY_S,
                self._snapshot_if_due: SNAPSHOT_EVERY_S,
            }
        )

    @classmethod
    async def open(
        cls,
        settings: JetStreamSettings,
        *,
        role: Role,
        retention: Retention | None = None,
        duplicate_window_s: float = 86_400,
        max_duplicate_keys: int = 2_000_000,
        max_pending_bytes: int = 64 << 20,
        clock: Callable[[], float] | None = None,
        minters: Mapping[str, Minter | None] | None = None,
        move: str | None = None,
    ) -> Self:
        """Open a log, making the stream and this node's view if need be, and wait until the view is up to date.

        Args:
            settings: where it is.
            role: what this process does with it; ``inspect`` works on a copy of the view.
            retention: how long events are kept once every target has passed them.
            duplicate_window_s: how long a client's own key is remembered.
            max_duplicate_keys: how many of them at most, the newest.
            max_pending_bytes: bodies that wait to be stored; beyond it `append` refuses.
            clock: Unix seconds; None: this machine's, and for the time of an event that of the stream.
            minters: by vendor, what makes ids of new people; the same on every node. None: nobody is learnt.
            move: by which the log may have been closed all the same, to be looked into.

        Raises:
            LogLocked: another process of this machine uses the view.
            LogError: it cannot be used, or the servers cannot be reached.
        """
        settings.check()
        limits = _Limits(retention or Retention(), duplicate_window_s, max_duplicate_keys, max_pending_bytes)
        path = settings.view if role != "inspect" else viewpath.path_beside(settings.view)
        log = cls(settings, role, limits, clock, path, minters)
        try:
            await log._start(move)
        except BaseException:
            await log.close()
            raise
        return log

    async def _start(self, move: str | None) -> None:
        await self._connect(create=self._role != "inspect", move=move)
        await self._claim_view()
        last = await self._end()
        self._read_from(self._path)
        publisher = self._publisher = self._publishing()
        connection, settings = self._connection, self._settings
        self._follower = Follower(connection, settings, self._view, self._restore, publisher.done, self._call_all)
        self._parts.push_async_callback(self._follower.stop)
        self._parts.push_async_callback(publisher.stop)
        await self._catch_up(last)
        if self._role != "inspect":
            self._chores.start()
            self._parts.push_async_callback(self._chores.stop)

    async def _connect(self, *, create: bool, move: str | None) -> None:
        connection = await Connection.open(self._settings)
        self._parts.push_async_callback(connection.close)
        self._connection = connection
        self._identity = await stream.ready(connection.jetstream, self._settings, create=create, move=move)
        self._snapshots = Snapshots(connection, self._settings, self._identity)

    def _read_from(self, path: Path) -> None:
        self._readers = reader.Readers(path)
        self._parts.push_async_callback(lambda: asyncio.to_thread(self._readers.close))

    def _publishing(self, *, results: bool = True) -> Publisher:
        packer = Packer(self._limits.window_s)
        return Publisher(self._connection, self._settings, self._node, packer, self._told_clock, results=results)

    # --- storing and reading -----------------------------------------------------------------------------

    def hand_over(self, entries: Sequence[Entry], told: Told) -> None:
        if self._refusal is not None:
            raise LogUnavailable(self._refusal)
        size = 0
        for entry in entries:
            size += len(entry.body)
        publisher = self._publisher
        if publisher.waiting + size > self._limits.max_pending and publisher.waiting:
            raise LogUnavailable(f"{self._name}: {publisher.waiting} bytes wait to be stored")
        if entries:
            publisher.append(entries, size).add_done_callback(partial(_tell, told))
        else:
            told(None)

    async def _ask(self, query: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        if self._closed:
            raise LogUnavailable(f"{self._name}: the log is closed")
        if self._follower.applied < self._publisher.acknowledged:
            await self._reach(self._publisher.acknowledged)
        return await self._readers.run(query, *args)

    async def _do(self, operation: Operation[T, *Args], *args: *Args) -> T:
        if self._closed:
            raise LogUnavailable(f"{self._name}: the log is closed")
        written = operation.encode(*args)
        try:
            operation.decode(written)
        except msgspec.MsgspecError as error:  # what no node could read back
            raise LogError(f"cannot be stored: {error}") from error
        with self._follower.hurrying():
            result: T = await self._publisher.call(operation, written)
        return result

    async def read(self, target: str, after: int, limit: int, max_bytes: int) -> tuple[list[Record], int]:
        return await self._ask(reader.read_over_gaps, target, after, limit, max_bytes)

    async def cursor(self, target: str) -> int:
        """See `Engine`: a settlement can still be on its way when its lease was lost and is won again."""
        try:
            async with asyncio.timeout(BEHIND_S):
                return await super().cursor(target)
        except TimeoutError:
            raise LogUnavailable(f"{self._name}: what is still being settled is not known in time") from None

    async def catch_up(self) -> None:
        """Wait until this node has seen all that any node had stored when this was called.

        Raises:
            LogError: the servers cannot say, or it takes too long.
        """
        await self._reach_all()

    async def _reach_all(self) -> int:
        last: int = (await self._state()).last_seq
        await self._reach(last)
        return last

    async def directory(self, minters: Mapping[str, Minter | None]) -> ViewDirectory:
        reading = people.Reading(self._reach_all, self._meet, self.head, lambda: self._ask(people.stored))
        return ViewDirectory(self._path, minters, reading)

    async def _meet(self) -> int | None:
        if self._closed:
            raise LogUnavailable(f"{self._name}: the log is closed")
        return await self._follower.work(self._view.meet)

    async def permissions(self) -> ViewPermissions:
        return ViewPermissions(self._path, self._reach_all)

    async def _reach(self, sequence: int) -> None:
        try:
            async with asyncio.timeout(BEHIND_S):
                await self._follower.reach(sequence)
        except TimeoutError:
            behind = sequence - self._follower.applied
            raise LogError(f"{self._path} is {behind} messages behind: {self._follower.fault or 'busy'}") from None
        except asyncio.CancelledError:
            if self._closed:
                raise LogUnavailable(f"{self._name}: the log is closed") from None
            raise

    # --- with other nodes --------------------------------------------------------------------------------

    @property
    def node(self) -> str:
        """This node's name; another after each start."""
        return self._node

    async def settle(self, target: str, settlement: Settlement) -> None:
        """Record what became of events of a target, unless another node owns it.

        Raises:
            Stolen: another does.
        """
        with suppress(Untold):  # asked for again, it would count twice
            await self._do(operations.SETTLE_AS, self._node, target, settlement)

    async def hold(self, name: str, place: int | None) -> None:
        """Keep all events after a place for a reader of this node: each node's readers have their own places."""
        await super().hold(f"{name}{AT_NODE}{self._node}", place)

    async def owners(self) -> Owners:
        """Return who owns what."""
        return await self._ask(owners.owners)

    async def limits(self) -> dict[str, bytes]:
        """Return what nodes have told of limits, by account."""
        return await self._ask(owners.limits)

    async def beat(self, known: Mapping[str, bytes]) -> int:
        """Say that this node lives, and what it knows of limits by account; return its new beat."""
        return await self._do(operations.BEAT, self._node, known)

    async def claim(self, wanted: Mapping[str, tuple[str, int] | None]) -> list[str]:
        """Become the owner of targets; see `owners.claim`."""
        return await self._do(operations.CLAIM, self._node, wanted)

    async def release(self, given: Sequence[str], known: Mapping[str, bytes]) -> None:
        """Let go of targets."""
        await self._do(operations.RELEASE, self._node, given, known)

    async def leave(self, known: Mapping[str, bytes]) -> None:
        """Let go of all."""
        await self._do(operations.LEAVE, self._node, known)

    async def bury(self, node: str, last: int) -> None:
        """Forget a node that is gone."""
        await self._do(operations.BURY, node, last)

    # --- the whole ---------------------------------------------------------------------------------------

    async def prune(self) -> None:
        """Remove now what the retention lets go; it is also done now and then by itself."""
        while await self._do(operations.PRUNE, self._limits.retention, self._clock()):
            pass

    async def snapshot(self) -> int | None:
        """Make a snapshot now; it is also done now and then by itself.

        Returns up to which message it is, None when another node is making one.

        Raises:
            LogError: it could not be made.
        """
        return await self._snapshots.make(self._path)

    async def copy(self, into: Path) -> None:
        """Write a copy of the view to a file.

        Raises:
            LogError: it cannot be read, or the copy not be written.
        """
        await asyncio.to_thread(view.copy, self._path, into)

    @property
    def fault(self) -> str | None:
        return self._publisher.fault or self._connection.fault or self._follower.fault or self._readers.fault

    @property
    def checkpoint_fault(self) -> str | None:
        """Why the last snapshot could not be made; storing goes on, and the stream grows."""
        return self._snapshots.fault or self._chores.fault

    @property
    def wal_bytes(self) -> int:
        """Nothing: what a view has not carried over yet is soon."""
        return 0

    @property
    def behind(self) -> int:
        """Messages of this node that its own view has still to do."""
        return max(0, self._publisher.acknowledged - self._follower.applied)

    @property
    def journal(self) -> Journal | None:
        """What was seen lately of the stream."""
        seen = self._snapshots.seen
        if seen is None:
            return None
        others = (seen.cluster and seen.cluster.replicas) or []
        return Journal(
            bytes=seen.state.bytes,
            max_bytes=self._settings.max_bytes,
            behind=max(0, seen.state.last_seq - self._follower.applied),
            lagging=sum(not other.current for other in others),
        )

    @property
    def forgotten_keys(self) -> int:
        """Duplicate keys forgotten before the window's end because there were too many, by this node."""
        return self._forgotten

    @property
    def commits(self) -> int:
        """Messages of this process so far."""
        return self._publisher.commits

    @property
    def committing(self) -> Timing:
        """What storing took, from sending a message to the stream's answer."""
        return self._publisher.committing

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._refusal = f"{self._name}: the log is closed"
        await self._parts.aclose()

    # --- within ------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return self._settings.name

    async def _state(self) -> api.StreamState:
        return await stream.state(self._connection.jetstream, self._settings)

    def _call_all(self) -> None:
        for wake in self._wakes:
            wake()

    async def _claim_view(self) -> None:
        """Take the view's lock and open it; a file that cannot be used is made anew."""
        locks = Locks()
        self._parts.callback(locks.release)
        await asyncio.to_thread(viewpath.lock, locks, self._path)
        if self._role == "inspect":
            self._parts.callback(viewpath.remove_all, self._path)
            await asyncio.to_thread(viewpath.copy_if_there, self._settings.view, self._path)
        try:
            await asyncio.to_thread(self._view.open)
        except view.Corrupt:
            await self._begin_anew()
        if not self._view.stream:
            await self._begin_anew()
        elif self._view.stream != self._identity:
            raise LogError(
                f"{self._path} is a view of another stream than {self._name}, which was made anew: "
                "remove that file to begin with what the stream holds"
            )

    async def _restore(self) -> None:
        """Make the view anew while it is in use: readers go on with the old file until the new one is there."""
        await self._begin_anew()
        before, self._readers = self._readers, reader.Readers(self._path)
        await asyncio.to_thread(before.close)
        self._publisher.lost(self._view.last_of(self._node))

    async def _begin_anew(self) -> None:
        """Make the view of the newest snapshot that can be used, or of nothing when the stream still holds all."""
        into = self._path.with_name(f"{self._path.name}.new")
        state = await self._state()
        try:
            snapshots = [one for one in await self._snapshots.newest() if one + 1 >= state.first_seq]
        except (nats.errors.Error, TimeoutError) as error:
            raise LogError(f"{self._name}: {self._settings.redacted(error)}") from error
        why = "there is no snapshot of them"
        for sequence in snapshots:
            try:
                await self._snapshots.fetch(sequence, into)
                await asyncio.to_thread(self._replace, into)
            except LogError as error:
                why = str(error)
            else:
                return
            finally:
                view.remove(into)
        if state.first_seq > 1:
            raise LogError(
                f"{self._name} begins at message {state.first_seq}, and what was before is not to be had: {why}"
            )
        await asyncio.to_thread(self._replace, None)
        await asyncio.to_thread(self._view.bind, self._identity)

    def _replace(self, by: Path | None) -> None:
        try:
            self._view.discard()
            if by is not None:
                by.replace(self._path)
        except OSError as error:
            raise LogError(f"{self._path} cannot be used as a view: {error}") from error
        self._view.open()

    async def _end(self) -> int:
        """Return the stream's last message; one that ends before the view has lost what it had acknowledged.

        A server that has just come to lead may not know the last ones for a moment.
        """
        given_up = time.monotonic() + LOST_S
        while True:
            last: int = (await self._state()).last_seq
            if last >= self._view.sequence:
                return last
            if time.monotonic() >= given_up:
                raise LogError(has_lost(self._settings, last, self._view.sequence))
            await asyncio.sleep(LOOK_S)

    async def _catch_up(self, last: int) -> None:
        """Wait until the view has done everything up to a message, for as long as it moves."""
        waiting = asyncio.ensure_future(self._follower.reach(last))
        moved = time.monotonic()
        try:
            while not waiting.done():
                before = self._follower.applied
                await asyncio.wait([waiting], timeout=LOOK_S)
                if self._follower.applied != before:
                    moved = time.monotonic()
                elif time.monotonic() >= moved + STILL_S:
                    raise LogError(f"{self._path} does not follow: {self._follower.fault or 'no answer'}")
        finally:
            waiting.cancel()

    async def _prune_if_due(self) -> None:
        pruner = Pruner(self._limits.retention, self._clock)
        if self._role in ("all", "deliver") and await self._ask(pruner.wanted):
            await self.prune()

    async def _forget_if_due(self) -> None:
        now = int(self._clock() * 1000)
        while await self._ask(once.untidy, now) and await self._do(operations.FORGET, now):
            pass
        until = now + int(self._limits.window_s * 1000)
        while await self._ask(once.too_many, until, self._limits.max_keys):
            self._forgotten += await self._do(operations.FORGET_MORE, until, self._limits.max_keys)

    async def _snapshot_if_due(self) -> None:
        """Make a snapshot if it is time; to ask is to see whether the servers answer, also where nothing is stored."""
        try:
            due = await self._snapshots.due()
        except (nats.errors.Error, TimeoutError):
            self._connection.unanswered()
            raise
        self._connection.answered()
        if not due:
            return
        try:
            await self.snapshot()
        except LogError as error:
            self._snapshots.fault = str(error)
        else:
            self._snapshots.fault = None


def _tell(told: Told, future: "asyncio.Future[Any]") -> None:
    error = LogUnavailable("the log is closed") if future.cancelled() else future.exception()
    told(error)  # type: ignore[arg-type]  # the publisher fails it with no other errors
