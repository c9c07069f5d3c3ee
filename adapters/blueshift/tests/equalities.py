"""What Blueshift itself counts as equal in the body of a request; see "What counts as equal" in the README."""

import json
import re
import uuid
from typing import Any, Final

_ARRIVAL: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
_DERIVED: Final = 5
"""The version of the UUIDs that are made of an event's id."""


def normalise(endpoint: str, body: Any) -> Any:
    """Return a request body in the form in which equal bodies are identical.

    Args:
        endpoint: the adapter's name or path of it.
        body: parsed JSON, or its bytes.
    """
    if isinstance(body, bytes):
        body = json.loads(body)
    if "customers" in endpoint:
        return body
    if "bulkevents" in endpoint and isinstance(body, dict) and isinstance(body.get("events"), list):
        return {**body, "events": [_event(row) for row in body["events"]]}
    return _event(body)


def _event(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    return {key: value for key, value in row.items() if not _is_assigned(key, value, row)}


def _is_assigned(key: str, value: Any, row: dict[str, Any]) -> bool:
    """Tell whether a value stands for what Blueshift assigns when the key is missing."""
    if key == "event_uuid":
        return value is None or (isinstance(value, str) and (not value.strip() or _is_derived(value)))
    if key == "timestamp":
        by_clock = isinstance(value, str) and _ARRIVAL.fullmatch(value) is not None
        return by_clock and "bsft_sdk_version" not in row
    return False


def _is_derived(text: str) -> bool:
    try:
        return uuid.UUID(text).version == _DERIVED
    except ValueError:
        return False
