"""Copies of a view in the servers' object store: a new node begins with the newest, and the stream stays short.

One node at a time makes one. The stream is emptied up to the snapshot before the newest, so that there are two ways to
begin; a stream that is getting full, up to the newest. A log that is moved to a stream becomes its first snapshot.
"""

import asyncio
import io
import zlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

import nats.errors
from nats.js import JetStreamContext, api
from nats.js.errors import BadRequestError, KeyWrongLastSequenceError, NotFoundError
from nats.js.errors import Error as JetStreamError
from nats.js.kv import KeyValue
from nats.js.object_store import ObjectStore

from gateway.errors import LogError
from gateway.log.jetstream import view
from gateway.log.jetstream.connection import Connection, end
from gateway.log.jetstream.settings import JetStreamSettings

KEPT: Final = 2
MAKING_S: Final = 600.0
"""How long making one may take."""
OLD_S: Final = MAKING_S
"""After which what is not whole never will be."""
CLAIM_S: Final = 20.0
"""How long nobody else makes one when its maker is gone, or it came to nothing."""
RENEW_S: Final = 5.0
"""Between words of the maker that it is still at it."""
LIST_S: Final = 30.0
FULL_SHARE: Final = 0.5
"""Part of the stream's bytes above which a snapshot is made before its time."""
_BLOCK: Final = 1 << 20
_LEVEL: Final = 1
_KEY: Final = "snapshot"

Tell = Callable[[str, int, int], None]
"""Told what is done with a file, up to which byte, and how many it has."""


def untold(what: str, done: int, of: int) -> None:
    """Tell nobody."""


class Snapshots:
    """The snapshots of one stream.

    Args:
        connection: to the servers.
        settings: whose they are.
        identity: what tells the stream from another of the same name.
    """

    def __init__(self, connection: Connection, settings: JetStreamSettings, identity: str) -> None:
        self.fault: str | None = None
        """Why the last one could not be made."""
        self.seen: api.StreamInfo | None = None
        """The stream when it was looked at last."""
        self._connection = connection
        self._settings = settings
        self._identity = identity
        self._bucket = f"{settings.stream}-snapshots"

    async def newest(self) -> list[int]:
        """Return up to which messages there are snapshots, the newest first."""
        try:
            async with asyncio.timeout(LIST_S):
                found = await _listed(await self._jetstream.object_store(self._bucket))
        except NotFoundError:
            return []
        names = [str(one.name).rpartition("-") for one in found]
        return sorted((int(place) for identity, _, place in names if identity == self._identity), reverse=True)

    async def fetch(self, sequence: int, into: Path) -> None:
        """Write a snapshot to a file.

        Raises:
            LogError: it is not whole.
        """
        try:
            await self._get(self._name(sequence), into)
            if await asyncio.to_thread(view.sequence_of, into) != (sequence, self._identity):
                raise LogError("it is another one")
        except (JetStreamError, nats.errors.Error, TimeoutError, OSError, zlib.error) as error:
            raise LogError(f"snapshot {sequence} cannot be used: {self._settings.redacted(error)}") from error

    async def due(self) -> bool:
        """Tell whether enough has come since the newest one, or the stream is getting full."""
        self.seen = await self._jetstream.stream_info(self._settings.stream)
        state = self.seen.state
        if self._crowded(state):
            return bool(state.messages)
        if state.messages < self._settings.snapshot_messages:
            return False
        return state.last_seq - max(await self.newest(), default=0) >= self._settings.snapshot_messages

    def _crowded(self, state: api.StreamState) -> bool:
        return state.bytes >= FULL_SHARE * self._settings.max_bytes

    async def make(self, path: Path) -> int | None:
        """Make one of a view's file, and empty the stream; returns what it reaches, None when another node is at it.

        Raises:
            LogError: it could not be made; what there was is as it was.
        """
        try:
            claims = await self._claims()
            if not await _claimed(claims):
                return None
            copy = path.with_name(f"{path.name}.snapshot")
            with _removed(copy):
                async with asyncio.timeout(MAKING_S), _renewed(claims):
                    sequence = await self._save(path, copy)
            with suppress(JetStreamError, nats.errors.Error):
                await claims.delete(_KEY)
        except (JetStreamError, nats.errors.Error, TimeoutError, OSError) as error:
            raise LogError(f"no snapshot could be made: {self._settings.redacted(error)}") from error
        return sequence

    async def begin_with(self, path: Path, tell: Tell) -> None:
        """Make a whole view's file the one snapshot of a stream that is closed, and begin the stream after it.

        Args:
            path: the view.
            tell: told what is done.

        Raises:
            LogError: it could not be kept.
        """
        sequence, _ = await asyncio.to_thread(view.sequence_of, path)
        try:
            store = await self._store()
            for old in await self.newest():
                await self._delete(store, self._name(old))
            await self._sweep(store, alone=True)
            await self._put(self._name(sequence), path, tell)
            await self._empty(sequence)
        except (JetStreamError, nats.errors.Error, TimeoutError, OSError) as error:
            raise LogError(f"no snapshot could be made: {self._settings.redacted(error)}") from error

    async def _put(self, name: str, path: Path, tell: Tell = untold) -> None:
        packed = path.with_name(f"{path.name}.packed")
        with _removed(packed):
            await asyncio.to_thread(_pack, path, packed, tell)
            store = await self._store()
            with _Told(packed, "sending", tell) as file:
                await store.put(name, file)

    async def _get(self, name: str, into: Path) -> None:
        packed = into.with_name(f"{into.name}.packed")
        with _removed(packed):
            store = await self._jetstream.object_store(self._bucket)
            with packed.open("wb") as file:
                async with asyncio.timeout(MAKING_S):
                    await store.get(name, writeinto=file)
            await asyncio.to_thread(_unpack, packed, into)

    async def _save(self, path: Path, copy: Path) -> int:
        await asyncio.to_thread(view.copy, path, copy)
        sequence, _ = await asyncio.to_thread(view.sequence_of, copy)
        store = await self._store()
        await self._sweep(store)
        await self._put(self._name(sequence), copy)
        there = await self.newest()
        for old in there[KEPT:]:
            await self._delete(store, self._name(old))
        if len(there) >= KEPT:
            await self._empty(there[KEPT - 1])
        if self._crowded((await self._jetstream.stream_info(self._settings.stream)).state):
            await self._empty(there[0])
        return sequence

    async def _sweep(self, store: ObjectStore, *, alone: bool = False) -> None:
        """Remove what is left of snapshots whose maker was killed or cut off before they were whole.

        What is young may be another maker's, who stood still and goes on, unless this one is alone.
        """
        whole = {one.nuid for one in await _listed(store)}
        stream, chunks = f"OBJ_{self._bucket}", f"$O.{self._bucket}.C."
        info = await self._jetstream.stream_info(stream, subjects_filter=f"{chunks}>")
        for subject in info.state.subjects or ():
            if subject.removeprefix(chunks) not in whole and (alone or await self._is_old(stream, subject)):
                await self._jetstream.purge_stream(stream, subject=subject)

    async def _is_old(self, stream: str, subject: str) -> bool:
        last = (await self._jetstream.get_last_msg(stream, subject)).time
        return last is not None and datetime.now(UTC) - last > timedelta(seconds=OLD_S)

    async def _empty(self, sequence: int) -> None:
        """Remove all messages up to one from the stream."""
        await self._jetstream.purge_stream(self._settings.stream, seq=sequence + 1)

    async def _delete(self, store: ObjectStore, name: str) -> None:
        """Remove a snapshot, and the mark that is left of it."""
        await store.delete(name)
        mark = f"$O.{self._bucket}.M.{urlsafe_b64encode(name.encode()).decode()}"
        await self._jetstream.purge_stream(f"OBJ_{self._bucket}", subject=mark)

    @property
    def _jetstream(self) -> JetStreamContext:
        return self._connection.jetstream

    def _name(self, sequence: int) -> str:
        return f"{self._identity}-{sequence:020}"

    async def _store(self) -> ObjectStore:
        config = api.ObjectStoreConfig(storage=api.StorageType.FILE, replicas=self._settings.replicas)
        jetstream = self._jetstream
        store: ObjectStore = await self._made(
            jetstream.create_object_store, jetstream.object_store, self._bucket, config
        )
        return store

    async def _claims(self) -> KeyValue:
        bucket = f"{self._settings.stream}-claims"
        config = api.KeyValueConfig(bucket=bucket, ttl=CLAIM_S, replicas=self._settings.replicas)
        claims: KeyValue = await self._made(self._jetstream.create_key_value, self._jetstream.key_value, bucket, config)
        return claims

    async def _made(self, make: Callable[..., Any], find: Callable[..., Any], bucket: str, config: Any) -> Any:
        """Return a bucket, made if need be; one that is there is taken as it is."""
        try:
            return await find(bucket)
        except NotFoundError:
            pass
        try:
            return await (make(bucket, config) if isinstance(config, api.ObjectStoreConfig) else make(config))
        except BadRequestError as error:  # another node was first, or the servers cannot
            try:
                return await find(bucket)
            except NotFoundError:
                raise error from None


