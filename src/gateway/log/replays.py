"""History that is sent to one target again: jobs that outlive the processes that do them.

A replayed event waits beside the log as one that failed does, in a lane of its own (`gateway.log.port.HISTORY`), with
the event itself still in `events`. It counts as accepted once more, in the transaction that lets it wait and that
moves the job's place: whatever is killed, no event is sent twice and none is left out.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from gateway.errors import LogError
from gateway.log import exceptions, reader, store, targets
from gateway.log.port import DEFAULT_SHARE, HISTORY

WAITING: Final = "waits for the target already"
"""Why an event is not sent again that has not been sent once."""
ID_SLACK_MS: Final = 600_000
"""An event's id is made at most so long before the event is stored."""
_CLOCK_SLACK_MS: Final = 60_000

State = Literal["running", "waiting", "done", "cancelled"]
"""`waiting`: all was looked at, and nobody has said yet that the target has got it."""


class Again(NamedTuple):
    """One event that is to be sent again."""

    seq: int
    lane: str
    """Of its profile, as `gateway.event.lane` has it."""
    rule: str
    """By which it goes to the target."""


class Step(NamedTuple):
    """Some of a job's events, looked at."""

    job: int
    before: int
    """The job's place before them."""
    place: int
    """The job's place after them."""
    looked: int
    again: Sequence[Again]
    passed: Mapping[str, int]
    """Why -> how many are not sent."""


class Replay(Struct, frozen=True, kw_only=True):
    """A job, and how far it is. Times are Unix seconds."""

    id: int
    target: str
    asked: str
    """What was asked for, in the words of the one who asks."""
    share: float
    """Part of the target's limits that it may use."""
    first: int
    """Events after this place are looked at, "after" taken literally."""
    last: int
    place: int
    """Events up to it were looked at."""
    state: State
    looked: int
    sent: int
    """Events that wait, or waited, in the target's lanes."""
    passed: dict[str, int]
    """Why -> events that are not sent."""
    begun_at: float
    changed_at: float
    waiting: int = 0
    """Replayed events that the target has not got yet, of this job or another."""


_COLUMNS: Final = "id, target, asked, share, first, last, place, state, looked, sent, passed, begun_at, changed_at"
_COUNT_WAITING: Final = "SELECT count(*) FROM parked WHERE target = ? AND lane >= ? AND lane < ?"
_BEYOND: Final = HISTORY[:-1] + chr(ord(HISTORY[-1]) + 1)


def share(connection: sqlite3.Connection, target: str) -> float:
    """Return the part of a target's limits that history may use: what the job that was last gone on with says."""
    row = connection.execute(
        "SELECT share FROM replays WHERE target = ? ORDER BY changed_at DESC LIMIT 1", (target,)
    ).fetchone()
    return DEFAULT_SHARE if row is None else float(row[0])


def listed(connection: sqlite3.Connection, target: str | None) -> list[Replay]:
    """Return jobs, newest first."""
    with reader.snapshot(connection):
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM replays WHERE ? IS NULL OR target = ? ORDER BY id DESC",  # noqa: S608  # own names
            (target, target),
        ).fetchall()
        return [_replay(connection, row) for row in rows]


