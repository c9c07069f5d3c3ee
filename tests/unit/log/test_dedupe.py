"""Duplicate keys: exact within the window, bounded, followed over processes."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LogError
from gateway.log import dedupe, schema
from gateway.log.dedupe import Duplicates

HOUR = 3_600_000
DAY_S = 86_400


def keys(count: int, seed: int = 1) -> list[bytes]:
    return [random.Random(seed * 1_000_003 + number).randbytes(16) for number in range(count)]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    schema.prepare(tmp_path / "log.db")
    with closing(schema.connect(tmp_path / "log.db")) as opened:
        yield opened


similar = st.lists(st.integers(0, 2), min_size=16, max_size=16).map(bytes)


@given(st.lists(similar, max_size=60), st.lists(similar, max_size=20))
def test_a_key_is_seen_exactly_when_it_was_added(added: list[bytes], asked: list[bytes]) -> None:
    duplicates = Duplicates(DAY_S, 1000)
    for key in added:
        duplicates.add(key, 0)
    assert [duplicates.seen(key) for key in added + asked] == [key in added for key in added + asked]


def test_a_match_across_two_entries_is_none() -> None:
    duplicates = Duplicates(DAY_S, 1000)
    duplicates.add(b"\x00\x00" + b"a" * 7 + b"b" * 7, 0)
    duplicates.add(b"\x00\x00" + b"c" * 7 + b"d" * 7, 0)
    assert not duplicates.seen(b"\x00\x00" + b"b" * 7 + b"\x00" + b"c" * 6)


@given(st.lists(st.integers(0, 3 * HOUR // 1000).map(lambda seconds: seconds * 1000), min_size=1, max_size=40))
def test_a_key_lives_for_the_window_and_at_most_a_24th_more(moments: list[int]) -> None:
    duplicates = Duplicates(HOUR / 1000, 100_000)
    ages = dict(zip(keys(len(moments)), sorted(moments), strict=True))
    for key, at in ages.items():
        duplicates.add(key, at)
    now = max(moments)
    duplicates.expire(now)
    for key, at in ages.items():
        if now - at < HOUR:
            assert duplicates.seen(key)
        if now - at > HOUR + HOUR / 24:
            assert not duplicates.seen(key)
    assert len(duplicates) == sum(duplicates.seen(key) for key in ages)


def test_over_the_bound_the_oldest_are_forgotten_and_counted() -> None:
    duplicates = Duplicates(DAY_S, 2400)
    given_keys = keys(5000)
    for key in given_keys:
        duplicates.add(key, 0)
    assert 2300 <= len(duplicates) <= 2400
    assert duplicates.forgotten == 5000 - len(duplicates)
    assert [duplicates.seen(key) for key in given_keys] == [False] * duplicates.forgotten + [True] * len(duplicates)


def test_one_large_batch_stays_within_the_bound() -> None:
    duplicates = Duplicates(DAY_S, 1000)
    given_keys = keys(5000)
    duplicates.add(b"".join(given_keys), 0)
    assert len(duplicates) <= 1000
    assert duplicates.seen(given_keys[-1])


def test_tags_are_used_again_after_many_generations() -> None:
    duplicates = Duplicates(24, 10_000)
    for number, key in enumerate(keys(300)):
        duplicates.add(key, number * 1000)
        duplicates.expire(number * 1000)
        assert duplicates.seen(key)
        assert len(duplicates) <= 26


def test_a_window_of_nothing_has_no_duplicates() -> None:
    duplicates = Duplicates(0, 1000)
    duplicates.add(b"k" * 16, 0)
    assert not duplicates.seen(b"k" * 16)


@pytest.mark.parametrize("key", [b"", b"k" * 15, b"k" * 17])
def test_a_key_of_another_length_is_an_error(key: bytes) -> None:
    with pytest.raises(LogError, match="16 bytes"):
        Duplicates(DAY_S, 1000).seen(key)


def test_what_was_written_is_read_again_and_what_others_write_is_followed(connection: sqlite3.Connection) -> None:
    mine, theirs = Duplicates(DAY_S, 1000), Duplicates(DAY_S, 1000)
    first, second = keys(2)
    mine.wrote(*mine.write(connection, [first], 0), 0)
    theirs.follow(connection, 0)
    assert theirs.seen(first)
    theirs.wrote(*theirs.write(connection, [second], 5), 5)
    mine.follow(connection, 5)
    assert mine.seen(second)
    assert len(mine) == len(theirs) == 2


def test_only_the_newest_keys_of_the_window_are_read(connection: sqlite3.Connection) -> None:
    writer = Duplicates(DAY_S, 100_000)
    given_keys = keys(100)
    for number, key in enumerate(given_keys):
        writer.write(connection, [key], number * HOUR)
    reader = Duplicates(DAY_S, 10)
    reader.follow(connection, 100 * HOUR)
    assert [key for key in given_keys if reader.seen(key)] == given_keys[-10:]
    long = Duplicates(DAY_S, 1000)
    long.follow(connection, 100 * HOUR)
    assert [key for key in given_keys if long.seen(key)] == given_keys[-23:]
    late = Duplicates(DAY_S, 1000)
    late.follow(connection, 1000 * HOUR)
    assert len(late) == 0


def test_rows_are_joined_and_deleted_without_losing_a_key(connection: sqlite3.Connection) -> None:
    writer = Duplicates(DAY_S, 100_000)
    behind = Duplicates(DAY_S, 100_000)
    given_keys = keys(3000)
    connection.execute("BEGIN")
    for number, key in enumerate(given_keys):
        writer.wrote(*writer.write(connection, [key], number * 1000), number * 1000)
        if number == 1500:
            behind.follow(connection, number * 1000)
    now = 3_000_000
    assert dedupe.untidy(connection, writer.window_ms, now)
    while dedupe.tidy(connection, writer.window_ms, now):
        pass
    assert not dedupe.untidy(connection, writer.window_ms, now)
    (rows,) = connection.execute("SELECT count(*) FROM keys").fetchone()
    assert rows < 100
    behind.follow(connection, now)
    again = Duplicates(DAY_S, 100_000)
    again.follow(connection, now)
    assert all(behind.seen(key) and again.seen(key) for key in given_keys)
    past = now + DAY_S * 1000
    assert dedupe.untidy(connection, writer.window_ms, past)
    while dedupe.tidy(connection, writer.window_ms, past):
        pass
    assert connection.execute("SELECT count(*) FROM keys").fetchone() == (1,)
    assert writer.write(connection, keys(1, seed=2), past)[0] > 3000
    connection.execute("COMMIT")
