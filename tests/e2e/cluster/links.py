"""Wires between processes that can be cut, slowed and made one-way: what a bad network does, without needing root.

What is cut vanishes: neither side hears of it, nor that a connection has ended, until the wire is whole again. What was
under way then arrives, as TCP sends again what was lost.
"""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import closing, suppress
from typing import Any, Final, TypeVar

T = TypeVar("T")

PIECE: Final = 1 << 16
HELD: Final = 64
"""Pieces under way in one direction; beyond that the sender waits."""


class Way:
    """One direction of a link."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.bytes_per_s: float | None = None
        """None: as fast as it goes."""
        self.open = asyncio.Event()
        self.open.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what comes, and in the end that it has ended."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD)
        taking = asyncio.create_task(self._take(reader, under_way))
        try:
            while await self._give(under_way, writer):
                pass
        finally:
            taking.cancel()

    async def _take(self, reader: asyncio.StreamReader, under_way: "asyncio.Queue[tuple[float, bytes]]") -> None:
        data = b"-"
        while data:
            try:
                data = await reader.read(PIECE)
            except OSError:
                data = b""
            await under_way.put((asyncio.get_running_loop().time() + self.delay_s, data))

    async def _give(self, under_way: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> bool:
        """Hand over one piece; return whether there was one, rather than the end."""
        due, data = await under_way.get()
        wait = due - asyncio.get_running_loop().time()
        if self.bytes_per_s is not None:
            wait = max(wait, 0) + len(data) / self.bytes_per_s
        if wait > 0:
            await asyncio.sleep(wait)
        await self.open.wait()
        if data:
            writer.write(data)
            await writer.drain()
        return bool(data)


class Link:
    """Everything that connects to `port` comes out at `to`."""

    def __init__(self, to: int, host: str) -> None:
        self.to = to
        self.host = host
        self.port = 0
        self.there = Way()
        """From who connects."""
        self.back = Way()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Host and port to connect to."""
        return f"{self.host}:{self.port}"

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._meet, self.host, 0, limit=PIECE)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End it and all it carries."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError):
            await self.there.open.wait()
            await self.back.open.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to, limit=PIECE)
            with closing(far_writer):
                ways = (self.there.carry(reader, far_writer), self.back.carry(far_reader, writer))
                await _first([asyncio.ensure_future(way) for way in ways])


async def _first(tasks: list["asyncio.Task[None]"]) -> None:
    """Wait until one has ended, and end the others."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Network:
    """Links in a thread of their own; what is asked of it is done when it returns."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._links: list[Link] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def link(self, to: int, host: str = "127.0.0.1") -> Link:
        """Make a link, which listens on that address, to a port."""

        async def made() -> Link:
            one = Link(to, host)
            await one.open()
            return one

        self._links.append(self._run(made()))
        return self._links[-1]

    def cut(self, *links: Link, there: bool = True, back: bool = True) -> None:
        """Let nothing through; one way only, if so asked."""

        async def work() -> None:
            for link in links:
                for way, meant in ((link.there, there), (link.back, back)):
                    if meant:
                        way.open.clear()

        self._run(work())

    def slow(self, *links: Link, delay_s: float, bytes_per_s: float) -> None:
        """Let everything through late, and not much of it at a time; each way of each connection by itself."""

        async def work() -> None:
            for link in links:
                for way in (link.there, link.back):
                    way.delay_s, way.bytes_per_s = delay_s, bytes_per_s

        self._run(work())

    def heal(self) -> None:
        """Make all links whole and fast."""

        async def work() -> None:
            for link in self._links:
                for way in (link.there, link.back):
                    way.delay_s, way.bytes_per_s = 0.0, None
                    way.open.set()

        self._run(work())

    def end(self) -> None:
        """End all links."""

        async def work() -> None:
            await asyncio.gather(*(link.close() for link in self._links))

        self._run(work())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
