"""A vendor's names for canonical names and fields: one YAML table, used in both directions.

`Vocabulary` is what a file under ``mappings/vocabulary/`` says. A `Table` moves fields between a vendor's JSON
object and the canonical event; a `Shape` is the table of one vendor event, with its product lines.

What was spelled or typed unusually by the client (``"18.50"`` for 18.5, a second spelling of a key) is kept in
the event's residue under ``raw`` and put back for the same vendor, unless a route has changed the value since.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple, cast, get_args

import msgspec
from msgspec import Struct

from gateway import event as canonical
from gateway import yamlfile
from gateway.errors import ConfigError, Problem
from gateway.event import Commerce, Context, Event, Item, Kind, Profile

Raw = dict[str, Any]
"""Canonical path -> ``[key, value]`` as the client wrote them."""

_STRUCTS: Final[dict[str, type[Struct]]] = {
    "commerce": Commerce,
    "item": Item,
    "context": Context,
    "context.device": canonical.Device,
    "context.app": canonical.App,
    "context.page": canonical.Page,
    "context.campaign": canonical.Campaign,
    "profile": Profile,
    "profile.location": canonical.Location,
}
"""The parts of an event that tables name fields of, besides the free ``properties`` and ``profile.traits``."""

_FREE: Final = ("properties", "profile.traits")

_NESTED: Final = {
    "commerce": ("items",),
    "item": ("properties",),
    "context": ("device", "app", "page", "campaign"),
    "profile": ("push_tokens", "vendor_ids", "location", "traits"),
}
"""Fields that are moved by code, or that are parts of their own."""


# --- values ----------------------------------------------------------------------------------------------

_NUMBER: Final = re.compile(r"[-+]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})")


def _to_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return None


def to_decimal(value: Any) -> Decimal | None:
    """Return the finite number that a JSON value means, numeric text included, else None."""
    if isinstance(value, float):
        return Decimal(repr(value)) if value - value == 0 else None
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    return None


def _to_float(value: Any) -> float | None:
    number = to_decimal(value)
    return None if number is None or abs(number) > Decimal("1e300") else float(number)


def _to_texts(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",")) if value else None
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return tuple(value)
    return None


def _to_time(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class _Type(NamedTuple):
    lift: Callable[[Any], Any]
    exact: frozenset[type]
    """JSON types whose values come back the same from the canonical value."""
    lower: Callable[[Any], Any] | None
    """None: the canonical value is the JSON value."""


_TEXT: Final = _Type(_to_text, frozenset({str}), None)
_TYPES: Final[dict[Any, _Type]] = {
    str: _TEXT,
    Decimal: _Type(to_decimal, frozenset({int, float}), None),
    float: _Type(_to_float, frozenset({float}), None),
    tuple: _Type(_to_texts, frozenset({list}), list),
    datetime: _Type(_to_time, frozenset(), lambda moment: moment.isoformat().replace("+00:00", "Z")),
    Any: _Type(lambda value: value, frozenset({str, int, float, bool, list, dict}), None),
}


def _type_of(struct: type[Struct], field: str) -> _Type:
    hint = next(f.type for f in msgspec.structs.fields(struct) if f.name == field)
    options = [arg for arg in get_args(hint) if arg not in (type(None), ...)] or [hint]
    return _TYPES[tuple] if options == [str] and "tuple" in str(hint) else _TYPES[options[0]]


# --- tables ----------------------------------------------------------------------------------------------


class Slot(NamedTuple):
    """One canonical field and its vendor key."""

    part: str
    field: str
    path: str
    key: str
    type: _Type


class Lifted:
    """What a table took out of a vendor's object, by canonical part, and the rest of it."""

    __slots__ = ("parts", "raw", "rest")

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, Any]] = {}
        self.rest: dict[str, Any] = {}
        self.raw: Raw = {}

    def commerce(self, items: tuple[Item, ...] = (), **more: Any) -> Commerce | None:
        """Return the commerce part; `items` come before a product that stood flat in the object."""
        item = self.parts.get("item")
        fields = {**self.parts.get("commerce", {}), **more}
        if item:
            items = (*items, Item(**item))
        return Commerce(**fields, items=items) if fields or items else None

    def context(self, **more: Any) -> Context:
        """Return the context part."""
        fields = {**self.parts.get("context", {}), **more}
        for name, struct in _CONTEXT_PARTS:
            if inner := self.parts.get(name):
                fields[name[8:]] = struct(**inner)
        return Context(**fields) if fields else canonical.EMPTY_CONTEXT

    def profile(self, **more: Any) -> Profile:
        """Return the profile part; traits are not taken from `rest` unless given."""
        fields = {**self.parts.get("profile", {}), **more}
        if inner := self.parts.get("profile.location"):
            fields["location"] = canonical.Location(**inner)
        if traits := self.parts.get("profile.traits"):
            fields["traits"] = {**traits, **fields.get("traits", {})}
        return Profile(**fields) if fields else canonical.EMPTY_PROFILE

    def properties(self) -> dict[str, Any]:
        """Return the free properties: those with a canonical name, then the rest."""
        named = self.parts.get("properties")
        return {**named, **self.rest} if named else self.rest


