"""Checks builtin values from a YAML document against msgspec Structs and finds every problem at once.

`msgspec.convert` stops at the first; a person who edits a file wants them all, each with its line.
"""

import types
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from gateway.errors import Problem
from gateway.yamlfile import Document, Place


def problems(document: Document, value: Any, wanted: Any, place: Place = ()) -> Iterator[Problem]:
    """Yield every way in which `value`, which stands at `place`, is not a `wanted`."""
    yield from _Checker(document).check(value, wanted, place)


def unknown(name: str, known: Sequence[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known one, or all of them."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


@lru_cache(256)
def _fields(struct: type[Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """Return a Struct's fields by their names in a file."""
    return {field.encode_name: field for field in msgspec.structs.fields(struct)}


class _Checker:
    def __init__(self, document: Document) -> None:
        self._document = document

    def check(self, value: Any, wanted: Any, place: Place) -> Iterator[Problem]:
        origin = get_origin(wanted)
        if origin in (Union, types.UnionType):
            yield from self._union(value, get_args(wanted), place)
        elif isinstance(wanted, type) and issubclass(wanted, Struct):
            yield from self._struct(value, wanted, place)
        elif origin is dict and isinstance(value, dict):
            for key, inner in value.items():
                yield from self.check(inner, get_args(wanted)[1], (*place, key))
        elif origin in (list, tuple) and isinstance(value, list):
            for index, inner in enumerate(value):
                yield from self.check(inner, get_args(wanted)[0], (*place, index))
        else:
            yield from self._leaf(value, wanted, place)

    def _union(self, value: Any, options: tuple[Any, ...], place: Place) -> Iterator[Problem]:
        for option in options:
            origin = get_origin(option) or option
            structured = isinstance(value, dict) and (
                origin is dict or (isinstance(origin, type) and issubclass(origin, Struct))
            )
            if structured or (isinstance(value, list) and origin in (list, tuple)):
                yield from self.check(value, option, place)
                return
        yield from self._leaf(value, Union[options], place)  # noqa: UP007  options are only known at run time

    def _struct(self, value: Any, wanted: type[Struct], place: Place) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield self._document.problem(place, f"expected {_words(wanted)}, found {_found(value)}")
            return
        fields = _fields(wanted)
        for key, inner in value.items():
            if key not in fields:
                text = f"unknown key {key!r}; {unknown(key, list(fields))}"
                yield self._document.problem((*place, key), text, at_key=True)
            else:
                yield from self.check(inner, fields[key].type, (*place, key))
        for name, field in fields.items():
            if field.required and name not in value:
                yield self._document.problem(place, f"the key {name!r} is missing")

    def _leaf(self, value: Any, wanted: Any, place: Place) -> Iterator[Problem]:
        try:
            msgspec.convert(value, wanted)
        except msgspec.ValidationError as error:
            expected = expectation(error, wanted)
            found = f", found {_found(value)}" if expected.startswith("expected") else ""
            yield self._document.problem(place, expected + found)


def expectation(error: msgspec.ValidationError, wanted: Any) -> str:
    """Return in a person's words what a value of a type has to be, or what is wrong with it."""
    detail = str(error).split(" - at ")[0]
    if detail.startswith("Expected") or "enum value" in detail:
        return f"expected {_words(wanted)}"
    return detail[0].lower() + detail[1:]


_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", type(None): "nothing"}


def _words(wanted: Any) -> str:
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(option) for option in get_args(wanted) if option is not type(None))
    if origin is Literal:
        return " or ".join(repr(option) for option in get_args(wanted))
    if origin in (list, tuple):
        member = _words(get_args(wanted)[0])
        return f"a list (of {member})" if " or " in member else f"a list of {member}"
    if origin is not None and hasattr(wanted, "__metadata__"):
        return _words(get_args(wanted)[0])
    if origin is dict or (isinstance(wanted, type) and issubclass(wanted, Struct)):
        return "a mapping"
    return _WORDS.get(wanted, str(wanted))


def _found(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return str(value).lower() if isinstance(value, bool) else repr(value)
