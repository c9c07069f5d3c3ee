"""Moves fields between a vendor's JSON object and the canonical event, by a one-to-one table of names.

What was spelled or typed unusually by the client (``"18.50"`` for 18.5, a second spelling of a key) is kept under
its canonical path in a `Raw`, and put back for the same vendor unless a route has changed the value since.
"""

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from msgspec import Struct, structs

from gateway import event as canonical
from gateway.event import Commerce, Context, Item, Profile
from gateway.precedents import Precedents
from gateway.table_code import Place, Row, Writer, item_lifter, lifter, writer
from gateway.values import FREE, ValueType, type_of

Raw = dict[str, Any]
"""Canonical path -> ``[key, value]`` as the client wrote them."""

STRUCTS: Final[dict[str, type[Struct]]] = {
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
"""The closed parts of an event that tables name fields of."""

FREE_PARTS: Final = ("properties", "profile.traits")
"""The parts whose fields can have any name."""

_MOVED_BY_CODE: Final = {
    "commerce": ("items",),
    "item": ("properties",),
    "context": ("device", "app", "page", "campaign"),
    "profile": ("push_tokens", "vendor_ids", "location", "traits"),
}
"""Fields that are parts of their own, or too unlike between vendors for a table."""

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    part: tuple(name for name in struct.__struct_fields__ if name not in _MOVED_BY_CODE.get(part, ()))
    for part, struct in STRUCTS.items()
}
"""What a table can name in each closed part."""

_CONTEXT_PARTS: Final = {name: sys.intern(name[8:]) for name in STRUCTS if name[:8] == "context."}


class Spelling(Struct, frozen=True, rename={"as_": "as"}, forbid_unknown_fields=True):
    """A vendor's key or name, and other spellings of it that clients use."""

    as_: str
    also: tuple[str, ...] = ()


class Slot(NamedTuple):
    """One canonical field and its vendor key."""

    part: str
    field: str
    path: str
    key: str
    type: ValueType


_NO_FIELDS: Final[Mapping[str, Any]] = {}


class Lifted(Struct, eq=False):
    """What a table took out of a vendor's object, by canonical part, and the rest of it."""

    parts: dict[str, dict[str, Any]] = {}
    rest: dict[str, Any] = {}
    raw: Raw = {}
    made: Context | None = None
    """The context, where it was made at once and is not among the parts."""

    def commerce(self, items: tuple[Item, ...] = (), more: Mapping[str, Any] = _NO_FIELDS) -> Commerce | None:
        """Return the commerce part.

        Args:
            items: come before a product that stood flat in the object.
            more: fields that win over those of the object.
        """
        parts = self.parts
        fields = parts.get("commerce") or _NO_FIELDS
        if more:
            fields = {**fields, **more}
        if item := parts.get("item"):
            items = (*items, Item(**item))
        if items:
            return Commerce(**fields, items=items)
        return Commerce(**fields) if fields else None

    def context(self, **more: Any) -> Context:
        """Return the context part."""
        if self.made is not None:
            return structs.replace(self.made, **more) if more else self.made
        parts = self.parts
        if "context" in parts:
            more = {**parts["context"], **more}
        for name, field in _CONTEXT_PARTS.items():
            if name in parts and (inner := parts[name]):
                more[field] = STRUCTS[name](**inner)
        return Context(**more) if more else canonical.EMPTY_CONTEXT

    def profile(self, **more: Any) -> Profile:
        """Return the profile part; traits are not taken from `rest` unless given."""
        parts = self.parts
        fields = {**parts["profile"], **more} if "profile" in parts else more
        if "profile.location" in parts and (inner := parts["profile.location"]):
            fields["location"] = canonical.Location(**inner)
        if "profile.traits" in parts and (traits := parts["profile.traits"]):
            fields["traits"] = {**traits, **fields.get("traits", {})}
        return Profile(**fields) if fields else canonical.EMPTY_PROFILE

    def properties(self) -> dict[str, Any]:
        """Return the free properties: those with a canonical name, then the rest."""
        named = self.parts.get("properties")
        return {**named, **self.rest} if named else self.rest


