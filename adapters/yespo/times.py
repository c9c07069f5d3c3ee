"""Times, both ways.

Sources, read 2026-11-21: docs.yespo.io/docs/how-send-past-events (``YYYY-MM-DD``, ``YYYY-MM-DDTHH:mm``),
docs.yespo.io/docs/orders-automation (ISO 8601, with or without a zone). A time without a zone is taken for UTC: no
page says which zone is meant.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import to_builtins

from gateway.adapter import parse_time, parse_unix

_LONGEST: Final = 40
"""Characters of a time; our choice."""


def read_time(value: Any) -> datetime | None:
    """Return the UTC time of an ISO 8601 text, None for anything else."""
    if type(value) is not str or not _SHORTEST <= len(value) <= _LONGEST or value[4] != "-":
        return None
    return parse_time(value)


_SHORTEST: Final = len("2025-03-22")


def read_millis(value: Any) -> datetime | None:
    """Return the UTC time of milliseconds since 1970, a number or digits."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < _SHORTEST * 2:
        value = int(value)
    if type(value) is not int and type(value) is not float:
        return None
    seconds = parse_unix(value // 1000)
    return None if seconds is None else seconds + timedelta(milliseconds=value % 1000)


def write_seconds(moment: datetime) -> str:
    """Return ``YYYY-MM-DDTHH:MM:SS`` in UTC."""
    text: str = to_builtins(moment if moment.tzinfo is UTC else moment.astimezone(UTC))
    return text[:_SECONDS]


_SECONDS: Final = len("2025-03-22T10:00:00")
