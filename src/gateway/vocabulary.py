"""A vendor's names for canonical events and fields: one YAML table, used in both directions.

`Vocabulary` is what a file under ``mappings/vocabulary/`` says; a `Shape` is the table of one vendor event, with its
product lines.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway import shape_check, yamlfile
from gateway.errors import ConfigError, Problem
from gateway.event import Event, Kind
from gateway.shape import Lines, Shape
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
