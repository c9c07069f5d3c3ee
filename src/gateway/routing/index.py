"""Finds the rules that fit an event's name without trying each of them."""

import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Final

from gateway.routing.entries import Patterns

_WILD: Final = re.compile(r"[*?[]")


class NameIndex:
    """Which of some patterns fit a name; each stands for the number of a rule.

    A text is looked up. A glob is looked up by what stands before its first wildcard; the globs that begin with one
    are tried together first, and one by one only for a name that some of them fits.
    """

    def __init__(self, rules: Iterable[tuple[int, Patterns | None]]) -> None:
        self._always: set[int] = set()
        self._exact: dict[str, set[int]] = {}
        self._globs: dict[str, list[tuple[int, re.Pattern[str]]]] = {}
        for number, patterns in rules:
            if patterns is None:
                self._always.add(number)
            for pattern in [patterns] if isinstance(patterns, str) else patterns or ():
                self._add(number, pattern)
        loose = self._globs.pop("", [])
        self._loose = loose
        self._any_loose = re.compile("|".join(pattern.pattern for _, pattern in loose) or r"(?!)")
        self._lengths = sorted({len(beginning) for beginning in self._globs})

    def _add(self, number: int, pattern: str) -> None:
        wild = _WILD.search(pattern)
        if wild is None:
            self._exact.setdefault(pattern, set()).add(number)
        else:
            compiled = re.compile(translate(pattern))
            self._globs.setdefault(pattern[: wild.start()], []).append((number, compiled))

    def fitting(self, name: str) -> tuple[int, ...]:
        """Return the numbers of the rules that fit, in order."""
        found = self._always | self._exact.get(name, set())
        for length in self._lengths:
            for number, pattern in self._globs.get(name[:length], ()):
                if pattern.match(name):
                    found.add(number)
        if self._any_loose.match(name):
            found.update(number for number, pattern in self._loose if pattern.match(name))
        return tuple(sorted(found))
