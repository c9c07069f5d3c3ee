"""Which node delivers to which target, where several nodes share a log.

A node says that it lives by a beat, a number that grows. Whoever has seen the same beat of a target's owner for long
may claim the target, naming that beat: the claim holds only if the owner has not beaten since, in the order of the
journal. So no clocks are compared, and two never own a target at once. What an owner settles counts only while it is
the owner.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from msgspec import Struct

from gateway.errors import LogError
from gateway.log import targets
from gateway.log.port import Settlement

TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS beats (node TEXT PRIMARY KEY, beat INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS owners (target TEXT PRIMARY KEY, node TEXT NOT NULL) WITHOUT ROWID",
    # What was sent lately at an account at a vendor: `gateway.delivery.LimiterState`.
    "CREATE TABLE IF NOT EXISTS limits (account TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID",
)


class Owners(Struct, frozen=True):
    """Who is there and who owns what."""

    beats: dict[str, int]
    """Node -> its last beat."""
    owners: dict[str, str]
    """Target -> node."""


@runtime_checkable
class SharedLog(Protocol):
    """A log that several nodes have, each of which delivers to its share of the targets."""

    @property
    def node(self) -> str:
        """This node's name; another after each start."""

    async def owners(self) -> Owners:
        """Return who owns what."""

    async def limits(self) -> dict[str, bytes]:
        """Return what nodes have told of limits, by account."""

    async def beat(self, known: Mapping[str, bytes]) -> int:
        """Say that this node lives."""

    async def claim(self, wanted: Mapping[str, tuple[str, int] | None]) -> list[str]:
        """Become the owner of targets; return those that succeeded."""

    async def release(self, given: Sequence[str], known: Mapping[str, bytes]) -> None:
        """Let go of targets."""

    async def leave(self, known: Mapping[str, bytes]) -> None:
        """Let go of all."""

    async def bury(self, node: str, last: int) -> None:
        """Forget a node that is gone."""


class Stolen(LogError):
    """A target belongs to another node now."""


def owners(connection: sqlite3.Connection) -> Owners:
    """Return who owns what."""
    return Owners(
        dict(connection.execute("SELECT node, beat FROM beats").fetchall()),
        dict(connection.execute("SELECT target, node FROM owners").fetchall()),
    )


def limits(connection: sqlite3.Connection) -> dict[str, bytes]:
    """Return what was sent lately, by account."""
    return dict(connection.execute("SELECT account, state FROM limits").fetchall())


def beat(connection: sqlite3.Connection, node: str, known: Mapping[str, bytes]) -> int:
    """Say that a node lives, and what it knows of limits by account; return its new beat."""
    connection.execute("INSERT INTO beats VALUES (?, 0) ON CONFLICT DO UPDATE SET beat = beat + 1", (node,))
    connection.executemany("REPLACE INTO limits VALUES (?, ?)", list(known.items()))
    (number,) = connection.execute("SELECT beat FROM beats WHERE node = ?", (node,)).fetchone()
    return int(number)


def claim(connection: sqlite3.Connection, node: str, wanted: Mapping[str, tuple[str, int] | None]) -> list[str]:
    """Make a node the owner of those targets that nobody owns, or whose owner has not beaten since.

    Args:
        wanted: target -> its owner and that one's last beat as the node saw them; None: nobody owned it.

    Returns:
        The targets that it owns now.
    """
    now = owners(connection)
    got = []
    for target, seen in wanted.items():
        owner = now.owners.get(target)
        if owner not in (None, node) and (seen is None or (owner, now.beats.get(owner or "", -1)) != seen):
            continue
        connection.execute("REPLACE INTO owners VALUES (?, ?)", (target, node))
        got.append(target)
    return got


def release(connection: sqlite3.Connection, node: str, given: Sequence[str], known: Mapping[str, bytes]) -> None:
    """Let go of a node's targets."""
    connection.executemany("DELETE FROM owners WHERE target = ? AND node = ?", [(target, node) for target in given])
    connection.executemany("REPLACE INTO limits VALUES (?, ?)", list(known.items()))


def leave(connection: sqlite3.Connection, node: str, known: Mapping[str, bytes]) -> None:
    """Let go of all that a node has, and of the node."""
    connection.executemany("REPLACE INTO limits VALUES (?, ?)", list(known.items()))
    connection.execute("DELETE FROM owners WHERE node = ?", (node,))
    connection.execute("DELETE FROM beats WHERE node = ?", (node,))


def bury(connection: sqlite3.Connection, node: str, last: int) -> None:
    """Forget a node that has been silent since a beat, if it owns nothing."""
    connection.execute(
        "DELETE FROM beats WHERE node = ? AND beat = ? AND NOT EXISTS (SELECT 1 FROM owners WHERE node = ?)",
        (node, last, node),
    )


def settle(connection: sqlite3.Connection, node: str, target: str, settlement: Settlement) -> None:
    """Record what became of events, unless another node is the target's owner.

    Raises:
        Stolen: another is.
        LogError: as for `targets.settle`.
    """
    row = connection.execute("SELECT node FROM owners WHERE target = ?", (target,)).fetchone()
    if row is not None and row[0] != node:
        raise Stolen(f"target {target!r} belongs to another node now")
    targets.settle(connection, target, settlement)
