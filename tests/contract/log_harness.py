"""What the contract suite of the log needs of an engine besides the log itself, and the words its tests share."""

import asyncio
import itertools
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import nats

from gateway.decision import Decision
from gateway.errors import LogLocked
from gateway.log.jetstream import view
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.jetstream.settings import JetStreamSettings
from gateway.log.jetstream.stream import wanted
from gateway.log.port import DeadLetter, Entry, Log, Parked, Role
from gateway.log.schema import MIGRATIONS
from gateway.log.sqlite import SqliteLog
from tests.contract import nats_server

ROOT: Final = Path(__file__).resolve().parents[2]

TO_CRM: Final = Decision(deliver=(("crm", "all"),), drop=(("mail", "only orders"),))
TO_BOTH: Final = Decision(deliver=(("crm", "all"), ("mail", "orders")))
TO_NONE: Final = Decision(drop=(("crm", "tests"), ("mail", "tests")))


class Clock:
    """Unix seconds that move when told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Harness(ABC):
    """One engine with a place to keep a log in."""

    one_for_each_role: bool
    """Whether roles exclude each other, over all processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()

    @abstractmethod
    async def open(self, role: Role = "all", **settings: Any) -> Log:
        """Open the log of this folder; settings are those of `SqliteLog.open`, those an engine lacks left out."""

    @abstractmethod
    async def prune(self, log: Log) -> None:
        """Do now what pruning is due."""

    @abstractmethod
    def full(self, log: Log) -> "Any":
        """Return an async context manager within which nothing more can be stored."""

    @abstractmethod
    def read_only(self, log: Log) -> "Any":
        """Return an async context manager within which the store refuses writing."""

    @abstractmethod
    def unusable(self) -> dict[str, Callable[[], None]]:
        """Return what can make a stored log unusable, by a word its error must hold."""

    @abstractmethod
    async def caught_up(self, log: Log) -> None:
        """Wait until an open log shows what other open logs have stored."""

    @asynccontextmanager
    async def opened(self, role: Role = "all", **settings: Any) -> AsyncIterator[Log]:
        """Have the log open."""
        log = await self.open(role, **settings)
        try:
            yield log
        finally:
            await log.close()

    @contextmanager
    def child(self, *words: str) -> Iterator["Child"]:
        """Have another process do something with the same log; see `tests.contract.log_child`."""
        child = Child([type(self).__name__, str(self.folder), *words])
        try:
            yield child
        finally:
            child.kill()


class SqliteHarness(Harness):
    """The embedded engine."""

    one_for_each_role = True

    @property
    def path(self) -> Path:
        return self.folder / "data" / "gateway.db"

    async def open(self, role: Role = "all", **settings: Any) -> SqliteLog:
        return await SqliteLog.open(self.path, role=role, **{"clock": self.clock, **settings})

    async def prune(self, log: Log) -> None:
        assert isinstance(log, SqliteLog)
        await log.prune()

    async def caught_up(self, log: Log) -> None:
        """Nothing to wait for: all have the same file."""

    def full(self, log: Log) -> Any:
        return self._within(log, "PRAGMA max_page_count=1", "PRAGMA max_page_count=1073741823")

    def read_only(self, log: Log) -> Any:
        return self._within(log, "PRAGMA query_only=1", "PRAGMA query_only=0")

    @asynccontextmanager
    async def _within(self, log: Log, before: str, after: str) -> AsyncIterator[None]:
        """Change the writing connection: done on its own thread, between commits."""
        assert isinstance(log, SqliteLog)
        await log._write(lambda connection: connection.execute(before).fetchone())
        try:
            yield
        finally:
            connection = log._writer._connection
            assert connection is not None
            connection.execute(after)

    def unusable(self) -> dict[str, Callable[[], None]]:
        return {
            "not a database": lambda: self._overwrite(b"these are not the bytes you are looking for" * 300),
            "another program's": self._foreign,
            "newer gateway": lambda: self._execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}"),
            "malformed": self._torn,
            "cannot be used": self._folder_instead,
        }

    def _overwrite(self, data: bytes) -> None:
        self.path.write_bytes(data)

    def _execute(self, statement: str) -> None:
        connection = sqlite3.connect(self.path)
        connection.execute(statement)
        connection.commit()
        connection.close()

    def _foreign(self) -> None:
        self.path.unlink()
        self._execute("CREATE TABLE recipes (name TEXT)")

    def _torn(self) -> None:
        data = bytearray(self.path.read_bytes())
        data[110:4096] = os.urandom(4096 - 110)
        self.path.write_bytes(data)

    def _folder_instead(self) -> None:
        self.path.unlink()
        self.path.mkdir()


