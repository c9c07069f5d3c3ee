"""Attempts, events and logs for the tests of receipts."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.adapter import Answer, Verdict
from gateway.decision import Decision
from gateway.delivery import Attempt
from gateway.event import Event, Origin, Profile, dump
from gateway.ids import uuid7
from gateway.log.port import Entry
from gateway.receipts import Attempted, Ended, Keep, Recorder

SECRET = b"pk_0123456789"


def masked(text: bytes) -> bytes:
    return text.replace(SECRET, b"***")


def attempt(*events: str, **more: Any) -> Attempt:
    fields: dict[str, Any] = {
        "target": "crm",
        "endpoint": "events",
        "events": events,
        "status": 202,
        "verdict": Verdict.DONE,
        "why": "HTTP 202",
        "attempt": 1,
        "seconds": 0.25,
        "request_bytes": 0,
        "method": "POST",
        "path": "/api/events",
        "body": b'{"a":1}',
        "answer": Answer(202, {"x-request-id": "r-1", "date": "today"}, b"ok"),
        "masked": masked,
    }
    return Attempt(**{**fields, **more})


def recorded(
    path: Path,
    *receipts: Attempted | Ended,
    keep: Keep = Keep(),  # noqa: B008  # frozen
    clock: Callable[[], float] | None = None,
) -> Recorder:
    """Write receipts and close."""
    recorder = Recorder(path, keep) if clock is None else Recorder(path, keep, clock=clock)
    for receipt in receipts:
        if isinstance(receipt, Ended):
            recorder.add_end(receipt)
        else:
            recorder.add(receipt)
    recorder.start()
    recorder.close()
    return recorder


def event(email: str = "ann@example.com", **more: Any) -> Event:
    origin = Origin(name="shop", vendor="klaviyo", endpoint="events")
    made = Event(id=uuid7(), kind="track", name="Order Completed", received_at=datetime.now(UTC), source=origin)
    return msgspec.structs.replace(made, profile=Profile(email=email), **more)


def entries(events: Sequence[Event], decision: Decision) -> list[Entry]:
    return [Entry(one.id, dump(one), decision) for one in events]
