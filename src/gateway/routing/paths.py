"""Paths into an event, as routes write them: ``profile.email``, ``commerce.total``, ``properties.store.id``.

A path is checked against the event's Structs when it is read; inside the free parts any key may follow.
"""

import types
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from gateway.event import EMPTY_CONTEXT, EMPTY_PROFILE, Event, Item
from gateway.shape_check import unknown

_CHANGEABLE: Final = ("name", "occurred_at", "profile", "commerce", "consent", "context", "properties", "residue")
"""Fields of an event that a route may change; the rest is the gateway's own account of it."""

_fields = lru_cache(64)(msgspec.structs.fields)

MISSING: Final = object()
"""Stands for no value: setting it takes a value out."""

Change = Callable[[Event], Event]


class Path:
    """One place in an event.

    Raises:
        ValueError: there is no such place; the message says which part is wrong and what is known there.
    """

    root: type[Struct] = Event
    changeable: tuple[str, ...] = _CHANGEABLE
    what = "an event"

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps = text.split(".")
        self._owner: type[Struct] | None = None
        self.type: Any = Any
        self._resolve()
        self.droppable = self.text != "name"

    def _resolve(self) -> None:
        holder: Any = self.root
        for depth, step in enumerate(self._steps):
            if not step:
                raise ValueError(f"{self.text!r} has an empty part")
            if not (isinstance(holder, type) and issubclass(holder, Struct)):
                if holder is not Any:
                    raise ValueError(f"{'.'.join(self._steps[:depth])!r} has no parts")
                self.type = get_args(self.type)[1]
                return
            fields = {field.name: field.type for field in _fields(holder)}
            known = [name for name in fields if depth or name in self.changeable]
            if step not in known:
                raise ValueError(f"{self.text!r}: {self.what} has no {step!r} here; {unknown(step, known)}")
            self.type = fields[step]
            holder = _inner(self.type)

    def get(self, event: Any) -> Any:
        """Return the value, or None."""
        value: Any = event
        for step in self._steps:
            value = value.get(step) if isinstance(value, dict) else getattr(value, step, None)
            if value is None:
                return None
        return value

    def set(self, event: Any, value: Any) -> Any:
        """Return the event with another value here; parts on the way are made where missing."""
        return _set(event, self._steps, value)

    def drop(self, event: Any) -> Any:
        """Return the event without the value."""
        return event if self.get(event) is None else self.set(event, MISSING)

    @classmethod
    def bare(cls, event: Any, kept: Sequence["Path"]) -> Any:
        """Return the event with nothing that can be changed but what stands at some paths."""
        return _filled(msgspec.structs.replace(event, **_NOTHING), event, kept)


class ItemPath(Path):
    """One place in a line item."""

    root = Item
    changeable = Item.__struct_fields__
    what = "a line item"

    @classmethod
    def bare(cls, event: Any, kept: Sequence["Path"]) -> Any:
        """Return the item with nothing but what stands at some paths."""
        return _filled(Item(), event, kept)


class LossPath(Path):
    """One place in an event that a target may not be told: also of the gateway's own account of it."""

    changeable = Event.__struct_fields__


_NOTHING: Final[dict[str, Any]] = {
    "profile": EMPTY_PROFILE,
    "commerce": None,
    "consent": (),
    "context": EMPTY_CONTEXT,
    "properties": {},
    "residue": {},
}


def _filled(bare: Any, event: Any, kept: Sequence["Path"]) -> Any:
    for path in kept:
        value = path.get(event)
        bare = bare if value is None else path.set(bare, value)
    return bare


def _inner(kind: Any) -> Any:
    """Return what a path goes on in: a Struct, Any for a free part, None for a leaf."""
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    for option in options:
        if isinstance(option, type) and issubclass(option, Struct):
            return option
        if get_origin(option) is dict:
            return Any
    return None


def _set(holder: Any, steps: list[str], value: Any) -> Any:
    step, rest = steps[0], steps[1:]
    if isinstance(holder, Struct):
        field = next(f for f in _fields(type(holder)) if f.name == step)
        if rest:
            held = getattr(holder, step)
            new = _set(_empty(field.type) if held is None else held, rest, value)
        else:
            new = _default(field) if value is MISSING else value
        return msgspec.structs.replace(holder, **{step: new})
    copy = dict(holder) if isinstance(holder, dict) else {}
    if rest:
        copy[step] = _set(copy.get(step, {}), rest, value)
    elif value is MISSING:
        copy.pop(step, None)
    else:
        copy[step] = value
    return copy


def _empty(kind: Any) -> Any:
    inner = _inner(kind)
    return {} if inner is Any else inner()


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return None if field.default is msgspec.NODEFAULT else field.default
