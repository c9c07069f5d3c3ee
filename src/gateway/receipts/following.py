"""What happens now: accepted events, requests to targets and dead letters, read again and again from the files."""

import sqlite3
from collections import OrderedDict
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from gateway.decision import Decision
from gateway.event import Origin
from gateway.log import store
from gateway.log.replays import place_of_event
from gateway.receipts import kept
from gateway.receipts.files import Files, reading
from gateway.receipts.kept import moment
from gateway.receipts.receipt import KEY_BYTES, ids_of, key_of
from gateway.receipts.schema import last_number

STATUSES: Final = ("accepted", *dict.fromkeys(kept.STATUS.values()))
AT_ONCE: Final = 1_000
"""Events, and attempts, of one look; whoever is further behind skips what lies between."""
_KNOWN: Final = 20_000
"""Events whose source and name are remembered, for the attempts that carry them."""
_LOOKED_UP: Final = 100
"""Events of one look that are found in the log because they are not remembered."""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which lines are told; empty: all."""

    source: str | None = None
    target: str | None = None
    name: str | None = None
    """A glob."""
    status: Collection[str] = ()


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened."""

    at: datetime
    what: str
    """One of `STATUSES`, or ``skipped``."""
    event: str = ""
    """Id; of several, the first."""
    source: str = ""
    name: str = ""
    """Of the event; of several, the first's, when it is known."""
    target: str = ""
    targets: tuple[str, ...] = ()
    """Where an accepted event goes."""
    endpoint: str = ""
    events: int = 1
    http: int | None = None
    why: str = ""
    ms: float | None = None
    attempt: int = 0
    dead_letter: int | None = None


class _Who(NamedTuple):
    source: str
    name: str


class _Head(Struct):
    """What is read of an event."""

    name: str
    source: Origin


_heads: Final = msgspec.json.Decoder(_Head)
_decisions: Final = msgspec.json.Decoder(Decision)


