"""What Klaviyo accepts for a value: time, money, e-mail, phone, free properties.

Each function returns the canonical value or raises `Invalid` with a pointer relative to the object it stands in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec

from adapters.klaviyo import limits
from adapters.klaviyo.errors import Invalid
from gateway.adapter import non_space, parse_time

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_USUAL: Final = "--T::"
"""What stands between the numbers of a time in its usual spelling."""
_EARLIEST: Final = datetime(limits.EARLIEST.value, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(days=limits.AHEAD.value)
_LABEL: Final = non_space("@.") + "++"
_EMAIL: Final = re.compile(non_space(r"@\"(),:;<>\[\\\]") + rf"++@{_LABEL}(?:\.{_LABEL})++")
_PHONE: Final = re.compile(
    rf"\+[1-9]\d{{{limits.PHONE_DIGITS_LEAST.value - 1},{limits.PHONE_DIGITS.value - 1}}}", re.ASCII
)
_NUMBER: Final = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)

_INFINITE: Final = float("inf")
_DIGITS: Final = b"-0123456789"
_WIDEST: Final = 4
"""Bytes of UTF-8 that one character can take."""
_ARRAY: Final = limits.ARRAY.value
_NESTING: Final = limits.NESTING.value
_MONEY_TEXT: Final = limits.MONEY_TEXT.value
_PROPERTIES: Final = limits.PROPERTIES.value
_STRING: Final = limits.STRING.value
_STRING_SENT: Final = limits.STRING_SENT.value
SHORT: Final = 2 * min(_ARRAY, _STRING, _STRING_SENT)
"""Bytes of JSON that hold no string and no array over a limit: an element takes two, with its comma."""
_CONTAINERS: Final = frozenset({dict, list})

is_email: Final = _EMAIL.fullmatch
is_phone: Final = _PHONE.fullmatch
"""E.164: a plus, then digits alone."""


def in_window(moment: datetime, now: datetime) -> bool:
    """Tell whether Klaviyo takes an event of that moment now."""
    return moment >= _EARLIEST and (moment <= now or moment - now <= _AHEAD)


def moment(text: str, now: datetime) -> datetime:
    """Return an RFC 3339 time in UTC; one without an offset is taken for UTC."""
    found = parse_time(text) if text[4:17:3] == _USUAL or _TIME.fullmatch(text) else None
    if found is None:
        raise Invalid("/time", "Datetime has wrong format. Use RFC 3339: YYYY-MM-DDThh:mm:ss[+HH:MM|-HH:MM|Z].")
    if not in_window(found, now):
        raise Invalid("/time", f"The time must be after {limits.EARLIEST.value} and at most one year in the future.")
    return found


def to_number(value: Any) -> Decimal | None:
    """Return the number that a JSON value means, numeric text included, else None."""
    if isinstance(value, str):
        return number(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(repr(value))
    return value if isinstance(value, Decimal) else None


def number(text: str) -> Decimal | None:
    """Return the number a text spells, None when it spells none or one that no float can hold."""
    return _number(text) if len(text) <= _MONEY_TEXT else None


@lru_cache(4096)
def _number(text: str) -> Decimal | None:
    """Cached, since prices come again and again."""
    if not _NUMBER.fullmatch(text):
        return None
    return Decimal(text) if text.isdecimal() or abs(float(text)) != _INFINITE else None


def amount(raw: bytes) -> tuple[Decimal | None, str | None]:
    """Return a raw JSON value as money, and the text it was quoted as, if it was: ``"18.50"`` counts as 18.50."""
    if raw[0] in _DIGITS:
        found, quoted = number(raw.decode()), None
    elif raw == b"null":
        return None, None
    else:
        quoted = _text(raw)
        found = None if quoted is None else number(quoted)
    if found is None:
        raise Invalid("/value", "A valid number is required.")
    return found, quoted


def _text(raw: bytes) -> str | None:
    """Return the text of raw JSON, which nobody has checked yet; None when it is none."""
    try:
        return msgspec.json.decode(raw, type=str)
    except ValueError:
        return None


# --- free parts ------------------------------------------------------------------------------------------


def check_properties(properties: Mapping[str, Any], size: int) -> None:
    """Raise `Invalid` when an event's properties are too many, too long, too deep.

    Args:
        properties: what to check.
        size: bytes of the body that they came in; in a short one nothing is too long.
    """
    if len(properties) > _PROPERTIES:
        raise Invalid("/properties", f"An event may have at most {_PROPERTIES} properties.")
    if size <= SHORT and is_shallow(properties.values()):
        return
    if problem := _problem(properties, 0, _STRING):
        raise Invalid("/properties", problem)


def is_shallow(values: Iterable[Any]) -> bool:
    """Tell at a glance that values hold no more than arrays of scalars."""
    for value in values:
        kind = type(value)
        if kind is dict or (kind is list and not _CONTAINERS.isdisjoint(map(type, value))):
            return False
    return True


def check_free(tree: Mapping[str, Any], pointer: str) -> None:
    """Raise `Invalid` at `pointer` when free JSON holds what Klaviyo does not store."""
    if problem := _problem(tree, 0, _STRING):
        raise Invalid(pointer, problem)


def _problem(tree: Any, depth: int, longest: int) -> str | None:
    """Return what is wrong with an object or an array, `depth` levels below the properties."""
    if depth > _NESTING:
        return f"Objects may be nested at most {_NESTING} levels deep."
    flat = type(tree) is list
    if flat and len(tree) > _ARRAY:
        return f"An array may have at most {_ARRAY} elements."
    safe = longest // _WIDEST
    for value in tree if flat else tree.values():
        kind = type(value)
        if kind is str:
            if len(value) > safe and len(value.encode()) > longest:
                return f"A string may have at most {longest} bytes."
        elif (kind is dict or kind is list) and (problem := _problem(value, depth + 1, longest)):
            return problem
    return None


def strings(tree: Any) -> Iterator[str]:
    """Yield every string in JSON, keys left out."""
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def check_depth(tree: Any) -> None:
    """Raise `Invalid` when what is kept aside is nested too deeply to be stored."""
    layer = [tree]
    for _ in range(limits.KEPT_NESTING.value):
        layer = [inner for value in layer for inner in _inner(value)]
        if not layer:
            return
    raise Invalid("", f"Objects may be nested at most {limits.KEPT_NESTING.value} levels deep.")


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def fits(properties: Mapping[str, Any]) -> bool:
    """Tell whether free JSON can be sent as it is."""
    return _problem(properties, 0, _STRING_SENT) is None
