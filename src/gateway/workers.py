"""Several processes that accept, for one that delivers: they share one listener, one log and one configuration.

A worker is ``gateway serve --role ingest`` with the listener handed down. It tells its counts once a second, as a
line of JSON on its standard output, and ends when its standard input does: no worker outlives its parent. On its
standard input it is told when the configuration changes: first to load it, and, once all have, to go by it.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError
from gateway.inbound.stats import EndpointStats, Stats
from gateway.telemetry import Logger

REPORT_S: Final = 1.0
RESTART_S: Final = 1.0
"""Wait before a worker that ended by itself is started again."""
START_S: Final = 120.0
"""How long a worker may take to start."""
LOAD_S: Final = 30.0
"""How long a worker may take to load a configuration."""
SWITCH_S: Final = 5.0
"""How long it may then take to go by it; one that takes longer is started anew."""
_LONGEST_WHY: Final = 2_000
"""Characters of a worker's reason: a report is one line of a pipe."""


class WorkerError(GatewayError):
    """The processes that accept cannot be run, or not with the configuration they shall have."""


class Order(Struct):
    """What a worker is told."""

    number: int
    do: Literal["load", "switch", "forget"]
    version: str = ""
    """Which it has to find in the files."""


class Report(Struct):
    """What a worker tells."""

    stats: list[EndpointStats] = []
    trouble: str | None = None
    """Why it cannot accept now."""
    version: str = ""
    """Of the configuration it goes by."""
    done: int = 0
    """The number of the last order that was carried out."""
    failed: str | None = None
    """Why the last order could not be."""


_reports: Final = msgspec.json.Decoder(Report)
_orders: Final = msgspec.json.Decoder(Order)


# --- the parent's side -----------------------------------------------------------------------------------


