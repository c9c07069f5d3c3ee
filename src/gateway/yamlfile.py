"""YAML as people write it: the core schema of YAML 1.2, every value with its line and column.

``no``, ``on`` and ``12:30`` are strings, a duplicate key is a problem, and aliases cannot explode.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs do not name it as public

from gateway.errors import ConfigError, Problem

MAX_NODES: Final = 200_000
"""Nodes of one document once its aliases are expanded."""
MAX_DEPTH: Final = 60

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
        ConfigError: it is not YAML, or too large once aliases are expanded.
    """
    lines = text.splitlines()
    try:
        root = _Loader(text).get_single_node()
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, name, lines)]) from None
    document = Document(name, None, lines, {}, {})
    builder = _Builder(document)
    value = builder.build(root, ()) if root is not None else None
    return Document(name, value, lines, document.places, document.keys, document.problems)


def _syntax_problem(error: yaml.YAMLError, name: str, lines: list[str]) -> Problem:
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or str(error).splitlines()[0]
    if mark is None:
        return Problem(name, 0, 0, f"is not YAML: {message}")
    source = lines[mark.line] if mark.line < len(lines) else ""
    return Problem(name, mark.line + 1, mark.column + 1, f"is not YAML: {message}", source)


class _Resolver(yaml.resolver.BaseResolver):
    """Plain scalars by the core schema (yaml.org/spec/1.2.2, section 10.3, read 2026-11-21)."""


_SCALARS: Final = (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
)
for _tag, _pattern, _first in _SCALARS:
    _Resolver.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(f"^(?:{_pattern})$"),
        [*_first, ""] if _tag == "null" else list(_first),
    )


class _Loader(CParser, _Resolver):
    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        _Resolver.__init__(self)


class _Builder:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0

    def build(self, node: yaml.Node, place: Place) -> Any:
        mark = node.start_mark
        self._count += 1
        if self._count > MAX_NODES or len(place) > MAX_DEPTH:
            raise ConfigError(
                [Problem(self._document.name, mark.line + 1, mark.column + 1, "is too large or too deep")]
            )
        self._document.places[place] = (mark.line + 1, mark.column + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*place, index)) for index, child in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            inner = (*place, key)
            mark = key_node.start_mark
            if key in result or not isinstance(key_node, yaml.ScalarNode):
                message = f"the key {key!r} stands here twice" if key in result else "a key must be plain text"
                line = self._document.lines[mark.line]
                self._document.problems.append(
                    Problem(self._document.name, mark.line + 1, mark.column + 1, message, line)
                )
                continue
            self._document.keys[inner] = (mark.line + 1, mark.column + 1)
            result[key] = self.build(value_node, inner)
        return result


def _scalar(node: yaml.Node) -> Any:
    text: str = node.value
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        case "float":
            return float(text)
        case _:
            return text
