"""What is the SQLite engine's own: its thread, its files, its versions, the operating system's refusals."""

import asyncio
import ctypes
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.decision import Decision
from gateway.errors import LogError, LogUnavailable
from gateway.log import checkpoint, reader, schema
from gateway.log.port import Entry, Log, Settlement
from gateway.log.sqlite import SqliteLog
from tests.contract.log_harness import until

TO_CRM = Decision(deliver=(("crm", "all"),))
ROOT = Path(__file__).resolve().parents[3]


def entry(name: str, body: bytes = b"{}", key: bytes | None = None) -> Entry:
    return Entry(name, body, TO_CRM, key)


def play(path: Path, work: Callable[[SqliteLog], Any], **settings: Any) -> None:
    async def run() -> None:
        log = await SqliteLog.open(path, role="all", **settings)
        try:
            await work(log)
        finally:
            await log.close()

    asyncio.run(run())


def strike_dead(thread: threading.Thread) -> None:
    """Raise SystemExit in a thread, wherever it is."""
    assert thread.ident is not None
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)) == 1


def test_it_is_a_log(tmp_path: Path) -> None:
    async def work(log: Log) -> None:
        assert (await log.status()).events == 0

    play(tmp_path / "log.db", work)


def test_a_scan_gives_back_any_bytes_in_order(tmp_path: Path) -> None:
    bodies = [b"one", b"", b"\x00\xff,\x00", b"", b"last"]

    async def work(log: SqliteLog) -> None:
        assert await log.head() == 0
        await log.append([entry("e", body) for body in bodies])
        assert await log.head() == 5
        assert await log.scan(0, 10, 1000) == list(enumerate(bodies, 1))
        assert await log.scan(1, 3, 1000) == list(enumerate(bodies, 1))[1:4]
        assert await log.scan(0, 10, 3) == [(1, b"one"), (2, b"")]
        assert await log.scan(2, 10, 1) == [(3, bodies[2])]
        assert await log.scan(5, 10, 1000) == []

    play(tmp_path / "log.db", work)


def test_a_dead_writer_is_told_to_its_waiters_and_followed_by_another(tmp_path: Path) -> None:
    async def work(log: SqliteLog) -> None:
        await log.append([entry("e1", key=b"k" * 16)])
        before = log._writer._thread
        reached, go_on = threading.Event(), threading.Event()

        def stuck(_: object) -> None:
            reached.set()
            go_on.wait()
            sys.exit("struck")

        call = asyncio.ensure_future(log._write(stuck))
        await asyncio.to_thread(reached.wait)
        go_on.set()
        with pytest.raises(LogUnavailable, match="crashed"):
            await call
        assert log.fault
        await log.append([entry("e2"), entry("e3", key=b"k" * 16)])
        assert log.fault is None
        assert log._writer._thread is not before
        assert (await log.status()).events == 2

    play(tmp_path / "log.db", work)


def test_a_writer_struck_while_idle_is_replaced(tmp_path: Path) -> None:
    async def work(log: SqliteLog) -> None:
        for number in range(3):
            before = log._writer._thread
            strike_dead(before)
            await asyncio.to_thread(before.join)
            await log.append([entry(f"e{number}")])
        assert (await log.status()).events == 3

    play(tmp_path / "log.db", work)


def test_closing_waits_for_a_writer_that_crashes_at_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        log = await SqliteLog.open(tmp_path / "log.db", role="all")
        started = threading.Event()

        def crash(_: object) -> None:
            started.wait()
            sys.exit("struck")

        call = asyncio.ensure_future(log._write(crash))
        late = asyncio.ensure_future(log.append([entry("late")]))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(log.close())
        await asyncio.sleep(0)
        started.set()
        await closing
        with pytest.raises(LogUnavailable):
            await call
        await asyncio.gather(late, return_exceptions=True)

    asyncio.run(run())


def test_a_sender_begins_after_what_is_still_being_settled(tmp_path: Path) -> None:
    """Also when nobody waits for it any more, as when a target changes while the disk hangs: nothing counts twice."""

    async def work(log: SqliteLog) -> None:
        await log.register(["crm"])
        await log.append([entry("e1")])
        with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as disk:
            disk.execute("BEGIN IMMEDIATE")
            settling = asyncio.ensure_future(log.settle("crm", Settlement(cursor=1, delivered=1)))
            await asyncio.sleep(0.2)
            settling.cancel()
            asking = asyncio.ensure_future(log.cursor("crm"))
            await asyncio.sleep(0.2)
            disk.execute("ROLLBACK")
            assert await asking == 1

    play(tmp_path / "log.db", work)


