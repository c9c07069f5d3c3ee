"""The functions of expressions: how they are called, what they take and give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.expressions import conversions, times
from gateway.expressions.celtypes import BOOL, DOUBLE, DURATION, INT, STRING, TIMESTAMP, UINT, Type


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    The function of Python takes any values and gives `ERROR` for those that it is not for.
    """

    name: str
    result: Type
    run: Callable[..., Any]
    takes: tuple[frozenset[str], ...]
    """For each argument the names of the types it may have; a method's first argument stands before its dot."""
    call: bool = False
    """Whether it is called as ``name(x)``."""
    method: bool = False
    """Whether it is called as ``x.name()``."""
    total: bool = False
    """Whether it has a value for all arguments of its types."""
    reads_all: bool = False
    """Whether it reads its first argument to the end, so that this is counted within a macro."""
    makes: bool = False
    """Whether it makes a text or a list of any length, so that this is counted within a macro."""
    form: str | None = None
    """The same in Python, for arguments of which the types are known: ``{0}`` and ``{1}``."""
    zoned: bool = False
    """Whether a last argument that is the name of a time zone may follow."""


def _types(*names: str) -> frozenset[str]:
    return frozenset(names)


_TEXT: Final = _types("string")
_NUMBER: Final = ("int", "uint", "double", "decimal", "string")


def _conversion(name: str, result: Type, run: Callable[[Any], Any], *takes: str, total: bool = False) -> Function:
    return Function(name, result, run, (_types(*takes),), call=True, total=total)


def _getter(name: str) -> Function:
    takes = _types("timestamp", "duration") if name in times.OF_DURATIONS else _types("timestamp")
    return Function(name, INT, times.GETTERS[name], (takes,), method=True, zoned=True)


def _about_text(
    name: str, result: Type, run: Callable[..., Any], form: str | None, *, more: int, reads: bool
) -> Function:
    takes = (_TEXT,) * (1 + more)
    return Function(name, result, run, takes, method=True, total=True, reads_all=reads, form=form)


_ALL: Final = (
    Function(
        "size", INT, conversions.size, (_types("string", "list", "map"),), call=True, method=True, total=True,
        form="len({0})",
    ),
    _conversion("int", INT, conversions.to_int, *_NUMBER, "timestamp"),
    _conversion("uint", UINT, conversions.to_uint, *_NUMBER),
    _conversion("double", DOUBLE, conversions.to_double, *_NUMBER),
    _conversion("bool", BOOL, conversions.to_bool, "bool", "string"),
    _conversion("string", STRING, conversions.to_string, *_NUMBER, "bool", "timestamp", "duration", total=True),
    _conversion("timestamp", TIMESTAMP, times.timestamp, "string", "int", "timestamp"),
    _conversion("duration", DURATION, times.duration, "string", "duration"),
    _about_text("startsWith", BOOL, conversions.starts_with, "{0}.startswith({1})", more=1, reads=False),
    _about_text("endsWith", BOOL, conversions.ends_with, "{0}.endswith({1})", more=1, reads=False),
    _about_text("contains", BOOL, conversions.contains, "({1} in {0})", more=1, reads=True),
    _about_text("lowerAscii", STRING, conversions.lower_ascii, None, more=0, reads=True),
    _about_text("upperAscii", STRING, conversions.upper_ascii, None, more=0, reads=True),
    _about_text("trim", STRING, conversions.trim, None, more=0, reads=True),
    *map(_getter, times.GETTERS),
)  # fmt: skip

FUNCTIONS: Final[Mapping[str, Function]] = {function.name: function for function in _ALL}
MATCHES: Final = "matches"
"""The function that is made for its pattern; see `gateway.expressions.automaton`."""
HAS: Final = "has"
MACROS: Final = {"all": 2, "exists": 2, "exists_one": 2, "filter": 2, "map": 3}
"""Macros over lists, with the most arguments they take; the least is 2."""


def matching(run: Callable[[Any], Any]) -> Function:
    """Return the function `matches` of one pattern."""
    return Function(MATCHES, BOOL, run, (_TEXT,), method=True, reads_all=True)
