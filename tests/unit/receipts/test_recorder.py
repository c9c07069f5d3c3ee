"""The recorder: everything is written, nothing is waited for, and what is too much or too old goes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import LogError
from gateway.ids import uuid7
from gateway.receipts import Ended, Keep, Recorder, schema
from gateway.receipts.kept import of_event
from gateway.receipts.receipt import Kept
from gateway.receipts.recorder import BATCH
from gateway.receipts.schema import PRUNE_BATCHES
from tests.unit.receipts.making import attempt, recorded


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db.receipts"


def everything(path: Path) -> list[tuple[int, Kept]]:
    with closing(sqlite3.connect(path)) as connection:
        batches = connection.execute("SELECT last FROM batches ORDER BY last").fetchall()
        return [pair for (last,) in batches for pair in schema.attempts(connection, last)]


def attempts(path: Path, event: str, since: int = 0) -> list[tuple[str, str, int | None]]:
    connection = schema.open_for_reading(path)
    assert connection is not None
    with closing(connection):
        found = of_event(connection, event, since)
    return [(target, one.status, one.position) for target, (many, _) in found.items() for one in many]


def test_each_event_finds_its_requests(path: Path) -> None:
    one, other, third = uuid7(), uuid7(), uuid7()
    recorder = recorded(path, attempt(one), attempt(other, one), attempt(third, target="mail"))
    assert recorder.counts().written == 3
    assert attempts(path, one) == [("crm", "delivered", 1), ("crm", "delivered", 2)]
    assert attempts(path, other) == [("crm", "delivered", 1)]
    assert attempts(path, third) == [("mail", "delivered", 1)]
    assert attempts(path, uuid7()) == []


def test_numbers_go_on_in_a_file_that_is_there(path: Path) -> None:
    one = uuid7()
    for _ in range(3):
        recorded(path, attempt(one), Ended("crm", one, "dead", "no"))
    assert [number for number, _ in everything(path)] == [1, 2, 3, 4, 5, 6]
    assert attempts(path, one) == [("crm", "delivered", 1), ("crm", "dead", 1)] * 3


@pytest.mark.parametrize("number", [1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 7])
def test_any_number_at_once(path: Path, number: int) -> None:
    ids = [uuid7() for _ in range(number)]
    assert recorded(path, *map(attempt, ids)).counts().written == number
    assert [at for at, _ in everything(path)] == list(range(1, number + 1))
    assert attempts(path, ids[-1]) == [("crm", "delivered", 1)]
    assert attempts(path, ids[0]) == [("crm", "delivered", 1)]


def test_of_many_attempts_the_first_and_the_last_are_shown(path: Path) -> None:
    one = uuid7()
    recorded(path, *[attempt(one, attempt=number) for number in range(1, 101)])
    connection = schema.open_for_reading(path)
    assert connection is not None
    with closing(connection):
        shown, left_out = of_event(connection, one, 0)["crm"]
    assert ([x.attempt for x in shown], left_out) == ([1, *range(82, 101)], 80)


# --- too much --------------------------------------------------------------------------------------------


def test_what_cannot_be_written_in_time_is_shortened_and_then_dropped(path: Path) -> None:
    recorder = Recorder(path, Keep(), detail_bytes=10_000, most_bytes=16_000)
    ids = [uuid7() for _ in range(30)]
    for one in ids:
        recorder.add(attempt(one, body=b"b" * 2_000))
    recorder.add_end(Ended("crm", ids[0], "dead", "no"))
    before = recorder.counts()
    assert before.written == 0
    assert before.shortened > 0
    assert before.dropped > 0
    recorder.start()
    recorder.close()
    after = recorder.counts()
    assert (after.shortened, after.dropped) == (before.shortened, before.dropped)
    assert after.written + after.dropped == 31
    brief = [kept for _, kept in everything(path) if kept.path is None]
    assert (len(brief), len(everything(path))) == (after.shortened, after.written)


def test_room_comes_back_once_receipts_are_written(path: Path) -> None:
    recorder = Recorder(path, Keep(), detail_bytes=10_000, most_bytes=10_000)
    recorder.start()
    for number in range(5):
        recorder.add(attempt(uuid7(), body=b"b" * 5_000))
        while recorder.counts().written <= number:
            recorder._bell.set()
    recorder.close()
    assert (recorder.counts().shortened, recorder.counts().dropped) == (0, 0)


def test_nothing_is_kept_when_it_is_switched_off(path: Path) -> None:
    recorder = recorded(path, attempt(uuid7()), Ended("crm", uuid7(), "dead", "no"), keep=Keep(enabled=False))
    assert recorder.counts().written == 0
    assert not path.exists()


# --- a file that cannot be written -----------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"no database" * 100, None])
def test_a_file_that_cannot_be_used_is_a_fault_and_nothing_more(path: Path, content: bytes | None) -> None:
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    counts = recorded(path, attempt(uuid7()), attempt(uuid7())).counts()
    assert (counts.written, counts.dropped) == (0, 2)
    assert counts.fault


def test_another_programs_file_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE attempts (id INTEGER PRIMARY KEY)")
    counts = recorded(path, attempt(uuid7())).counts()
    assert "holds no receipts" in str(counts.fault)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (0,)
    with pytest.raises(LogError, match="holds no receipts"):
        schema.open_for_reading(path)


# --- how long --------------------------------------------------------------------------------------------


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    for _ in range(1_200 // 20):
        recorded(path, *[attempt(uuid7(), body=b"b" * 3_000) for _ in range(20)], clock=lambda: 1_000.0)
    recorded(path, *[attempt(uuid7()) for _ in range(10)], clock=lambda: 5_000.0)
    with closing(schema.open_for_writing(path)) as made:
        yield made


def left(connection: sqlite3.Connection) -> int:
    batches = connection.execute("SELECT last FROM batches").fetchall()
    return sum(len(schema.attempts(connection, last)) for (last,) in batches)


def test_old_receipts_go_in_small_steps(connection: sqlite3.Connection) -> None:
    keep = Keep(seconds=3_600)
    assert schema.prune(connection, keep, 4_000.0) == 0
    steps = [schema.prune(connection, keep, 6_000.0) for _ in range(4)]
    assert steps[:2] == [PRUNE_BATCHES, 1_200 // 20 - PRUNE_BATCHES]
    assert steps[2:] == [0, 0]
    assert left(connection) == 10
    assert connection.execute("SELECT count(*) FROM batches").fetchone() == (1,)


def test_too_many_bytes_go_from_the_oldest_on_and_their_room_is_used_again(connection: sqlite3.Connection) -> None:
    keep = Keep(bytes=2 << 20)
    size = connection.execute("PRAGMA page_count").fetchone()
    while schema.prune(connection, keep, 5_000.0):
        pass
    assert schema.used_bytes(connection) <= keep.bytes
    assert schema.used_bytes(connection) > keep.bytes - (200 << 10), "no more goes than has to"
    assert 0 < left(connection) < 1_210
    assert schema.last_number(connection) == 1_210
    assert connection.execute("PRAGMA page_count").fetchone() == size


def test_numbers_only_grow_when_all_is_gone(path: Path, connection: sqlite3.Connection) -> None:
    while schema.prune(connection, Keep(seconds=1), 1e9):
        pass
    assert left(connection) == 0
    one = uuid7()
    recorded(path, attempt(one))
    assert [number for number, _ in everything(path)] == [1_211]
    assert attempts(path, one) == [("crm", "delivered", 1)]


def test_the_recorder_prunes_by_itself(path: Path) -> None:
    recorded(path, *[attempt(uuid7()) for _ in range(700)], clock=lambda: 1_000.0)
    recorder = Recorder(path, Keep(seconds=60), clock=lambda: 5_000.0)
    recorder.start()
    while everything(path):
        recorder._bell.set()
    recorder.close()
