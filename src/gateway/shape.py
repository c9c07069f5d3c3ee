"""One vendor event: how its flat properties become a canonical event's parts, and how they are written."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from gateway import event as canonical
from gateway import table_code
from gateway.event import Commerce, Event, Item, Kind
from gateway.precedents import Keys
from gateway.table import STRUCTS, Lifted, Raw, Table
from gateway.table_code import Place, event_lifter

ITEMS: Final = "commerce.items"
"""In a `Raw`: ``[key]`` under which the product lines stood, when it is not the usual one or could be doubted."""
FLAT: Final = "item"
"""In a `Raw`: ``[index]`` of the product that stood flat in the object beside the lines."""

_FIRST: Final = f"{ITEMS}[0]"

_NOTHING: Final[Mapping[str, Any]] = {}


class Lines(NamedTuple):
    """Where the product lines stand and how one is written."""

    at: str
    also: tuple[str, ...]
    each: Table


class Shape:
    """One vendor event: its names in both worlds, its fields, its product lines."""

    __slots__ = (
        "_flat", "_lifters", "_line_order", "_named", "_write_commerce", "_write_item",
        "also", "kind", "lines", "name", "table", "vendor_name",
    )  # fmt: skip

    def __init__(
        self,
        kind: Kind,
        name: str,
        vendor_name: str,
        also: tuple[str, ...],
        table: Table,
        lines: Lines | None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.vendor_name = vendor_name
        self.also = also
        self.table = table
        self.lines = lines
        self._flat = "item" in table.parts()
        self._named = "properties" in table.parts()
        self._write_commerce = table.writer("commerce")
        self._write_item = table.writer("item")
        self._line_order = (lines.at, *lines.also) if lines else ()
        self._lifters = table.of_events(lines)

    def lift(self, source: Mapping[str, Any], more: Mapping[str, Any] = _NOTHING) -> tuple[Lifted, Commerce | None]:
        """Take a vendor's flat properties apart; returns the fields, and the commerce part with all products.

        Args:
            source: the properties.
            more: fields of the commerce part that stand elsewhere, and win over those that stand here.
        """
        keys = (*source, None, *more) if more else tuple(source)
        known = self._lifters.get(keys)
        if known is not None and (found := known(source.values(), more.values())) is not None:
            return found  # type: ignore[no-any-return]  # it is such a pair
        if self._lifters.due(keys):
            self._learn(keys, source, more)
        lifted = self.table.take_apart(source)
        items = self._lift_lines(lifted)
        return lifted, lifted.commerce(items, more)

    def _lift_lines(self, lifted: Lifted) -> tuple[Item, ...]:
        lines, rest, raw = self.lines, lifted.rest, lifted.raw
        key = next((key for key in self._line_order if key in rest and _as_rows(rest[key]) is not None), None)
        if lines is None or key is None:
            return ()
        if self._is_doubted(key, lines):
            raw[ITEMS] = [key]
        items = _read_rows(lines.each, rest.pop(key), raw) or ()
        if "item" in lifted.parts:
            raw[FLAT] = [len(items)]
        return items

    def _is_doubted(self, key: str, lines: Lines) -> bool:
        return self._flat or key != lines.at

    def _learn(self, keys: Keys, source: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        """Write a function for properties like these, if no more than their keys and types is to be looked at."""
        places, lines = self.table.places(source), None
        spots = [(index, key) for index, key in enumerate(source) if key in self._line_order]
        if places is None or len(spots) > 1 or any(places[index] is not None for index, _ in spots):
            return
        for index, key in spots:
            lines = self._lines_at(index, key, source[key])
            if lines is None:
                places[index] = Place(None, "", (type(source[key]),), _as_rows)
        written = event_lifter(tuple(source), places, tuple(more), lines, _MADE)
        if written(source.values(), more.values()) is not None:
            self._lifters.keep(keys, written)

    def _lines_at(self, index: int, key: str, value: Any) -> table_code.Lines | None:
        if self.lines is None or _as_rows(value) is None:
            return None
        read = partial(_read_rows, self.lines.each)
        return table_code.Lines(index, read, ITEMS if self._is_doubted(key, self.lines) else None, FLAT)

    def lower(self, event: Event, raw: Raw) -> tuple[dict[str, Any], list[str]]:
        """Return the vendor's flat properties of an event and the canonical paths that found no key.

        Looks at ``commerce``, ``context`` and ``properties``. A property whose key a field needs is lost.
        """
        lost: list[str] = []
        fields: dict[str, Any] = {}
        if event.commerce is not None:
            if raw:
                self._respell_commerce(event.commerce, raw, fields, lost)
            else:
                self._lower_commerce(event.commerce, fields, lost)
        if event.context is not canonical.EMPTY_CONTEXT:
            self.table.lower_context(event.context, raw, fields, lost)
        if not event.properties:
            return fields, lost
        free = self._lower_free(event.properties, raw, lost)
        return _joined(free, fields, "properties", lost), lost

    def _lower_commerce(self, commerce: Commerce, out: dict[str, Any], lost: list[str]) -> None:
        """Write an event of which no spelling is known."""
        self._write_commerce(commerce, out, lost, "commerce")
        items = commerce.items
        if self._flat and len(items) == 1:
            self._write_item(items[0], out, lost, _FIRST)
            if items[0].properties:
                _lower_beside(0, items[0], out, lost)
        elif items and self._flat:
            self._lower_items(items, {}, out, lost)
        elif items:
            self._lower_lines(range(len(items)), items, {}, out, lost)

    def _respell_commerce(self, commerce: Commerce, raw: Raw, out: dict[str, Any], lost: list[str]) -> None:
        self.table.lower("commerce", commerce, raw, out, lost)
        if commerce.items:
            self._lower_items(commerce.items, raw, out, lost)

    def _lower_free(self, properties: dict[str, Any], raw: Raw, lost: list[str]) -> dict[str, Any]:
        if not self._named:
            return properties.copy()
        free: dict[str, Any] = {}
        self.table.lower_free("properties", properties, raw, free, lost)
        return free

    def _lower_items(self, items: tuple[Item, ...], raw: Raw, out: dict[str, Any], lost: list[str]) -> None:
        flat = self._flat_index(items, raw) if self._flat else None
        if flat is None:
            self._lower_lines(range(len(items)), items, raw, out, lost)
            return
        if len(items) > 1:
            self._lower_lines([index for index in range(len(items)) if index != flat], items, raw, out, lost)
        self._lower_flat(flat, items[flat], raw, out, lost)

    def _lower_lines(
        self, rows: Sequence[int], items: tuple[Item, ...], raw: Raw, out: dict[str, Any], lost: list[str]
    ) -> None:
        if self.lines is None:
            lost.extend(f"{ITEMS}[{index}]" for index in rows)
            return
        key = raw[ITEMS][0] if ITEMS in raw else self.lines.at
        each = self.lines.each
        if len(items) == 1:
            out[key] = [_lower_line(each, _FIRST, items[0], raw, lost)]
        else:
            out[key] = [_lower_line(each, f"{ITEMS}[{index}]", items[index], raw, lost) for index in rows]

    def _flat_index(self, items: Sequence[Item], raw: Raw) -> int | None:
        """Return which product stands flat in the object: the one that did, else the only one."""
        if FLAT in raw and raw[FLAT][0] < len(items):
            return int(raw[FLAT][0])
        alone = self.lines is None or (len(items) == 1 and ITEMS not in raw)
        return 0 if alone else None

    def _lower_flat(self, index: int, item: Item, raw: Raw, out: dict[str, Any], lost: list[str]) -> None:
        missing: list[str] = []
        self.table.lower("item", item, raw, out, missing)
        if missing:
            lost += [f"{ITEMS}[{index}].{path.removeprefix('item.')}" for path in missing]
        if item.properties:
            _lower_beside(index, item, out, lost)


_OBJECTS: Final = frozenset({dict})

_MADE: Final = {**STRUCTS, "lifted": Lifted, "no_context": canonical.EMPTY_CONTEXT}


def _lower_beside(index: int, item: Item, out: dict[str, Any], lost: list[str]) -> None:
    """Write the free values of a product that stands flat; the event's own keys are not theirs."""
    lost += [f"{ITEMS}[{index}].properties.{key}" for key in item.properties if key in out]
    out.update({key: value for key, value in item.properties.items() if key not in out})


