"""Patterns of `matches`: RE2's syntax (github.com/google/re2/wiki/Syntax, read 2026-11-21), read into a small tree.

Left out: word boundaries, Unicode classes (``\\pL``), many lines (``(?m)``), ``\\C`` and ``\\Q…\\E``. RE2 itself has
neither back references nor looking ahead. Whether a repetition is greedy makes no difference to whether a text fits.
"""

import re
from dataclasses import dataclass
from typing import Final, NoReturn

LONGEST: Final = 500
"""Characters of a pattern."""
_DEEPEST: Final = 30
_MOST_REPEATS: Final = 100
_MOST_FOLDED: Final = 1_000
"""Characters of a set whose case is ignored."""
_LAST: Final = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]
"""Characters, as ranges of codes, in order and apart."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of a set."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Edge:
    """The begin (``^``) or the end (``$``) of the text."""

    end: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One after the other."""

    members: tuple["Pattern", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of several."""

    options: tuple["Pattern", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same again and again; `most` is None where there is no end."""

    of: "Pattern"
    least: int
    most: int | None


Pattern = Chars | Edge | Row | Either | Repeat


class PatternError(ValueError):
    """A pattern that is none, or that is not supported; the message names the place in the pattern."""


def read(text: str) -> Pattern:
    """Return the tree of a pattern.

    Raises:
        PatternError: it is none, or none that is supported.
    """
    if len(text) > LONGEST:
        raise PatternError(f"a pattern has at most {LONGEST} characters")
    return _Reader(text).read()


# --- sets ------------------------------------------------------------------------------------------------


def _merged(ranges: list[tuple[int, int]]) -> Ranges:
    """Return ranges in order, those that touch as one."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _others(ranges: Ranges) -> Ranges:
    """Return all characters that are not in these ranges."""
    others, low = [], 0
    for first, last in ranges:
        if low < first:
            others.append((low, first - 1))
        low = last + 1
    return (*others, (low, _LAST)) if low <= _LAST else tuple(others)


def _chars(text: str) -> Ranges:
    """Return a set that is written as its characters and ranges of them."""
    return _merged([(ord(low), ord(high or low)) for low, high in re.findall(r"(.)(?:-(.))?", text, re.DOTALL)])


_PERL: Final = {"d": _chars("0-9"), "s": _chars("\t\n\f\r "), "w": _chars("0-9A-Za-z_")}
_POSIX: Final = {
    "alnum": _chars("0-9A-Za-z"),
    "alpha": _chars("A-Za-z"),
    "ascii": ((0, 0x7F),),
    "blank": _chars("\t "),
    "cntrl": ((0, 0x1F), (0x7F, 0x7F)),
    "digit": _chars("0-9"),
    "graph": _chars("!-~"),
    "lower": _chars("a-z"),
    "print": _chars(" -~"),
    "punct": _chars("!-/:-@[-`{-~"),
    "space": _chars("\t\n\v\f\r "),
    "upper": _chars("A-Z"),
    "word": _chars("0-9A-Za-z_"),
    "xdigit": _chars("0-9A-Fa-f"),
}
_CONTROLS: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_FOLDS: Final = {"k": "\u212a", "s": "\u017f", "å": "\u212b"}
"""Characters whose lower case is an ordinary letter's."""


def _folded(ranges: Ranges) -> Ranges:
    """Return a set with its characters in both cases."""
    found = list(ranges)
    for low, high in ranges:
        for code in range(low, high + 1):
            char = chr(code)
            cases = {char.lower(), char.upper(), char.lower().upper(), char.upper().lower()}
            cases |= {_FOLDS[case] for case in tuple(cases) if case in _FOLDS}
            found += [(ord(case), ord(case)) for case in cases if len(case) == 1]
    return _merged(found)


_COUNTS: Final = re.compile(r"\{([0-9]{1,4})(,([0-9]{1,4})?)?\}")
_GROUP_NAME: Final = re.compile(r"P?<[A-Za-z0-9_]+>")
_FLAGS: Final = re.compile(r"([isU]*)(?:-([isU]+))?([:)])")
_CODE: Final = re.compile(r"x(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})")
_POSIX_NAME: Final = re.compile(r"\[:(\^?)([a-z]+):\]")


# --- reading ---------------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._fold = False
        self._dot_all = False

    def read(self) -> Pattern:
        pattern = self._either()
        if self._at < len(self._text):
            self._fail("')' closes nothing")
        return pattern

    def _fail(self, message: str, at: int | None = None) -> NoReturn:
        place = self._at if at is None else at
        raise PatternError(f"{message}, at character {place + 1} of the pattern")

    def _next(self, *signs: str) -> str | None:
        """Return which of the signs stands here, and go past it."""
        for sign in signs:
            if self._text.startswith(sign, self._at):
                self._at += len(sign)
                return sign
        return None

    def _either(self) -> Pattern:
        options = [self._row()]
        while self._next("|"):
            options.append(self._row())
        return options[0] if len(options) == 1 else Either(tuple(options))

    def _row(self) -> Pattern:
        members: list[Pattern] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            members.append(self._repeated())
        return members[0] if len(members) == 1 else Row(tuple(members))

    def _repeated(self) -> Pattern:
        begun = self._at
        pattern = self._one()
        repeat = self._repeat(pattern)
        if repeat is None:
            return pattern
        if pattern == Row(()) and self._text.startswith("(?", begun):
            self._fail("nothing to repeat", begun)
        self._next("?")
        if self._repeat(pattern) is not None:
            self._fail("a repetition cannot be repeated; put it into (?:…)", self._at - 1)
        return repeat

    def _repeat(self, pattern: Pattern) -> Repeat | None:
        sign = self._next("*", "+", "?")
        if sign is not None:
            return Repeat(pattern, 1 if sign == "+" else 0, 1 if sign == "?" else None)
        found = _COUNTS.match(self._text, self._at)
        if found is None:
            return None
        least = int(found[1])
        most = int(found[3]) if found[3] else None if found[2] else least
        if max(least, most or 0) > _MOST_REPEATS:
            self._fail(f"more than {_MOST_REPEATS} repetitions")
        if most is not None and most < least:
            self._fail(f"{found[0]} ends before it begins")
        self._at = found.end()
        return Repeat(pattern, least, most)

    def _one(self) -> Pattern:
        char = self._text[self._at]
        if char in "*+?" or _COUNTS.match(self._text, self._at):
            self._fail("nothing to repeat")
        self._at += 1
        if char == "(":
            return self._group()
        if char == "[":
            return Chars(self._set())
        if char == "\\":
            return self._escaped()
        if char in "^$":
            return Edge(char == "$")
        if char == ".":
            return Chars(((0, _LAST),) if self._dot_all else _others(((10, 10),)))
        return Chars(self._cased(((ord(char), ord(char)),)))

    def _cased(self, ranges: Ranges) -> Ranges:
        if not self._fold:
            return ranges
        if sum(high - low + 1 for low, high in ranges) > _MOST_FOLDED:
            self._fail("this set is too large to ignore its case")
        return _folded(ranges)

    def _group(self) -> Pattern:
        before = self._fold, self._dot_all
        opened = self._at - 1
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail(f"groups are nested more than {_DEEPEST} deep", opened)
        closed = self._next("?") is not None and self._flags()
        if closed:  # (?i) holds to the end of the group around it
            self._depth -= 1
            return Row(())
        pattern = self._either()
        if not self._next(")"):
            self._fail("'(' is not closed", opened)
        self._depth -= 1
        self._fold, self._dot_all = before
        return pattern

    def _flags(self) -> bool:
        """Read what follows ``(?``; tell whether that was the whole group."""
        if _GROUP_NAME.match(self._text, self._at):
            self._at = self._text.index(">", self._at) + 1
            return False
        found = _FLAGS.match(self._text, self._at)
        if found is None:
            self._fail("this kind of group is not supported")
        on, off = found[1], found[2] or ""
        self._fold = (self._fold or "i" in on) and "i" not in off
        self._dot_all = (self._dot_all or "s" in on) and "s" not in off
        self._at = found.end()
        return found[3] == ")"

    def _escaped(self) -> Pattern:
        if self._next("A"):
            return Edge(end=False)
        if self._next("z"):
            return Edge(end=True)
        return Chars(self._class() or self._cased(self._code()))

    def _class(self) -> Ranges | None:
        """Read what follows a backslash, if it is a set like ``\\d``."""
        sign = self._next(*"dswDSW")
        if sign is None:
            return None
        ranges = self._cased(_PERL[sign.lower()])
        return ranges if sign.islower() else _others(ranges)

    def _code(self) -> Ranges:
        """Read what follows a backslash, if it is one character."""
        if self._at >= len(self._text):
            self._fail("nothing after the last backslash", self._at - 1)
        found = _CODE.match(self._text, self._at)
        char = self._text[self._at]
        if found:
            code = int(found[1] or found[2], 16)
            self._at = found.end()
        elif char in _CONTROLS or (char.isascii() and not char.isalnum()):
            code = ord(_CONTROLS.get(char, char))
            self._at += 1
        else:
            self._fail(f"'\\{char}' is not supported", self._at - 1)
        if code > _LAST:
            self._fail("no character has this code")
        return ((code, code),)

    def _set(self) -> Ranges:
        opened = self._at - 1
        negated = self._next("^") is not None
        found: list[tuple[int, int]] = []
        first = True
        while first or not self._next("]"):
            if self._at >= len(self._text):
                self._fail("'[' is not closed", opened)
            found += self._range()
            first = False
        ranges = self._cased(_merged(found))
        return _others(ranges) if negated else ranges

    def _range(self) -> Ranges:
        """Read one entry of a set."""
        if self._text.startswith("[:", self._at):
            return self._named()
        if self._next("\\"):
            inner = self._class()
            if inner is not None:
                return inner
            low = self._code()[0][0]
        else:
            low = self._char()
        if self._text[self._at : self._at + 1] != "-" or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return ((low, low),)
        self._at += 1
        high = self._code()[0][0] if self._next("\\") else self._char()
        if high < low:
            self._fail("a range ends before it begins")
        return ((low, high),)

    def _char(self) -> int:
        self._at += 1
        return ord(self._text[self._at - 1])

    def _named(self) -> Ranges:
        found = _POSIX_NAME.match(self._text, self._at)
        if found is None or found[2] not in _POSIX:
            self._fail("unknown class")
        self._at = found.end()
        return _others(_POSIX[found[2]]) if found[1] else _POSIX[found[2]]
