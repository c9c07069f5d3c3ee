"""The log in a process that accepts beside one of this machine that keeps the view: it writes, and looks on.

A machine that has several processes does each operation once, in one of them. The others have no view: an append waits
for the stream alone, and what little they read they read in the view of that one.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple

from gateway.errors import LogError
from gateway.log import operations, reader, schema
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.operations import Operation

T = TypeVar("T")
Args = TypeVarTuple("Args")

LOOK_S: Final = 0.005
"""Between looks at the view while somebody waits for it."""
IDLE_S: Final = 0.5
"""Between looks otherwise: whether it was made anew."""
_WITHOUT_RESULT: Final = (operations.REGISTER.name, operations.HOLD.name)


class Onlooker:
    """Says how far a view is that another process keeps: in the place of a `Follower`.

    Args:
        path: the view.
        renewed: called when another file has taken its place.

    Raises:
        LogError: there is none.
    """

    def __init__(self, path: Path, renewed: Callable[[], None]) -> None:
        self.fault: str | None = None
        """Why the view cannot be looked at; None while it can."""
        self.applied = 0
        """Up to which message everything is done, when it was last looked at."""
        self._path = path
        self._renewed = renewed
        self._looking = asyncio.Lock()
        self._using = asyncio.Lock()
        self._file = 0
        """Its number in the file system, which no other file gets while the connection is open."""
        self._connection: sqlite3.Connection | None = None
        try:
            self._open(path.stat().st_ino)
        except (OSError, sqlite3.Error) as error:
            raise LogError(f"{path} is kept by no process of this machine: {error}") from error
        self._task = asyncio.get_running_loop().create_task(self._main())

    async def reach(self, sequence: int) -> None:
        """Wait until everything up to a message is done, or nobody looks any more."""
        while self.applied < sequence and not self._task.done():
            await self._look()
            if self.applied < sequence:
                await asyncio.sleep(LOOK_S)

    @contextmanager
    def hurrying(self) -> Iterator[None]:
        """Do nothing: the other process has its own pace."""
        yield

    async def work(self, work: Callable[[], T]) -> T:
        """Have something done that whoever keeps the view does alike, in a transaction of its own."""
        async with self._using:
            return await asyncio.to_thread(work)

    async def stop(self) -> None:
        """Look no more."""
        self._task.cancel()
        await asyncio.wait([self._task])
        async with self._looking:
            if self._connection is not None:
                self._connection.close()

    async def _main(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(IDLE_S)

    async def _look(self) -> None:
        async with self._looking:
            before = self._file
            try:
                self.applied = await asyncio.to_thread(self._sequence)
            except (OSError, sqlite3.Error) as error:
                self.fault = f"{self._path} cannot be looked at: {error}"
                return
            self.fault = None
            if self._file != before:
                self._renewed()

    def _sequence(self) -> int:
        file = self._path.stat().st_ino
        if file != self._file or self._connection is None:
            return self._open(file)
        return _applied(self._connection)

    def _open(self, file: int) -> int:
        """Look at a file from now on; returns up to which message it is."""
        connection = schema.connect(self._path, read_only=True)
        try:
            sequence = _applied(connection)
        except sqlite3.Error:
            connection.close()
            raise
        before, self._connection, self._file = self._connection, connection, file
        if before is not None:
            before.close()
        return sequence


class JetStreamLogBeside(JetStreamLog):
    """A log that stores; the process that keeps the view has to be there before it. It wakes no readers."""

    async def _start(self, move: str | None) -> None:
        await self._connect(create=False, move=move)
        self._follower = self._onlooker = Onlooker(self._path, self._renewed)
        self._parts.push_async_callback(self._onlooker.stop)
        self._parts.push_async_callback(self._leave_view)
        self._read_from(self._path)
        self._publisher = self._publishing(results=False)
        self._parts.push_async_callback(self._publisher.stop)

    async def _do(self, operation: Operation[T, *Args], *args: *Args) -> T:
        """Have an operation be done that returns nothing: nobody here learns what others do.

        Raises:
            LogError: it would return something, or cannot be stored.
        """
        if operation.name not in _WITHOUT_RESULT:
            raise LogError(f"{operation.name} is not for a process that only stores")
        return await super()._do(operation, *args)

    async def _leave_view(self) -> None:
        await self._onlooker.work(self._view.close)

    def _renewed(self) -> None:
        """Read from the new file; queries under way end on the old one."""
        before, self._readers = self._readers, reader.Readers(self._path)
        loop = asyncio.get_running_loop()
        self._leaving = asyncio.gather(loop.run_in_executor(None, before.close), self._leave_view())


def _applied(connection: sqlite3.Connection) -> int:
    """Return up to which message a view is."""
    (sequence,) = connection.execute("SELECT sequence FROM applied").fetchone()
    return int(sequence)
