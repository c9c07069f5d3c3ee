"""Reading receipts: the attempts of one event, those that came last."""

import sqlite3
from collections import Counter
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from gateway.receipts import schema
from gateway.receipts.receipt import DONE, KEY_BYTES, Kept, ids_of, key_of

SHOWN: Final = 20
"""Attempts of one event at one target that are shown whole: the first one, and the last ones."""
_CLOCK_SLACK_MS: Final = 60_000
_RECENT: Final = 20
"""Batches looked at to find the last attempt of a target."""

STATUS: Final = {
    DONE: "delivered",
    "retry": "retry",
    "throttle": "throttled",
    "split": "split",
    "hold": "held",
    "reject": "rejected",
    "renew": "renew",
    "prepare": "prepare",
    "dropped": "dropped",
    "dead": "dead",
}
"""By verdict, what a person calls what became of a request."""


class Attempt(Struct, frozen=True, kw_only=True):
    """One request, or the end of an event that no request tells."""

    id: int
    at: datetime
    """When it was sent."""
    target: str
    endpoint: str
    status: str
    """A value of `STATUS`."""
    http: int | None
    """None: no answer."""
    why: str
    attempt: int
    ms: float
    events: int
    """How many the request carried."""
    first: str
    """The id of the first of them."""
    position: int | None = None
    """Of the event in question, counted from 1."""
    method: str | None = None
    path: str | None = None
    """None: the texts were not kept."""
    request: str | None = None
    request_bytes: int | None = None
    """Of the whole request; what is shown may be its beginning."""
    headers: dict[str, str] = {}
    answer: str | None = None
    answer_bytes: int | None = None


def _attempt(number: int, kept: Kept, key: bytes | None = None) -> Attempt:
    return Attempt(
        id=number,
        at=moment(kept.at - kept.us / 1000),
        target=kept.target,
        endpoint=kept.endpoint,
        status=STATUS.get(kept.verdict, kept.verdict),
        http=kept.status,
        why=kept.why,
        attempt=kept.attempt,
        ms=round(kept.us / 1000, 3),
        events=len(kept.events) // KEY_BYTES,
        first=next(iter(ids_of(kept.events[:KEY_BYTES])), ""),
        position=None if key is None else position(kept.events, key),
        method=kept.method,
        path=kept.path,
        request=_text(kept.request),
        request_bytes=kept.request_bytes,
        headers=msgspec.json.decode(kept.headers, type=dict[str, str]) if kept.headers else {},
        answer=_text(kept.answer),
        answer_bytes=kept.answer_bytes,
    )


def moment(ms: float) -> datetime:
    """Return Unix milliseconds as a time."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")


def position(keys: bytes, key: bytes) -> int | None:
    """Return the place of an event among those of a request, counted from 1."""
    at = keys.find(key)
    while at >= 0 and at % KEY_BYTES:
        at = keys.find(key, at + 1)
    return None if at < 0 else at // KEY_BYTES + 1


def of_event(receipts: sqlite3.Connection, event_id: str, since: int) -> dict[str, tuple[list[Attempt], int]]:
    """Return an event's attempts by target, in order, and how many of each are left out between the first and the rest.

    Args:
        since: when the event was accepted, Unix milliseconds.
    """
    key = key_of(event_id)
    batches = receipts.execute(
        "SELECT last FROM batches WHERE at >= ? AND instr(events, ?) > 0 ORDER BY last",
        (since - _CLOCK_SLACK_MS, key),
    ).fetchall()
    found: dict[str, list[Attempt]] = {}
    left_out: Counter[str] = Counter()
    for (last,) in batches:
        for number, kept in schema.attempts(receipts, last):
            if position(kept.events, key) is None:
                continue
            shown = found.setdefault(kept.target, [])
            shown.append(_attempt(number, kept, key))
            if len(shown) > SHOWN:
                del shown[1]
                left_out[kept.target] += 1
    return {target: (shown, left_out[target]) for target, shown in found.items()}


def after(receipts: sqlite3.Connection, number: int, limit: int) -> list[tuple[Attempt, bytes]]:
    """Return the next attempts, each with the keys of its events; as many as `limit`, or a few more."""
    found: list[tuple[Attempt, bytes]] = []
    for (last,) in receipts.execute("SELECT last FROM batches WHERE last > ? ORDER BY last", (number,)):
        found += [(_attempt(n, kept), kept.events) for n, kept in schema.attempts(receipts, last) if n > number]
        if len(found) >= limit:
            break
    return found


def last_of(receipts: sqlite3.Connection, target: str) -> Attempt | None:
    """Return the last request to a target, if it is among the newest of all."""
    for (last,) in receipts.execute("SELECT last FROM batches ORDER BY last DESC LIMIT ?", (_RECENT,)).fetchall():
        for number, kept in reversed(schema.attempts(receipts, last)):
            if kept.target == target and kept.method is not None:
                return _attempt(number, kept)
    return None


def oldest(receipts: sqlite3.Connection) -> datetime | None:
    """Return from when on there are receipts."""
    row = receipts.execute("SELECT last FROM attempts ORDER BY last LIMIT 1").fetchone()
    kept = [] if row is None else schema.attempts(receipts, row[0])
    return moment(kept[0][1].at) if kept else None
