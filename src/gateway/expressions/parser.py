"""Text to tree: the grammar of CEL (github.com/google/cel-spec, doc/langdef.md, "Syntax", read 2026-11-21).

Left out: bytes, messages (`Name{…}`) and names that begin with a dot.
"""

import re
from functools import cache
from typing import Any, Final

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from gateway.expressions import literals
from gateway.expressions.errors import ExpressionError
from gateway.expressions.tree import (
    Call,
    Conditional,
    Index,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Name,
    Node,
    Operation,
    Select,
    sized,
)

LONGEST: Final = 4_000
"""Characters of an expression."""

_GRAMMAR: Final = r"""
?start: expr

?expr: either
    | either "?" either ":" expr                    -> conditional
?either: both
    | both ("||" both)+                             -> logic
?both: relation
    | relation ("&&" relation)+                     -> logic
?relation: sum
    | relation ("<" | "<=" | ">=" | ">" | "==" | "!=" | "in") sum   -> binary
?sum: product
    | sum ("+" | "-") product                       -> binary
?product: unary
    | product ("*" | "/" | "%") unary               -> binary
?unary: member
    | ("!" | "-") unary                             -> prefix
?member: primary
    | member "." IDENT                              -> select
    | member "." IDENT "(" arguments ")"            -> method
    | member "[" expr "]"                           -> index
?primary: IDENT                                     -> name
    | IDENT "(" arguments ")"                       -> function
    | "(" expr ")"                                  -> group
    | "[" members "]"                                 -> sequence
    | "{" entries "}"                               -> mapping
    | INT                                           -> integer
    | UINT                                          -> unsigned
    | FLOAT                                         -> double
    | STRING                                        -> string
    | ("true" | "false" | "null")                   -> constant
arguments: (expr ("," expr)*)?
members: (expr ("," expr)* ","?)?
entries: (expr ":" expr ("," expr ":" expr)* ","?)?

IDENT: /[_a-zA-Z][_a-zA-Z0-9]*/
INT: /0[xX][0-9a-fA-F]+|[0-9]+/
UINT.2: /(0[xX][0-9a-fA-F]+|[0-9]+)[uU]/
FLOAT.2: /[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+/
STRING.2: /[rR](\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"(?!"")[^"\n\r]*"|'(?!'')[^'\n\r]*')/
    | /\"{3}(?:[^\\]|\\[\s\S])*?\"{3}|'{3}(?:[^\\]|\\[\s\S])*?'{3}/
    | /"(?!"")(?:[^"\\\n\r]|\\[^\n\r])*"|'(?!'')(?:[^'\\\n\r]|\\[^\n\r])*'/
%ignore /[ \t\n\f\r]+/
%ignore /\/\/[^\n\r]*/
"""

_RESERVED: Final = frozenset(
    {
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    }
)
_CONSTANTS: Final[dict[str, tuple[str, Any]]] = {
    "true": ("bool", True),
    "false": ("bool", False),
    "null": ("null_type", None),
}


