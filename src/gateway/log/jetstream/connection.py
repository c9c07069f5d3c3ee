"""One connection to the servers that is made anew for as long as it is wanted."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from gateway.errors import LogError
from gateway.log.jetstream.settings import JetStreamSettings

AGAIN_S: Final = 0.2
"""Between attempts to connect."""
PING_S: Final = 5
"""Between looks at a silent connection; two without an answer end it."""
ANSWER_S: Final = 2.0
"""For an answer of the servers about streams, consumers and buckets."""
CLOSE_S: Final = 2.0
CANCEL_S: Final = 0.2


class Connection:
    """A NATS client that comes back by itself, whatever ended it."""

    def __init__(self, settings: JetStreamSettings) -> None:
        self.trouble: str | None = None
        """Why there is no connection; None when there is one."""
        self._settings = settings
        self._client = Client()
        self._jetstream = self._client.jetstream(timeout=ANSWER_S)
        self._closing = False
        self._reviving: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    async def open(cls, settings: JetStreamSettings) -> "Connection":
        """Connect.

        Raises:
            LogError: no server answers in time, or none lets this node in.
        """
        made = cls(settings)
        try:
            async with asyncio.timeout(settings.connect_s):
                await made._connect()
        except (OSError, TimeoutError, nats.errors.Error, ValueError) as error:
            await made.close()
            why = made.trouble or settings.redacted(error)
            raise LogError(f"cannot reach the log's servers at {settings.hosts}: {why}") from None
        return made

    @property
    def client(self) -> Client:
        return self._client

    @property
    def jetstream(self) -> JetStreamContext:
        return self._jetstream

    @property
    def up(self) -> bool:
        """Whether there is a connection."""
        return bool(self._client.is_connected)

    def on_return(self, call: Callable[[], None]) -> None:
        """Have something called whenever a lost connection is back."""
        self._listeners.append(call)

    async def close(self) -> None:
        """End it for good."""
        self._closing = True
        if self._reviving is not None:
            await end(self._reviving)
        with suppress(OSError, TimeoutError, nats.errors.Error, AssertionError):  # the last: it never was connected
            async with asyncio.timeout(CLOSE_S):
                await self._client.close()

    async def _connect(self) -> None:
        settings = self._settings
        self._client = Client()
        self._jetstream = self._client.jetstream(timeout=ANSWER_S)
        await self._client.connect(
            servers=list(settings.servers),
            name=f"event gateway, {settings.stream}",
            user=settings.user,
            password=settings.password,
            token=settings.token,
            user_credentials=None if settings.credentials is None else str(settings.credentials),
            connect_timeout=max(1, int(settings.connect_s)),
            reconnect_time_wait=AGAIN_S,  # type: ignore[arg-type]  # seconds, of which it takes parts
            max_reconnect_attempts=-1,
            ping_interval=PING_S,
            max_outstanding_pings=2,
            error_cb=self._on_error,
            disconnected_cb=self._on_end,
            reconnected_cb=self._on_return,
            closed_cb=self._on_closed,
        )
        self.trouble = None

    async def _on_error(self, error: Exception) -> None:
        if not self.up:
            self.trouble = self._settings.redacted(error)

    async def _on_end(self) -> None:
        self.trouble = self.trouble or "the connection is lost"

    async def _on_return(self) -> None:
        self.trouble = None
        for call in self._listeners:
            call()

    async def _on_closed(self) -> None:
        """The client gives up when a server refuses it, which may be over in a moment."""
        if not self._closing and (self._reviving is None or self._reviving.done()):
            self.trouble = self._settings.redacted(self._client.last_error or "the connection was closed")
            self._reviving = asyncio.get_running_loop().create_task(self._revive())

    async def _revive(self) -> None:
        while not self._closing:
            await asyncio.sleep(AGAIN_S)
            with suppress(OSError, TimeoutError, nats.errors.Error):
                async with asyncio.timeout(self._settings.connect_s):
                    await self._connect()
                await self._on_return()
                return


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it is over: `asyncio.wait_for` of Python 3.11, which the client uses, may swallow one."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_S)
