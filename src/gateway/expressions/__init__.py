"""Expressions over an event."""

from typing import Any, Literal


class ExpressionError(Exception):
    """What is wrong with an expression, and where."""

    message: str = ""
    offset: int = 0
    length: int = 1


class Expression:
    """A compiled expression."""

    def __call__(self, event: Any) -> Any:
        """Evaluate."""
        raise NotImplementedError


def compile(text: str, *, wants: Literal["bool", "any"] = "any") -> Expression:
    """Compile."""
    raise ExpressionError("not here yet")