_CONTEXT_PARTS: Final = tuple((name, struct) for name, struct in _STRUCTS.items() if name.startswith("context."))


class Table:
    """Canonical paths and vendor keys, one to one, compiled for both directions."""

    def __init__(self, spellings: Mapping[str, "Spelling"]) -> None:
        self._by_key: dict[str, tuple[Slot, bool]] = {}
        self._by_part: dict[str, dict[str, Slot]] = {}
        for path, spelling in spellings.items():
            self._add(path, spelling)
        for part in _FREE:
            self._reserve(self._by_part.get(part, {}))

    def _add(self, path: str, spelling: "Spelling") -> None:
        part, _, field = path.rpartition(".")
        kind = _TYPES[Any] if part in _FREE else _type_of(_STRUCTS[part], field)
        slot = Slot(part, field, path, spelling.as_, kind)
        self._by_part.setdefault(part, {})[field] = slot
        self._by_key[spelling.as_] = (slot, True)
        for other in spelling.also:
            self._by_key[other] = (slot, False)

    def _reserve(self, slots: Mapping[str, Slot]) -> None:
        """A free key that is some other key's canonical name must come back as it was sent."""
        for slot in slots.values():
            self._by_key.setdefault(slot.field, (slot, False))

    def parts(self) -> set[str]:
        """Return the canonical parts with a field in this table."""
        return set(self._by_part)

    def paths(self) -> Iterator[tuple[str, str]]:
        """Yield every (canonical path, vendor key)."""
        for slots in self._by_part.values():
            for slot in slots.values():
                yield slot.path, slot.key

    def lift(self, source: Mapping[str, Any], prefix: str = "") -> Lifted:
        """Take the known fields out of a vendor's object.

        A value of an impossible type, a null, and a second spelling of a field already taken stay in `rest`.
        `prefix` goes before the paths in `raw` (``commerce.items[0]``).
        """
        lifted = Lifted()
        parts, rest, by_key = lifted.parts, lifted.rest, self._by_key
        for key, value in source.items():
            found = by_key.get(key)
            if found is None or (value is None and key != found[0].field):
                rest[key] = value
                continue
            slot, primary = found
            if not primary and key == slot.field and slot.part in _FREE:
                _lift_namesake(lifted, slot, value)
                continue
            part = parts.get(slot.part)
            if part is None:
                part = parts[slot.part] = {}
            taken = None if slot.field in part else slot.type.lift(value)
            if taken is None:
                rest[key] = value
                continue
            part[slot.field] = taken
            if not primary or type(value) not in slot.type.exact:
                lifted.raw[prefix + slot.path] = [key, value]
        for name in [name for name, fields in parts.items() if not fields]:
            del parts[name]
        return lifted

    def lower(self, part: str, value: Any, raw: Raw, out: dict[str, Any], lost: list[str], at: str = "") -> None:
        """Write one canonical part into a vendor's object.

        Args:
            part: its name: ``commerce``, ``context.page``, …
            value: the Struct, or None.
            raw: the spellings to put back.
            out: receives keys and values.
            lost: receives the canonical path of every field that has a value and no key.
            at: the part's canonical path where it differs from its name (``commerce.items[0]``).
        """
        if value is None:
            return
        slots = self._by_part.get(part, {})
        place = at or part
        for field, default in _DEFAULTS[part]:
            held = getattr(value, field)
            if held is None or held == default:
                continue
            slot = slots.get(field)
            if slot is None:
                lost.append(f"{place}.{field}")
                continue
            self._put(slot, held, raw.get(f"{place}.{field}") if raw else None, out)

    def lower_free(self, part: str, values: Mapping[str, Any], raw: Raw, out: dict[str, Any]) -> None:
        """Write free values; those with a canonical name get the vendor's key."""
        slots = self._by_part.get(part)
        if not slots:
            out.update(values)
            return
        for key, value in values.items():
            slot = slots.get(key)
            if slot is None:
                out[key] = value
            else:
                self._put(slot, value, raw.get(slot.path) if raw else None, out)

    @staticmethod
    def _put(slot: Slot, held: Any, before: Any, out: dict[str, Any]) -> None:
        if before is not None and slot.type.lift(before[1]) == held:
            out[before[0]] = before[1]
        else:
            out[slot.key] = slot.type.lower(held) if slot.type.lower else held


