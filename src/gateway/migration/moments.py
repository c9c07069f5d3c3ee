"""Moments as people write them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.errors import UsageError

_AGO: Final = re.compile(r"([0-9]{1,6})(s|m|h|d)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime) -> datetime:
    """Return the moment that ``2026-11-21``, ``2026-11-21T09:30`` (both UTC), ``…+02:00``, or ``2h`` ago stands for.

    Raises:
        UsageError: it stands for none.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        examples = "2026-11-21, 2026-11-21T09:30:00+02:00, or 2h for so long ago"
        raise UsageError(f"{text!r} is no moment: write {examples}") from None
