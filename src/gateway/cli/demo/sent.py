"""What the demo's clients have in common."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import httpx

Keys = dict[str, dict[str, str]]

PEOPLE: Final = tuple(f"person{n:02d}@example.com" for n in range(12))


@dataclass(frozen=True)
class Sent:
    """What one client sent, and how it was answered."""

    dialect: str
    client: str
    what: str
    requests: int
    events: int
    answers: str
    seconds: float
    ok: bool
    duplicates: int = 0


Sender = Callable[[str, Keys], Sent]
"""Sends to a gateway (its URL) with the keys of its accounts."""


def now() -> str:
    """Return the time as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def over_http(
    dialect: str, what: str, events: int, wanted: Sequence[int], send: Callable[[httpx.Client], list[httpx.Response]]
) -> Sent:
    """Send by plain HTTP.

    Args:
        events: how many the gateway should make of it.
        wanted: the statuses that mean success.
    """
    started = time.monotonic()
    with httpx.Client(trust_env=False, timeout=30) as client:
        answers = send(client)
    seconds = time.monotonic() - started
    statuses = Counter(answer.status_code for answer in answers)
    said = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    return Sent(dialect, "plain HTTP", what, len(answers), events, said, seconds, set(statuses) <= set(wanted))
