"""The timeline of one event: accepted, decided, sent, answered, and how it stands at each target."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from gateway.decision import UNROUTED
from gateway.event import Event
from gateway.receipts import kept, stored
from gateway.receipts.files import Files, reading
from gateway.receipts.kept import Attempt, moment
from gateway.receipts.stored import Stored

MOST: Final = 10
"""Events that are told of under one client's key."""
_COUNTED: Final = 10_000
"""Events before one that are counted."""

Outcome = Literal["delivered", "queued", "waiting", "dropped", "dead", "unknown"]
"""`queued`: its turn has not come; `waiting`: it was tried, or stands behind one that was."""


class AtTarget(Struct, frozen=True, kw_only=True):
    """How an event stands at one target."""

    target: str
    rule: str | None
    """What sends it there; None: nothing does."""
    outcome: Outcome
    why: str
    """One line."""
    at: datetime | None = None
    """When it came out so, if that is known."""
    until: datetime | None = None
    """Not tried before this."""
    dead_letter: int | None = None
    """Its number, for `gateway dead`."""
    attempts: list[Attempt] = []
    left_out: int = 0
    """Attempts between the first and the second of `attempts`."""


class Timeline(Struct, frozen=True, kw_only=True):
    """All that is known of one event."""

    id: str
    accepted_at: datetime
    """When it was stored."""
    event: Event | None
    """None: the log holds it no more, or what it holds is none."""
    targets: list[AtTarget]
    notes: list[str] = []


class _Case(NamedTuple):
    """What there is to tell of one event."""

    files: Files
    event_id: str
    found: Stored | None
    attempts: Mapping[str, tuple[list[Attempt], int]]


def timelines(files: Files, wanted: str, since: int, configured: Sequence[str]) -> list[Timeline]:
    """Return what is known of the event with an id, or of those with a client's own key, newest first.

    Args:
        wanted: the gateway's id of an event, or a client's key.
        since: Unix milliseconds from which on keys are looked for; an id is found however old it is.
        configured: the targets of now.
    """
    event_id = wanted.lower()
    found = stored.by_id(files.log, event_id)
    if found is not None:
        return [_timeline(files, event_id, found, configured)]
    by_key = [(one.event(), one) for one in stored.by_key(files.log, wanted, since, MOST)]
    if by_key:
        return [_timeline(files, event.id, one, configured) for event, one in by_key if event is not None]
    made = stored.made_at(event_id)
    if made is not None and files.receipts is not None and kept.of_event(files.receipts, event_id, made):
        return [_timeline(files, event_id, None, configured)]
    return []


def told(log: Path, wanted: str, since: int, configured: Sequence[str]) -> list[Timeline]:
    """Return the same of a log that is in use and the receipts beside it.

    Raises:
        LogError: the files cannot be read.
    """
    with reading(log, again=True) as files:
        return timelines(files, wanted, since, configured)


def _timeline(files: Files, event_id: str, found: Stored | None, configured: Sequence[str]) -> Timeline:
    accepted = found.at if found is not None else stored.made_at(event_id) or 0
    made = min(accepted, stored.made_at(event_id) or accepted)
    attempts = {} if files.receipts is None else kept.of_event(files.receipts, event_id, made)
    case = _Case(files, event_id, found, attempts)
    targets = [_at_target(case, target, rule) for target, rule in _targets(case, configured).items()]
    return Timeline(
        id=event_id,
        accepted_at=moment(accepted),
        event=found.event() if found is not None else None,
        targets=targets,
        notes=_notes(case, accepted, any(one.outcome == "unknown" for one in targets)),
    )


def _notes(case: _Case, accepted: int, open_ends: bool) -> list[str]:
    notes = []
    if case.found is None:
        notes.append("the log holds the event no more: this is what its receipts say")
    elif case.found.decision is None:
        notes.append("the log holds the event only for a target that has not got it: what was decided is gone")
    if case.files.receipts is None:
        notes.append("there are no receipts: what was sent and answered is not known")
    elif open_ends and (first := kept.oldest(case.files.receipts)) is not None and first > moment(accepted):
        notes.append(f"receipts begin at {first.isoformat(timespec='seconds')}: what was before is not known")
    return notes


# --- targets ---------------------------------------------------------------------------------------------


def _targets(case: _Case, configured: Sequence[str]) -> dict[str, str | None]:
    """Return every target with a say in it and the rule that sends the event there, those that get it first."""
    found = case.found
    decision = found.decision if found is not None else None
    targets: dict[str, str | None] = dict(decision.deliver) if decision is not None else {}
    if found is not None:
        for table in ("parked", "dead"):
            rows = case.files.log.execute(
                f"SELECT target, rule FROM {table} WHERE seq = ?",  # noqa: S608  # own names
                (found.seq,),
            )
            targets = dict(rows.fetchall()) | targets
    targets |= {target: None for target in case.attempts if target not in targets}
    if decision is None:
        return targets
    dropped = [target for target, _ in decision.drop]
    return targets | {target: None for target in (*dropped, *configured) if target not in targets}


