"""Several processes that accept, for one that delivers: they share one listener and one log.

A worker is ``gateway serve --role ingest`` with the listener handed down. It tells its counts once a second, as a
line of JSON on its standard output, and ends when its standard input does: no worker outlives its parent.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError
from gateway.inbound.stats import EndpointStats, Stats
from gateway.telemetry import Logger

REPORT_S: Final = 1.0
RESTART_S: Final = 1.0
"""Wait before a worker that ended by itself is started again."""


class WorkerError(GatewayError):
    """The processes that accept cannot be run."""


class Report(Struct):
    """What a worker tells."""

    stats: list[EndpointStats] = []
    trouble: str | None = None
    """Why it cannot accept now."""


_reports: Final = msgspec.json.Decoder(Report)


class Workers:
    """The parent's side."""

    def __init__(self, config: Path, listener: socket.socket, number: int, logger: Logger) -> None:
        self._config = config
        self._listener = listener
        self._number = number
        self._logger = logger
        self._reports: dict[int, Report] = {}
        self._ended: list[list[EndpointStats]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = False

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
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        await asyncio.gather(*self._tasks)

    def stats(self) -> Stats:
        """Return the counts of all workers, those that ended among them."""
        return Stats([*self._ended, *(report.stats for report in self._reports.values())])

    def trouble(self) -> str | None:
        """Return why some worker cannot accept now, or None."""
        if len(self._reports) < self._number:
            return f"{self._number - len(self._reports)} of {self._number} workers are starting"
        return next((report.trouble for report in self._reports.values() if report.trouble), None)

    async def _keep(self, number: int, ready: asyncio.Event) -> None:
        while not self._stopping:
            code = await self._run(number, ready)
            if not self._stopping:
                self._logger.error("worker ended", worker=number, code=code)
                await asyncio.sleep(RESTART_S)

    async def _run(self, number: int, ready: asyncio.Event) -> int:
        descriptor = self._listener.fileno()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", "--config", str(self._config)),
            *("--role", "ingest", "--listen-fd", str(descriptor)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(descriptor,),
        )
        self._processes[number] = process
        assert process.stdout is not None  # noqa: S101  it was asked for
        async for line in process.stdout:
            self._reports[number] = _reports.decode(line)
            ready.set()
        code = await process.wait()
        self._ended.append(self._reports.pop(number, Report()).stats)
        ready.set()
        return code


async def report(tell: Callable[[], Report], parent_left: Callable[[], None]) -> None:
    """Tell the parent once a second; the worker's side, until it is cancelled. A last word is said at the end."""
    watch = asyncio.create_task(_watch(parent_left))
    try:
        while True:
            _say(tell())
            await asyncio.sleep(REPORT_S)
    finally:
        watch.cancel()
        _say(tell())


def _say(words: Report) -> None:
    with contextlib.suppress(OSError):
        sys.stdout.buffer.write(msgspec.json.encode(words) + b"\n")
        sys.stdout.buffer.flush()


async def _watch(parent_left: Callable[[], None]) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    parent_left()
