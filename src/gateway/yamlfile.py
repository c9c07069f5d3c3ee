"""YAML as people write it: the core schema of YAML 1.2, every value with its line and column.

``no``, ``on`` and ``12:30`` are strings, a duplicate key is a problem, and aliases cannot explode.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs do not name it as public

from gateway.errors import ConfigError, Problem

MAX_NODES: Final = 200_000
"""Nodes of one document once its aliases are expanded."""
MAX_DEPTH: Final = 60
"""Levels; PyYAML's own composer recurses in C and would crash on many more."""

Place = tuple[str | int, ...]
"""Keys and indexes from the root to a value."""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: builtin values, and where each stands."""

    name: str
    value: Any
    lines: list[str]
    places: dict[Place, tuple[int, int]]
    """(line, column) of each value, from 1."""
    keys: dict[Place, tuple[int, int]]
    """(line, column) of the key that holds each value of a mapping."""
    problems: list[Problem] = field(default_factory=list)

    def problem(self, place: Place, message: str, *, at_key: bool = False) -> Problem:
        """Return a problem at a value, or at its key; an unknown place means its nearest known parent."""
        table = self.keys if at_key and place in self.keys else self.places
        while place and place not in table:
            place = place[:-1]
        line, column = table.get(place) or self.places.get(place, (1, 1))
        source = self.lines[line - 1] if line <= len(self.lines) else ""
        return Problem(self.name, line, column, message, source)

    def within(self, place: Place, offset: int, message: str) -> Problem:
        """Return a problem within a text, so many characters from its start."""
        whole = self.problem(place, message)
        found = _aligned(self.lines, (whole.line - 1, whole.column - 1), self._text(place), offset)
        if found is None:
            return whole
        line, column = found
        return Problem(self.name, line + 1, column + 1, message, self.lines[line])

    def _text(self, place: Place) -> str:
        value = self.value
        for step in place:
            value = value[step]
        return value if isinstance(value, str) else ""


def _aligned(lines: list[str], start: tuple[int, int], text: str, offset: int) -> tuple[int, int] | None:
    """Return where a character of a scalar stands, None where it is written in another way, as with escapes.

    What is not white space stands in the file in the same order as in the text, however the lines are folded.
    """
    line, column = start
    opening = lines[line][column : column + 1]
    line, column = (line + 1, 0) if opening in _BLOCKS else (line, column + (opening in _QUOTES))
    signs = (
        (number, at, sign)
        for number in range(line, len(lines))
        for at, sign in enumerate(lines[number])
        if not sign.isspace() and (number, at) >= (line, column)
    )
    here = text[offset : offset + 1].strip()
    wanted = "".join(text[:offset].split()) + here
    found = None
    for sign in wanted:
        found = next(signs, None)
        if found is None or found[2] != sign:
            return None
    return None if found is None else (found[0], found[1] + (not here))


_BLOCKS: Final = ("|", ">")
_QUOTES: Final = ("'", '"')


def read(path: Path) -> Document:
    """Read one file.

    Raises:
        ConfigError: it cannot be read or is not YAML. Duplicate keys do not raise; they are in `problems`.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError([Problem(str(path), 0, 0, "no such file")]) from None
    except OSError as error:
        raise ConfigError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), 0, 0, f"is not UTF-8 (byte {error.start})")]) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Document:
    """Return the document in `text`; `name` stands for the file in problems.

    Raises:
        ConfigError: it is not YAML, or too large once aliases are expanded. Duplicate keys, unknown tags and numbers
            out of range do not raise; they are in `problems`.
    """
    document = Document(name, None, text.splitlines(), {}, {})
    try:
        root = _Composer(text, document).root()
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, document)]) from None
    except UnicodeEncodeError:
        raise ConfigError([Problem(name, 0, 0, "is not YAML: half of a surrogate pair is no character")]) from None
    value = _Builder(document).build(root, ()) if root is not None else None
    return Document(name, value, document.lines, document.places, document.keys, document.problems)


def _syntax_problem(error: yaml.YAMLError, document: Document) -> Problem:
    message = getattr(error, "problem", None) or str(error).splitlines()[0]
    mark = getattr(error, "problem_mark", None)
    return _at(document, mark and _place(mark), f"is not YAML: {message}")


def _at(document: Document, place: tuple[int, int] | None, message: str) -> Problem:
    if place is None:
        return Problem(document.name, 0, 0, message)
    line, column = place
    source = document.lines[line - 1] if line <= len(document.lines) else ""
    return Problem(document.name, line, column, message, source)