class JetStreamHarness(Harness):
    """The journal in JetStream: a stream of its own for each folder, and a view for each that has it open."""

    one_for_each_role = False

    @property
    def stream(self) -> str:
        return f"log-{blake2b(str(self.folder).encode(), digest_size=8).hexdigest()}"

    def settings(self, number: int = 0, **more: Any) -> JetStreamSettings:
        """Return the settings of one node."""
        return JetStreamSettings(
            **{
                "servers": (nats_server.shared().url,),
                "stream": self.stream,
                "view": self.folder / "data" / f"view-{number}.db",
                "publish_s": 1.0,
                "max_bytes": 64 << 20,
                **more,
            }
        )

    @contextmanager
    def child(self, *words: str) -> Iterator["Child"]:
        nats_server.shared()  # of this process: one that a child had started would be left behind when it is killed
        with super().child(*words) as child:
            yield child

    async def open(self, role: Role = "all", **settings: Any) -> JetStreamLog:
        settings = {"clock": self.clock, **settings}
        settings.pop("shared_ingest", None)
        for number in itertools.count():
            with suppress(LogLocked):
                return await JetStreamLog.open(self.settings(number), role=role, **settings)
        raise AssertionError

    async def prune(self, log: Log) -> None:
        assert isinstance(log, JetStreamLog)
        await log.prune()

    async def caught_up(self, log: Log) -> None:
        assert isinstance(log, JetStreamLog)
        await log.catch_up()

    @asynccontextmanager
    async def full(self, log: Log) -> AsyncIterator[None]:
        client = await nats.connect(nats_server.shared().url)
        try:
            info = await client.jetstream().stream_info(self.stream)
            before = info.config.max_bytes
            await client.jetstream().update_stream(info.config.evolve(max_bytes=info.state.bytes))
            yield
            await client.jetstream().update_stream(info.config.evolve(max_bytes=before))
        finally:
            await client.close()

    @asynccontextmanager
    async def read_only(self, log: Log) -> AsyncIterator[None]:
        """Within which there is no server at all."""
        nats_server.shared().kill()
        try:
            yield
        finally:
            await asyncio.to_thread(nats_server.shared().start)

    def unusable(self) -> dict[str, Callable[[], None]]:
        return {
            "retention is": lambda: asyncio.run(self._made_anew({"retention": "workqueue"})),
            "another program's": lambda: asyncio.run(self._made_anew({})),
            "view of another stream": lambda: asyncio.run(self._made_anew(None)),
            "newer gateway": lambda: self._execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}"),
            "cannot be used": self._folder_instead,
            "has lost": lambda: self._execute("UPDATE applied SET sequence = 100"),
        }

    async def _made_anew(self, different: dict[str, Any] | None) -> None:
        """Put another stream in the place of this one."""
        client = await nats.connect(nats_server.shared().url)
        try:
            await client.jetstream().delete_stream(self.stream)
            if different is not None:
                config = wanted(self.settings()).evolve(metadata={"somebody": "else"}, **different)
                await client.jetstream().add_stream(config)
        finally:
            await client.close()

    def _execute(self, statement: str) -> None:
        connection = sqlite3.connect(self.settings().view)
        connection.execute(statement)
        connection.commit()
        connection.close()

    def _folder_instead(self) -> None:
        view.remove(self.settings().view)
        self.settings().view.mkdir()


class ClusterHarness(JetStreamHarness):
    """The journal on three servers, told by the one who has started them."""

    def settings(self, number: int = 0, **more: Any) -> JetStreamSettings:
        return super().settings(
            number,
            **{
                "servers": tuple(os.environ[CLUSTER].split()),
                "replicas": 3,
                "publish_s": 20.0,
                "connect_s": 15,
                **more,
            },
        )


