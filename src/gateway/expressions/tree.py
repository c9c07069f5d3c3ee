"""An expression as it is written: what the parser makes and the checker reads.

Every node knows where it stands in the text, as `start` and `end` in characters.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from gateway.expressions.errors import ExpressionError

DEEPEST: Final = 40
"""Levels of nodes. The specification asks for 32 (github.com/google/cel-spec, doc/langdef.md, "Syntax")."""
MOST_NODES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What all nodes have; built by `sized` only."""

    start: int
    end: int
    depth: int = 1
    count: int = 1

    @property
    def length(self) -> int:
        """Characters of its text."""
        return self.end - self.start

    def wrong(self, message: str) -> ExpressionError:
        """Return the error whose place is this node."""
        return ExpressionError(message, self.start, self.length)


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, text, true, false or null."""

    kind: str
    """``int``, ``uint``, ``double``, ``string``, ``bool`` or ``null_type``."""
    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    """``event``, or the variable of a macro."""

    name: str


@dataclass(frozen=True, slots=True)
class Select(Node):
    """``of.field``."""

    of: Node
    field: str
    field_start: int


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``of[key]``."""

    of: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``name(args)``, or ``of.name(args)``."""

    of: Node | None
    name: str
    name_start: int
    args: tuple[Node, ...]

    def wrong_name(self, message: str) -> ExpressionError:
        """Return the error whose place is the function's name."""
        return ExpressionError(message, self.name_start, len(self.name))


@dataclass(frozen=True, slots=True)
class Operation(Node):
    """An operator with one or two operands."""

    sign: str
    sign_start: int
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """``a && b && c``, or the same with ``||``."""

    sign: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """``test ? yes : no``."""

    test: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """``[a, b]``."""

    members: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf(Node):
    """``{"key": value}``."""

    keys: tuple[Node, ...]
    values: tuple[Node, ...]


def sized(inner: Iterator[Node] | tuple[Node, ...], start: int, end: int) -> dict[str, int]:
    """Return what `Node` wants to know of a node with these directly in it.

    Raises:
        ExpressionError: it is nested too deep, or there are too many.
    """
    depth, count = 1, 1
    for node in inner:
        depth = max(depth, node.depth + 1)
        count += node.count
    if depth > DEEPEST:
        raise ExpressionError(f"the expression is nested more than {DEEPEST} levels deep", start, end - start)
    if count > MOST_NODES:
        raise ExpressionError(f"the expression has more than {MOST_NODES} parts", start, end - start)
    return {"start": start, "end": end, "depth": depth, "count": count}
