"""From text to a function of an event."""

from collections.abc import Callable
from typing import Any, Final, Literal

from gateway.event import Event

Wants = Literal["bool", "any"]


class Expression:
    """A compiled expression. Calling it is pure, and never raises."""

    __slots__ = ("reads", "run", "text", "type", "wants")

    text: Final[str]
    wants: Final[Wants]
    type: Final[str]
    """Of its value, as CEL writes types: ``bool``, ``list(string)``, ``wrapper(string)``, ``dyn``."""
    reads: Final[frozenset[str]]
    """Canonical paths of the event that it looks at: ``commerce.total``, ``commerce.items[].sku``."""
    run: Final[Callable[[Event], Any]]
    """What a call calls; for those who call it very often."""

    def __init__(self, text: str, wants: Wants) -> None:
        from gateway.expressions.compiling import compiled  # costly; many configurations have no expression

        self.text = text
        self.wants = wants
        self.type, self.reads, self.run = compiled(text, wants)

    def __call__(self, event: Event) -> Any:
        """Return the value for an event.

        A condition (``wants="bool"``) is True or False, and False where CEL has an error. Any other expression is
        None there: where a value that it needs is missing from a free part, is null, or is of a type that it cannot
        use, and where arithmetic has no result.
        """
        return self.run(event)

    def __repr__(self) -> str:
        """Return it as it is made."""
        return f"Expression({self.text!r}, {self.wants!r})"


def compile(text: str, *, wants: Wants = "any") -> Expression:  # noqa: A001  always with its module's name
    """Return an expression, ready to be called.

    Args:
        text: in the language of ``docs/expressions.md``.
        wants: ``bool`` for a condition, ``any`` for a value.

    Raises:
        ExpressionError: it is wrong; the first problem, with its place.
    """
    return Expression(text, wants)