CLUSTER: Final = "GATEWAY_TEST_CLUSTER"
"""URLs of the three servers."""
ENGINES: Final[dict[str, type[Harness]]] = {"SqliteHarness": SqliteHarness, "JetStreamHarness": JetStreamHarness}
HARNESSES: Final[dict[str, type[Harness]]] = {**ENGINES, "ClusterHarness": ClusterHarness}


class Child:
    """A process that says what it has done, one JSON value a line."""

    def __init__(self, words: Sequence[str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by kill
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.log_child", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.pid = self._process.pid

    def say(self) -> Any:
        """Return the next thing it says; an AssertionError when it has ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise AssertionError(self._errors.read().decode())
        return json.loads(line)

    def each(self) -> Iterator[Any]:
        """Yield what it says until it ends; a last line cut off by a kill is left out."""
        assert self._process.stdout is not None
        return (json.loads(line) for line in self._process.stdout if line.endswith(b"\n"))

    def rest(self) -> list[Any]:
        """Return all it says until it ends."""
        return list(self.each())

    def go_on(self) -> None:
        """Let it do the next thing."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it as a power cut would: nothing is finished or said."""
        if self._process.returncode is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None and not stream.closed:
                stream.close()

    def kill_now(self) -> None:
        """Kill it while another thread hears the rest of what it says."""
        self._process.kill()

    def kill_and_hear(self) -> list[Any]:
        """Kill it and return what it had said."""
        self._process.kill()
        return self.rest()


# --- words of the tests ----------------------------------------------------------------------------------


def entry(
    name: str,
    decision: Decision = TO_BOTH,
    key: bytes | None = None,
    body: bytes | None = None,
    once_s: float | None = None,
) -> Entry:
    """Return an entry whose body says which it is."""
    return Entry(name, name.encode() if body is None else body, decision, key, once_s)


def key(name: str) -> bytes:
    """Return a duplicate key."""
    return name.encode().ljust(16, b"-")


def parked(seq: int, lane: str = "ann", due_at: float = 0.0, **more: Any) -> Parked:
    """Return a row to park."""
    return Parked(seq, lane, due_at, **{"attempts": 1, "reason": "503", "first_at": 5.0, **more})


def letter(seq: int, target: str = "crm", **more: Any) -> DeadLetter:
    """Return a dead letter."""
    given: dict[str, Any] = {
        "event_id": f"e{seq}",
        "rule": "all",
        "body": f"e{seq}".encode(),
        "reason": "refused",
        "died_at": datetime(2026, 11, 21, 12, 0, 0, 123457, tzinfo=UTC),
        "attempts": 3,
        "lane": "ann",
    }
    return DeadLetter(target=target, seq=seq, **{**given, **more})


async def bodies(log: Log, target: str, after: int = 0) -> list[str]:
    """Return all of a target's events after a place."""
    found: list[str] = []
    while True:
        records, place = await log.read(target, after, 100, 1 << 20)
        found += [record.body.decode() for record in records]
        if place == after:
            return found
        after = place


async def places(log: Log) -> list[int]:
    """Return the places of the events that are held, in order, after a 0: the first event's is ``places(log)[1]``."""
    return [0, *(seq for seq, _ in await log.scan(0, 10_000, 1 << 30))]


def content(harness: JetStreamHarness, number: int) -> dict[str, list[Any]]:
    """Return all rows of a node's view, but for which node has sent what."""
    with closing(sqlite3.connect(harness.settings(number).view)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(connection.execute(f"SELECT * FROM {name}")) for name in tables if name != "nodes"}


async def balance(log: Log) -> dict[str, dict[str, int]]:
    """Return the counts of all targets, checked to add up."""
    status = await log.status()
    assert {target.target: target.missing for target in status.targets} == dict.fromkeys(
        (target.target for target in status.targets), 0
    )
    names = ("accepted", "delivered", "queued", "parked", "dropped", "duplicate", "dead")
    return {target.target: {name: getattr(target, name) for name in names} for target in status.targets}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes about by itself; 20 s at most, then it never will."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # what is waited for may be another process's
            await asyncio.sleep(0.01)
