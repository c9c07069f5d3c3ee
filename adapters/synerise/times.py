"""Synerise's times: ISO 8601 with Z or an offset, stored to the millisecond."""

from datetime import datetime
from typing import Final

from msgspec import to_builtins

_WHOLE: Final = len("2026-11-21T12:00:00")


def write_time(moment: datetime) -> str:
    """Return ISO 8601 with Z: three digits of a second, six where the time has them."""
    text: str = to_builtins(moment)
    micros = moment.microsecond
    if not micros:
        return f"{text[:_WHOLE]}.000Z"
    return text if micros % 1000 else f"{text[: _WHOLE + 4]}Z"


def write_arrival(moment: datetime) -> str:
    """Return the time of arrival that stands in for a missing one: always six digits, as a clock reads."""
    text: str = to_builtins(moment)
    return text if moment.microsecond else f"{text[:_WHOLE]}.000000Z"
