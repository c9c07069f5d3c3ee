"""What is not on the straight way: events that wait beside the log, and dead letters."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from gateway.errors import LogError
from gateway.log.port import DeadLetter, Parked, Record

# --- waiting ---------------------------------------------------------------------------------------------


def park(connection: sqlite3.Connection, target: str, row: Parked) -> None:
    """Let an event wait, or change how it waits.

    Raises:
        LogError: the target has no such event.
    """
    values = (row.lane, row.due_at, row.attempts, row.reason, row.first_at)
    changed = connection.execute(
        "UPDATE parked SET lane = ?, due_at = ?, attempts = ?, reason = ?, first_at = ? WHERE seq = ? AND target = ?",
        (*values, row.seq, target),
    ).rowcount
    if changed:
        return
    added = connection.execute(
        "INSERT INTO parked (target, lane, due_at, attempts, reason, first_at, seq, at, rule)"
        " SELECT f.target, ?, ?, ?, ?, ?, e.seq, e.at, f.rule FROM events e"
        " JOIN fates f ON f.decision = e.decision AND f.delivers = 1 WHERE e.seq = ? AND f.target = ?",
        (*values, row.seq, target),
    ).rowcount
    if not added:
        raise LogError(f"target {target!r} has no event {row.seq} to park")


def unpark(connection: sqlite3.Connection, target: str, seqs: Sequence[int]) -> None:
    """Let events wait no longer; those kept in the log only for that go."""
    for seq in seqs:
        connection.execute("DELETE FROM parked WHERE seq = ? AND target = ?", (seq, target))
    (pruned,) = connection.execute("SELECT place FROM pruned").fetchone()
    for seq in seqs:
        if seq <= pruned:
            _release(connection, seq)


def _release(connection: sqlite3.Connection, seq: int) -> None:
    gone = connection.execute(
        "DELETE FROM events WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM parked WHERE seq = ?) RETURNING length(body)",
        (seq, seq),
    ).fetchall()
    for (size,) in gone:
        connection.execute("UPDATE pruned SET events = events + 1, bytes = bytes + ?", (size,))


def lanes(connection: sqlite3.Connection, target: str) -> dict[str, float]:
    """Return when each lane's first event is due."""
    rows = connection.execute("SELECT lane, due_at, min(seq) FROM parked WHERE target = ? GROUP BY lane", (target,))
    return {lane: due_at for lane, due_at, _ in rows}


def lane(connection: sqlite3.Connection, target: str, name: str, limit: int) -> list[tuple[Parked, Record]]:
    """Return the first events of a lane."""
    rows = connection.execute(
        "SELECT p.seq, p.lane, p.due_at, p.attempts, p.reason, p.first_at, coalesce(p.body, e.body), p.rule"
        " FROM parked p LEFT JOIN events e ON e.seq = p.seq WHERE p.target = ? AND p.lane = ? ORDER BY p.seq LIMIT ?",
        (target, name, limit),
    )
    return [(Parked(*row[:6]), Record(row[0], row[6], row[7])) for row in rows]


# --- given up --------------------------------------------------------------------------------------------

_COLUMNS: Final = (
    "id, target, seq, event_id, rule, body, reason, died_at, attempts, lane, endpoint, request, status, answer"
)


def bury(connection: sqlite3.Connection, target: str, letter: DeadLetter) -> None:
    """Keep a dead letter.

    Raises:
        LogError: it is another target's.
    """
    if letter.target != target:
        raise LogError(f"a dead letter of {letter.target!r} in a settlement of {target!r}")
    values = tuple(getattr(letter, name) for name in _COLUMNS.split(", ")[1:] if name != "died_at")
    marks = ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO dead ({_COLUMNS.removeprefix('id, ').replace('died_at, ', '')}, died_at, at)"  # noqa: S608  # own names
        f" VALUES ({marks}, ?, coalesce((SELECT at FROM events WHERE seq = ?),"
        " (SELECT at FROM parked WHERE seq = ? AND target = ?), 0))",
        (*values, letter.died_at.isoformat(), letter.seq, letter.seq, target),
    )


def dead_letters(
    connection: sqlite3.Connection, target: str | None, ids: Sequence[int], before: int | None, limit: int
) -> list[DeadLetter]:
    """Return dead letters, newest first."""
    conditions = ["1"]
    values: list[object] = []
    for condition, value in (
        ("target = ?", target),
        ("id IN (SELECT value FROM json_each(?))", _json(ids) if ids else None),
        ("id < ?", before),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM dead WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?",  # noqa: S608  # own names
        (*values, limit),
    )
    return [_letter(row) for row in rows]


def _letter(row: tuple[object, ...]) -> DeadLetter:
    fields: dict[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    fields["died_at"] = datetime.fromisoformat(fields["died_at"])
    return DeadLetter(**fields)


def retry(connection: sqlite3.Connection, ids: Sequence[int], now: float) -> int:
    """Let dead letters wait again, due now, with no attempts yet, at their events' places in their lanes."""
    added = connection.execute(
        "INSERT INTO parked (target, lane, seq, due_at, attempts, reason, first_at, at, rule, body)"
        " SELECT target, lane, seq, ?, 0, 'retried by hand', ?, at, rule, body FROM dead"
        " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY seq"
        " ON CONFLICT DO NOTHING RETURNING seq, target",
        (now, now, _json(ids)),
    ).fetchall()
    for seq, target in added:
        connection.execute(
            "DELETE FROM dead WHERE id = (SELECT min(id) FROM dead WHERE seq = ? AND target = ?"
            " AND id IN (SELECT value FROM json_each(?)))",
            (seq, target, _json(ids)),
        )
    return len(added)


def drop(connection: sqlite3.Connection, ids: Sequence[int], reason: str) -> int:
    """Drop dead letters for good."""
    gone = connection.execute(
        "DELETE FROM dead WHERE id IN (SELECT value FROM json_each(?)) RETURNING target", (_json(ids),)
    ).fetchall()
    for (target,) in gone:
        count_dropped(connection, target, f"dead letter: {reason}", 1)
    return len(gone)


def count_dropped(connection: sqlite3.Connection, target: str, reason: str, events: int) -> None:
    """Count events that are dropped after they were accepted for a target."""
    connection.execute(
        "INSERT INTO dropped VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events",
        (target, reason, events),
    )


def _json(ids: Sequence[int]) -> str:
    return msgspec.json.encode(list(ids)).decode()
