"""Expressions over an event: CEL's syntax and semantics, checked when they are loaded, run as Python functions.

``docs/expressions.md`` is the language's reference; ``docs/adr/0005-expressions.md`` says why it is so.

The way of an expression: text → `tree` (`parser`) → `plan` (`checker`) → Python (`writer`); `compiling` goes it.
"""

from gateway.expressions.errors import ExpressionError
from gateway.expressions.expression import Expression, Wants, compile  # noqa: A004  always with its module's name

__all__ = ["Expression", "ExpressionError", "Wants", "compile"]
