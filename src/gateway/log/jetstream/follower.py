"""Follows the journal: reads the stream in order and has the view do it.

The stream is read through a consumer that the servers forget by themselves. Whatever goes wrong, it is made anew from
where the view stands; messages that are missing in between are noticed by their numbers.
"""

import asyncio
import heapq
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import nats.errors
from nats.aio.msg import Msg
from nats.js import api

from gateway.errors import LogError
from gateway.log.jetstream.connection import Connection, end
from gateway.log.jetstream.settings import JetStreamSettings
from gateway.log.jetstream.view import Corrupt, Done, Gap, Received, View

T = TypeVar("T")

BATCH: Final = 256
"""Messages asked for at a time, and done in one transaction."""
BATCH_BYTES: Final = 8 << 20
EXPIRES_S: Final = 30
HEARTBEAT_S: Final = 1
REST_S: Final = 0.02
"""Between two transactions while nobody waits for the view: what comes meanwhile is done together, for less."""
SILENCE_S: Final = 3.5
"""Without a word from the servers after which the consumer is taken for lost."""
FORGET_S: Final = 60.0
AGAIN_S: Final = 0.2
"""Between attempts to follow."""

_GOES_ON: Final = frozenset({"404", "408", "409"})


class Follower:
    """The task that follows.

    Args:
        connection: to the servers.
        settings: where to read.
        view: what does the operations; used in this follower's thread alone.
        restore: makes the view anew; called when the stream does not go on from where it stands, and when its file is
            corrupt.
        done: told of every message that was done.
        wake: called when readers have something new.
    """

    def __init__(
        self,
        connection: Connection,
        settings: JetStreamSettings,
        view: View,
        restore: Callable[[], Awaitable[None]],
        done: Callable[[Done], None],
        wake: Callable[[], None],
    ) -> None:
        self.fault: str | None = None
        """Why the view does not follow; None while it does."""
        self._connection = connection
        self._settings = settings
        self._view = view
        self._restore = restore
        self._done = done
        self._wake = wake
        self._using = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-view")
        self._inbox: deque[Msg] = deque()
        self._arrived = asyncio.Event()
        self._hurry = asyncio.Event()
        """Set when what has come must not wait."""
        self._hurried = 0
        """How many wait for what the view will do."""
        self._rested = 0.0
        """When the view may do something again."""
        self._lost = False
        self._left = 0
        """Messages that the servers may still send without being asked again."""
        self._applied = view.sequence
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0
        self._stopping = False
        connection.on_return(self._break_off)
        self._task = asyncio.get_running_loop().create_task(self._main())

    @property
    def applied(self) -> int:
        """Up to which message everything is done."""
        return self._applied

    async def reach(self, sequence: int) -> None:
        """Wait until everything up to a message is done."""
        if self._applied < sequence:
            future = asyncio.get_running_loop().create_future()
            self._count += 1
            heapq.heappush(self._waiting, (sequence, self._count, future))
            with self.hurrying():
                await future

    @contextmanager
    def hurrying(self) -> Iterator[None]:
        """Have the view do what comes at once, for as long as somebody waits for it."""
        self._hurried += 1
        self._hurry.set()
        try:
            yield
        finally:
            self._hurried -= 1

    async def work(self, work: Callable[[], T]) -> T:
        """Have something done with the view between messages; it is done to its end once it is begun."""
        async with self._using:
            doing = asyncio.ensure_future(self._in_thread(work))
            try:
                return await asyncio.shield(doing)
            except asyncio.CancelledError:
                await asyncio.wait([doing])
                raise

    async def stop(self) -> None:
        """End; what waits for a message to be done is cancelled."""
        self._stopping = True
        self._hurry.set()
        await end(self._task)
        for _, _, future in self._waiting:
            future.cancel()
        await asyncio.to_thread(self._thread.shutdown)
        self._view.close()

    # --- following ---------------------------------------------------------------------------------------

    async def _main(self) -> None:
        while not self._stopping:
            try:
                await self._follow()
            except (nats.errors.Error, TimeoutError, OSError) as error:
                if self._connection.up:
                    self.fault = f"cannot be followed: {self._settings.redacted(error)}"
            except LogError as error:
                self.fault = str(error)
            except Exception as error:  # noqa: BLE001  # whatever it was, the view must go on following
                self.fault = f"the follower crashed: {error!r}"
            await asyncio.sleep(AGAIN_S)

    async def _follow(self) -> None:
        """Follow until something has to be made anew."""
        await self._check()
        jetstream = self._connection.jetstream
        client = self._connection.client
        self._inbox.clear()
        self._lost, self._left = False, 0
        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox, cb=self._receive)
        consumer = None
        try:
            consumer = (await jetstream.add_consumer(self._settings.stream, self._consumer())).name
            while not (self._lost or self._stopping):
                if not self._left:
                    await self._ask(str(consumer), inbox)
                await self._take()
        finally:
            with suppress(nats.errors.Error, TimeoutError, OSError):
                await subscription.unsubscribe()
                if consumer is not None and not self._lost:
                    await jetstream.delete_consumer(self._settings.stream, consumer)

    async def _check(self) -> None:
        """See that the stream goes on from where the view stands, or make the view anew."""
        state = (await self._connection.jetstream.stream_info(self._settings.stream)).state
        if state.last_seq < self._applied:
            raise LogError(has_lost(self._settings, state.last_seq, self._applied))
        if state.first_seq > self._applied + 1:
            await self._renew()

    def _consumer(self) -> api.ConsumerConfig:
        return api.ConsumerConfig(
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._applied + 1,
            ack_policy=api.AckPolicy.NONE,
            inactive_threshold=FORGET_S,
            num_replicas=1,
            mem_storage=True,
        )

    async def _ask(self, consumer: str, inbox: str) -> None:
        self._left = BATCH
        request = {
            "batch": BATCH,
            "max_bytes": max(BATCH_BYTES, 2 * self._settings.message_bytes),
            "expires": EXPIRES_S * 10**9,
            "idle_heartbeat": HEARTBEAT_S * 10**9,
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._settings.stream}.{consumer}"
        await self._connection.client.publish(subject, json.dumps(request).encode(), reply=inbox)

    async def _receive(self, message: Msg) -> None:
        self._inbox.append(message)
        self._arrived.set()
        if len(self._inbox) >= BATCH // 2:
            self._hurry.set()

    def _break_off(self) -> None:
        """Make the consumer anew: the servers have forgotten what was asked for."""
        self._lost = True
        self._arrived.set()
        self._hurry.set()

    async def _rest(self) -> None:
        """Let more come, unless somebody waits for what has come or much has."""
        self._hurry.clear()
        left = self._rested - time.monotonic()
        if left > 0 and not self._hurried and len(self._inbox) < BATCH // 2:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._hurry.wait()

    async def _take(self) -> None:
        """Do what has come, or wait for it."""
        self._arrived.clear()
        if not self._inbox:
            async with asyncio.timeout(SILENCE_S):
                await self._arrived.wait()
        await self._rest()
        batch: list[Received] = []
        size = 0
        while self._inbox and size < BATCH_BYTES:
            message = self._inbox.popleft()
            if message.headers and "Status" in message.headers:
                self._hear(message.headers)
                continue
            self._left -= 1
            batch.append(_received(message))
            size += len(message.data)
        if batch:
            await self._apply(batch)
        else:
            self.fault = None

    def _hear(self, headers: dict[str, str]) -> None:
        """Take in what the servers say beside messages."""
        status = headers["Status"]
        if status == "100":
            return
        self._left = 0
        words = headers.get("Description", "").lower()
        if status not in _GOES_ON or "consumer" in words or "leadership" in words or "shutdown" in words:
            self._lost = True

    async def _apply(self, batch: list[Received]) -> None:
        try:
            async with self._using:
                done, wakes = await self._in_thread(self._view.apply, batch)
        except Gap:
            self._lost = True
            return
        except Corrupt:
            await self._renew()
            self._lost = True
            return
        self._rested = time.monotonic() + REST_S
        self._move(done)
        if wakes:
            self._wake()

    def _move(self, done: list[Done]) -> None:
        self._applied = self._view.sequence
        self.fault = None
        for one in done:
            self._done(one)
        while self._waiting and self._waiting[0][0] <= self._applied:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    async def _renew(self) -> None:
        """Have the view made anew."""
        async with self._using:
            await self._restore()
        self._move([])
        self._wake()

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)


def has_lost(settings: JetStreamSettings, last: int, applied: int) -> str:
    """Return what to say of a stream that ends before a view of it does."""
    return (
        f"{settings.name} ends at message {last} and {settings.view} is at {applied}: "
        "the stream has lost what it had acknowledged; remove that file to go on without it"
    )


def _received(message: Msg) -> Received:
    """Return a message with its place and time, which stand in the subject to answer to."""
    tokens = message.reply.split(".")
    first = 5 if len(tokens) < 11 else 7
    return Received(int(tokens[first]), int(tokens[first + 2]) // 1_000_000, message.data)