def parse(text: str) -> Node:
    """Return the tree of an expression.

    Raises:
        ExpressionError: it is none.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"the expression is longer than {LONGEST} characters", LONGEST, len(text) - LONGEST)
    try:
        tree: Node = _parser().parse(text)  # type: ignore[assignment]  # the builder makes nodes of everything
    except UnexpectedCharacters as error:
        raise _unreadable(text, error.pos_in_stream or 0) from None
    except UnexpectedToken as error:
        raise _misplaced(text, error) from None
    return tree


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", keep_all_tokens=True, maybe_placeholders=False, transformer=_Builder())


def _start(part: Any) -> int:
    return (part.start_pos or 0) if isinstance(part, Token) else int(part.start)


def _end(part: Any) -> int:
    return (part.end_pos or 0) if isinstance(part, Token) else int(part.end)


def _nodes(parts: list[Any]) -> tuple[Node, ...]:
    return tuple(part for part in parts if isinstance(part, Node))


class _Builder(Transformer[Token, Node]):
    """Makes the nodes; lark calls a method for each rule as it is recognised."""

    def conditional(self, parts: list[Any]) -> Node:
        test, yes, no = _nodes(parts)
        return Conditional(test, yes, no, **_size(parts))

    def logic(self, parts: list[Any]) -> Node:
        return Logic(str(parts[1]), _nodes(parts), **_size(parts))

    def binary(self, parts: list[Any]) -> Node:
        return Operation(str(parts[1]), _start(parts[1]), _nodes(parts), **_size(parts))

    def prefix(self, parts: list[Any]) -> Node:
        return Operation(str(parts[0]), _start(parts[0]), _nodes(parts), **_size(parts))

    def select(self, parts: list[Any]) -> Node:
        return Select(parts[0], str(parts[2]), _start(parts[2]), **_size(parts))

    def method(self, parts: list[Any]) -> Node:
        args = parts[4]
        size = sized((parts[0], *args), _start(parts[0]), _end(parts[-1]))
        return Call(parts[0], str(parts[2]), _start(parts[2]), args, **size)

    def index(self, parts: list[Any]) -> Node:
        of, key = _nodes(parts)
        return Index(of, key, **_size(parts))

    def name(self, parts: list[Any]) -> Node:
        (token,) = parts
        if token in _RESERVED:
            raise ExpressionError(f"{str(token)!r} is a reserved word", _start(token), len(token))
        return Name(str(token), **_size(parts))

    def function(self, parts: list[Any]) -> Node:
        args = parts[2]
        size = sized(args, _start(parts[0]), _end(parts[-1]))
        return Call(None, str(parts[0]), _start(parts[0]), args, **size)

    def group(self, parts: list[Any]) -> Node:
        node: Node = parts[1]
        return node

    def sequence(self, parts: list[Any]) -> Node:
        return ListOf(parts[1], **sized(parts[1], _start(parts[0]), _end(parts[-1])))

    def mapping(self, parts: list[Any]) -> Node:
        members = parts[1]
        return MapOf(members[::2], members[1::2], **sized(members, _start(parts[0]), _end(parts[-1])))

    def arguments(self, parts: list[Any]) -> tuple[Node, ...]:
        return _nodes(parts)

    members = entries = arguments

    def integer(self, parts: list[Any]) -> Node:
        return Literal("int", literals.number(parts[0]), **_size(parts))

    def unsigned(self, parts: list[Any]) -> Node:
        return Literal("uint", literals.number(parts[0][:-1]), **_size(parts))

    def double(self, parts: list[Any]) -> Node:
        return Literal("double", float(parts[0]), **_size(parts))

    def string(self, parts: list[Any]) -> Node:
        return Literal("string", literals.string(parts[0], _start(parts[0])), **_size(parts))

    def constant(self, parts: list[Any]) -> Node:
        kind, value = _CONSTANTS[parts[0]]
        return Literal(kind, value, **_size(parts))


def _size(parts: list[Any]) -> dict[str, int]:
    return sized(_nodes(parts), _start(parts[0]), _end(parts[-1]))


# --- what is wrong ---------------------------------------------------------------------------------------

_MEANT: Final = {
    "===": "==", "=": "==", "<>": "!=", "&": "&&", "|": "||", "and": "&&", "AND": "&&", "or": "||", "OR": "||",
    "not": "!", "NOT": "!",
}  # fmt: skip
"""What people write who know other languages."""
_CLOSING: Final = {"RPAR": "')'", "RSQB": "']'", "RBRACE": "'}'", "COLON": "':'"}
_LAST_WORD: Final = re.compile(r"\b(not|NOT)\s+\Z")


def _unreadable(text: str, start: int) -> ExpressionError:
    """Return the error for a character that begins nothing."""
    if text[start] in "\"'":
        return ExpressionError("this text has no closing quote", start, len(text) - start)
    return _meant(text, start) or ExpressionError(f"unknown sign {text[start]!r}", start, 1)


def _misplaced(text: str, error: UnexpectedToken) -> ExpressionError:
    """Return the error for a word or sign that cannot stand where it does."""
    wanted = _wanted(error.accepts)
    if error.token.type == "$END":
        return ExpressionError(f"the expression ends where {wanted} is expected", len(text), 0)
    start, found = _start(error.token), str(error.token)
    before = _LAST_WORD.search(text[:start])
    meant = _meant(text, start) or _meant(text, start - 1, "<>") or (before and _meant(text, before.start()))
    return meant or ExpressionError(f"expected {wanted}, found {found!r}", start, len(found))


def _meant(text: str, start: int, *signs: str) -> ExpressionError | None:
    """Return the error for a sign of another language, if there is one."""
    for sign in signs or _MEANT:
        word = sign.isalpha()
        if text.startswith(sign, start) and not (word and text[start + len(sign) :][:1].isalnum()):
            return ExpressionError(f"unknown sign {sign!r}; did you mean {_MEANT[sign]!r}?", start, len(sign))
    return None


def _wanted(names: set[str]) -> str:
    """Return what could stand here, from the grammar's names."""
    if "INT" in names:
        return "a value"
    if names == {"IDENT"}:
        return "a name"
    return " or ".join([*(sign for name, sign in _CLOSING.items() if name in names), "an operator"])
