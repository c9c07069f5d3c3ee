"""Who owns a target: one node at a time, whatever they believe; in the order of the journal."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.log import owners, schema, targets
from gateway.log.owners import Stolen
from gateway.log.port import Settlement


@pytest.fixture
def view(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    schema.prepare(tmp_path / "view")
    connection = schema.connect(tmp_path / "view")
    for table in owners.TABLES:
        connection.execute(table)
    targets.register(connection, ["crm"])
    yield connection
    connection.close()


def test_a_target_of_nobody_is_the_first_ones(view: sqlite3.Connection) -> None:
    assert owners.claim(view, "one", {"crm": None}) == ["crm"]
    assert owners.claim(view, "two", {"crm": None}) == []
    assert owners.claim(view, "one", {"crm": None}) == ["crm"]
    assert owners.owners(view).owners == {"crm": "one"}


def test_an_owner_that_has_beaten_since_keeps_it(view: sqlite3.Connection) -> None:
    seen = owners.beat(view, "one", {})
    owners.claim(view, "one", {"crm": None})
    owners.beat(view, "one", {})
    assert owners.claim(view, "two", {"crm": ("one", seen)}) == []
    assert owners.claim(view, "two", {"crm": ("one", seen + 1)}) == ["crm"]


def test_what_is_settled_by_another_than_the_owner_does_not_count(view: sqlite3.Connection) -> None:
    owners.claim(view, "one", {"crm": None})
    owners.settle(view, "one", "crm", Settlement(delivered=1))
    with pytest.raises(Stolen, match="another node"):
        owners.settle(view, "two", "crm", Settlement(delivered=1))
    (crm,) = targets.status(view).targets
    assert crm.delivered == 1


def test_what_is_given_back_is_anybodys_and_comes_with_its_limits(view: sqlite3.Connection) -> None:
    owners.beat(view, "one", {"account": b"old"})
    owners.claim(view, "one", {"crm": None})
    owners.release(view, "two", ["crm"], {})
    assert owners.owners(view).owners == {"crm": "one"}
    owners.release(view, "one", ["crm"], {"account": b"new"})
    assert owners.limits(view) == {"account": b"new"}
    assert owners.claim(view, "two", {"crm": None}) == ["crm"]


def test_a_node_that_leaves_leaves_nothing(view: sqlite3.Connection) -> None:
    owners.beat(view, "one", {})
    owners.claim(view, "one", {"crm": None})
    owners.leave(view, "one", {})
    assert owners.owners(view) == owners.Owners({}, {})


def test_a_silent_node_is_forgotten_once_it_owns_nothing(view: sqlite3.Connection) -> None:
    seen = owners.beat(view, "one", {})
    owners.claim(view, "one", {"crm": None})
    owners.bury(view, "one", seen)
    assert "one" in owners.owners(view).beats
    owners.release(view, "one", ["crm"], {})
    owners.bury(view, "one", seen - 1)
    assert "one" in owners.owners(view).beats
    owners.bury(view, "one", seen)
    assert owners.owners(view).beats == {}
