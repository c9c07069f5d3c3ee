"""One connection to the servers that is made anew for as long as it is wanted.

A client of its own is made for each connection and thrown away with it: one that a bad network has left half open may
wait for its end for a quarter of an hour. A connection is also left when its server answers everything but the log's
questions, as one does that is cut off from the others.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from gateway.errors import LogError
from gateway.log.jetstream.settings import JetStreamSettings

AGAIN_S: Final = 0.2
"""Between looks at the connection, and between attempts to connect."""
TRY_S: Final = 2.0
"""For connecting to one server, before the next is tried."""
PING_S: Final = 2
"""Between looks at a silent connection; two without an answer end it."""
FLUSH_S: Final = 1.0
"""How long whoever sends waits for room."""
MOVE_S: Final = 3.0
"""How long the log's questions may stay without an answer before another server is tried; twice as long after each."""
MOST_MOVE_S: Final = 30.0
SHORT_S: Final = 1.0
"""For so long a lost connection is no fault: most are back at once."""
DEAF_S: Final = 5.0
"""After so long without an answer of the log the servers are said not to answer."""
ANSWER_S: Final = 2.0
"""For an answer of the servers about streams, consumers and buckets."""
CLOSE_S: Final = 2.0
CANCEL_S: Final = 0.2

_TROUBLES: Final = (OSError, TimeoutError, nats.errors.Error, ValueError)


class _Place(NamedTuple):
    """A server."""

    url: str
    certified: str | None = None
    """The name in its certificate; None: that of the URL."""


