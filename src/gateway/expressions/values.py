"""Values at run time: errors, equality, order and arithmetic.

A value is a Python value: int (for int and uint), float, Decimal, str, bool, None, list or tuple, dict, datetime,
timedelta. Every function here takes any values, `ERROR` among them, and gives `ERROR` where CEL has an error.

Decimals are ours: CEL has none. A double meets a decimal as the shortest decimal text that stands for it, which is
what a person wrote: ``Decimal("10.1") == 10.1``.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException, DivisionByZero, InvalidOperation, Overflow
from math import copysign, inf, isnan, nan
from typing import Any, Final


class Error:
    """What an expression is that has no value; there is one, `ERROR`."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return its name."""
        return "ERROR"


ERROR: Final = Error()

LONGEST_TEXT: Final = 10_000
"""Characters of a text, or members of a list, that ``+`` makes."""

LISTS: Final = frozenset({list, tuple})
_NUMBERS: Final = frozenset({int, float, Decimal})
_LEAST, _MOST = -(2**63), 2**63 - 1
_MOST_UNSIGNED: Final = 2**64 - 1
_EXACT: Final = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
_DAYS: Final = timedelta(seconds=315_576_000_000)
"""The longest duration: 10,000 years of 365.25 days, as in google.protobuf.Duration."""


def whole(value: int) -> Any:
    """Return an int of 64 bits."""
    return value if _LEAST <= value <= _MOST else ERROR


def unsigned(value: int) -> Any:
    """Return a uint of 64 bits."""
    return value if 0 <= value <= _MOST_UNSIGNED else ERROR


def span(value: timedelta) -> Any:
    """Return a duration that is not too long."""
    return value if -_DAYS <= value <= _DAYS else ERROR


def shortest(value: float) -> Decimal:
    """Return the decimal that is written like the double."""
    return Decimal(repr(value))


# --- equality and order ----------------------------------------------------------------------------------


def equal(left: Any, right: Any) -> Any:
    """Return whether two values are equal; values of different types never are, but numbers are numbers."""
    if left is ERROR or right is ERROR:
        return ERROR
    kind, other = type(left), type(right)
    if kind is other and kind is not list and kind is not dict and kind is not tuple:
        return left == right
    if kind in _NUMBERS and other in _NUMBERS:
        return _equal_numbers(left, right)
    if kind in LISTS and other in LISTS:
        return len(left) == len(right) and all(map(equal, left, right))
    if kind is dict and other is dict:
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return False


def _equal_numbers(left: Any, right: Any) -> bool:
    if type(left) is Decimal and type(right) is float:
        return left == shortest(right)
    if type(left) is float and type(right) is Decimal:
        return shortest(left) == right
    same: bool = left == right
    return same


_ORDERED: Final = frozenset({bool, str, datetime, timedelta})


def less(left: Any, right: Any) -> Any:
    """Return whether one value stands before another of its type; numbers are one type here."""
    kind, other = type(left), type(right)
    if kind in _NUMBERS and other in _NUMBERS:
        return _less_number(left, right)
    return left < right if kind is other and kind in _ORDERED else ERROR


def _less_number(left: Any, right: Any) -> bool:
    if left != left or right != right:  # NaN
        return False
    if type(left) is Decimal and type(right) is float:
        right = shortest(right)
    elif type(left) is float and type(right) is Decimal:
        left = shortest(left)
    before: bool = left < right
    return before


def at_most(left: Any, right: Any) -> Any:
    """Return whether one value is less than another or equal to it."""
    before = less(left, right)
    return equal(left, right) if before is False else before


def member(value: Any, held: Any) -> Any:
    """Return whether a list has a value, or a mapping a key."""
    if value is ERROR:
        return ERROR
    if type(held) in LISTS:
        return any(equal(value, one) for one in held)
    if type(held) is dict:
        return value in held if type(value) is str else _no_key(value)
    return ERROR


def _no_key(value: Any) -> Any:
    """Return that a mapping of ours, which has texts as keys, has no such key; or that nothing has one."""
    return False if type(value) is bool or type(value) in _NUMBERS else ERROR


# --- members ---------------------------------------------------------------------------------------------


def at(held: Any, key: Any) -> Any:
    """Return a list's member by its number, from 0, or a mapping's value."""
    if type(held) is dict:
        return held.get(key, ERROR) if type(key) is str else ERROR
    if type(held) in LISTS:
        if type(key) in _NUMBERS and 0 <= key < len(held) and key == int(key):
            return held[int(key)]
        return ERROR
    return ERROR