def _at_target(case: _Case, target: str, rule: str | None) -> AtTarget:
    attempts, left_out = case.attempts.get(target, ([], 0))
    found = None
    if case.found is not None:
        found = _dead(case, target) or _waiting(case, target) or _not_sent(case, target, attempts)
        found = found or _queued(case, target, attempts)
    found = found or _told(attempts)
    return AtTarget(target=target, rule=rule, attempts=attempts, left_out=left_out, **found._asdict())


class _Said(NamedTuple):
    """A part of `AtTarget`."""

    outcome: Outcome
    why: str
    at: datetime | None = None
    until: datetime | None = None
    dead_letter: int | None = None


def _place(case: _Case) -> int:
    return case.found.seq if case.found is not None else 0


def _dead(case: _Case, target: str) -> _Said | None:
    row = case.files.log.execute(
        "SELECT id, reason, died_at FROM dead WHERE target = ? AND seq = ? ORDER BY id DESC LIMIT 1",
        (target, _place(case)),
    ).fetchone()
    return None if row is None else _Said("dead", row[1], datetime.fromisoformat(row[2]), dead_letter=row[0])


def _waiting(case: _Case, target: str) -> _Said | None:
    log = case.files.log
    row = log.execute(
        "SELECT lane, due_at, attempts, reason FROM parked WHERE seq = ? AND target = ?", (_place(case), target)
    ).fetchone()
    if row is None:
        return None
    lane, due_at, attempts, reason = row
    first, first_id, first_due, first_reason = log.execute(
        "SELECT p.seq, e.id, p.due_at, p.reason FROM parked p LEFT JOIN events e ON e.seq = p.seq"
        " WHERE p.target = ? AND p.lane = ? ORDER BY p.seq LIMIT 1",
        (target, lane),
    ).fetchone()
    if first != _place(case):
        which = f"the event {first_id}" if first_id else "an earlier event"
        why = f"behind {which} of the same profile, which waits: {first_reason}"
        return _Said("waiting", why, until=moment(max(due_at, first_due) * 1000))
    tried = f"{attempts} {'attempt' if attempts == 1 else 'attempts'}, the last: " if attempts else ""
    return _Said("waiting", tried + reason, until=moment(due_at * 1000))


def _not_sent(case: _Case, target: str, attempts: Sequence[Attempt]) -> _Said | None:
    """Say why nothing sends the event there, when nothing did."""
    decision = case.found.decision if case.found is not None else None
    if decision is None or attempts or any(name == target for name, _ in decision.deliver):
        return None
    by = dict(decision.drop).get(target)
    if by is None:
        return _Said("dropped", "the target was not there when the event was accepted")
    return _Said("dropped", "no rule sends it there" if by == UNROUTED else f"dropped by {by!r}")


def _queued(case: _Case, target: str, attempts: Sequence[Attempt]) -> _Said | None:
    """Say what comes first when its turn has not come."""
    log, place = case.files.log, _place(case)
    row = log.execute("SELECT cursor FROM targets WHERE name = ?", (target,)).fetchone()
    decision = case.found.decision if case.found is not None else None
    if row is None or row[0] >= place or decision is None or target not in dict(decision.deliver):
        return None
    if attempts and attempts[-1].status in _ENDS:
        return None
    before = _count_before(log, target, row[0], place)
    many = f"more than {_COUNTED}" if before > _COUNTED else str(before)
    why = f"{many} {'event' if before == 1 else 'events'} of the target before it"
    last = kept.last_of(case.files.receipts, target) if case.files.receipts is not None else None
    if last is not None and last.status != "delivered":
        why += f"; the target's last request, {last.at.isoformat(timespec='seconds')}: {last.status}, {last.why}"
    return _Said("queued", why)


def _count_before(log: sqlite3.Connection, target: str, cursor: int, place: int) -> int:
    (number,) = log.execute(
        "SELECT count(*) FROM (SELECT 1 FROM events e CROSS JOIN fates f ON f.target = ? AND f.decision = e.decision"
        " AND f.delivers = 1 WHERE e.seq > ? AND e.seq < ? LIMIT ?)",
        (target, cursor, place, _COUNTED + 1),
    ).fetchone()
    return int(number)


_ENDS: Final = ("delivered", "dropped", "dead")


def _told(attempts: Sequence[Attempt]) -> _Said:
    """Say what the receipts say, when the log is done with the event."""
    last = attempts[-1] if attempts else None
    if last is None:
        return _Said("unknown", "the target is done with it, and no receipt says how")
    if last.status == "delivered":
        return _Said("delivered", last.why, last.at)
    if last.status == "dropped":
        return _Said("dropped", last.why, last.at)
    if last.status == "dead":
        return _Said("unknown", f"it was a dead letter ({last.why}), which a person has dropped since", last.at)
    return _Said("unknown", f"no receipt says how it ended; the last one: {last.why}", last.at)
