"""A checked expression: what the checker makes and the writer turns into Python.

Every step has a type and says whether it may fail, that is, be `ERROR` at run time. A step that looks at the event and
nothing else has the canonical path of what it looks at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.expressions.celtypes import Type
from gateway.expressions.functions import Function
from gateway.expressions.values import ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What all steps have."""

    type: Type
    fails: bool = False
    path: str | None = None

    @property
    def sure(self) -> bool:
        """Whether it always has a value of its type."""
        return not self.fails and not self.type.nullable and self.type.name != "dyn"

    def inner(self) -> Iterator["Step"]:
        """Yield the steps directly in it."""
        return iter(())


@dataclass(frozen=True, slots=True)
class Const(Step):
    """A value known when the expression is compiled."""

    value: Any


@dataclass(frozen=True, slots=True)
class Variable(Step):
    """The event, or the variable of a macro, by its name in the Python that is written."""

    name: str


@dataclass(frozen=True, slots=True)
class Field(Step):
    """A field of a part."""

    of: Step
    name: str
    default: Any
    """What it is when the part is absent."""

    def inner(self) -> Iterator[Step]:
        return iter((self.of,))


@dataclass(frozen=True, slots=True)
class Member(Step):
    """A value of a mapping, or a list's member."""

    of: Step
    key: Step

    def inner(self) -> Iterator[Step]:
        return iter((self.of, self.key))


@dataclass(frozen=True, slots=True)
class Has(Step):
    """Whether a field or a mapping's value is there."""

    of: Step
    name: str
    default: Any = None
    """Of a field: what it is when it is absent."""

    def inner(self) -> Iterator[Step]:
        return iter((self.of,))


@dataclass(frozen=True, slots=True)
class Apply(Step):
    """A function or an arithmetic operator."""

    function: Function
    args: tuple[Step, ...]
    more: tuple[Any, ...] = ()
    """Arguments that are known when the expression is compiled."""

    def inner(self) -> Iterator[Step]:
        return iter(self.args)


@dataclass(frozen=True, slots=True)
class Logic(Step):
    """``&&`` or ``||`` of two or more."""

    sign: str
    args: tuple[Step, ...]

    def inner(self) -> Iterator[Step]:
        return iter(self.args)


@dataclass(frozen=True, slots=True)
class Not(Step):
    """``!``."""

    of: Step

    def inner(self) -> Iterator[Step]:
        return iter((self.of,))


@dataclass(frozen=True, slots=True)
class Choice(Step):
    """``test ? yes : no``."""

    test: Step
    yes: Step
    no: Step

    def inner(self) -> Iterator[Step]:
        return iter((self.test, self.yes, self.no))


@dataclass(frozen=True, slots=True)
class Compare(Step):
    """``==``, ``<``, ``<=``, ``>``, ``>=`` or ``in``; ``!=`` is a negated ``==``."""

    sign: str
    left: Step
    right: Step

    def inner(self) -> Iterator[Step]:
        return iter((self.left, self.right))


@dataclass(frozen=True, slots=True)
class Gather(Step):
    """A list, or with keys a mapping."""

    members: tuple[Step, ...]
    keys: tuple[str, ...] | None = None

    def inner(self) -> Iterator[Step]:
        return iter(self.members)


@dataclass(frozen=True, slots=True)
class Loop(Step):
    """A macro over a list."""

    macro: str
    of: Step
    variable: str
    body: Step
    test: Step | None = None
    """Of ``map`` with three arguments: which members are taken."""

    def inner(self) -> Iterator[Step]:
        return iter((self.of, self.body) if self.test is None else (self.of, self.test, self.body))


def value_of(step: Step) -> Any:
    """Return the value of a step that is known when the expression is compiled, else `ERROR`."""
    return step.value if isinstance(step, Const) else ERROR


def paths(step: Step, *, passed: bool = False) -> Iterator[str]:
    """Yield the canonical paths that a step looks at.

    Args:
        step: the step.
        passed: whether another step goes on from it, to a longer path.
    """
    if step.path and not passed:
        yield step.path
    for index, inner in enumerate(step.inner()):
        yield from paths(inner, passed=index == 0 and bool(step.path))
