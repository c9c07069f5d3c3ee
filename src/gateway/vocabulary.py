"""A vendor's names for canonical events and fields: one YAML table, used in both directions.

`Vocabulary` is what a file under ``mappings/vocabulary/`` says; a `Shape` is the table of one vendor event, with its
product lines.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from gateway import event as canonical
from gateway import shape_check, yamlfile
from gateway.errors import ConfigError, Problem
from gateway.event import Commerce, Event, Item, Kind
from gateway.table import Lifted, Raw, Slot, Spelling, Table, is_path
from gateway.values import to_decimal

__all__ = [
    "Lifted",
    "Lines",
    "Raw",
    "Shape",
    "Slot",
    "Spelling",
    "Table",
    "Vocabulary",
    "load_vocabulary",
    "read_vocabulary",
    "to_decimal",
]

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
        "_flat", "_line_keys", "_line_order", "_named", "_write_commerce", "_write_item",
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
        self._line_keys = frozenset(self._line_order)

    def lift(self, source: Mapping[str, Any], more: Mapping[str, Any] = _NOTHING) -> tuple[Lifted, Commerce | None]:
        """Take a vendor's flat properties apart; returns the fields, and the commerce part with all products.

        Args:
            source: the properties.
            more: fields of the commerce part that stand elsewhere, and win over those that stand here.
        """
        lifted = self.table.lift(source)
        if self.lines is None or lifted.rest.keys().isdisjoint(self._line_keys):
            return lifted, lifted.commerce((), more)
        items = self._lift_lines(self.lines, lifted)
        if items and "item" in lifted.parts:
            lifted.raw[FLAT] = [len(items)]
        return lifted, lifted.commerce(items, more)

    def _lift_lines(self, lines: Lines, lifted: Lifted) -> tuple[Item, ...]:
        rest, raw = lifted.rest, lifted.raw
        for key in self._line_order:
            if key in rest and _are_rows(rest[key]):
                break
        else:
            return ()
        if self._flat or key != lines.at:
            raw[ITEMS] = [key]
        return _read_lines(lines.each, rest.pop(key), raw)

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
        elif items:
            self._lower_items(items, {}, out, lost)

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


def _lower_beside(index: int, item: Item, out: dict[str, Any], lost: list[str]) -> None:
    """Write the free values of a product that stands flat; the event's own keys are not theirs."""
    lost += [f"{ITEMS}[{index}].properties.{key}" for key in item.properties if key in out]
    out.update({key: value for key, value in item.properties.items() if key not in out})


def _read_lines(each: Table, rows: Sequence[Mapping[str, Any]], raw: Raw) -> tuple[Item, ...]:
    """Return product lines; `raw` receives unusual spellings."""
    if len(rows) == 1:
        return (each.lift_item(rows[0], raw, _FIRST),)
    return tuple([each.lift_item(row, raw, f"{ITEMS}[{index}]") for index, row in enumerate(rows)])


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and set(map(type, value)) == _OBJECTS