class _Part:
    """How one closed part is written: each of its fields, in the order of the Struct."""

    __slots__ = ("paths", "put", "rows", "slots", "write")

    def __init__(self, part: str, slots: Mapping[str, Slot]) -> None:
        self.slots = tuple(slots[name] for name in FIELDS[part] if name in slots)
        self.paths = frozenset(slot.path for slot in self.slots)
        self.rows = tuple([_row(part, name, slots.get(name)) for name in FIELDS[part]])
        self.write = writer(self.rows)
        self.put = writer(tuple([row for row in self.rows if row.key is not None]))


def _row(part: str, name: str, slot: Slot | None) -> Row:
    kind = type_of(STRUCTS[part], name)
    return Row(name, slot.key if slot else None, kind.lower, kind.many)


_Entry = tuple[type | None, str, str, frozenset[type], Callable[[Any], Any], frozenset[type], str]
"""A vendor's key: its usual type, if there is one that is taken as it is and leaves no trace; part, field, all such
types, how others are taken, types that leave no trace, path."""

_NOTHING: Final[frozenset[type]] = frozenset()
_NULL: Final = type(None)

_OF_LINES: Final = frozenset({"item", "properties"})
"""Parts of a table of product lines."""

_LETTERS: Final = 2_048
"""Of objects with longer keys, no function is written: a client's keys must not fill the memory."""


class _Rows:
    """What the rows of a table come to; nobody changes it."""

    __slots__ = ("by_key", "by_part", "names", "parts", "write_context")

    def __init__(self, spellings: Iterable[tuple[str, Spelling]]) -> None:
        self.by_key: dict[str, _Entry] = {}
        self.by_part: dict[str, dict[str, Slot]] = {}
        for path, spelling in spellings:
            self._add(path, spelling)
        self.names = {slot.field: slot for part in reversed(FREE_PARTS) for slot in self._slots(part).values()}
        self.parts = {part: _Part(part, self._slots(part)) for part in STRUCTS}
        inner = tuple([(field, self.parts[part].rows) for part, field in _CONTEXT_PARTS.items()])
        self.write_context = writer(self.parts["context"].rows, inner)

    def _add(self, path: str, spelling: Spelling) -> None:
        part, _, field = map(sys.intern, path.rpartition("."))  # a Struct takes interned names twice as fast
        kind = FREE if part in FREE_PARTS else type_of(STRUCTS[part], field)
        slot = Slot(part, field, path, spelling.as_, kind)
        self.by_part.setdefault(part, {})[field] = slot
        for key in (spelling.as_, *spelling.also):
            quiet = kind.exact if key == spelling.as_ else _NOTHING
            plain = kind.same & quiet
            self.by_key[key] = (str if str in plain else None, part, field, plain, kind.lift, quiet, path)

    def _slots(self, part: str) -> dict[str, Slot]:
        return self.by_part.get(part, {})


@lru_cache(512)
def _rows_of(spellings: tuple[tuple[str, Spelling], ...]) -> _Rows:
    """Cached, since most events of a vendor have the same rows."""
    return _Rows(spellings)


