"""What is not on the straight way: events that wait beside the log, and dead letters."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

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


def unpark_all(connection: sqlite3.Connection, target: str) -> None:
    """Let nothing wait for a target; events kept in the log only for that go."""
    connection.execute("DELETE FROM parked WHERE target = ?", (target,))
    sizes = connection.execute(
        "DELETE FROM events WHERE seq <= (SELECT place FROM pruned) AND seq NOT IN (SELECT seq FROM parked)"
        " RETURNING length(body)"
    ).fetchall()
    connection.execute(
        "UPDATE pruned SET events = events + ?, bytes = bytes + ?", (len(sizes), sum(size for (size,) in sizes))
    )


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


class Wanted(Struct, frozen=True, kw_only=True):
    """Which dead letters are asked for; what is left out fits all."""

    target: str | None = None
    ids: Sequence[int] = ()
    before: int | None = None
    """Only those with a smaller id."""
    since: datetime | None = None
    """Only those that died then or later."""
    reason: str | None = None
    """A glob over the whole reason, in which case counts."""
    name: str | None = None
    """A glob over the event's name, in which case counts."""


_NAME: Final = "CASE WHEN json_valid(CAST(body AS TEXT)) THEN json_extract(CAST(body AS TEXT), '$.name') END GLOB ?"


def dead_letters(connection: sqlite3.Connection, wanted: Wanted, limit: int) -> list[DeadLetter]:
    """Return dead letters, newest first."""
    conditions = ["1"]
    values: list[object] = []
    for condition, value in (
        ("target = ?", wanted.target),
        ("id IN (SELECT value FROM json_each(?))", _json(wanted.ids) if wanted.ids else None),
        ("id < ?", wanted.before),
        ("died_at >= ?", wanted.since.astimezone(UTC).isoformat() if wanted.since else None),
        ("reason GLOB ?", wanted.reason),
        (_NAME, wanted.name),
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


def retry(
    connection: sqlite3.Connection, ids: Sequence[int], now: float, rules: Mapping[int, str] | None = None
) -> int:
    """Let dead letters wait again, due now, with no attempts yet, at their events' places in their lanes.

    Args:
        rules: for some ids, the rule by which they go now.
    """
    for number, rule in (rules or {}).items():
        connection.execute("UPDATE dead SET rule = ? WHERE id = ?", (rule, number))
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
        "DELETE FROM dead WHERE id IN (SELECT value FROM json_each(?)) RETURNING target, event_id, body", (_json(ids),)
    ).fetchall()
    for target, event_id, body in gone:
        count_dropped(connection, target, f"dead letter: {reason}", 1)
        connection.execute("DELETE FROM imported WHERE target = ? AND event = ?", (target, _known_by(event_id, body)))
    return len(gone)


def count_dropped(connection: sqlite3.Connection, target: str, reason: str, events: int) -> None:
    """Count events that are dropped after they were accepted for a target."""
    connection.execute(
        "INSERT INTO dropped VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events",
        (target, reason, events),
    )


def count_again(connection: sqlite3.Connection, target: str, why: str, events: int) -> None:
    """Count events that come to a target once more as accepted."""
    connection.execute(
        "INSERT INTO again VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events",
        (target, why, events),
    )


# --- brought from elsewhere ------------------------------------------------------------------------------


def take_in(connection: sqlite3.Connection, letters: Sequence[DeadLetter]) -> list[int]:
    """Keep dead letters that were exported, from this log or another; return the ids of those that are new.

    A letter is known by its target and its event: one that is here, waits here, or was taken in before is left out.
    Letters of events that this log does not hold get places before all others, in their order.

    Raises:
        LogError: the log has no such target.
    """
    new = [letter for letter in sorted(letters, key=lambda one: one.seq) if _is_new(connection, letter)]
    (lowest,) = connection.execute(
        "SELECT min(0, coalesce((SELECT min(seq) FROM dead), 0), coalesce((SELECT min(seq) FROM parked), 0))"
    ).fetchone()
    return [_keep(connection, letter, lowest - len(new) + number) for number, letter in enumerate(new)]


def _is_new(connection: sqlite3.Connection, letter: DeadLetter) -> bool:
    """Tell whether a letter is new, and remember it as taken in."""
    if not connection.execute("SELECT 1 FROM targets WHERE name = ?", (letter.target,)).fetchone():
        raise LogError(f"there is no target {letter.target!r}")
    here = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM dead"
        " WHERE target = :target AND event_id = :event AND (:event != '' OR body = :body))"
        " OR EXISTS (SELECT 1 FROM parked p JOIN events e ON e.seq = p.seq"
        " WHERE p.target = :target AND e.seq = :seq AND e.id = :event)",
        {"target": letter.target, "event": letter.event_id, "body": letter.body, "seq": letter.seq},
    ).fetchone()[0]
    key = (letter.target, _known_by(letter.event_id, letter.body))
    return not here and bool(connection.execute("INSERT OR IGNORE INTO imported VALUES (?, ?)", key).rowcount)


def _known_by(event_id: str, body: bytes) -> str:
    return event_id or blake2b(body, digest_size=16).hexdigest()


def _keep(connection: sqlite3.Connection, letter: DeadLetter, otherwise: int) -> int:
    held = connection.execute("SELECT 1 FROM events WHERE seq = ? AND id = ?", (letter.seq, letter.event_id)).fetchone()
    bury(connection, letter.target, letter if held else msgspec.structs.replace(letter, seq=otherwise))
    (row,) = connection.execute("SELECT last_insert_rowid()").fetchone()
    if not held:
        connection.execute("UPDATE dead SET at = ? WHERE id = ?", (int(letter.died_at.timestamp() * 1000), row))
    count_again(connection, letter.target, "imported", 1)
    return int(row)


def _json(ids: Sequence[int]) -> str:
    return msgspec.json.encode(list(ids)).decode()
