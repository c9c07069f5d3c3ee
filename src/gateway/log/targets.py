"""Targets' places and sums, and who else keeps events from being pruned."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from gateway.decision import UNROUTED
from gateway.errors import LogError
from gateway.log import exceptions, reader, store
from gateway.log.port import LogStatus, Settlement, TargetStatus
from gateway.log.schema import NOTHING


def register(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    """Give each new target the log's end as its place; what was counted before is not counted for it."""
    place = store.head(connection)
    for name in names:
        new = connection.execute("INSERT INTO targets VALUES (?, ?, 0) ON CONFLICT DO NOTHING", (name, place)).rowcount
        if new:
            connection.execute("INSERT INTO baselines SELECT ?, decision, stored FROM tally", (name,))


def place_of(connection: sqlite3.Connection, name: str) -> int:
    """Return a target's place, registering it if need be."""
    register(connection, (name,))
    place = reader.cursor(connection, name)
    return 0 if place is None else place


def forget(connection: sqlite3.Connection, name: str) -> None:
    """Remove a target with all that is kept for it; under the same name, a new one begins anew.

    Raises:
        LogError: there is no such target.
    """
    if not connection.execute("DELETE FROM targets WHERE name = ?", (name,)).rowcount:
        raise LogError(f"there is no target {name!r}")
    for table in ("baselines", "dropped", "again", "imported", "replays", "dead"):
        connection.execute(f"DELETE FROM {table} WHERE target = ?", (name,))  # noqa: S608  # names of ours
    exceptions.unpark_all(connection, name)


def settle(connection: sqlite3.Connection, name: str, settlement: Settlement) -> None:
    """Record what became of events.

    Raises:
        LogError: no such target, a place beyond the log's end, or an event that is not the target's.
    """
    place = reader.cursor(connection, name)
    if place is None:
        raise LogError(f"there is no target {name!r}")
    if settlement.cursor is not None and settlement.cursor > place:
        if settlement.cursor > store.head(connection):
            raise LogError(f"target {name!r} cannot be at {settlement.cursor}, beyond the log's end")
        place = settlement.cursor
    connection.execute(
        "UPDATE targets SET cursor = ?, delivered = delivered + ? WHERE name = ?", (place, settlement.delivered, name)
    )
    for row in settlement.park:
        exceptions.park(connection, name, row)
    for letter in settlement.dead:
        exceptions.bury(connection, name, letter)
    if settlement.unpark:
        exceptions.unpark(connection, name, settlement.unpark)
    for reason, events in settlement.dropped.items():
        exceptions.count_dropped(connection, name, reason, events)


def hold(connection: sqlite3.Connection, name: str, place: int | None, now_ms: int) -> None:
    """Keep what is after a place, or let go."""
    if place is None:
        connection.execute("DELETE FROM holds WHERE name = ?", (name,))
        return
    connection.execute("REPLACE INTO holds VALUES (?, ?, ?)", (name, place, now_ms))


def status(connection: sqlite3.Connection) -> LogStatus:
    """Return all counts, as of one moment."""
    with reader.snapshot(connection):
        stored, size = connection.execute(
            "SELECT coalesce(sum(stored), 0), coalesce(sum(bytes), 0) FROM tally WHERE decision != ?", (NOTHING,)
        ).fetchone()
        gone, gone_bytes = connection.execute("SELECT events, bytes FROM pruned").fetchone()
        names = connection.execute("SELECT name, cursor, delivered FROM targets ORDER BY name").fetchall()
        return LogStatus(
            targets=[_target(connection, *row) for row in names],
            events=stored - gone,
            bytes=size - gone_bytes,
            head=store.head(connection),
        )


_FATES: Final = """
    SELECT t.decision = 0, coalesce(f.delivers, 0), coalesce(f.rule, ?), sum(t.stored - coalesce(b.stored, 0))
    FROM tally t
    LEFT JOIN baselines b ON b.target = ? AND b.decision = t.decision
    LEFT JOIN fates f ON f.target = ? AND f.decision = t.decision
    GROUP BY 1, 2, 3
"""


def _target(connection: sqlite3.Connection, name: str, place: int, delivered: int) -> TargetStatus:
    accepted = duplicate = 0
    dropped = dict(connection.execute("SELECT rule, events FROM dropped WHERE target = ?", (name,)).fetchall())
    for is_duplicate, delivers, rule, events in connection.execute(_FATES, (UNROUTED, name, name)):
        accepted += events
        if is_duplicate:
            duplicate = events
        elif not delivers and events:
            dropped[rule] = dropped.get(rule, 0) + events
    again = _count(connection, "SELECT coalesce(sum(events), 0) FROM again WHERE target = ?", (name,))
    ahead = _count(
        connection,
        "SELECT count(*) FROM fates f CROSS JOIN events e ON e.decision = f.decision AND e.seq > ?"
        " WHERE f.target = ? AND f.delivers = 1",
        (place, name),
    )
    parked = _count(connection, "SELECT count(*) FROM parked WHERE target = ?", (name,))
    return TargetStatus(
        target=name,
        accepted=accepted + again,
        delivered=delivered,
        queued=ahead + parked,
        parked=parked,
        dropped=sum(dropped.values()),
        dropped_by=dropped,
        duplicate=duplicate,
        dead=_count(connection, "SELECT count(*) FROM dead WHERE target = ?", (name,)),
        cursor=place,
        oldest_queued_at=_oldest(connection, name, place),
        again=again,
    )


def _count(connection: sqlite3.Connection, query: str, values: tuple[object, ...]) -> int:
    return int(connection.execute(query, values).fetchone()[0])


def _oldest(connection: sqlite3.Connection, name: str, place: int) -> float | None:
    times = connection.execute("SELECT min(at) FROM parked WHERE target = ?", (name,)).fetchone()
    following = reader.next_place(connection, name, place)
    times += connection.execute("SELECT at FROM events WHERE seq = ?", (following,)).fetchone() or ()
    known = [at for at in times if at is not None]
    return min(known) / 1000 if known else None