def test_what_was_handed_over_before_the_end_is_stored_and_told(tmp_path: Path) -> None:
    async def run() -> None:
        log = await SqliteLog.open(tmp_path / "log.db", role="all")
        told: list[Exception | None] = []
        for number in range(300):
            log.hand_over([entry(f"e{number}")], told.append)
        await log.close()
        assert told == [None] * 300
        with pytest.raises(LogUnavailable):
            log.hand_over([entry("late")], told.append)

    asyncio.run(run())
    play(tmp_path / "log.db", lambda log: _holds(log, 300))


async def _holds(log: SqliteLog, events: int) -> None:
    assert (await log.status()).events == events


def test_one_who_fails_when_told_does_not_keep_it_from_the_others(tmp_path: Path) -> None:
    async def work(log: SqliteLog) -> None:
        heard: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["exception"]))
        fault = RuntimeError("not mine")

        def fail(_: object) -> None:
            raise fault

        log.hand_over([entry("e1")], fail)
        await log.append([entry("e2")])
        assert heard == [fault]
        assert (await log.status()).events == 2

    play(tmp_path / "log.db", work)


def test_entries_that_cannot_be_stored_fail_alone(tmp_path: Path) -> None:
    async def work(log: SqliteLog) -> None:
        bad = Entry("bad", "no bytes \ud800", TO_CRM)  # type: ignore[arg-type]  # what the types forbid
        short = entry("short", key=b"short")
        outcomes = await asyncio.gather(
            log.append([entry("e1")]), log.append([bad]), log.append([short]), log.append([entry("e2")]),
            return_exceptions=True,
        )  # fmt: skip
        assert [type(outcome) for outcome in outcomes] == [type(None), LogError, LogError, type(None)]
        assert log.fault is None
        assert (await log.status()).events == 2

    play(tmp_path / "log.db", work)


DISK_FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
from gateway.decision import Decision
from gateway.errors import LogUnavailable
from gateway.log.port import Entry
from gateway.log.sqlite import SqliteLog

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    log = await SqliteLog.open(Path(sys.argv[1]), role="all")
    entries = [Entry("e", bytes(3000), Decision(deliver=(("crm", "all"),)), None)] * 20
    await log.register(["crm"])
    await log.append(entries)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    refused = stored = 0
    for _ in range(10):
        try:
            await log.append(entries)
            stored += 1
        except LogUnavailable:
            refused += 1
    assert refused and log.fault, (refused, log.fault)
    little = 0
    for _ in range(3):
        try:
            await log.append([Entry("little", b"x", Decision(deliver=(("crm", "all"),)), None)])
            little += 1
        except LogUnavailable:
            pass
        assert log.fault, "a little found room, and that was taken for a cure"
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await log.append(entries)
    assert log.fault is None
    (crm,) = (await log.status()).targets
    assert crm.missing == 0 and crm.queued == 20 * (stored + 2) + little, crm
    await log.close()

asyncio.run(main())
"""


def run_child(code: str, path: Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=False, **settings
    )


def test_the_operating_system_refuses_to_write_and_then_does_not(tmp_path: Path) -> None:
    done = run_child(DISK_FULL, tmp_path / "log.db")
    assert (done.returncode, done.stderr) == (0, "")


NOT_OURS = """
import asyncio, os, sys
from gateway.errors import LogError
from gateway.log.sqlite import SqliteLog
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(SqliteLog.open(sys.argv[1], role="all"))
except LogError as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_file_or_folder_of_somebody_else_is_one_clear_error(what: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        if what == "file":
            schema.prepare(path)
            path.chmod(0o400)
        Path(folder).chmod(0o555)
        done = run_child(NOT_OURS, path)
        Path(folder).chmod(0o700)
    assert done.stderr == ""
    assert done.stdout.startswith(f"{path} cannot be used as a log: ")


def test_an_older_file_is_brought_up_to_date_with_all_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def store(log: SqliteLog) -> None:
        await log.register(["crm"])
        await log.append([entry("e1")])

    async def look(log: SqliteLog) -> None:
        assert await log._readers.run(lambda connection: connection.execute("SELECT * FROM notes").fetchall()) == [(1,)]
        assert [body for _, body in await log.scan(0, 10, 100)] == [b"{}"]

    play(tmp_path / "log.db", store)
    newer = (*schema.MIGRATIONS, ("CREATE TABLE notes AS SELECT count(*) FROM events",))
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    play(tmp_path / "log.db", look)
    play(tmp_path / "log.db", look)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def store(log: SqliteLog) -> None:
        await log.append([entry("e1")])

    play(tmp_path / "log.db", store)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("DROP TABLE events", "NONSENSE")))
    with pytest.raises(LogError, match="syntax error"):
        play(tmp_path / "log.db", store)
    monkeypatch.undo()
    play(tmp_path / "log.db", store)