class Connection:
    """What reaches the servers: comes back by itself, whatever ended it."""

    def __init__(self, settings: JetStreamSettings) -> None:
        self.trouble: str | None = None
        """Why there is no connection; None when there is one."""
        self._settings = settings
        self._client = Client()
        self._jetstream = self._client.jetstream(timeout=ANSWER_S)
        self._told: str | None = None
        """What the client has last told of a trouble."""
        configured = [_Place(url) for url in settings.servers]
        self._places = random.sample(configured, len(configured))
        """The servers in the order in which they are tried."""
        self._lost_at = self._made_at = 0.0
        self._unanswered_since: float | None = None
        self._patience_s = MOVE_S
        self._keeping: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    async def open(cls, settings: JetStreamSettings) -> "Connection":
        """Connect.

        Raises:
            LogError: no server answers in time, or none lets this node in.
        """
        made = cls(settings)
        given_up = time.monotonic() + settings.connect_s
        while not await made._connects(given_up - time.monotonic()):
            if time.monotonic() + AGAIN_S >= given_up:
                await made.close()
                raise LogError(f"cannot reach the log's servers at {settings.hosts}: {made.trouble}")
            await asyncio.sleep(AGAIN_S)
        made._keeping = asyncio.get_running_loop().create_task(made._keep())
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
        return self.trouble is None and bool(self._client.is_connected)

    @property
    def fault(self) -> str | None:
        """Why the log cannot be reached; None while it can, or has only just been lost."""
        if self.trouble is not None:
            return self.trouble if time.monotonic() >= self._lost_at + SHORT_S else None
        return "the servers do not answer" if self._silent(DEAF_S) else None

    def on_return(self, call: Callable[[], None]) -> None:
        """Have something called whenever a lost connection is back."""
        self._listeners.append(call)

    def answered(self) -> None:
        """Take note that the log has answered."""
        self._unanswered_since, self._patience_s = None, MOVE_S

    def unanswered(self) -> None:
        """Take note that the log has not answered: when it goes on so, another server is tried."""
        if self._unanswered_since is None:
            self._unanswered_since = time.monotonic()

    async def close(self) -> None:
        """End it for good."""
        if self._keeping is not None:
            await end(self._keeping)
        self._leave()
        if self._leaving:
            await asyncio.wait(self._leaving)

    # --- within ------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Look after the connection until it is closed."""
        while True:
            await asyncio.sleep(AGAIN_S)
            why = self._wrong()
            if why is None:
                continue
            self.trouble, self._lost_at = why, time.monotonic()
            self._leave()
            while not await self._connects(TRY_S):  # noqa: ASYNC110  # nothing tells when a server is back
                await asyncio.sleep(AGAIN_S)
            for call in self._listeners:
                call()

    def _wrong(self) -> str | None:
        """Return why another connection is needed, or None."""
        if not self._client.is_connected:
            return self._told or "the connection is lost"
        if not self._silent(self._patience_s, self._made_at):
            return None
        self._patience_s = min(2 * self._patience_s, MOST_MOVE_S)
        return "the server does not answer for the log"

    def _silent(self, for_s: float, since: float = 0.0) -> bool:
        """Tell whether the log has not answered for so long, counted from a moment on."""
        unanswered = self._unanswered_since
        return unanswered is not None and time.monotonic() >= max(unanswered, since) + for_s

    async def _connects(self, within_s: float) -> bool:
        """Tell whether the next server lets this node in."""
        place = self._places.pop(0)
        if place.url in self._settings.servers:
            self._places.append(place)  # the others are told of again
        client = Client()
        self._told = None
        try:
            async with asyncio.timeout(min(within_s, TRY_S)):
                await self._connect(client, place)
        except BaseException as error:
            self._throw_away(client)
            if not isinstance(error, _TROUBLES):
                raise
            self.trouble = self._reason(client, error)
            return False
        self._client, self._jetstream = client, client.jetstream(timeout=ANSWER_S)
        self.trouble, self._told = None, None
        self._made_at = time.monotonic()
        self._learn(client, place)
        return True

    async def _connect(self, client: Client, place: _Place) -> None:
        settings = self._settings
        await client.connect(
            servers=[place.url],
            tls_hostname=place.certified,
            name=f"event gateway, {settings.stream}",
            user=settings.user,
            password=settings.password,
            token=settings.token,
            user_credentials=None if settings.credentials is None else str(settings.credentials),
            connect_timeout=TRY_S,  # type: ignore[arg-type]  # seconds, of which it takes parts
            allow_reconnect=False,
            reconnect_time_wait=0,
            max_reconnect_attempts=1,
            ping_interval=PING_S,
            max_outstanding_pings=2,
            flush_timeout=FLUSH_S,
            error_cb=self._on_error,
        )
        if not client.is_connected:
            raise ConnectionResetError("the connection was ended at once")

    async def _on_error(self, error: Exception) -> None:
        self._told = self._settings.redacted(error)

    def _reason(self, client: Client, error: BaseException) -> str:
        """Return why a server cannot be used.

        One that refuses a log-in says so and closes; its word is lost when the client was still sending.
        """
        if isinstance(error, ConnectionError) and client._server_info.get("auth_required"):
            return "the server closed the connection at log-in: user, password, token or credentials are likely wrong"
        if isinstance(error, TimeoutError | nats.errors.NoServersError):
            return self._told or "no answer"
        return self._settings.redacted(error)

    def _learn(self, client: Client, place: _Place) -> None:
        """Take in servers that are not configured and that this one has told of."""
        name = client.connected_url.hostname if client.connected_url else None
        for found in client.discovered_servers:
            url = found.geturl()
            if url not in {known.url for known in self._places}:
                self._places.append(_Place(url, (place.certified or name) if found.scheme == "tls" else None))

    def _leave(self) -> None:
        self._throw_away(self._client)

    def _throw_away(self, client: Client) -> None:
        """Let go of a client without waiting for what it still wants to say."""
        task = asyncio.get_running_loop().create_task(_closed(client))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _closed(client: Client) -> None:
    """Close a client; what a broken connection has not taken by now it never will."""
    if not client.is_connected:
        _break_off(client)
    with suppress(*_TROUBLES, AssertionError):  # the last: it never was connected
        async with asyncio.timeout(CLOSE_S):
            await client.close()
    _break_off(client)


def _break_off(client: Client) -> None:
    """End a connection at once, which the client itself cannot."""
    writer = getattr(client._transport, "_io_writer", None)
    if writer is not None:
        writer.transport.abort()


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it is over: `asyncio.wait_for` of Python 3.11, which the client uses, may swallow one."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_S)
