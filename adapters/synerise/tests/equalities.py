"""What Synerise itself counts as equal in the body of a request; see "What counts as equal" in the README."""

import json
import re
from typing import Any, Final

_ARRIVAL: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
_OURS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ORIGINAL: Final = "snr-original-time"
_EMPTY: Final = ("params", "metadata")


def normalise(endpoint: str, body: Any) -> Any:
    """Return the items of a body, in the form in which equal ones are identical."""
    if isinstance(body, bytes):
        body = json.loads(body)
    rows = body if isinstance(body, list) else [body]
    if "clients" in endpoint:
        return rows
    return [_event(row) if isinstance(row, dict) else row for row in rows]


def _event(row: dict[str, Any]) -> dict[str, Any]:
    row = _without_nulls(row)
    for key in _EMPTY:
        if key in row and not row[key]:
            del row[key]
    clock = "recordedAt" if "recordedAt" in row else "time"
    _restore_time(row, clock)
    if isinstance(row.get(clock), str) and _ARRIVAL.fullmatch(row[clock]):
        del row[clock]
    if isinstance(row.get("eventSalt"), str) and _OURS.fullmatch(row["eventSalt"]):
        del row["eventSalt"]
    return row


def _restore_time(row: dict[str, Any], clock: str) -> None:
    """Put a time that was replaced back in its place."""
    for key in _EMPTY:
        params = row.get(key)
        if isinstance(params, dict) and _ORIGINAL in params:
            row[clock] = params.pop(_ORIGINAL)
            if not params:
                del row[key]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value