def _place(mark: yaml.Mark) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


# --- text to nodes ---------------------------------------------------------------------------------------


class _Node(NamedTuple):
    place: tuple[int, int]
    tag: str | None
    value: "str | list[_Node] | list[tuple[_Node, _Node]]"
    is_mapping: bool = False
    is_plain: bool = False


class _Composer:
    """Builds nodes of the parser's events, no deeper than `MAX_DEPTH`."""

    def __init__(self, text: str, document: Document) -> None:
        self._next: Callable[[], Any] = CParser(text).get_event
        self._document = document
        self._anchors: dict[str, _Node] = {}

    def root(self) -> _Node | None:
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        node = self._node(self._next(), 0)
        self._next()
        end = self._next()
        if not isinstance(end, yaml.StreamEndEvent):
            raise self._error(end, "a second document begins here; one file is one document")
        return node

    def _error(self, event: Any, message: str) -> ConfigError:
        return ConfigError([_at(self._document, _place(event.start_mark), message)])

    def _node(self, event: Any, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise self._error(event, TOO_LARGE)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._error(event, f"there is no anchor {event.anchor!r} above")
            return self._anchors[event.anchor]
        place = _place(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(place, event.tag, event.value, is_plain=event.implicit[0])
            return self._anchored(event, node)
        children: list[Any] = []
        mapping = isinstance(event, yaml.MappingStartEvent)
        node = self._anchored(event, _Node(place, event.tag, children, is_mapping=mapping))
        while not isinstance(inner := self._next(), yaml.CollectionEndEvent):
            child = self._node(inner, depth + 1)
            children.append((child, self._node(self._next(), depth + 1)) if mapping else child)
        return node

    def _anchored(self, event: Any, node: _Node) -> _Node:
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node


# --- nodes to values -------------------------------------------------------------------------------------

TOO_LARGE: Final = "is too large or too deep"

_TAG: Final = "tag:yaml.org,2002:"
_COLLECTIONS: Final = (None, "!", f"{_TAG}map", f"{_TAG}seq")
_SCALARS: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], Any]], ...]] = (
    ("null", re.compile(r"~|null|Null|NULL|"), lambda _: None),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    ("int", re.compile(r"[-+]?[0-9]+"), int),
    ("int", re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+"), lambda text: int(text, 0)),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
)
"""Plain scalars by the core schema (yaml.org/spec/1.2.2, section 10.3, read 2026-11-21), infinity and NaN left out."""


class _Builder:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0

    def build(self, node: _Node, place: Place) -> Any:
        self._count += 1
        if self._count > MAX_NODES or len(place) > MAX_DEPTH:
            raise ConfigError([_at(self._document, node.place, TOO_LARGE)])
        self._document.places[place] = node.place
        if isinstance(node.value, str):
            return self._scalar(node, node.value)
        if node.tag not in _COLLECTIONS:
            self._report(node, f"the tag {node.tag!r} is not known here")
        if node.is_mapping:
            return self._mapping(node.value, place)
        return [self.build(child, (*place, index)) for index, child in enumerate(node.value)]  # type: ignore[arg-type]  # is_mapping tells

    def _report(self, node: _Node, message: str) -> None:
        self._document.problems.append(_at(self._document, node.place, message))

    def _mapping(self, pairs: list[Any], place: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in pairs:
            key = key_node.value
            if not isinstance(key, str):
                self._report(key_node, "a key must be plain text")
            elif key in result:
                self._report(key_node, f"the key {key!r} stands here twice")
            else:
                inner = (*place, key)
                self._document.keys[inner] = key_node.place
                result[key] = self.build(value_node, inner)
        return result

    def _scalar(self, node: _Node, text: str) -> Any:
        wanted = None if node.tag is None else node.tag.removeprefix(_TAG)
        if wanted in ("str", "!") or (wanted is None and not node.is_plain):
            return text
        for tag, pattern, read in _SCALARS:
            if wanted in (None, tag) and pattern.fullmatch(text):
                return self._number(node, text, read)
        if wanted is not None:
            self._report(node, f"{text!r} is no {wanted!r}")
        return text

    def _number(self, node: _Node, text: str, read: Callable[[str], Any]) -> Any:
        try:
            value = read(text)
        except ValueError:  # more digits than Python converts
            value = float("inf")
        if isinstance(value, float) and not isfinite(value):
            self._report(node, "is a number out of range")
            return text
        return value