def _read_rows(each: Table, value: Any, raw: Raw) -> tuple[Item, ...] | None:
    """Return product lines, None when they are none; `raw` receives unusual spellings."""
    rows = _as_rows(value)
    if rows is None:
        return None
    if len(rows) == 1:
        return (each.lift_item(rows[0], raw, _FIRST),)
    return tuple([each.lift_item(row, raw, f"{ITEMS}[{index}]") for index, row in enumerate(rows)])


def _as_rows(value: Any) -> list[dict[str, Any]] | None:
    """Return a value that is a list of objects, and not an empty one."""
    return value if isinstance(value, list) and value and _OBJECTS.issuperset(map(type, value)) else None


def _lower_line(table: Table, at: str, item: Item, raw: Raw, lost: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if raw:
        table.lower("item", item, raw, fields, lost, at)
    else:
        table.writer("item")(item, fields, lost, at)
    if not item.properties:
        return fields
    free: dict[str, Any] = {}
    table.lower_free("properties", item.properties, raw, free, lost, f"{at}.properties")
    return _joined(free, fields, f"{at}.properties", lost)


def _joined(free: dict[str, Any], fields: dict[str, Any], at: str, lost: list[str]) -> dict[str, Any]:
    """Put fields into free values; a free value whose key is taken is lost."""
    count = len(free)
    free.update(fields)
    if len(free) < count + len(fields):
        lost += [f"{at}.{key}" for key in [*free][:count] if key in fields]
    return free
