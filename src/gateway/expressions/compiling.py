"""The whole way of an expression: text, tree, plan, function."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.event import Event
from gateway.expressions.checker import check
from gateway.expressions.parser import parse
from gateway.expressions.plan import paths
from gateway.expressions.writer import write


class Compiled(NamedTuple):
    """What an `Expression` is made of; its fields are said there."""

    type: str
    reads: frozenset[str]
    run: Callable[[Event], Any]


def compiled(text: str, wants: str) -> Compiled:
    """Return what an expression comes to.

    Args:
        text: of the expression.
        wants: ``bool`` for a condition, ``any`` for a value.

    Raises:
        ExpressionError: it is wrong; the first problem, with its place.
    """
    step = check(parse(text), wants)
    return Compiled(str(step.type), frozenset(paths(step)), write(step, wants))
