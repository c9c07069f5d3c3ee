"""The macros over lists, and the bound on what they do for one event.

(github.com/google/cel-spec, doc/langdef.md, "Macros", read 2026-11-21.)
"""

from collections.abc import Callable
from typing import Any, Final

from gateway.expressions.values import ERROR, LISTS

MOST_TURNS: Final = 10_000
"""Members that all macros of an expression go over for one event; what needs more is an error."""
CHARACTERS_PER_TURN: Final = 64
"""Characters that are read or made within a macro for what one member costs."""

Test = Callable[[Any], Any]


class Work:
    """What one evaluation may still do."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_TURNS

    def allows(self, members: Any) -> bool:
        """Tell whether a macro may go over these, and count them."""
        if type(members) not in LISTS:
            return False
        self._left -= len(members)
        return self._left >= 0

    def counted(self, value: Any) -> Any:
        """Return a text or a list that is read or made within a macro, and count its characters or members."""
        if type(value) is str:
            self._left -= len(value) // CHARACTERS_PER_TURN
        elif type(value) in LISTS:
            self._left -= len(value)
        return value if self._left >= 0 else ERROR


def every(work: Work, members: Any, test: Test) -> Any:
    """Return whether a test is true of all; one that is false decides, whatever fails."""
    if not work.allows(members):
        return ERROR
    result: Any = True
    for member in members:
        found = test(member)
        if found is False:
            return False
        if found is not True:
            result = ERROR
    return result


def some(work: Work, members: Any, test: Test) -> Any:
    """Return whether a test is true of one or more; one that is true decides, whatever fails."""
    if not work.allows(members):
        return ERROR
    result: Any = False
    for member in members:
        found = test(member)
        if found is True:
            return True
        if found is not False:
            result = ERROR
    return result


def one(work: Work, members: Any, test: Test) -> Any:
    """Return whether a test is true of exactly one."""
    chosen = chosen_by(work, members, test)
    return ERROR if chosen is ERROR else len(chosen) == 1


def chosen_by(work: Work, members: Any, test: Test) -> Any:
    """Return the members of which a test is true."""
    if not work.allows(members):
        return ERROR
    chosen = []
    for member in members:
        found = test(member)
        if found is True:
            chosen.append(member)
        elif found is not False:
            return ERROR
    return chosen


def made_of(work: Work, members: Any, make: Test, test: Test | None = None) -> Any:
    """Return what is made of each member, or of those of which a test is true."""
    chosen = members if test is None else chosen_by(work, members, test)
    if chosen is ERROR or (test is None and not work.allows(members)):
        return ERROR
    made = []
    for member in chosen:
        value = make(member)
        if value is ERROR:
            return ERROR
        made.append(value)
    return made


LOOPS: Final[dict[str, Callable[..., Any]]] = {
    "all": every, "exists": some, "exists_one": one, "filter": chosen_by, "map": made_of,
}  # fmt: skip
