"""Keys that count for a time of their own: many asked about at once are told as one after the other would be."""

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.log import once, schema

KEYS = st.lists(st.tuples(st.integers(0, 5).map(lambda n: bytes([n]) * 16), st.sampled_from([0, 1, 60])), max_size=9)


def remembering() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statements in schema.MIGRATIONS:
        for statement in statements:
            connection.execute(statement)
    return connection


@pytest.fixture
def table() -> Iterator[sqlite3.Connection]:
    connection = remembering()
    yield connection
    connection.close()


@given(st.lists(st.tuples(KEYS, st.sampled_from([0, 500, 1000, 30_000, 70_000])), max_size=6))
def test_a_key_counts_for_its_time_whether_asked_about_alone_or_among_others(
    asked: list[tuple[list[tuple[bytes, float]], int]],
) -> None:
    connection = remembering()
    until: dict[bytes, int] = {}
    at = 0
    for keys, later in asked:
        at += later
        expected = []
        for key, seconds in keys:
            expected.append(until.get(key, 0) <= at if key in until else True)
            if expected[-1]:
                until[key] = at + int(seconds * 1000)
        assert once.first_of(connection, keys, at) == expected
    connection.close()


@pytest.mark.parametrize("number", [0, 1, 63, 64, 65, 200])
def test_any_number_of_keys_may_be_asked_about(table: sqlite3.Connection, number: int) -> None:
    keys = [(n.to_bytes(16), 60.0) for n in range(number)]
    assert once.first_of(table, keys, 1000) == [True] * number
    assert once.first_of(table, keys, 1000) == [False] * number
    assert table.execute("SELECT count(*) FROM once").fetchone() == (number,)