class Table:
    """Canonical paths and vendor keys, one to one, compiled for both directions."""

    def __init__(self, spellings: Mapping[str, Spelling]) -> None:
        rows = _rows_of(tuple(spellings.items()))
        self._by_key = rows.by_key
        self._by_part = rows.by_part
        self._names = rows.names
        self._free_names = frozenset(self._names)
        self._parts = rows.parts
        self._write_context = rows.write_context
        self._lifters = Precedents()
        self._item_lifters = Precedents()
        self._met = self._lifters.met
        self._of_events: dict[Hashable, Precedents] = {}

    def writer(self, part: str) -> Writer:
        """Return what writes a closed part whose client's spellings are not known; see `lower`."""
        return self._parts[part].write

    def parts(self) -> set[str]:
        """Return the canonical parts with a field in this table."""
        return set(self._by_part)

    def paths(self) -> Iterator[tuple[str, str]]:
        """Yield every (canonical path, vendor key)."""
        for slots in self._by_part.values():
            for slot in slots.values():
                yield slot.path, slot.key

    def reads(self, key: str, value: Any) -> str | None:
        """Return the canonical path as which a key with this value is lifted, None when it is free."""
        entry = self._by_key.get(key)
        return None if entry is None or entry[4](value) is None else entry[6]

    def lift(self, source: Mapping[str, Any]) -> Lifted:
        """Take the known fields out of a vendor's object.

        A value of an impossible type, a null, and a second spelling of a field already taken stay in `rest`.
        """
        keys = tuple(source)
        known = self._lifters.get(keys)
        if known is not None and (found := known(source.values())) is not None:
            return found  # type: ignore[no-any-return]  # it is a `Lifted`
        if self._lifters.due(keys):
            self._learn(keys, source)
        return self.take_apart(source)

    def lift_item(self, source: Mapping[str, Any], raw: Raw, at: str) -> Item:
        """Return the product line that an object is, when the table is one of lines.

        Args:
            source: the vendor's object.
            raw: receives unusual spellings.
            at: the line's canonical path.
        """
        known = self._item_lifters.get(tuple(source))
        if known is not None and (item := known(source.values(), raw, at)) is not None:
            return item  # type: ignore[no-any-return]  # it is an `Item`
        lifted = self.lift(source)
        for path, spelling in lifted.raw.items():
            raw[f"{at}.{path.removeprefix('item.')}"] = spelling
        fields = lifted.parts.get("item") or _NO_FIELDS
        properties = lifted.properties()
        return Item(**fields, properties=properties) if properties else Item(**fields)

    def _learn(self, keys: tuple[str, ...], source: Mapping[str, Any]) -> None:
        """Write a function for objects like this one, if no more than their keys and types is to be looked at."""
        places = self.places(source)
        if places is None:
            return
        written = lifter(keys, places, Lifted)
        if written(source.values()) is None:
            return
        self._lifters.keep(keys, written)
        if self._by_part.keys() <= _OF_LINES:
            self._item_lifters.keep(keys, item_lifter(keys, places, Item))

    def places(self, source: Mapping[str, Any]) -> list[Place | None] | None:
        """Return where the values of objects like this one go, key by key; None when that depends on more."""
        rest = self._take(source).rest
        if sum(map(len, source)) > _LETTERS or not self._free_names.isdisjoint(rest):
            return None
        return [self._place(key, type(value), key in rest) for key, value in source.items()]

    def of_events(self, lines: Hashable) -> Precedents:
        """Return the functions for events with these product lines, to all of their shapes the same."""
        return self._of_events.setdefault(lines, Precedents())

    def _place(self, key: str, kind: type, stays: bool) -> Place | None:
        if key not in self._by_key:
            return None
        _, part, field, plain, convert, quiet, path = self._by_key[key]
        if stays:
            return Place(None, "", (kind,), None if kind is _NULL else convert)
        if kind in plain:
            return Place(part, field, (kind,))
        return Place(part, field, quiet, convert) if kind in quiet else Place(part, field, (kind,), convert, path)

    def take_apart(self, source: Mapping[str, Any]) -> Lifted:
        """Do what `lift` does, key by key."""
        lifted = self._take(source)
        if lifted.rest and not self._free_names.isdisjoint(lifted.rest):
            self._reclaim(lifted)
        return lifted

    def _take(self, source: Mapping[str, Any]) -> Lifted:
        lifted = Lifted()
        parts, rest, by_key = lifted.parts, lifted.rest, self._by_key
        part, last = rest, ""  # most keys of an object are of the same part as the key before
        for key, value in source.items():
            found = by_key.get(key)
            if found is None:
                rest[key] = value
                continue
            usual, name, field, plain, convert, quiet, path = found
            kind = type(value)
            taken = value
            if kind is not usual and kind not in plain and (taken := convert(value)) is None:
                rest[key] = value
                continue
            if name is not last:
                last, part = name, parts.setdefault(name, {})
            if field in part:
                rest[key] = value
                continue
            part[field] = taken
            if kind is not usual and kind not in quiet:
                lifted.raw[path] = [key, value]
        return lifted

    def _reclaim(self, lifted: Lifted) -> None:
        """Give free keys that are spelled like canonical names these names; whoever took one gives way."""
        waiting = [key for key in lifted.rest if key in self._names]
        while waiting:
            slot = self._names[waiting.pop()]
            value = lifted.rest.pop(slot.field)
            part = lifted.parts.setdefault(slot.part, {})
            before = lifted.raw.pop(slot.path, None)
            if slot.field in part:
                key, held = before or (slot.key, part[slot.field])
                lifted.rest[key] = held
                waiting += [key] if key in self._names else []
            part[slot.field] = value
            if slot.key != slot.field:
                lifted.raw[slot.path] = [slot.field, value]

    def lower(self, part: str, value: Any, raw: Raw, out: dict[str, Any], lost: list[str] | None, at: str = "") -> None:
        """Write one closed canonical part into a vendor's object.

        Args:
            part: its name: ``commerce``, ``context.page``, …
            value: the Struct, or None.
            raw: the spellings to put back.
            out: receives keys and values.
            lost: receives the canonical path of every field that has a value and no key; None: nobody asks.
            at: the part's canonical path where it differs from its name (``commerce.items[0]``).
        """
        if value is None:
            return
        known = self._parts[part]
        if lost is None:
            known.put(value, out, [], "")
        else:
            known.write(value, out, lost, at or part)
        if raw and (at or not known.paths.isdisjoint(raw)):
            self._respell(known.slots, at or part, value, raw, out)

    def lower_context(self, context: Context, raw: Raw, out: dict[str, Any], lost: list[str]) -> None:
        """Write an event's whole context; see `lower`."""
        if not raw:
            self._write_context(context, out, lost, "context")
            return
        self.lower("context", context, raw, out, lost)
        for part, field in _CONTEXT_PARTS.items():
            self.lower(part, getattr(context, field), raw, out, lost)

    def _respell(self, slots: Iterable[Slot], place: str, value: Any, raw: Raw, out: dict[str, Any]) -> None:
        """Put back how the client wrote the fields that were not changed since."""
        start = len(place) + 1
        spelled = {}
        for path in raw:
            if path.startswith(place):
                spelled[path[start:]] = raw[path]
        if not spelled:
            return
        for slot in slots:
            before = spelled.get(slot.field)
            if not before or (held := getattr(value, slot.field)) is None:
                continue
            if self._stands(before[0], slot.field) and slot.type.lift(before[1]) == held:
                del out[slot.key]
                out[before[0]] = before[1]

    def _stands(self, key: str, field: str) -> bool:
        """Tell whether a key stands for a field here, and not only in the table it was lifted with."""
        return key in self._by_key and self._by_key[key][2] == field

    def lower_free(
        self,
        part: str,
        values: Mapping[str, Any],
        raw: Raw,
        out: dict[str, Any],
        lost: list[str] | None = None,
        at: str = "",
    ) -> None:
        """Write free values; those with a canonical name get the vendor's key, which no other value may take.

        Args:
            part: its name: ``properties`` or ``profile.traits``.
            values: by canonical name, or by any other.
            raw: the spellings to put back.
            out: receives keys and values.
            lost: receives the canonical path of every value whose key was needed for another.
            at: the part's canonical path where it differs from its name (``commerce.items[0].properties``).
        """
        slots = self._by_part.get(part)
        if slots is None:
            out.update(values)
            return
        place, size = at or part, len(out)
        for name, value in values.items():
            slot = slots.get(name)
            out[name if slot is None else _key_of(slot, value, raw.get(f"{place}.{name}"))] = value
        if len(out) < size + len(values):
            _lower_rivals(slots, values, raw, out, [] if lost is None else lost, place)