class Follower:
    """Remembers how far the files were read.

    Args:
        log: its file.
    """

    def __init__(self, log: Path, wanted: Wanted) -> None:
        self._path = log
        self._wanted = wanted
        self._known: OrderedDict[bytes, _Who | None] = OrderedDict()
        self._place = self._letter = 0
        self._attempt: int | None = None
        """None: there were no receipts yet."""
        with reading(log) as files:
            self._place = store.head(files.log)
            self._letter = _newest(files.log)
            if files.receipts is not None:
                self._attempt = last_number(files.receipts)

    def look(self) -> list[Line]:
        """Return what has happened since the last look, in the order of its times.

        Raises:
            LogError: the files cannot be read.
        """
        with reading(self._path, again=True) as files:
            accepted = list(self._accepted(files.log))
            attempts = list(self._attempts(files)) if files.receipts is not None else []
            letters = list(self._letters(files.log))
        return sorted([*accepted, *attempts, *letters], key=lambda line: line.at)

    # --- events ------------------------------------------------------------------------------------------

    def _accepted(self, log: sqlite3.Connection) -> Iterator[Line]:
        (behind,) = log.execute("SELECT count(*) FROM events WHERE seq > ?", (self._place,)).fetchone()
        if behind > 2 * AT_ONCE:
            (self._place,) = log.execute(
                "SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?", (AT_ONCE,)
            ).fetchone()
            yield _skipped(f"{behind - AT_ONCE} accepted events")
        rows = log.execute(
            "SELECT e.seq, e.at, e.id, e.body, d.value FROM events e JOIN decisions d ON d.id = e.decision"
            " WHERE e.seq > ? ORDER BY e.seq LIMIT ?",
            (self._place, AT_ONCE),
        ).fetchall()
        for seq, at, event_id, body, decision in rows:
            self._place = seq
            who = self._remember(key_of(event_id), body)
            targets = tuple(target for target, _ in _decisions.decode(decision).deliver)
            if self._tells("accepted", targets) and self._about(who):
                source, name = who or _Who("", "")
                yield Line(at=moment(at), what="accepted", event=event_id, source=source, name=name, targets=targets)

    def _remember(self, key: bytes, body: bytes) -> _Who | None:
        try:
            head = _heads.decode(body)
            who = _Who(head.source.name, head.name)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            who = None
        self._known[key] = who
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return who

    def _tells(self, status: str, targets: Collection[str]) -> bool:
        wanted = self._wanted
        if wanted.status and status not in wanted.status:
            return False
        return wanted.target is None or wanted.target in targets

    def _about(self, who: _Who | None) -> bool:
        wanted = self._wanted
        if wanted.source is None and wanted.name is None:
            return True
        if who is None or wanted.source not in (None, who.source):
            return False
        return wanted.name is None or fnmatchcase(who.name, wanted.name)

    # --- attempts ----------------------------------------------------------------------------------------

    def _attempts(self, files: Files) -> Iterator[Line]:
        receipts = files.receipts
        if receipts is None:
            return
        newest = last_number(receipts)
        if self._attempt is None or newest < self._attempt:
            self._attempt = 0
        if newest - self._attempt > 2 * AT_ONCE:
            yield _skipped(f"{newest - AT_ONCE - self._attempt} requests")
            self._attempt = newest - AT_ONCE
        lookups = iter(range(_LOOKED_UP))
        for attempt, keys in kept.after(receipts, self._attempt, AT_ONCE):
            self._attempt = attempt.id
            if attempt.status == "dead" or not self._tells(attempt.status, (attempt.target,)):
                continue
            who = self._one_of(files.log, keys, lookups)
            if who is None and not self._about(None):
                continue
            yield _line(attempt, who)

    def _one_of(self, log: sqlite3.Connection, keys: bytes, lookups: Iterator[int]) -> _Who | None:
        """Return the first event of a request that is asked for, as far as they are known."""
        for at in range(0, len(keys), KEY_BYTES):
            who = self._who(log, keys[at : at + KEY_BYTES], lookups)
            if who is not None and self._about(who):
                return who
        return None

    def _who(self, log: sqlite3.Connection, key: bytes, lookups: Iterator[int]) -> _Who | None:
        if key not in self._known and next(lookups, None) is not None:
            place = place_of_event(log, ids_of(key)[0])
            row = None if place is None else log.execute("SELECT body FROM events WHERE seq = ?", (place,)).fetchone()
            return self._remember(key, row[0] if row else b"")
        return self._known.get(key)

    # --- dead letters ------------------------------------------------------------------------------------

    def _letters(self, log: sqlite3.Connection) -> Iterator[Line]:
        rows = log.execute(
            "SELECT id, target, event_id, reason, died_at, attempts, status, body FROM dead WHERE id > ?"
            " ORDER BY id LIMIT ?",
            (self._letter, AT_ONCE),
        ).fetchall()
        for number, target, event_id, reason, died_at, attempts, http, body in rows:
            self._letter = number
            who = self._remember(key_of(event_id), body)
            if self._tells("dead", (target,)) and self._about(who):
                source, name = who or _Who("", "")
                yield Line(
                    at=datetime.fromisoformat(died_at),
                    what="dead",
                    event=event_id,
                    source=source,
                    name=name,
                    target=target,
                    http=http,
                    why=reason,
                    attempt=attempts,
                    dead_letter=number,
                )


def _newest(log: sqlite3.Connection) -> int:
    return int(log.execute("SELECT coalesce(max(id), 0) FROM dead").fetchone()[0])


def _skipped(what: str) -> Line:
    return Line(at=datetime.now(UTC), what="skipped", why=f"{what}, to keep up")


def _line(attempt: kept.Attempt, who: _Who | None) -> Line:
    fields: dict[str, Any] = {} if who is None else who._asdict()
    return Line(
        at=attempt.at,
        what=attempt.status,
        event=attempt.first,
        target=attempt.target,
        endpoint=attempt.endpoint,
        events=attempt.events,
        http=attempt.http,
        why=attempt.why,
        ms=attempt.ms,
        attempt=attempt.attempt,
        **fields,
    )