def _lower_line(table: Table, at: str, item: Item, raw: Raw, lost: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    table.lower("item", item, raw, fields, lost, at)
    if not item.properties:
        return fields
    free: dict[str, Any] = {}
    table.lower_free("properties", item.properties, raw, free, lost, f"{at}.properties")
    return _joined(free, fields, f"{at}.properties", lost)


def _joined(free: dict[str, Any], fields: dict[str, Any], at: str, lost: list[str]) -> dict[str, Any]:
    """Put fields into free values; a free value whose key is taken is lost."""
    if not free.keys().isdisjoint(fields):
        lost += [f"{at}.{key}" for key in free if key in fields]
    free.update(fields)
    return free


# --- files -----------------------------------------------------------------------------------------------


class LinesEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a vendor's events hold their product lines."""

    at: str
    """The key of the list."""
    each: str
    """The table of one line."""
    also: tuple[str, ...] = ()
    """Other keys that are read, never written."""


class EventEntry(Struct, frozen=True, rename={"as_": "as"}, forbid_unknown_fields=True):
    """What a vendor calls one event."""

    as_: str
    """The vendor's name, which is written."""
    also: tuple[str, ...] = ()
    """Other names that are read, never written."""
    kind: Kind = "track"
    tables: tuple[str, ...] = ()
    """Tables of its fields, before those of `always`."""
    lines: LinesEntry | bool = True
    """Its product lines: as in all events, none, or its own."""


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """A vocabulary file."""

    vendor: str
    tables: dict[str, dict[str, str | Spelling]] = {}
    """Name of a table -> canonical path -> the vendor's key."""
    always: tuple[str, ...] = ()
    """Tables of every event."""
    lines: LinesEntry | None = None
    """Product lines of every event."""
    events: dict[str, str | EventEntry] = {}
    """Canonical name -> the vendor's."""


_OTHERS: Final = 1_024
_LONGEST_KEPT: Final = 128
"""So many shapes of events without an entry are kept, of names of so many characters at most."""


class Vocabulary:
    """All the names of one vendor."""

    def __init__(self, file: File) -> None:
        self.vendor = file.vendor
        self._tables = {name: _spellings(rows) for name, rows in file.tables.items()}
        self._default_lines = self._lines(file.lines)
        self._always = file.always
        self._default_table = self.table(*file.always)
        self._by_vendor_name: dict[str, Shape] = {}
        self._by_name: dict[tuple[Kind, str], Shape] = {}
        self._by_kind: dict[Kind, Shape] = {}
        self._others: dict[tuple[Kind, str], Shape] = {}
        for name, entry in file.events.items():
            self._add(name, EventEntry(entry) if isinstance(entry, str) else entry)

    def _add(self, name: str, entry: EventEntry) -> None:
        own = entry.lines
        lines = self._lines(own) if isinstance(own, LinesEntry) else self._default_lines if own else None
        table = self.table(*entry.tables, *self._always)
        shape = Shape(entry.kind, name, entry.as_, entry.also, table, lines)
        for spelling in (entry.as_, *entry.also):
            self._by_vendor_name[spelling] = shape
        self._by_name[entry.kind, name] = shape
        if entry.kind != "track":
            self._by_kind.setdefault(entry.kind, shape)

    def _lines(self, entry: LinesEntry | None) -> Lines | None:
        return None if entry is None else Lines(entry.at, entry.also, self.table(entry.each))

    def table(self, *names: str) -> Table:
        """Return the named tables as one; of two rows for a path or a key, the first holds."""
        merged: dict[str, Spelling] = {}
        keys: set[str] = set()
        for name in names:
            for path, spelling in self._tables[name].items():
                if path not in merged and spelling.as_ not in keys:
                    merged[path] = Spelling(spelling.as_, tuple(s for s in spelling.also if s not in keys))
                    keys.update((spelling.as_, *spelling.also))
        return Table(merged)

    def shapes(self) -> Iterator[Shape]:
        """Yield every known event."""
        yield from self._by_name.values()

    def decode(self, vendor_name: str) -> Shape:
        """Return the shape of a vendor's event name; an unknown one keeps its name and is a ``track``."""
        known = self._by_vendor_name.get(vendor_name)
        if known is not None:
            return known
        return self._unknown("track", vendor_name)

    def encode(self, event: Event) -> Shape:
        """Return the shape to write an event in: by kind and name, else by kind, else under its own name."""
        known = self._by_name.get((event.kind, event.name)) or self._by_kind.get(event.kind)
        if known is not None:
            return known
        return self._unknown(event.kind, event.name)

    def _unknown(self, kind: Kind, name: str) -> Shape:
        """Return the shape of an event that has no entry; those of late are kept."""
        shape = self._others.get((kind, name))
        if shape is None:
            shape = Shape(kind, name, name, (), self._default_table, self._default_lines)
            if len(self._others) >= _OTHERS:
                self._others.clear()
            if len(name) <= _LONGEST_KEPT:
                self._others[kind, name] = shape
        return shape


def _spellings(rows: Mapping[str, str | Spelling]) -> dict[str, Spelling]:
    return {path: Spelling(row) if isinstance(row, str) else row for path, row in rows.items()}


def load_vocabulary(vendor: str, package: str | None = None) -> Vocabulary:
    """Read a vendor's vocabulary: ``mappings/vocabulary/<vendor>.yaml``, or ``vocabulary.yaml`` in `package`.

    Raises:
        ConfigError: the file is missing, or is not one to one.
    """
    if package is not None:
        found = resources.files(package) / "vocabulary.yaml"
    else:
        found = resources.files("mappings") / "vocabulary" / f"{vendor}.yaml"
    with resources.as_file(found) as path:
        return read_vocabulary(path)


def read_vocabulary(path: Path) -> Vocabulary:
    """Read and check one vocabulary file.

    Raises:
        ConfigError: with every problem found, each with its line.
    """
    document = yamlfile.read(path)
    try:
        file = msgspec.convert(document.value, File)
    except msgspec.ValidationError:
        raise ConfigError([*document.problems, *shape_check.problems(document, document.value, File)]) from None
    problems = [*document.problems, *_check_tables(document, file), *_check_events(document, file)]
    if problems:
        raise ConfigError(problems)
    return Vocabulary(file)


def _check_tables(document: yamlfile.Document, file: File) -> Iterator[Problem]:
    for table, rows in file.tables.items():
        seen: dict[str, str] = {}
        for path, spelling in _spellings(rows).items():
            place = ("tables", table, path)
            if not is_path(path):
                yield document.problem(place, f"{path!r} is no field of the canonical event", at_key=True)
            for key in (spelling.as_, *spelling.also):
                if key in seen:
                    yield document.problem(place, f"{key!r} already stands for {seen[key]!r}")
                seen[key] = path


def _check_events(document: yamlfile.Document, file: File) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    yield from _check_names(document, file, ("always",), file.always)
    yield from _check_lines(document, file, ("lines",), file.lines)
    yield from _check_rivals(document, file, ("lines",), file.lines, file.always)
    for name, row in file.events.items():
        entry, place = EventEntry(row) if isinstance(row, str) else row, ("events", name)
        for spelling in (entry.as_, *entry.also):
            if spelling in seen:
                yield document.problem(place, f"{spelling!r} already stands for {seen[spelling]!r}")
            seen[spelling] = name
        yield from _check_names(document, file, (*place, "tables"), entry.tables)
        yield from _check_lines(document, file, (*place, "lines"), entry.lines)
        lines, tables = _lines_of(entry, file), entry.tables if entry.lines is True else (*entry.tables, *file.always)
        yield from _check_rivals(document, file, (*place, "lines"), lines, tables)


def _lines_of(entry: EventEntry, file: File) -> LinesEntry | None:
    if isinstance(entry.lines, LinesEntry):
        return entry.lines
    return file.lines if entry.lines else None


def _check_names(
    document: yamlfile.Document, file: File, place: yamlfile.Place, names: Sequence[str]
) -> Iterator[Problem]:
    for name in names:
        if name not in file.tables:
            yield document.problem(place, f"there is no table {name!r}; {shape_check.unknown(name, list(file.tables))}")


def _check_lines(
    document: yamlfile.Document, file: File, place: yamlfile.Place, entry: LinesEntry | bool | None
) -> Iterator[Problem]:
    if not isinstance(entry, LinesEntry):
        return
    yield from _check_names(document, file, (*place, "each"), (entry.each,))
    for path in file.tables.get(entry.each, {}):
        if not path.startswith(("item.", "properties.")):
            message = f"a table of product lines can name 'item.…' and 'properties.…', not {path!r}"
            yield document.problem(("tables", entry.each, path), message, at_key=True)


def _check_rivals(
    document: yamlfile.Document,
    file: File,
    place: yamlfile.Place,
    lines: LinesEntry | None,
    tables: Sequence[str],
) -> Iterator[Problem]:
    """Yield where product lines and a field beside them have one key."""
    if lines is None:
        return
    rows = [(path, row) for table in tables for path, row in _spellings(file.tables.get(table, {})).items()]
    taken = {key: path for path, row in rows for key in (row.as_, *row.also)}
    for key in (lines.at, *lines.also):
        if key in taken:
            yield document.problem(place, f"{key!r} already stands for {taken[key]!r}")
