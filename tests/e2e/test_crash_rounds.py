"""Killed under load, thirty times and more: nothing accepted is lost, nothing refused arrives, the order holds."""

import sqlite3
from contextlib import closing

from gateway.log.schema import MIGRATIONS
from tests.e2e.crash_rounds import rounds
from tests.e2e.harness import World
from tests.e2e.struck import ALL

KILLS = 30
STOPS = 3
MIGRATION = [point for point in ALL if "migration" in point]
OTHERS = [point for point in ALL if "migration" not in point]
SHORT = {"retention": {"hours": 0.00001}}


def test_killed_again_and_again(here: World) -> None:
    """`scripts/soak crash --rounds 200` goes on for longer."""
    with rounds(here, seed=11) as run:
        for number in range(KILLS + STOPS):
            run.round(run.draw.uniform(0.03, 0.3), "terminate" if number % 10 == 9 else "kill")
        account = run.finish()
    print(account.summary())
    account.check()
    assert len(account.accepted) > 20 * KILLS, "there was no load"


def test_struck_at_the_worst_moments(here: World) -> None:
    """In the middle of a group commit, of a settlement, of pruning, of a checkpoint, and of a schema migration."""
    log = {"sqlite": "gateway.db", **SHORT}
    with rounds(here, seed=12, config={"log": log}) as run:
        for point in OTHERS:
            run.struck(point, run.draw.randint(1, 4))
        for point in MIGRATION:
            make_older(here)
            run.struck(point)
        account = run.finish()
    print(account.summary())
    account.check()
    assert [end.kind for end in account.ends] == ["kill"] * len(ALL)
    assert pruned(here) > 0


def make_older(here: World) -> None:
    """Turn the log into one of the program before, schema version 1, with all it holds."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    with closing(sqlite3.connect(":memory:")) as first, closing(sqlite3.connect(here.folder / "gateway.db")) as log:
        for statement in MIGRATIONS[0]:
            first.execute(statement)
        newer = set(log.execute(tables).fetchall()) - set(first.execute(tables).fetchall())
        for (name,) in newer:
            log.execute(f"DROP TABLE {name}")
        log.execute("PRAGMA user_version=1")


def pruned(here: World) -> int:
    with closing(sqlite3.connect(here.folder / "gateway.db")) as connection:
        return int(connection.execute("SELECT place FROM pruned").fetchone()[0])
