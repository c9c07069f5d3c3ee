"""Arithmetic by type: which operands an operator takes, and what it gives.

As in CEL, int, uint and double do not mix (github.com/google/cel-spec, doc/langdef.md, "Numeric Values"). A decimal,
which CEL does not have, takes any other number.
"""

from typing import Final

from gateway.expressions import tree
from gateway.expressions.celtypes import DECIMAL, DURATION, DYN, NUMBERS, TIMESTAMP, UINT, Type, join, words
from gateway.expressions.errors import ExpressionError
from gateway.expressions.functions import Function
from gateway.expressions.plan import Step
from gateway.expressions.values import ARITHMETIC, UNSIGNED, negative

_TAKES: Final = {
    "+": NUMBERS | {"string", "list", "timestamp", "duration"},
    "-": NUMBERS | {"timestamp", "duration"},
    "*": NUMBERS,
    "/": NUMBERS,
    "%": frozenset({"int", "uint"}),
}
_TIMES: Final = {
    ("+", "timestamp", "duration"): TIMESTAMP,
    ("+", "duration", "timestamp"): TIMESTAMP,
    ("+", "duration", "duration"): DURATION,
    ("-", "timestamp", "duration"): TIMESTAMP,
    ("-", "timestamp", "timestamp"): DURATION,
    ("-", "duration", "duration"): DURATION,
}


def arithmetic(node: tree.Operation, left: Step, right: Step) -> Function:
    """Return the function of an operator for operands of these types.

    Raises:
        ExpressionError: it has none.
    """
    kind = _result(node.sign, left.type.present(), right.type.present())
    if kind is None:
        raise _mismatch(node, left.type, right.type)
    run = UNSIGNED[node.sign] if kind == UINT else ARITHMETIC[node.sign]
    return Function(node.sign, kind, run, (), makes=node.sign == "+")


def negation(node: tree.Operation, of: Step) -> Function:
    """Return the function of a minus before an operand.

    Raises:
        ExpressionError: the operand is no number with a sign.
    """
    if of.type.name not in (NUMBERS - {"uint"}) | {"dyn"}:
        raise node.args[0].wrong(f"'-' expects a number, found {words(of.type)}")
    return Function("-", of.type.present(), negative, ())


def _result(sign: str, left: Type, right: Type) -> Type | None:
    """Return the type of what an operator gives, None where it takes no such operands."""
    names = {left.name, right.name}
    if not names <= _TAKES[sign] | {"dyn"}:
        return None
    if "dyn" in names:
        known = right if left.name == "dyn" else left
        return known if known.name in ("string", "uint") else DYN
    if names <= NUMBERS and "decimal" in names:
        return DECIMAL
    if names & {"timestamp", "duration"}:
        return _TIMES.get((sign, left.name, right.name))
    if left.name != right.name:
        return None
    return join(left, right)


def _mismatch(node: tree.Operation, left: Type, right: Type) -> ExpressionError:
    names = {left.name, right.name}
    hint = ""
    if len(names) > 1 and names <= _TAKES[node.sign] and names <= NUMBERS:
        hint = "; write double(…) or int(…)"
    elif node.sign == "+" and "string" in names:
        hint = "; write string(…)"
    return node.wrong(f"'{node.sign}' does not take {words(left)} and {words(right)}{hint}")