def _replay(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Replay:
    fields: dict[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    (waiting,) = connection.execute(_COUNT_WAITING, (fields["target"], HISTORY, _BEYOND)).fetchone()
    return Replay(**{**fields, "passed": msgspec.json.decode(fields["passed"]), "waiting": waiting})


def _found(connection: sqlite3.Connection, number: int) -> Replay:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM replays WHERE id = ?",  # noqa: S608  # own names
        (number,),
    ).fetchone()
    if row is None:
        raise LogError(f"there is no replay {number}")
    return _replay(connection, row)


# --- where -----------------------------------------------------------------------------------------------


def place_before(connection: sqlite3.Connection, at_ms: int) -> int:
    """Return the place of the last event accepted before a moment, by halving: times grow with places."""
    (low,) = connection.execute("SELECT place FROM pruned").fetchone()
    high = store.head(connection)
    while low < high:
        middle = (low + high) // 2
        row = connection.execute("SELECT seq, at FROM events WHERE seq > ? ORDER BY seq LIMIT 1", (middle,)).fetchone()
        if row is None or row[1] >= at_ms:
            high = middle
        else:
            low = row[0]
    return int(low)


def place_of_event(connection: sqlite3.Connection, event_id: str) -> int | None:
    """Return the place of an event, found by the time in its id; None when it is not held."""
    try:
        made_at = int(event_id.replace("-", "")[:12], 16)
    except ValueError:
        return None
    span = (place_before(connection, made_at - _CLOCK_SLACK_MS), place_before(connection, made_at + ID_SLACK_MS))
    row = connection.execute(
        "SELECT seq FROM events WHERE seq > ? AND seq <= ? AND id = ?", (*span, event_id)
    ).fetchone()
    return None if row is None else int(row[0])


# --- doing -----------------------------------------------------------------------------------------------


def begin(
    connection: sqlite3.Connection, target: str, asked: str, part: float, span: tuple[int, int], now: float
) -> Replay:
    """Make a job; what it has to look at is not pruned until it is done.

    Raises:
        LogError: there is no such target.
    """
    if reader.cursor(connection, target) is None:
        raise LogError(f"there is no target {target!r}")
    first, last = span[0], max(span)
    number = connection.execute(
        "INSERT INTO replays (target, asked, share, first, last, place, state, looked, sent, passed, begun_at,"
        " changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, '{}', ?, ?)",
        (target, asked, part, first, last, first, _state(first, last), now, now),
    ).lastrowid
    if last > first:
        targets.hold(connection, _holder(number or 0), first, int(now * 1000))
    return _found(connection, number or 0)


def _holder(number: int) -> str:
    return f"replay {number}"


def take(connection: sqlite3.Connection, step: Step, now: float) -> Replay:
    """Let the chosen events wait, and move the job's place.

    Raises:
        LogError: the job is not at the step's beginning, or does not run.
    """
    job = _found(connection, step.job)
    if job.state != "running" or job.place != step.before:
        raise LogError(f"replay {step.job} is {job.state} at {job.place}: somebody else goes on with it, or ended it")
    sent = sum(_wait(connection, job.target, one, now) for one in step.again)
    passed = Counter(job.passed) + Counter(step.passed) + Counter({WAITING: len(step.again) - sent})
    state = _state(step.place, job.last)
    connection.execute(
        "UPDATE replays SET place = ?, looked = looked + ?, sent = sent + ?, passed = ?, changed_at = ?, state = ?"
        " WHERE id = ?",
        (step.place, step.looked, sent, msgspec.json.encode(passed).decode(), now, state, step.job),
    )
    targets.hold(connection, _holder(step.job), step.place if state == "running" else None, int(now * 1000))
    if sent:
        exceptions.count_again(connection, job.target, "replayed", sent)
    return _found(connection, step.job)


def _state(place: int, last: int) -> State:
    return "running" if place < last else "waiting"


def _wait(connection: sqlite3.Connection, target: str, one: Again, now: float) -> bool:
    """Let an event wait, unless it still waits to be sent for the first time."""
    return (
        connection.execute(
            "INSERT INTO parked (target, lane, seq, due_at, attempts, reason, first_at, at, rule)"
            " SELECT ?, ?, e.seq, ?, 0, 'replayed', ?, e.at, ? FROM events e WHERE e.seq = ?"
            " AND NOT (e.seq > (SELECT cursor FROM targets WHERE name = ?) AND EXISTS"
            " (SELECT 1 FROM fates f WHERE f.target = ? AND f.decision = e.decision AND f.delivers = 1))"
            " ON CONFLICT DO NOTHING",
            (target, HISTORY + one.lane, now, now, one.rule, one.seq, target, target),
        ).rowcount
        > 0
    )


def set_share(connection: sqlite3.Connection, number: int, part: float, now: float) -> Replay:
    """Have a job use another part of its target's limits from now on.

    Raises:
        LogError: there is no such job.
    """
    connection.execute("UPDATE replays SET share = ?, changed_at = ? WHERE id = ?", (part, now, number))
    return _found(connection, number)


def finish(connection: sqlite3.Connection, number: int, now: float) -> Replay:
    """End a job that has been looked at whole: its target has got all.

    Raises:
        LogError: there is no such job.
    """
    connection.execute(
        "UPDATE replays SET state = 'done', changed_at = ? WHERE id = ? AND state = 'waiting'", (now, number)
    )
    return _found(connection, number)


def cancel(connection: sqlite3.Connection, number: int, now: float) -> bool:
    """End a job before its end."""
    targets.hold(connection, _holder(number), None, int(now * 1000))
    changed = connection.execute(
        "UPDATE replays SET state = 'cancelled', changed_at = ? WHERE id = ? AND state IN ('running', 'waiting')",
        (now, number),
    )
    return changed.rowcount > 0