def _lift_namesake(lifted: Lifted, slot: Slot, value: Any) -> None:
    """Take a free key that is spelled like a canonical name; a vendor's key that took the name gives way."""
    part = lifted.parts.setdefault(slot.part, {})
    if slot.field in part:
        key, before = lifted.raw.pop(slot.path, None) or (slot.key, part[slot.field])
        lifted.rest[key] = before
    part[slot.field] = value
    lifted.raw[slot.path] = [slot.field, value]


_DEFAULTS: Final[dict[str, tuple[tuple[str, Any], ...]]] = {
    part: tuple((f.name, f.default) for f in msgspec.structs.fields(struct) if f.name not in _NESTED.get(part, ()))
    for part, struct in _STRUCTS.items()
}


class Lines(NamedTuple):
    """Where the product lines stand and how one is written."""

    at: str
    also: frozenset[str]
    each: Table


class Shape:
    """One vendor event: its names in both worlds, its fields, its product lines."""

    __slots__ = ("also", "kind", "lines", "name", "table", "vendor_name")

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

    def lift(self, source: Mapping[str, Any]) -> tuple[Lifted, Commerce | None]:
        """Take a vendor's flat properties apart; returns the fields, and the commerce part with all products."""
        lifted = self.table.lift(source)
        return lifted, lifted.commerce(self._lift_lines(lifted) if self.lines else ())

    def _lift_lines(self, lifted: Lifted) -> tuple[Item, ...]:
        lines = cast("Lines", self.lines)
        for key in (lines.at, *lines.also):
            rows = lifted.rest.get(key)
            if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
                break
        else:
            return ()
        del lifted.rest[key]
        if key != lines.at:
            lifted.raw["commerce.items"] = [key]
        items = []
        for index, row in enumerate(rows):
            at = f"commerce.items[{index}]."
            line = lines.each.lift(row)
            for path, spelling in line.raw.items():
                lifted.raw[at + path.removeprefix("item.")] = spelling
            items.append(Item(**line.parts.get("item", {}), properties=line.rest))
        return tuple(items)

    def lower(self, event: Event, raw: Raw) -> tuple[dict[str, Any], list[str]]:
        """Return the vendor's flat properties of an event and the canonical paths that found no key.

        Looks at ``commerce``, ``context``, ``properties``, and at ``profile`` when the table names its fields.
        """
        out: dict[str, Any] = {}
        lost: list[str] = []
        table = self.table
        table.lower_free("properties", event.properties, raw, out)
        if event.commerce is not None:
            table.lower("commerce", event.commerce, raw, out, lost)
            self._lower_items(event.commerce.items, raw, out, lost)
        if event.context is not canonical.EMPTY_CONTEXT:
            lower_context(table, event.context, raw, out, lost)
        return out, lost

    def _lower_items(self, items: tuple[Item, ...], raw: Raw, out: dict[str, Any], lost: list[str]) -> None:
        if not items:
            return
        flat = "item" in self.table.parts()
        if flat and (len(items) == 1 or self.lines is None):
            self._lower_flat(items[0], raw, out, lost)
            items, start = items[1:], 1
        else:
            start = 0
        if not items:
            return
        if self.lines is None:
            lost.extend(f"commerce.items[{start + index}]" for index in range(len(items)))
            return
        rows = [self._lower_line(f"commerce.items[{start + i}]", item, raw, lost) for i, item in enumerate(items)]
        out[raw["commerce.items"][0] if "commerce.items" in raw else self.lines.at] = rows

    def _lower_line(self, at: str, item: Item, raw: Raw, lost: list[str]) -> dict[str, Any]:
        row: dict[str, Any] = {**item.properties}
        cast("Lines", self.lines).each.lower("item", item, raw, row, lost, at)
        return row

    def _lower_flat(self, item: Item, raw: Raw, out: dict[str, Any], lost: list[str]) -> None:
        self.table.lower("item", item, {k: v for k, v in raw.items() if k.startswith("item.")}, out, lost, "item")
        lost[:] = [
            path.replace("item.", "commerce.items[0].", 1) if path.startswith("item.") else path for path in lost
        ]
        for key, value in item.properties.items():
            if key in out:
                lost.append(f"commerce.items[0].properties.{key}")
            else:
                out[key] = value


def lower_context(table: Table, context: Context, raw: Raw, out: dict[str, Any], lost: list[str]) -> None:
    """Write an event's whole context; see `Table.lower`."""
    table.lower("context", context, raw, out, lost)
    for name, _ in _CONTEXT_PARTS:
        table.lower(name, getattr(context, name[8:]), raw, out, lost)


