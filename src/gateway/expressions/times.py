"""Times and durations of expressions: reading, writing and taking apart.

Times are UTC and, like the event's, have microseconds; so have durations. What a text has beyond that is cut off. The
functions are those of the specification (github.com/google/cel-spec, doc/langdef.md, "List of Standard Definitions",
read 2026-11-21).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.expressions.values import ERROR, span

_LONGEST: Final = 64
"""Characters of a text that can be a time or a duration."""
_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_AMOUNT: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)")
_MICROSECONDS: Final = {
    "h": Decimal(3_600_000_000), "m": Decimal(60_000_000), "s": Decimal(1_000_000), "ms": Decimal(1000),
    "us": Decimal(1), "µs": Decimal(1), "ns": Decimal("0.001"),
}  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FIXED_ZONE: Final = re.compile(r"([+-]?)([01][0-9]|2[0-3]):([0-5][0-9])")


def timestamp(value: Any) -> Any:
    """Return the time that an RFC 3339 text or a number of seconds since 1970 stands for."""
    try:
        if type(value) is str and len(value) <= _LONGEST and (found := _TIME.fullmatch(value)):
            return _time(found)
        if type(value) is int:
            return _EPOCH + timedelta(seconds=value)
    except (ValueError, OverflowError):
        return ERROR
    return value if type(value) is datetime else ERROR


def _time(found: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction = int((found[7] or "").ljust(6, "0")[:6])
    local = datetime(year, month, day, hour, minute, second, fraction, tzinfo=UTC)
    if not found[8]:
        return local
    offset = timedelta(hours=int(found[9]), minutes=int(found[10]))
    return local - offset if found[8] == "+" else local + offset


def time_text(value: datetime) -> str:
    """Return a time as RFC 3339 text in UTC."""
    text = value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if value.microsecond else text) + "Z"


def epoch_seconds(value: datetime) -> int:
    """Return the whole seconds since 1970, rounded towards zero."""
    return _towards_zero(value - _EPOCH, _SECOND)


def duration(value: Any) -> Any:
    """Return the duration that a text like ``1h30m`` or ``-1.5s`` stands for."""
    if type(value) is timedelta:
        return value
    if type(value) is not str or len(value) > _LONGEST:
        return ERROR
    sign = -1 if value[:1] == "-" else 1
    amounts = value[1:] if value[:1] in ("-", "+") else value
    if amounts == "0":
        return timedelta()
    found = _AMOUNT.findall(amounts)
    if not found or "".join(number + unit for number, unit in found) != amounts:
        return ERROR
    total = sum((Decimal(number) * _MICROSECONDS[unit] for number, unit in found), Decimal())
    try:
        return span(timedelta(microseconds=sign * int(total)))
    except OverflowError:
        return ERROR


def duration_text(value: timedelta) -> str:
    """Return a duration as seconds: ``5400s``, ``-0.5s``."""
    seconds, rest = divmod(abs(value), _SECOND)
    fraction = f".{rest.microseconds:06}".rstrip("0") if rest else ""
    return f"{'-' if value < timedelta() else ''}{seconds}{fraction}s"


def zone(name: str) -> tzinfo | None:
    """Return a time zone by its IANA name or as an offset like ``+02:00``; None if there is none."""
    if found := _FIXED_ZONE.fullmatch(name):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-offset if found[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # also of a name that is a folder, or no name at all
        return None


# --- taking apart ----------------------------------------------------------------------------------------


def _towards_zero(value: timedelta, unit: timedelta) -> int:
    """Return how many whole units a duration has."""
    count = abs(value) // unit
    return count if value >= timedelta() else -count


_OF_TIMES: Final[dict[str, Callable[[datetime], int]]] = {
    "getFullYear": lambda at: at.year,
    "getMonth": lambda at: at.month - 1,
    "getDate": lambda at: at.day,
    "getDayOfMonth": lambda at: at.day - 1,
    "getDayOfWeek": lambda at: at.isoweekday() % 7,
    "getDayOfYear": lambda at: at.timetuple().tm_yday - 1,
    "getHours": lambda at: at.hour,
    "getMinutes": lambda at: at.minute,
    "getSeconds": lambda at: at.second,
    "getMilliseconds": lambda at: at.microsecond // 1000,
}
_OF_DURATIONS: Final[dict[str, Callable[[timedelta], int]]] = {
    "getHours": lambda span: _towards_zero(span, timedelta(hours=1)),
    "getMinutes": lambda span: _towards_zero(span, timedelta(minutes=1)),
    "getSeconds": lambda span: _towards_zero(span, _SECOND),
    "getMilliseconds": lambda span: _towards_zero(span, _MILLISECOND) - 1000 * _towards_zero(span, _SECOND),
}


def _getter(name: str) -> Callable[..., Any]:
    of_time, of_duration = _OF_TIMES[name], _OF_DURATIONS.get(name)

    def get(value: Any, at: Any = UTC) -> Any:
        try:
            if type(value) is datetime:
                return of_time(value.astimezone(at))
        except OverflowError:
            return ERROR
        return of_duration(value) if of_duration and type(value) is timedelta else ERROR

    return get


GETTERS: Final = {name: _getter(name) for name in _OF_TIMES}
"""Functions of a time and, if the text names one, a time zone; some also of a duration."""
OF_DURATIONS: Final = frozenset(_OF_DURATIONS)
