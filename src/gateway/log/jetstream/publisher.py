"""Writes to the journal: what is asked for while a message is on its way goes into the next.

A message is sent again, under the same id, until the stream has it or says that it will not. One message is on its way
at a time, so that a node's messages stand in order. Whoever appends is told in time when nobody can say whether it was
stored; any other operation whose fate is not known is waited for, because its caller must not do it twice.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import nats.errors
from msgspec import Raw, Struct
from nats.js import api

from gateway.errors import LogError, LogUnavailable
from gateway.log.jetstream import messages
from gateway.log.jetstream.connection import Connection
from gateway.log.jetstream.messages import PLACES, VERSION, Message, Packer, Written
from gateway.log.jetstream.settings import JetStreamSettings
from gateway.log.jetstream.stream import not_stored
from gateway.log.jetstream.view import Done
from gateway.log.operations import Operation
from gateway.log.port import Entry
from gateway.log.timing import Timing

ATTEMPT_S: Final = 1.0
"""After which a message that was not answered is sent again."""
PAUSE_S: Final = 0.05
PROBE_S: Final = 1.0
"""How often a log that has failed tries by itself whether it can store again."""
_HEAD: Final = 1024
"""Bytes of a message and its headers beside the operations, at most."""

Future = asyncio.Future[Any]


class Untold(LogError):
    """An operation was done, and what it returned is not to be had."""


class Piece(Struct, gc=False):
    """Something to write: entries or an operation."""

    future: Future
    size: int
    """Bytes in a message, at most."""
    since: float
    entries: Sequence[Entry] = ()
    waiting: int = 0
    """Bytes of bodies."""
    last: bool = True
    """Whether the future is done with it: an append may be larger than a message."""
    written: Written | None = None


class Publisher:
    """Owns this node's messages.

    Args:
        connection: to the servers.
        settings: where to write.
        node: this process's name in the journal; no other process has it, nor has it ever been used.
        packer: makes appends.
        clock: Unix seconds told with each message; None: the stream's time counts.
        results: whether `done` will be called; else an operation is over when the stream has it, and returns None.
    """

    def __init__(
        self,
        connection: Connection,
        settings: JetStreamSettings,
        node: str,
        packer: Packer,
        clock: Callable[[], float] | None,
        *,
        results: bool = True,
    ) -> None:
        self.fault: str | None = None
        """Why the last message could not be stored; None once as much could be."""
        self.waiting = 0
        """Bytes of bodies handed over and not yet stored."""
        self.acknowledged = 0
        """The place in the stream of this node's last message."""
        self.commits = 0
        self.committing = Timing()
        """What storing took, from sending to the answer."""
        self._connection = connection
        self._settings = settings
        self._node = node
        self._packer = packer
        self._clock = clock
        self._results = results
        self._limit = min(settings.message_bytes, connection.client.max_payload) - _HEAD
        self._pieces: deque[Piece] = deque()
        self._number = 0
        self._refused = 0
        """Bytes of the largest message for which there was no room since the last fault began."""
        self._probed_at = 0.0
        self._asked: dict[int, list[Future]] = {}
        """Number of a message -> who waits for what its operations return."""
        self._wake = asyncio.Event()
        self._stopping = False
        self._task = asyncio.get_running_loop().create_task(self._main())

    # --- asking ------------------------------------------------------------------------------------------

    def append(self, entries: Sequence[Entry], waiting: int) -> Future:
        """Hand over entries whose bodies have so many bytes; the future is done when they are durable.

        Raises:
            LogError: an entry can never be stored.
        """
        future = asyncio.get_running_loop().create_future()
        size = self._packer.weigh(entries)
        now = time.monotonic()
        if size <= self._limit and len(entries) <= PLACES:
            self._add(Piece(future, size, now, entries, waiting))
            return future
        parts = self._split(entries)
        for part in parts:
            bodies = sum(len(entry.body) for entry in part)
            self._add(Piece(future, self._packer.weigh(part), now, part, bodies, part is parts[-1]))
        return future

    def call(self, operation: Operation[Any, *tuple[Any, ...]], arguments: bytes) -> Future:
        """Hand over an operation; the future gets what it returns on this node's view.

        Raises:
            LogError: it is too large.
        """
        future = asyncio.get_running_loop().create_future()
        if len(arguments) > self._limit:
            raise LogError(f"{operation.name}: {len(arguments)} bytes, and a message has {self._limit} at most")
        self._add(Piece(future, len(arguments), time.monotonic(), written=Written(operation.name, Raw(arguments))))
        return future

    def _add(self, piece: Piece) -> None:
        self.waiting += piece.waiting
        self._pieces.append(piece)
        self._wake.set()

    def _split(self, entries: Sequence[Entry]) -> list[list[Entry]]:
        parts: list[list[Entry]] = [[]]
        size = 0
        for entry in entries:
            one = self._packer.weigh((entry,))
            if one > self._limit:
                raise LogError(f"cannot be stored: an event of {one} bytes, and a message has {self._limit} at most")
            if parts[-1] and (size + one > self._limit or len(parts[-1]) == PLACES):
                parts.append([])
                size = 0
            parts[-1].append(entry)
            size += one
        return parts

    # --- being told --------------------------------------------------------------------------------------

    def done(self, done: Done) -> None:
        """Give the results of a message that the view has done to those who wait for them."""
        if done.node != self._node:
            return
        for future, result in zip(self._asked.pop(done.number, ()), done.results, strict=False):
            if not future.done():
                if result.error is None:
                    future.set_result(result.value)
                else:
                    future.set_exception(result.error)

    def lost(self, number: int) -> None:
        """Tell those who wait for messages up to a number that their results are not to be had any more."""
        for known in [known for known in self._asked if known <= number]:
            _fail(self._asked.pop(known), Untold(f"{self._settings.name}: it was done, and its outcome is not known"))

    async def stop(self) -> None:
        """Finish what was handed over, as far as the servers let it, and end."""
        self._stopping = True
        self._wake.set()
        await self._task
        for number in list(self._asked):
            _fail(self._asked.pop(number), self._unavailable("the log was closed before its outcome was known"))

    # --- sending -----------------------------------------------------------------------------------------

    async def _main(self) -> None:
        while True:
            if not self._pieces:
                if self._stopping:
                    return
                await self._idle()
                continue
            pieces = self._gather()
            try:
                await self._publish(pieces)
            except Exception as error:  # noqa: BLE001  # whatever it was, waiters must hear
                self._fail(pieces, f"the publisher crashed: {error!r}")

    async def _idle(self) -> None:
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(PROBE_S if self.fault else None):
                await self._wake.wait()
                return
        await self._probe()

    def _gather(self) -> list[Piece]:
        pieces = self._pieces
        taken = [pieces.popleft()]
        size, events = taken[0].size, len(taken[0].entries)
        while pieces:
            size += pieces[0].size + 32
            events += len(pieces[0].entries)
            if size > self._limit or events > PLACES:
                break
            taken.append(pieces.popleft())
        return taken

    async def _publish(self, pieces: list[Piece]) -> None:
        pieces = [piece for piece in pieces if not self._is_over(piece)]
        operations = self._packed(pieces)
        if not operations:
            return
        self._number += 1
        number, futures = self._number, [piece.future for piece in pieces if piece.written is not None]
        if futures and self._results:
            self._asked[number] = futures
        begun = time.monotonic()
        error = await self._send(number, operations, pieces)
        if error is not None:
            self._asked.pop(number, None)
            self._fail(pieces, error)
            return
        self.committing.add(time.monotonic() - begun)
        self.commits += 1
        if sum(piece.size for piece in pieces) >= self._refused:
            self.fault, self._refused = None, 0
        for piece in pieces:
            self.waiting -= piece.waiting
            over = piece.last if piece.written is None else not self._results
            if over and not piece.future.done():
                piece.future.set_result(None)
        if time.monotonic() >= self._probed_at + PROBE_S:
            await self._probe()

    def _is_over(self, piece: Piece) -> bool:
        """Tell whether nobody waits for it any more: it was cancelled, or another part of it has failed."""
        over = piece.future.done()
        if over:
            self.waiting -= piece.waiting
        return over

    def _packed(self, pieces: list[Piece]) -> list[Written]:
        """Return the operations, appends that stand together as one; a piece that cannot be written is refused."""
        written: list[Written] = []
        run: list[Entry] = []
        try:
            for piece in pieces:
                if piece.written is None:
                    run.extend(piece.entries)
                    continue
                if run:
                    written.append(self._packer.pack(run))
                    run = []
                written.append(piece.written)
            if run:
                written.append(self._packer.pack(run))
        except LogError:
            return self._packed_one_by_one(pieces)
        return written

    def _packed_one_by_one(self, pieces: list[Piece]) -> list[Written]:
        written: list[Written] = []
        for piece in list(pieces):
            try:
                written.append(self._packer.pack(piece.entries) if piece.written is None else piece.written)
            except LogError as error:
                pieces.remove(piece)
                self.waiting -= piece.waiting
                _fail([piece.future], error)
        return written

    async def _send(self, number: int, operations: list[Written], pieces: Sequence[Piece]) -> str | None:
        """Send a message until the stream has it; returns why it will not have it."""
        at = None if self._clock is None else int(self._clock() * 1000)
        data = messages.dump(Message(VERSION, self._node, number, at, operations))
        headers = {api.Header.MSG_ID.value: f"{self._node}.{number}"}
        since = min((piece.since for piece in pieces), default=time.monotonic())
        must_know = any(piece.written is not None for piece in pieces)
        unknown = False
        while True:
            trouble = self._connection.trouble or "the connection is lost"
            if self._connection.up:
                try:
                    unknown = True
                    ack = await self._connection.jetstream.publish(
                        self._settings.subject, data, timeout=ATTEMPT_S, headers=headers
                    )
                except (nats.errors.Error, TimeoutError, OSError) as error:
                    trouble = self._settings.redacted(error)
                    if not_stored(error):
                        self._refused = max(self._refused, len(data))
                        return trouble
                    self._connection.unanswered()
                else:
                    self._connection.answered()
                    self.acknowledged = max(self.acknowledged, ack.seq)
                    return None
            if time.monotonic() >= since + self._settings.publish_s:
                self.fault = trouble
                if not (unknown and must_know) or self._stopping:
                    return trouble
                self._give_up_on_appends([*pieces, *self._overdue()], trouble)
            await asyncio.sleep(PAUSE_S)

    def _overdue(self) -> list[Piece]:
        """Take appends out of the queue that have waited too long behind a message whose fate is not known."""
        latest = time.monotonic() - self._settings.publish_s
        overdue = [piece for piece in self._pieces if piece.written is None and piece.since <= latest]
        if overdue:
            self._pieces = deque(piece for piece in self._pieces if piece.written is not None or piece.since > latest)
            self.waiting -= sum(piece.waiting for piece in overdue)
        return overdue

    def _give_up_on_appends(self, pieces: Sequence[Piece], trouble: str) -> None:
        _fail([piece.future for piece in pieces if piece.written is None], self._unavailable(trouble))

    def _fail(self, pieces: Sequence[Piece], reason: str) -> None:
        self.fault = reason
        for piece in pieces:
            self.waiting -= piece.waiting
        _fail([piece.future for piece in pieces], self._unavailable(reason))

    def _unavailable(self, reason: str) -> LogUnavailable:
        return LogUnavailable(f"{self._settings.name}: {reason}")

    async def _probe(self) -> None:
        """Find out whether twice what could not be stored would find room, and whether anything is stored at all."""
        if self.fault is None or not self._connection.up:
            return
        self._probed_at = time.monotonic()
        try:
            info = await self._connection.jetstream.stream_info(self._settings.stream)
            limit = info.config.max_bytes or 0
            if limit > 0 and limit - info.state.bytes < min(2 * self._refused, limit // 2):
                return
        except (nats.errors.Error, TimeoutError):
            return
        self._number += 1
        probe: list[Piece] = [Piece(asyncio.get_running_loop().create_future(), 0, time.monotonic())]
        if await self._send(self._number, [], probe) is None:
            self.fault, self._refused = None, 0


def _fail(futures: Sequence[Future], error: LogError) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
