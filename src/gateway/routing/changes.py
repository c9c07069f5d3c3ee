"""What a rule changes in an event on its way to one target: compiled from its words, in their order."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from gateway import expressions
from gateway.errors import EncodeError
from gateway.event import Event, Item
from gateway.expressions import Expression, ExpressionError
from gateway.routing.entries import EachEntry, MapEntry, SendEntry
from gateway.routing.paths import MISSING, Change, ItemPath, Path
from gateway.routing.values import hashed, masked
from gateway.shape_check import expectation
from gateway.yamlfile import Place


class Wrong(NamedTuple):
    """What is wrong at a place of a rule."""

    place: Place
    message: str
    offset: int | None = None
    """Where in the text there, from 0."""
    length: int = 1
    at_key: bool = False
    """Whether the key is wrong, and not what it holds."""


Report = Callable[[Wrong], None]
Made = Callable[[Any], Any]
"""An event or an item -> the same with something changed."""


def of_send(entry: SendEntry, written: Mapping[str, Any], report: Report) -> tuple[Change, ...]:
    """Return the changes of one target, in the order in which its keys are written."""
    makers: Mapping[str, Callable[[], Iterator[Made]]] = {
        "name": lambda: _name(entry.name),
        **_makers(entry, Path, (), report),
        "each": lambda: _each(entry.each, written.get("each") or {}, report),
    }
    return tuple(change for key in written if key in makers for change in makers[key]())


def _makers(
    entry: SendEntry | EachEntry, at: Any, place: Place, report: Report
) -> dict[str, Callable[[], Iterator[Made]]]:
    words = _Words(at, place, report)
    return {
        "set": lambda: words.set(entry.set),
        "rename": lambda: words.rename(entry.rename),
        "drop": lambda: words.drop(entry.drop),
        "keep": lambda: words.keep(entry.keep),
        "hash": lambda: words.hash(entry.hash),
        "mask": lambda: words.mask(entry.mask),
        "map": lambda: words.map(entry.map),
    }


def _name(name: str | None) -> Iterator[Change]:
    if name is not None:
        yield lambda event: msgspec.structs.replace(event, name=name)


def _each(entry: EachEntry | None, written: Mapping[str, Any], report: Report) -> Iterator[Change]:
    if entry is None:
        return
    makers = _makers(entry, ItemPath, ("each",), report)
    changes = [change for key in written for change in makers[key]()]

    def each(event: Event) -> Event:
        if event.commerce is None or not event.commerce.items:
            return event
        items: list[Item] = list(event.commerce.items)
        for change in changes:
            items = [change(item) for item in items]
        return msgspec.structs.replace(event, commerce=msgspec.structs.replace(event.commerce, items=tuple(items)))

    yield each


class _Words:
    """The words of the language, for an event or for one line item.

    Args:
        at: what a path is: `Path` or `ItemPath`.
        place: where the words stand in their target's entry.
    """

    def __init__(self, at: Any, place: Place, report: Report) -> None:
        self._at = at
        self._place = place
        self._report = report

    def _path(self, text: str, place: Place, *, taken_out: bool = False) -> Path | None:
        try:
            path: Path = self._at(text)
        except ValueError as error:
            self._report(Wrong((*self._place, *place), str(error), at_key=True))
            return None
        if taken_out and not path.droppable:
            self._report(Wrong((*self._place, *place), f"{text!r} cannot be taken out of an event", at_key=True))
            return None
        return path

    def set(self, values: Mapping[str, Any]) -> Iterator[Made]:
        for text, value in values.items():
            place = ("set", text)
            path = self._path(text, place)
            if path is None:
                continue
            if isinstance(value, dict) and set(value) == {"expr"}:
                yield from self._computed(path, value["expr"], (*place, "expr"))
            elif isinstance(value, dict) and "from" in value and set(value) <= {"from", "default"}:
                yield from self._copied(path, value, place)
            else:
                yield from self._literal(path, _unwrapped(value), place)

    def _literal(self, path: Path, literal: Any, place: Place) -> Iterator[Made]:
        try:
            value = checked_literal(path, literal)
        except ValueError as error:
            self._report(Wrong((*self._place, *place), str(error), at_key=True))
            return
        yield lambda event: path.set(event, value)

    def _computed(self, path: Path, text: Any, place: Place) -> Iterator[Made]:
        if self._at is not Path or not isinstance(text, str):
            self._report(Wrong((*self._place, *place), "an expression is a text over 'event'; line items have none"))
            return
        expression = compiled(text, (*self._place, *place), self._report)
        if expression is None:
            return

        def compute(event: Event) -> Event:
            value = expression(event)
            return event if value is None else path.set(event, _fitted_or_dead(path, value))

        yield compute

    def _copied(self, path: Path, value: Mapping[str, Any], place: Place) -> Iterator[Made]:
        origin = self._path(value["from"], (*place, "from")) if isinstance(value["from"], str) else None
        if origin is None:
            return
        default = value.get("default")

        def copy(event: Any) -> Any:
            found = origin.get(event)
            found = default if found is None else found
            return event if found is None else path.set(event, _fitted_or_dead(path, found))

        yield copy

    def rename(self, pairs: Mapping[str, str]) -> Iterator[Made]:
        for old, new in pairs.items():
            origin = self._path(old, ("rename", old), taken_out=True)
            goal = self._path(new, ("rename", old))
            if origin is not None and goal is not None:
                yield _moved(origin, goal)

    def drop(self, texts: list[str]) -> Iterator[Made]:
        for index, text in enumerate(texts):
            path = self._path(text, ("drop", index), taken_out=True)
            if path is not None:
                yield path.drop

    def keep(self, texts: list[str]) -> Iterator[Made]:
        paths = [self._path(text, ("keep", index)) for index, text in enumerate(texts)]
        kept = [path for path in paths if path is not None]
        if texts:
            yield lambda event: self._at.bare(event, kept)

    def hash(self, texts: list[str]) -> Iterator[Made]:
        for index, text in enumerate(texts):
            path = self._path(text, ("hash", index))
            if path is not None:
                yield _valued(path, partial(hashed, text))

    def mask(self, texts: list[str]) -> Iterator[Made]:
        for index, text in enumerate(texts):
            path = self._path(text, ("mask", index))
            if path is not None:
                yield _valued(path, masked)

    def map(self, tables: Mapping[str, MapEntry]) -> Iterator[Made]:
        for text, table in tables.items():
            path = self._path(text, ("map", text))
            if path is not None:
                yield _valued(path, partial(_mapped, table))


def compiled(text: str, place: Place, report: Report, *, wants: Any = "any") -> Expression | None:
    """Return an expression, or report what is wrong with it."""
    try:
        return expressions.compile(text, wants=wants)
    except ExpressionError as error:
        report(Wrong(place, str(error.message), error.offset, error.length))
        return None


def _unwrapped(value: Any) -> Any:
    """Return a literal; ``{literal: …}`` is for objects that would mean something else."""
    return value["literal"] if isinstance(value, dict) and set(value) == {"literal"} else value


def _moved(origin: Path, goal: Path) -> Made:
    def move(event: Any) -> Any:
        value = origin.get(event)
        return event if value is None else goal.set(origin.drop(event), _fitted_or_dead(goal, value, origin))

    return move


def _valued(path: Path, change: Callable[[Any], Any]) -> Made:
    def value(event: Any) -> Any:
        found = path.get(event)
        return event if found is None else path.set(event, _fitted_or_dead(path, change(found)))

    return value


def _mapped(table: MapEntry, value: Any) -> Any:
    key = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if key in table.values:
        return table.values[key]
    return value if table.default is UNSET else table.default


def _fitted_or_dead(path: Path, value: Any, origin: Path | None = None) -> Any:
    """Return a value as the type of its place; one that cannot be it ends the event's way to this target."""
    if value is MISSING:
        return value
    try:
        return _fitted(path, value)
    except msgspec.ValidationError as error:
        what = f"{origin.text} cannot become {path.text}" if origin else f"{path.text} cannot be {value!r}"
        raise EncodeError(f"{what}: {error}") from None


def checked_literal(path: Path, literal: Any) -> Any:
    """Return a literal as the type of its place.

    Raises:
        ValueError: it cannot be one.
    """
    try:
        return _fitted(path, literal)
    except msgspec.ValidationError as error:
        raise ValueError(f"{path.text!r} cannot be {literal!r}: {expectation(error, path.type)}") from None


def _json(value: Any) -> Any:
    """Return a value as it may stand in a free part: an expression's decimals are numbers there."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list):
        return [_json(one) for one in value]
    return {key: _json(one) for key, one in value.items()} if isinstance(value, dict) else value


def _fitted(path: Path, value: Any) -> Any:
    """Return a value as the type of its place; a number may become text, and a text a number."""
    if path.type is Any:
        return _json(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = repr(value)
    return msgspec.convert(value, path.type, strict=False)
