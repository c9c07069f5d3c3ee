"""Finding events in a log: by their id, or by the key that the client gave them."""

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from gateway.decision import Decision
from gateway.event import Event, load
from gateway.log.replays import ID_SLACK_MS, place_before, place_of_event

_CLOCK_SLACK_MS: Final = 60_000
_decision = msgspec.json.Decoder(Decision)


class Stored(NamedTuple):
    """An event as the log has it, or what is left of it there."""

    seq: int
    at: int
    """When it was stored, Unix milliseconds."""
    body: bytes
    decision: Decision | None
    """None: the log holds the event no more, but for a target."""

    def event(self) -> Event | None:
        """Return the event, None when it cannot be read."""
        try:
            return load(self.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None


def made_at(event_id: str) -> int | None:
    """Return when a UUIDv7 was made, in Unix milliseconds; None when it is none."""
    parts = event_id.split("-")
    if [len(part) for part in parts] != [8, 4, 4, 4, 12] or parts[2][0] != "7":
        return None
    try:
        return int(event_id.replace("-", ""), 16) >> 80
    except ValueError:
        return None


def by_id(log: sqlite3.Connection, event_id: str) -> Stored | None:
    """Return the event with an id, from wherever the log still holds it."""
    made = made_at(event_id)
    if made is None:
        return None
    seq = place_of_event(log, event_id)
    if seq is None:
        seq = _beside(log, event_id, made)
    return None if seq is None else by_place(log, seq)


def _beside(log: sqlite3.Connection, event_id: str, made: int) -> int | None:
    """Return the place of an event of which only a target still holds something: it waits, or is a dead letter."""
    row = log.execute("SELECT seq FROM dead WHERE event_id = ? ORDER BY id DESC LIMIT 1", (event_id,)).fetchone()
    if row is None:
        row = log.execute(
            "SELECT p.seq FROM parked p LEFT JOIN events e ON e.seq = p.seq WHERE p.at BETWEEN ? AND ?"
            " AND (e.id = ? OR instr(p.body, CAST(? AS BLOB)) > 0) LIMIT 1",
            (made - _CLOCK_SLACK_MS, made + ID_SLACK_MS, event_id, f'"id":"{event_id}"'),
        ).fetchone()
    return None if row is None else int(row[0])


def by_place(log: sqlite3.Connection, seq: int) -> Stored | None:
    """Return the event at a place."""
    row = log.execute(
        "SELECT e.seq, e.at, e.body, d.value FROM events e JOIN decisions d ON d.id = e.decision WHERE e.seq = ?",
        (seq,),
    ).fetchone()
    if row is not None:
        return Stored(row[0], row[1], row[2], _decision.decode(row[3]))
    for table in ("dead", "parked"):
        left = log.execute(
            f"SELECT seq, at, body FROM {table} WHERE seq = ? AND body IS NOT NULL LIMIT 1",  # noqa: S608  # own names
            (seq,),
        ).fetchone()
        if left is not None:
            return Stored(left[0], left[1], left[2], None)
    return None


def by_key(log: sqlite3.Connection, key: str, since: int, limit: int) -> list[Stored]:
    """Return events that were stored since a moment under a client's own key, newest first.

    Args:
        since: Unix milliseconds.
        limit: how many at most.
    """
    found: list[Stored] = []
    for seq in _with_key(log, key, since):
        stored = by_place(log, seq)
        event = stored.event() if stored is not None else None
        if stored is not None and event is not None and event.dedupe_key == key:
            found.append(stored)
            if len(found) == limit:
                break
    return found


def _with_key(log: sqlite3.Connection, key: str, since: int) -> Iterator[int]:
    """Yield the places of events whose text holds the key, newest first, and then those of dead letters alone."""
    text = b'"dedupe_key":' + msgspec.json.encode(key)
    first = place_before(log, since)
    rows = log.execute("SELECT seq FROM events WHERE seq > ? AND instr(body, ?) > 0 ORDER BY seq DESC", (first, text))
    yielded = set()
    for (seq,) in rows:
        yielded.add(seq)
        yield seq
    for (seq,) in log.execute(
        "SELECT DISTINCT seq FROM dead WHERE at >= ? AND instr(body, ?) > 0 ORDER BY seq DESC", (since, text)
    ).fetchall():
        if seq not in yielded:
            yield seq


def oldest(log: sqlite3.Connection) -> int | None:
    """Return when the oldest event was stored that the log holds, in Unix milliseconds."""
    row = log.execute("SELECT at FROM events WHERE seq > (SELECT place FROM pruned) ORDER BY seq LIMIT 1").fetchone()
    return None if row is None else int(row[0])