def test_folders_on_the_way_are_made_and_a_clean_close_leaves_one_file_of_data(tmp_path: Path) -> None:
    async def work(log: SqliteLog) -> None:
        await log.append([entry("e1")])
        assert log.wal_bytes > 0

    path = tmp_path / "a" / "b" / "log.db"
    play(path, work)
    assert checkpoint.wal_bytes(path) == 0


def test_the_wal_is_carried_over_while_writing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "RESTART_FROM", 1 << 20)
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.01)

    async def work(log: SqliteLog) -> None:
        stored = 0
        async with asyncio.timeout(60):
            while stored < 3_000_000 or log.wal_bytes > stored / 2:
                await log.append([entry("e", bytes(1000))] * 100)
                stored += 100_000
        assert (await log.status()).bytes == stored
        assert log.fault is None

    play(tmp_path / "log.db", work)


def test_a_checkpoint_that_fails_is_said_and_tried_again(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "later" / "log.db"
        checkpointer = checkpoint.Checkpointer(path, lambda: 1, lambda: None)
        try:
            await until(lambda: checkpointer.fault is not None)
            path.parent.mkdir()
            schema.prepare(path)
            await until(lambda: checkpointer.fault is None)
        finally:
            await asyncio.to_thread(checkpointer.stop)

    asyncio.run(run())


def test_readers_close_a_connection_that_has_failed(tmp_path: Path) -> None:
    async def work(log: SqliteLog) -> None:
        for _ in range(3):
            with pytest.raises(LogError, match="no such table"):
                await log._readers.run(lambda connection: connection.execute("SELECT * FROM nowhere"))
        assert await log.scan(0, 1, 1) == []

    play(tmp_path / "log.db", work)


def test_every_query_of_a_read_uses_an_index(tmp_path: Path) -> None:
    schema.prepare(tmp_path / "log.db")
    connection = schema.connect(tmp_path / "log.db")
    plans: list[str] = []
    connection.set_trace_callback(plans.append)
    for gaps in (False, True):
        reader.read(connection, "crm", 0, 10, 100, gaps=gaps)
    reader.next_place(connection, "crm", 0)
    connection.set_trace_callback(None)
    details = [
        row[3]
        for query in plans
        if query.startswith("SELECT")
        for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")
    ]
    connection.close()
    assert any("events_by_decision" in detail for detail in details)
    assert [detail for detail in details if detail.startswith("SCAN") and detail not in ALLOWED] == []


ALLOWED = {"SCAN CONSTANT ROW", "SCAN pruned", "SCAN e"}
"""`pruned` has one row; `e` is what the walk comes by."""


def test_many_decisions_are_stored_once_each(tmp_path: Path) -> None:
    async def work(log: SqliteLog) -> None:
        await log.register(["crm"])
        decisions = [Decision(deliver=(("crm", f"rule {number % 7}"),)) for number in range(5000)]
        for start in range(0, 5000, 500):
            await log.append([Entry("e", b"", decision) for decision in decisions[start : start + 500]])
        count = "SELECT count(*) FROM decisions"
        assert await log._readers.run(lambda connection: connection.execute(count).fetchone()) == (7,)
        records, _ = await log.read("crm", 0, 20, 100)
        assert [record.rule for record in records] == [f"rule {number % 7}" for number in range(20)]

    play(tmp_path / "log.db", work)


def test_settlements_of_one_moment_share_commits(tmp_path: Path) -> None:
    async def work(log: SqliteLog) -> None:
        await log.register(["crm"])
        await log.append([entry(f"e{number}") for number in range(200)])
        before = log._writer.commits
        await asyncio.gather(*(log.settle("crm", Settlement(cursor=place, delivered=1)) for place in range(1, 201)))
        assert log._writer.commits - before < 20
        (crm,) = (await log.status()).targets
        assert (crm.delivered, crm.missing) == (200, 0)

    play(tmp_path / "log.db", work)