def has(held: Any, key: str) -> Any:
    """Return whether a mapping has a value of that name that is not null."""
    return held.get(key) is not None if type(held) is dict else ERROR


def list_of(*members: Any) -> Any:
    """Return a list."""
    return ERROR if any(one is ERROR for one in members) else list(members)


def map_of(keys: tuple[str, ...], *values: Any) -> Any:
    """Return a mapping."""
    return ERROR if any(one is ERROR for one in values) else dict(zip(keys, values, strict=True))


# --- arithmetic ------------------------------------------------------------------------------------------

_Binary = Callable[[Any, Any], Any]


def _arithmetic(table: Mapping[tuple[type, type], _Binary], decimal: _Binary | None) -> _Binary:
    """Return the operator that does what the table says for two types, and decimals with any number."""

    def operate(left: Any, right: Any) -> Any:
        kinds = type(left), type(right)
        found = table.get(kinds)
        if found is not None:
            try:
                return found(left, right)
            except (OverflowError, ZeroDivisionError):
                return ERROR
        if decimal is None or Decimal not in kinds or not _NUMBERS.issuperset(kinds):
            return ERROR
        try:
            made = decimal(_decimal(left), _decimal(right))
        except DecimalException:
            return ERROR
        return made if made.is_finite() else ERROR

    return operate


def _decimal(value: Any) -> Decimal:
    return shortest(value) if type(value) is float else Decimal(value)


def _joined(left: Any, right: Any) -> Any:
    return left + right if len(left) + len(right) <= LONGEST_TEXT else ERROR


def _joined_lists(left: Any, right: Any) -> Any:
    return [*left, *right] if len(left) + len(right) <= LONGEST_TEXT else ERROR


def _quotient(left: int, right: int) -> int:
    """Divide towards zero."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _rest(left: int, right: int) -> Any:
    """Return what is left of a division towards zero; an error where the division is one."""
    quotient = _quotient(left, right)
    return ERROR if whole(quotient) is ERROR else left - right * quotient


def _ratio(left: float, right: float) -> float:
    """Divide as IEEE 754 says."""
    if right:
        return left / right
    if not left or isnan(left):
        return nan
    return copysign(inf, left) * copysign(1.0, right)


add: Final = _arithmetic(
    {
        (int, int): lambda left, right: whole(left + right),
        (float, float): lambda left, right: left + right,
        (str, str): _joined,
        **{(kind, other): _joined_lists for kind in LISTS for other in LISTS},
        (datetime, timedelta): lambda left, right: left + right,
        (timedelta, datetime): lambda left, right: right + left,
        (timedelta, timedelta): lambda left, right: span(left + right),
    },
    _EXACT.add,
)
subtract: Final = _arithmetic(
    {
        (int, int): lambda left, right: whole(left - right),
        (float, float): lambda left, right: left - right,
        (datetime, timedelta): lambda left, right: left - right,
        (datetime, datetime): lambda left, right: span(left - right),
        (timedelta, timedelta): lambda left, right: span(left - right),
    },
    _EXACT.subtract,
)
multiply: Final = _arithmetic(
    {(int, int): lambda left, right: whole(left * right), (float, float): lambda left, right: left * right},
    _EXACT.multiply,
)
divide: Final = _arithmetic(
    {(int, int): lambda left, right: whole(_quotient(left, right)), (float, float): _ratio}, _EXACT.divide
)
remainder: Final = _arithmetic({(int, int): _rest}, None)


def negative(value: Any) -> Any:
    """Return a number with the other sign."""
    if type(value) is int:
        return whole(-value)
    return -value if type(value) in (float, Decimal) else ERROR


def _of_unsigned(operate: Callable[[int, int], int]) -> _Binary:
    def made(left: Any, right: Any) -> Any:
        if type(left) is not int or type(right) is not int:
            return ERROR
        try:
            return unsigned(operate(left, right))
        except ZeroDivisionError:
            return ERROR

    return made


UNSIGNED: Final[dict[str, _Binary]] = {
    "+": _of_unsigned(lambda left, right: left + right),
    "-": _of_unsigned(lambda left, right: left - right),
    "*": _of_unsigned(lambda left, right: left * right),
    "/": _of_unsigned(lambda left, right: left // right),
    "%": _of_unsigned(lambda left, right: left % right),
}
ARITHMETIC: Final[dict[str, _Binary]] = {
    "+": add, "-": subtract, "*": multiply, "/": divide, "%": remainder,
}  # fmt: skip
