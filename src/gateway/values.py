"""What JSON values mean as values of the canonical event, and what they become on the way back."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from math import isfinite
from typing import Any, Final, NamedTuple, get_args

import msgspec
from msgspec import Struct

_NUMBER: Final = re.compile(r"[-+]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})")
_LONGEST_NUMBER: Final = 1 + 30 + 1 + 30
"""Characters that `_NUMBER` can match."""
_LARGEST_FLOAT: Final = Decimal("1e300")


class ValueType(NamedTuple):
    """How the values of one canonical field are read from JSON and written to it."""

    lift: Callable[[Any], Any]
    """Returns the canonical value, None when the JSON value cannot mean one."""
    same: frozenset[type]
    """JSON types that `lift` gives back untouched."""
    exact: frozenset[type]
    """JSON types whose values come back the same from the canonical value."""
    lower: Callable[[Any], Any] | None = None
    """None: the canonical value is the JSON value."""
    many: bool = False
    """Whether the canonical value is a tuple, which is absent when it is empty."""


def to_decimal(value: Any) -> Decimal | None:
    """Return the finite number that a JSON value means, numeric text included, else None."""
    kind = type(value)
    if kind is float:
        return _of_float(value) if value else Decimal(repr(value))
    if kind is int:
        return Decimal(value)
    if kind is str and len(value) <= _LONGEST_NUMBER:
        return _of_text(value)
    return None


@lru_cache(4096)
def _of_text(value: str) -> Decimal | None:
    return Decimal(value) if _NUMBER.fullmatch(value) else None


@lru_cache(4096)
def _of_float(value: float) -> Decimal | None:
    """Cached, since prices come again and again; not for zero, whose signs are one key."""
    return Decimal(repr(value)) if isfinite(value) else None


def _to_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return None


def _to_float(value: Any) -> float | None:
    number = to_decimal(value)
    return None if number is None or abs(number) > _LARGEST_FLOAT else float(number)


def _to_texts(value: Any) -> tuple[str, ...] | None:
    if type(value) is list:
        for text in value:
            if type(text) is not str:
                return None
        return tuple(value) or None
    if isinstance(value, str) and value:
        return tuple([part.strip() for part in value.split(",")]) if "," in value else (value.strip(),)
    return None


def _to_time(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        # `combine` does what `replace(tzinfo=UTC)` does, in a sixth of its time.
        return datetime.combine(moment, moment.time(), UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _from_time(moment: datetime) -> str:
    text: str = msgspec.to_builtins(moment)
    return text


_NONE: Final[frozenset[type]] = frozenset()
_TEXT: Final[frozenset[type]] = frozenset({str})
_JSON: Final[frozenset[type]] = frozenset({str, int, float, bool, list, dict})

FREE: Final = ValueType(lambda value: value, _JSON, _JSON)
"""Any JSON value but null."""

_TYPES: Final[dict[Any, ValueType]] = {
    str: ValueType(_to_text, _TEXT, _TEXT),
    Decimal: ValueType(to_decimal, _NONE, frozenset({int, float})),
    float: ValueType(_to_float, frozenset({float}), frozenset({float})),
    tuple: ValueType(_to_texts, _NONE, frozenset({list}), list, many=True),
    datetime: ValueType(_to_time, _NONE, _NONE, _from_time),
}


@cache
def type_of(struct: type[Struct], field: str) -> ValueType:
    """Return the type of a canonical field."""
    hint = _hints(struct)[field]
    options = [arg for arg in get_args(hint) if arg not in (type(None), ...)] or [hint]
    return _TYPES[tuple] if options == [str] and "tuple" in str(hint) else _TYPES[options[0]]


@cache
def _hints(struct: type[Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(struct)}
