"""The page about several machines says of each table of a log what a move makes of it."""

import re
import sqlite3
from contextlib import closing

from gateway.log.jetstream.view import NAMES, TABLES
from gateway.log.schema import MIGRATIONS
from tests.docs.test_blocks import ROOT


def test_it_tells_what_becomes_of_every_table_that_is_moved() -> None:
    rows = "\n".join(re.findall(r"^\|([^|]*)\|", (ROOT / "docs" / "cluster.md").read_text(), re.MULTILINE))
    with closing(sqlite3.connect(":memory:")) as log:
        for statement in (*[one for version in MIGRATIONS for one in version], *TABLES):
            log.execute(statement)
        found = log.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        names = {name for (name,) in found}
    assert names >= set(NAMES)
    assert [name for name in sorted(names) if f"`{name}`" not in rows] == []