async def _listed(store: ObjectStore) -> list[api.ObjectInfo]:
    """Return what is in a store."""
    try:
        return [one for one in await store.list() if not one.deleted]
    except NotFoundError:  # it is empty
        return []


async def _claimed(claims: KeyValue) -> bool:
    """Tell whether this node is to make one: nobody else is, nor has tried in vain a moment ago."""
    try:
        await claims.create(_KEY, b"")
    except KeyWrongLastSequenceError:
        return False
    return True


@asynccontextmanager
async def _renewed(claims: KeyValue) -> AsyncIterator[None]:
    """Within which the claim does not run out."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with suppress(JetStreamError, nats.errors.Error, TimeoutError):
                await claims.put(_KEY, b"")

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        await end(renewing)


@contextmanager
def _removed(*paths: Path) -> Iterator[None]:
    try:
        yield
    finally:
        for path in paths:
            view.remove(path)


def _pack(path: Path, into: Path, tell: Tell) -> None:
    squeeze = zlib.compressobj(_LEVEL)
    with _Told(path, "packing", tell) as source, into.open("wb") as target:
        for block in _blocks(source):
            target.write(squeeze.compress(block))
        target.write(squeeze.flush())


class _Told(io.BufferedReader):
    """A file whose reading is told."""

    def __init__(self, path: Path, what: str, tell: Tell) -> None:
        super().__init__(io.FileIO(path))
        self._what, self._size, self._tell = what, path.stat().st_size, tell

    def read(self, size: int | None = -1) -> bytes:
        block = super().read(size)
        self._tell(self._what, self.tell(), self._size)
        return block

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        self._tell(self._what, self.tell(), self._size)
        return count


def _unpack(path: Path, into: Path) -> None:
    unsqueeze = zlib.decompressobj()
    with path.open("rb") as source, into.open("wb") as target:
        for block in _blocks(source):
            target.write(unsqueeze.decompress(block))
        target.write(unsqueeze.flush())


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    while block := source.read(_BLOCK):
        yield block