# --- files -----------------------------------------------------------------------------------------------


class Spelling(Struct, frozen=True, rename={"as_": "as"}, forbid_unknown_fields=True):
    """A vendor's key or name, and other spellings of it that clients use."""

    as_: str
    also: tuple[str, ...] = ()


class _LinesEntry(Struct, frozen=True, forbid_unknown_fields=True):
    at: str
    each: str
    also: tuple[str, ...] = ()


class _EventEntry(Struct, frozen=True, rename={"as_": "as"}, forbid_unknown_fields=True):
    as_: str
    also: tuple[str, ...] = ()
    kind: Kind = "track"
    tables: tuple[str, ...] = ()
    lines: _LinesEntry | bool = True


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    vendor: str
    tables: dict[str, dict[str, str | Spelling]] = {}
    always: tuple[str, ...] = ()
    lines: _LinesEntry | None = None
    events: dict[str, str | _EventEntry] = {}


class Vocabulary:
    """All the names of one vendor."""

    def __init__(self, file: _File) -> None:
        self.vendor = file.vendor
        self._tables = {name: _spellings(rows) for name, rows in file.tables.items()}
        self._default_lines = self._lines(file.lines)
        self._always = file.always
        self._default_table = self.table(*file.always)
        self._by_vendor_name: dict[str, Shape] = {}
        self._by_name: dict[tuple[Kind, str], Shape] = {}
        self._by_kind: dict[Kind, Shape] = {}
        for name, entry in file.events.items():
            self._add(name, _EventEntry(entry) if isinstance(entry, str) else entry)

    def _add(self, name: str, entry: _EventEntry) -> None:
        lines = self._default_lines if entry.lines is True else None
        if isinstance(entry.lines, _LinesEntry):
            lines = self._lines(entry.lines)
        table = self.table(*entry.tables, *self._always)
        shape = Shape(entry.kind, name, entry.as_, entry.also, table, lines)
        for spelling in (entry.as_, *entry.also):
            self._by_vendor_name[spelling] = shape
        self._by_name[entry.kind, name] = shape
        if entry.kind != "track":
            self._by_kind.setdefault(entry.kind, shape)

    def _lines(self, entry: _LinesEntry | None) -> Lines | None:
        return None if entry is None else Lines(entry.at, frozenset(entry.also), self.table(entry.each))

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
        return Shape("track", vendor_name, vendor_name, (), self._default_table, self._default_lines)

    def encode(self, event: Event) -> Shape:
        """Return the shape to write an event in: by kind and name, else by kind, else under its own name."""
        known = self._by_name.get((event.kind, event.name)) or self._by_kind.get(event.kind)
        if known is not None:
            return known
        return Shape(event.kind, event.name, event.name, (), self._default_table, self._default_lines)


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
        file = msgspec.convert(document.value, _File)
    except msgspec.ValidationError as error:
        raise ConfigError([*document.problems, Problem(str(path), 0, 0, str(error))]) from None
    problems = [*document.problems, *_check_tables(document, file), *_check_events(document, file)]
    if problems:
        raise ConfigError(problems)
    return Vocabulary(file)


def _check_tables(document: yamlfile.Document, file: _File) -> Iterator[Problem]:
    for table, rows in file.tables.items():
        seen: dict[str, str] = {}
        for path, spelling in _spellings(rows).items():
            place = ("tables", table, path)
            if not _is_path(path):
                yield document.problem(place, f"{path!r} is no field of the canonical event", at_key=True)
            for key in (spelling.as_, *spelling.also):
                if key in seen:
                    yield document.problem(place, f"{key!r} already stands for {seen[key]!r}")
                seen[key] = path


def _is_path(path: str) -> bool:
    part, _, field = path.rpartition(".")
    return bool(field) and (part in _FREE or any(field == name for name, _ in _DEFAULTS.get(part, ())))


def _check_events(document: yamlfile.Document, file: _File) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, raw_entry in file.events.items():
        entry = _EventEntry(raw_entry) if isinstance(raw_entry, str) else raw_entry
        for spelling in (entry.as_, *entry.also):
            if spelling in seen:
                yield document.problem(("events", name), f"{spelling!r} already stands for {seen[spelling]!r}")
            seen[spelling] = name
        lines = (entry.lines.each,) if isinstance(entry.lines, _LinesEntry) else ()
        for table in (*entry.tables, *lines):
            if table not in file.tables:
                yield document.problem(("events", name), f"there is no table {table!r}")
    for table in (*file.always, *((file.lines.each,) if file.lines else ())):
        if table not in file.tables:
            yield document.problem(("always",), f"there is no table {table!r}")
