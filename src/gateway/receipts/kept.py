"""Reading receipts: the attempts of one event, those that came last."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.receipts.receipt import DONE, KEY_BYTES, ids_of, key_of

SHOWN: Final = 20
"""Attempts of one event at one target that are shown whole: the first one, and the last ones."""
_CLOCK_SLACK_MS: Final = 60_000
_RECENT: Final = 10_000
"""Attempts looked at to find the last one of a target."""

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


_HEAD: Final = "id, at, target, endpoint, status, verdict, why, attempt, us, events"
_TEXTS: Final = "method, path, request_bytes, request, headers, answer_bytes, answer"


def _attempt(row: Sequence[Any], key: bytes | None = None) -> Attempt:
    number, at, target, endpoint, http, verdict, why, attempt, micros, keys, *texts = row
    method, path, request_bytes, request, headers, answer_bytes, answer = texts or [None] * 7
    return Attempt(
        id=number,
        at=moment(at - micros / 1000),
        target=target,
        endpoint=endpoint,
        status=STATUS.get(verdict, verdict),
        http=http,
        why=why,
        attempt=attempt,
        ms=round(micros / 1000, 3),
        events=len(keys) // KEY_BYTES,
        first=next(iter(ids_of(keys[:KEY_BYTES])), ""),
        position=None if key is None else position(keys, key),
        method=method,
        path=path,
        request=_text(request),
        request_bytes=request_bytes,
        headers=msgspec.json.decode(headers, type=dict[str, str]) if headers else {},
        answer=_text(answer),
        answer_bytes=answer_bytes,
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
    numbers: dict[str, list[int]] = {}
    batches = receipts.execute(
        "SELECT (SELECT coalesce(max(p.last), 0) FROM batches p WHERE p.last < b.last), b.last FROM batches b"
        " WHERE b.at >= ? AND instr(b.events, ?) > 0",
        (since - _CLOCK_SLACK_MS, key),
    ).fetchall()
    for before, last in batches:
        for number, target, keys in receipts.execute(
            "SELECT id, target, events FROM attempts WHERE id > ? AND id <= ? AND instr(events, ?) > 0 ORDER BY id",
            (before, last, key),
        ):
            if position(keys, key) is not None:
                numbers.setdefault(target, []).append(number)
    return {target: _shown(receipts, found, key) for target, found in numbers.items()}


def _shown(receipts: sqlite3.Connection, numbers: list[int], key: bytes) -> tuple[list[Attempt], int]:
    chosen = numbers if len(numbers) <= SHOWN else [numbers[0], *numbers[1 - SHOWN :]]
    rows = [
        receipts.execute(f"SELECT {_HEAD}, {_TEXTS} FROM attempts WHERE id = ?", (number,)).fetchone()  # noqa: S608  # own names
        for number in chosen
    ]
    return [_attempt(row, key) for row in rows if row is not None], len(numbers) - len(chosen)


def after(receipts: sqlite3.Connection, number: int, limit: int) -> list[tuple[Attempt, bytes]]:
    """Return the next attempts, without texts, each with the keys of its events."""
    rows = receipts.execute(
        f"SELECT {_HEAD} FROM attempts WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608  # own names
        (number, limit),
    ).fetchall()
    return [(_attempt(row), row[9]) for row in rows]


def last_of(receipts: sqlite3.Connection, target: str) -> Attempt | None:
    """Return the last request to a target, if it is among the newest of all."""
    row = receipts.execute(
        f"SELECT {_HEAD} FROM attempts WHERE id > (SELECT max(id) FROM attempts) - ? AND target = ? AND method NOTNULL"  # noqa: S608  # own names
        " ORDER BY id DESC LIMIT 1",
        (_RECENT, target),
    ).fetchone()
    return None if row is None else _attempt(row)


def oldest(receipts: sqlite3.Connection) -> datetime | None:
    """Return from when on there are receipts."""
    row = receipts.execute("SELECT at FROM attempts ORDER BY id LIMIT 1").fetchone()
    return None if row is None else moment(row[0])
