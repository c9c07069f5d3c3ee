"""A JetStream log as one of the two sides of a move."""

import asyncio
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import msgspec
from nats.js import api

from gateway import registry
from gateway.errors import LogError, LogLocked
from gateway.log.jetstream import conversion, stream
from gateway.log.jetstream.connection import Connection
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.jetstream.messages import PLACES
from gateway.log.jetstream.settings import JetStreamSettings
from gateway.log.jetstream.snapshots import Snapshots
from gateway.log.moves import Move
from gateway.log.port import LogStatus
from gateway.migration.logs.moving import Progress
from gateway.migration.logs.sqlite_side import LIMITS, LOG, RECEIPTS, copy_beside, counts, is_empty, put

QUIET_S: Final = 1.5
"""How long nobody may have read or written: whoever delivers writes once a second."""
LOOK_S: Final = 0.1
PATIENCE_S: Final = 5.0

_limits: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class StreamSide:
    """One stream. Made by `open`."""

    def __init__(self, connection: Connection, settings: JetStreamSettings, window_s: float) -> None:
        self.name = settings.name
        self._connection = connection
        self._settings = settings
        self._window_ms = int(window_s * 1000)

    @classmethod
    async def open(cls, settings: JetStreamSettings, *, source: bool, window_s: float, looking: bool = False) -> Self:
        """Connect to a stream that nobody uses; as a source it has to be there.

        Args:
            settings: where it is, and where a node of this machine has its view.
            source: whether it is the source.
            window_s: how long the SQLite log of the other side remembers a client's own key.
            looking: whether it is only to be looked at, whoever uses it.

        Raises:
            LogLocked: nodes use it.
            LogError: there is none, it cannot be used, or the servers cannot be reached.
        """
        settings.check()
        side = cls(await Connection.open(settings), settings, window_s)
        try:
            if source or await side._found() is not None:
                await side._check()
                if not looking:
                    await side._refuse_while_used()
        except BaseException:
            await side.close()
            raise
        return side

    async def _check(self) -> None:
        info = await self._there()
        stream.identity_of(info, self._settings)
        stream.suits(info, self._settings)

    async def close(self) -> None:
        """Let go of the servers."""
        await self._connection.close()

    async def mark(self) -> Move | None:
        """Return what it says of its last move."""
        info = await self._found()
        return None if info is None else stream.move_of(info)

    async def status(self) -> LogStatus:
        """Return its counts."""
        log = await self._look()
        try:
            return await log.status()
        finally:
            await log.close()

    # --- as a source -------------------------------------------------------------------------------------

    async def content(self) -> str:
        """Return what stands for all that it holds now."""
        info = await self._there()
        return f"{stream.identity_of(info, self._settings)}.{info.state.last_seq}"

    async def copy(self, into: Path, progress: Progress) -> LogStatus:
        """Write what the stream holds to a folder, as an embedded log, and what belongs to this machine's node."""
        progress.tell("reading the stream", 0, 0)
        log = await self._look()
        try:
            await asyncio.to_thread(_made_empty, into)
            progress.watch("copying", into / LOG, (await log.status()).bytes)
            await log.copy(into / LOG)
            await asyncio.to_thread(copy_beside, self._settings.view, into, RECEIPTS)
        finally:
            await log.close()
        progress.tell("converting", 0, 0)
        now_ms = int(time.time() * 1000)
        limits = await asyncio.to_thread(conversion.to_log, into / LOG, window_ms=self._window_ms, now_ms=now_ms)
        raw = {account: msgspec.Raw(state) for account, state in limits.items()}
        (into / (LOG + LIMITS)).write_bytes(msgspec.json.encode(raw))
        return await asyncio.to_thread(counts, into / LOG)

    async def leave(self, move: Move) -> bool:
        """Close it; return whether it still holds what was copied."""
        mark = await self.mark()
        if mark is None or mark.state != "moved":
            await self._refuse_while_used()
        await stream.mark(self._connection.jetstream, self._settings, move)
        return await self.content() == move.content

    # --- as a goal ---------------------------------------------------------------------------------------

    async def is_empty(self) -> bool:
        """Tell whether no event was ever stored in it."""
        info = await self._found()
        return info is None or not info.state.last_seq or is_empty(await self.status())

    async def receive(self, folder: Path, move: Move, progress: Progress) -> None:
        """Keep the log as the stream's one snapshot, for its nodes to begin with."""
        jetstream, settings = self._connection.jetstream, self._settings
        info = await stream.mark(jetstream, settings, msgspec.structs.replace(move, content=""))
        identity = stream.identity_of(info, settings)
        arrived = folder / LOG
        place = await asyncio.to_thread(conversion.place_of_end, arrived)
        sequence = max(place // PLACES, (await self._there()).state.last_seq) + 1
        progress.tell("converting", 0, 0)
        await asyncio.to_thread(
            conversion.to_view,
            *(arrived, identity, sequence),
            window_ms=self._window_ms,
            now_ms=int(time.time() * 1000),
            limits=_limits_of(folder / (LOG + LIMITS)),
        )
        await Snapshots(self._connection, settings, identity).begin_with(arrived, progress.tell)
        await asyncio.to_thread(_put_receipts, folder / (LOG + RECEIPTS), settings.view)
        await stream.mark(jetstream, settings, msgspec.structs.replace(move, place=place))

    async def arrive(self, move: Move) -> None:
        """Let it be used."""
        await stream.mark(self._connection.jetstream, self._settings, move)

    # --- within ------------------------------------------------------------------------------------------

    async def _found(self) -> api.StreamInfo | None:
        return await stream.found(self._connection.jetstream, self._settings)

    async def _there(self) -> api.StreamInfo:
        info = await self._found()
        if info is None:
            raise LogError(f"there is no log in {self.name}")
        return info

    async def _look(self) -> JetStreamLog:
        """Return the log, caught up, in a copy of a view."""
        mark = await self.mark()
        return await JetStreamLog.open(
            self._settings, role="inspect", minters=registry.minters(), move=mark.id if mark else None
        )

    async def _refuse_while_used(self) -> None:
        """Wait until nobody has read the stream or written to it for a while.

        Raises:
            LogLocked: somebody does.
        """
        given_up = time.monotonic() + PATIENCE_S
        quiet_since, last = time.monotonic(), -1
        while time.monotonic() < quiet_since + QUIET_S:
            followers, end = await self._followers(), (await self._there()).state.last_seq
            if followers or end != last:
                quiet_since, last = time.monotonic(), end
            if quiet_since > given_up:
                raise LogLocked(f"{self.name} is in use by {followers or 'some'} gateways or commands: stop them first")
            await asyncio.sleep(LOOK_S)

    async def _followers(self) -> int:
        """Return how many read the stream: a server knows when one has gone."""
        consumers = await stream.answered(
            lambda: self._connection.jetstream.consumers_info(self._settings.stream), self._settings
        )
        return sum(bool(one.num_waiting) for one in consumers)


def _made_empty(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise LogError(f"{folder} cannot be made: {error}") from error


def _limits_of(path: Path) -> Mapping[str, bytes]:
    """Return what was sent lately, by account; nothing where that is not known."""
    try:
        return {account: bytes(state) for account, state in _limits.decode(path.read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise LogError(f"{path} cannot be read: {error}") from error


def _put_receipts(receipts: Path, view: Path) -> None:
    """Put receipts where the node of this machine has its own."""
    if receipts.exists():
        view.parent.mkdir(parents=True, exist_ok=True)
        put(receipts, view.with_name(view.name + RECEIPTS))
