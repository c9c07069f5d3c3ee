"""The types of expressions: CEL's, and `decimal` for money.

A field that may be absent has a *nullable* type. CEL calls these wrapper types: they are null when absent, and equal to
their type's values otherwise (github.com/google/cel-spec, doc/langdef.md, "Dynamic Values", read 2026-11-21).
"""

import types
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct


@dataclass(frozen=True, slots=True)
class Type:
    """A type; `args` are those of a list's members or a map's keys and values."""

    name: str
    args: tuple["Type", ...] = ()
    part: type[Struct] | None = None
    """Of a part of the event."""
    nullable: bool = False

    def __str__(self) -> str:
        """Return it as the specification writes it."""
        args = f"({', '.join(map(str, self.args))})" if self.args else ""
        return f"wrapper({self.name}{args})" if self.nullable and self.part is None else self.name + args

    def absent(self) -> "Type":
        """Return the type of a value of this type that may be absent; lists and maps are then empty."""
        return self if self.name in ("list", "map", "dyn", "null_type") else replace(self, nullable=True)

    def present(self) -> "Type":
        """Return the type of a value of this type that is there."""
        return replace(self, nullable=False)


BOOL: Final = Type("bool")
INT: Final = Type("int")
UINT: Final = Type("uint")
DOUBLE: Final = Type("double")
DECIMAL: Final = Type("decimal")
STRING: Final = Type("string")
TIMESTAMP: Final = Type("timestamp")
DURATION: Final = Type("duration")
NULL: Final = Type("null_type")
DYN: Final = Type("dyn")
"""Known only when there is an event: what stands in a free part."""
NEVER: Final = Type("never")
"""The type of the members of an empty list."""

SIMPLE: Final = {kind.name: kind for kind in (BOOL, INT, UINT, DOUBLE, STRING, NULL)}
"""Those that can be written as a literal."""
NUMBERS: Final = frozenset({"int", "uint", "double", "decimal"})
_ORDERED: Final = frozenset({"bool", "string", "timestamp", "duration"})

_WORDS: Final = {
    "bool": "true or false",
    "int": "a whole number",
    "uint": "an unsigned number",
    "double": "a number with a fraction",
    "decimal": "a decimal",
    "string": "text",
    "timestamp": "a time",
    "duration": "a duration",
    "null_type": "nothing",
    "list": "a list",
    "map": "a mapping",
    "dyn": "any value",
    "part": "a part of the event",
}


def list_of(member: Type) -> Type:
    """Return the type of lists of these."""
    return Type("list", (member,))


def map_of(value: Type) -> Type:
    """Return the type of maps from texts to these."""
    return Type("map", (STRING, value))


def words(kind: Type) -> str:
    """Return what a person calls the type."""
    return _WORDS[kind.name]


def words_of(names: frozenset[str]) -> str:
    """Return what a person calls values of any of these types."""
    found = ["a number"] if names >= NUMBERS else []
    found += [text for name, text in _WORDS.items() if name in names and not (found and name in NUMBERS)]
    return " or ".join(filter(None, [", ".join(found[:-1]), found[-1]]))


# --- the event's fields ----------------------------------------------------------------------------------

_LEAVES: Final[dict[Any, Type]] = {
    str: STRING, bool: BOOL, int: INT, float: DOUBLE, Decimal: DECIMAL, datetime: TIMESTAMP, Any: DYN,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PartField:
    """A field of a part: its type, and what it is when the event does not have it."""

    type: Type
    default: Any
    required: bool


@cache
def fields(part: type[Struct]) -> dict[str, PartField]:
    """Return the fields of a part by their names, in their order."""
    return {field.name: _field(field) for field in msgspec.structs.fields(part)}


def _field(field: msgspec.structs.FieldInfo) -> PartField:
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return PartField(type_of(field.type), None if field.required else default, field.required)


def type_of(annotation: Any) -> Type:
    """Return the type of an annotation of the event.

    Raises:
        TypeError: there is none for it.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation in _LEAVES:
        return _LEAVES[annotation]
    if origin in (Union, types.UnionType):
        (held,) = (arg for arg in args if arg is not type(None))
        return type_of(held).absent()
    if origin is Literal:
        return STRING
    if origin in (tuple, list):
        return list_of(type_of(args[0]))
    if origin is dict:
        return map_of(type_of(args[1]))
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return Type("part", part=annotation)
    raise TypeError(f"an event has no values of type {annotation!r}")


# --- which types go together -----------------------------------------------------------------------------


def can_be_equal(left: Type, right: Type) -> bool:
    """Tell whether a value of one type is ever equal to one of the other."""
    if "dyn" in (left.name, right.name) or "never" in (left.name, right.name):
        return "part" not in (left.name, right.name)
    if "null_type" in (left.name, right.name):
        return left.nullable or right.nullable or left.name == right.name
    if left.name in NUMBERS and right.name in NUMBERS:
        return True
    if left.name != right.name or left.name == "part":
        return False
    return all(can_be_equal(one, other) for one, other in zip(left.args, right.args, strict=True))


def can_be_ordered(left: Type, right: Type) -> bool:
    """Tell whether one of the two can be less than the other."""
    if left.name in NUMBERS | {"dyn"} and right.name in NUMBERS | {"dyn"}:
        return True
    if "dyn" in (left.name, right.name):
        return left.name in _ORDERED or right.name in _ORDERED
    return left.name == right.name and left.name in _ORDERED


def join(left: Type, right: Type) -> Type | None:
    """Return the type of a value that is of one or the other type, None where CEL knows none."""
    if left.name == "never" or right.name == "never":
        return right if left.name == "never" else left
    if left.name == "null_type" or right.name == "null_type":
        other = right if left.name == "null_type" else left
        return None if other.name in ("list", "map") else other.absent()
    if left.present() == right.present():
        return replace(left, nullable=left.nullable or right.nullable)
    if "part" in (left.name, right.name):
        return None
    if "dyn" in (left.name, right.name):
        return DYN
    if left.name == right.name and left.args:
        args = [join(one, other) or DYN for one, other in zip(left.args, right.args, strict=True)]
        return Type(left.name, tuple(args))
    return None


def holds_part(kind: Type) -> bool:
    """Tell whether a value of the type is a part of the event, or has one in it."""
    return kind.name == "part" or any(map(holds_part, kind.args))
