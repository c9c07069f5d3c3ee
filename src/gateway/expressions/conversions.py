"""Conversions and other functions of expressions: each takes any values, and gives `ERROR` for those it is not for.

They are those of the specification (github.com/google/cel-spec, doc/langdef.md, "List of Standard Definitions", and
doc/extensions/strings.md, read 2026-11-21).
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from math import isfinite
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final

from gateway.expressions.times import duration_text, epoch_seconds, time_text
from gateway.expressions.values import ERROR, LISTS, unsigned, whole

_LONGEST_NUMBER: Final = 400
"""Characters of a text that can be a number."""
_LEAST_DOUBLE: Final = -(2.0**63)
"""Where doubles are too coarse to tell whether a number of 64 bits was meant; CEL has an error."""
_BEYOND: Final = 20
"""Digits that no number of 64 bits has."""
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?Inf(inity)?|NaN")
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_PLAIN: Final = 21
"""Digits up to which a number is written without an exponent."""

_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
_UPPER: Final = str.maketrans(ascii_lowercase, ascii_uppercase)
_SPACES: Final = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's white space, as in `trim` of the strings extension."""


def to_int(value: Any) -> Any:
    """Return a 64-bit whole number; fractions are cut off."""
    made = _to_whole(value)
    return ERROR if made is ERROR else whole(made)


def to_uint(value: Any) -> Any:
    """Return an unsigned 64-bit whole number; fractions are cut off."""
    made: Any = ERROR if type(value) is datetime else _to_whole(value)
    return ERROR if made is ERROR else unsigned(made)


def _to_whole(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return value
    if kind is float:
        return int(value) if isfinite(value) and value != _LEAST_DOUBLE else ERROR
    if kind is Decimal:
        return int(value) if value.is_finite() and value.adjusted() < _BEYOND else ERROR
    if kind is str:
        return int(value) if _WHOLE.fullmatch(value) else ERROR
    return epoch_seconds(value) if kind is datetime else ERROR


def to_double(value: Any) -> Any:
    """Return the nearest double."""
    kind = type(value)
    if kind is float:
        return value
    if kind is int or kind is Decimal:
        try:
            return float(value)
        except (OverflowError, ValueError):
            return ERROR
    if kind is str and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value):
        return float(value)
    return ERROR


def to_bool(value: Any) -> Any:
    """Return what ``true``, ``false`` and their short forms stand for."""
    if type(value) is bool:
        return value
    if type(value) is not str:
        return ERROR
    return True if value in _TRUE else False if value in _FALSE else ERROR


def to_string(value: Any) -> Any:
    """Return a value as text."""
    write = _WRITERS.get(type(value))
    return ERROR if write is None else write(value)


def _double_text(value: float) -> str:
    if not isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    return _decimal_text(Decimal(repr(value))).removesuffix(".0")


def _decimal_text(value: Decimal) -> str:
    return f"{value:f}" if value.is_finite() and -_PLAIN < value.adjusted() < _PLAIN else str(value)


def _int_text(value: int) -> Any:
    return ERROR if whole(value) is ERROR and unsigned(value) is ERROR else str(value)


_WRITERS: Final[dict[type, Callable[[Any], Any]]] = {
    str: lambda value: value,
    bool: lambda value: "true" if value else "false",
    int: _int_text,
    float: _double_text,
    Decimal: _decimal_text,
    datetime: time_text,
    timedelta: duration_text,
}


def size(value: Any) -> Any:
    """Return how many characters a text, or members a list or a mapping has."""
    return len(value) if type(value) is str or type(value) is dict or type(value) in LISTS else ERROR


# --- texts -----------------------------------------------------------------------------------------------


def starts_with(text: Any, part: Any) -> Any:
    """Return whether a text begins with another."""
    return text.startswith(part) if type(text) is str and type(part) is str else ERROR


def ends_with(text: Any, part: Any) -> Any:
    """Return whether a text ends with another."""
    return text.endswith(part) if type(text) is str and type(part) is str else ERROR


def contains(text: Any, part: Any) -> Any:
    """Return whether a text has another in it."""
    return part in text if type(text) is str and type(part) is str else ERROR


def lower_ascii(text: Any) -> Any:
    """Return a text with A to Z in lower case; other letters stay."""
    return text.translate(_LOWER) if type(text) is str else ERROR


def upper_ascii(text: Any) -> Any:
    """Return a text with a to z in upper case; other letters stay."""
    return text.translate(_UPPER) if type(text) is str else ERROR


def trim(text: Any) -> Any:
    """Return a text without the white space at its ends."""
    return text.strip(_SPACES) if type(text) is str else ERROR


# --- results ---------------------------------------------------------------------------------------------


def finished(value: Any) -> Any:
    """Return a value as it leaves an expression: None for what has no value, or none that JSON can say."""
    if value is ERROR or (type(value) is float and not isfinite(value)):
        return None
    return list(value) if type(value) is tuple else value