def _lower_rivals(
    slots: Mapping[str, Slot], values: Mapping[str, Any], raw: Raw, out: dict[str, Any], lost: list[str], place: str
) -> None:
    """Write free values of which several need one key: it goes to the one whose name in the table it is."""
    keys = {}
    for name, value in values.items():
        slot = slots.get(name)
        keys[name] = name if slot is None else _key_of(slot, value, raw.get(f"{place}.{name}"))
    owners: dict[str, str] = {}
    for name in sorted(values, key=lambda name: name in slots and keys[name] == slots[name].key):
        if keys[name] in owners:
            lost.append(f"{place}.{owners[keys[name]]}")
        owners[keys[name]] = name
        out[keys[name]] = values[name]


def _key_of(slot: Slot, value: Any, before: Any) -> str:
    """Return the key of a free value: as the client spelled it, unless it was changed since."""
    return before[0] if before and _is_same(before[1], value) else slot.key


def _is_same(before: Any, now: Any) -> bool:
    """Tell whether a free value was not changed; true is not 1."""
    return type(before) is type(now) and before == now


def is_path(path: str) -> bool:
    """Tell whether a table can name this canonical path."""
    part, _, field = path.rpartition(".")
    return bool(field) and (part in FREE_PARTS or field in FIELDS.get(part, ()))