class Workers:
    """The processes that accept.

    Args:
        version: of the configuration they shall go by.
        renew: awaited before a worker is started again: sees to it that the files hold the version in force, and
            tells whether they do. A worker reads them, and must not go by another version than all others.
    """

    def __init__(
        self,
        config: Path,
        listener: socket.socket,
        number: int,
        logger: Logger,
        version: str,
        renew: Callable[[], Awaitable[bool]],
    ) -> None:
        self.logger = logger
        self._config = config
        self._listener = listener
        self._number = number
        self._version = version
        self._renew = renew
        self._reports: dict[int, Report] = {}
        self._ended: list[list[EndpointStats]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = False
        self._orders = 0
        self._news = asyncio.Event()
        self._steady = asyncio.Lock()
        """Held while a worker is started again, and while the configuration changes."""

    async def start(self) -> None:
        """Start all; returns once each accepts.

        Raises:
            WorkerError: one ended at once.
        """
        self._listener.set_inheritable(True)
        ready = [asyncio.Event() for _ in range(self._number)]
        self._tasks = [asyncio.create_task(self._keep(n, event)) for n, event in enumerate(ready)]
        for event in ready:
            await event.wait()
        if len(self._reports) < self._number:
            await self.stop()
            raise WorkerError("a worker did not start; its own message stands above")

    async def stop(self) -> None:
        """Have all finish what they have, and wait."""
        self._stopping = True
        for process in self._processes.values():
            _end(process)
        await asyncio.gather(*self._tasks)

    def stats(self) -> Stats:
        """Return the counts of all workers, those that ended among them."""
        return Stats([*self._ended, *(report.stats for report in self._reports.values())])

    def trouble(self) -> str | None:
        """Return why some worker cannot accept now, or None."""
        if len(self._reports) < self._number:
            return f"{self._number - len(self._reports)} of {self._number} workers are starting"
        return next((report.trouble for report in self._reports.values() if report.trouble), None)

    def versions(self) -> list[str]:
        """Return the version of the configuration that each worker goes by."""
        return [report.version for _, report in sorted(self._reports.items())]

    # --- their lives ---------------------------------------------------------------------------------

    async def _keep(self, number: int, ready: asyncio.Event) -> None:
        process = await self._spawn(number)
        ready.set()
        while True:
            code = await self._follow(number, process)
            if self._stopping:
                return
            self.logger.error("worker ended", worker=number, code=code)
            await asyncio.sleep(RESTART_S)
            await self._until_renewed()
            async with self._steady:
                if self._stopping:
                    return
                process = await self._spawn(number)

    async def _until_renewed(self) -> None:
        while not self._stopping:
            if await self._renew():
                return
            await asyncio.sleep(RESTART_S)

    async def _spawn(self, number: int) -> asyncio.subprocess.Process:
        """Start a worker; return once it has said something, or ended."""
        descriptor = self._listener.fileno()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", "--config", str(self._config), "--role", "ingest"),
            *("--listen-fd", str(descriptor), "--config-version", self._version),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(descriptor,),
        )
        self._processes[number] = process
        if self._stopping:
            _end(process)
        assert process.stdout is not None  # noqa: S101  it was asked for
        try:
            async with asyncio.timeout(START_S):
                line = await process.stdout.readline()
        except TimeoutError:
            process.kill()
        else:
            if line:
                self._heard(number, line)
        return process

    async def _follow(self, number: int, process: asyncio.subprocess.Process) -> int:
        assert process.stdout is not None  # noqa: S101  it was asked for
        async for line in process.stdout:
            self._heard(number, line)
        code = await process.wait()
        self._ended.append(self._reports.pop(number, Report()).stats)
        self._news.set()
        return code

    def _heard(self, number: int, line: bytes) -> None:
        self._reports[number] = _reports.decode(line)
        self._news.set()

    # --- another configuration -----------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def changing(self, version: str) -> AsyncIterator[None]:
        """Have all workers load what is in the files now; they go by it once the block is done.

        Raises:
            WorkerError: one of them cannot, so that none does.
        """
        async with self._steady:
            try:
                await self._load(version)
                yield
            except BaseException:
                self._tell("forget")
                raise
            self._version = version
            await self._switch(version)

    async def _load(self, version: str) -> None:
        order = self._tell("load", version)
        if await self._silent(lambda report: report.done >= order, LOAD_S):
            raise WorkerError(f"a worker did not load the configuration within {LOAD_S:g} seconds")
        for report in self._reports.values():
            if report.failed:
                raise WorkerError(f"a worker cannot load the configuration: {report.failed}")

    async def _switch(self, version: str) -> None:
        self._tell("switch", version)
        for number in await self._silent(lambda report: report.version == version, SWITCH_S):
            self.logger.error("worker keeps its configuration", worker=number, version=version)
            self._processes[number].kill()

    def _tell(self, do: Literal["load", "switch", "forget"], version: str = "") -> int:
        """Give all workers an order; return its number."""
        self._orders += 1
        line = msgspec.json.encode(Order(self._orders, do, version)) + b"\n"
        for number in self._reports:
            pipe = self._processes[number].stdin
            if pipe is not None and not pipe.is_closing():
                pipe.write(line)
        return self._orders

    async def _silent(self, answered: Callable[[Report], bool], seconds: float) -> list[int]:
        """Wait until all workers have answered, or for so long; return those that have not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not all(answered(report) for report in self._reports.values()):
                    self._news.clear()
                    await self._news.wait()
        return [number for number, report in self._reports.items() if not answered(report)]


def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()


# --- the worker's side -----------------------------------------------------------------------------------


class Obedient(Protocol):
    """A process that accepts, as its parent's orders need it."""

    def report(self) -> Report:
        """Return what it tells."""

    async def load(self, version: str) -> None:
        """Make ready to go by the configuration in the files. Any exception says why it cannot."""

    def switch(self) -> None:
        """Go by it."""

    def forget(self) -> None:
        """Do not."""


class Station:
    """Tells the parent once a second, and does what it says. A last word is said at the end."""

    def __init__(self, worker: Obedient, parent_left: Callable[[], None]) -> None:
        self._worker = worker
        self._parent_left = parent_left
        self._done = 0
        self._failed: str | None = None

    async def run(self) -> None:
        """Go on until it is cancelled."""
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                self._say()
                await asyncio.sleep(REPORT_S)
        finally:
            listening.cancel()
            self._say()

    def _say(self) -> None:
        words = self._worker.report()
        words.done, words.failed = self._done, self._failed
        with contextlib.suppress(OSError):
            sys.stdout.buffer.write(msgspec.json.encode(words) + b"\n")
            sys.stdout.buffer.flush()

    async def _listen(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async for line in reader:
            order = _orders.decode(line)
            self._failed = await self._obey(order)
            self._done = order.number
            self._say()
        self._parent_left()

    async def _obey(self, order: Order) -> str | None:
        try:
            if order.do == "load":
                await self._worker.load(order.version)
            elif order.do == "switch":
                self._worker.switch()
            else:
                self._worker.forget()
        except Exception as error:  # noqa: BLE001  # the parent hears of it, and decides
            why = str(error) if isinstance(error, GatewayError) else repr(error)
            return why[:_LONGEST_WHY]
        return None


def ignore_hangup() -> None:
    """Leave SIGHUP to the parent, whoever else gets it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
