"""Writes the Python that a table is: functions without a loop over its rows.

A table's rows never change, and every event meets all of them; a function that was written from them does in one line
what a loop decides anew for each field. There are two kinds.

A *writer* is made when a table is loaded, one for each canonical part. Of a table with ``commerce.order_id: OrderId``
and no key for ``commerce.tax``::

    def write(value, out, lost, at):
        if value.order_id is not None:
            out['OrderId'] = value.order_id
        if value.tax is not None:
            lost.append(at + '.tax')

A *lifter* is made when objects with the same keys in the same order have come again and again, as a client's do. It is
right for these keys and for values of the types that it checks, and gives up on others. Of the keys OrderId, color
and Total::

    def lift(values):
        v0, v1, v2 = values
        if type(v0) is not str:
            return None
        if type(v2) is not int and type(v2) is not float or (t2 := lift_2(v2)) is None:
            return None
        return Lifted({'commerce': {'order_id': v0, 'total': t2}}, {key_1: v1}, {})

Of product lines it makes an item without such a thing in between; and of the properties of an event the parts that
nobody looks into before they are made, commerce and context::

    def lift(values, more):
        v0, v1, v2 = values
        ...
        raw = {}
        items = read(v1, raw)
        if items is None:
            return None
        return Lifted({}, {key_2: v2}, raw, no_context), Commerce(order_id=v0, items=items)

What becomes text of a program: names of canonical parts and fields, and in a writer the table's keys, by their `repr`.
What a client sent never does: the keys of its objects are reached by names that are made up here.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

# --- writers ---------------------------------------------------------------------------------------------

Writer = Callable[[Any, dict[str, Any], list[str], str], None]
"""Takes the Struct, the object to write into, the list of what is lost, and the canonical path of the part."""


class Row(NamedTuple):
    """How one field of a closed part is written."""

    field: str
    key: str | None
    """None: it is lost."""
    lower: Callable[[Any], Any] | None = None
    """Makes JSON of the value; None: it is JSON."""
    many: bool = False
    """Whether it is a tuple, which is absent when it is empty."""


Rows = tuple[Row, ...]


@cache
def writer(rows: Rows, inner: tuple[tuple[str, Rows], ...] = ()) -> Writer:
    """Return the function that writes the fields of one part: for the tables of all events, mostly the same.

    Args:
        rows: its fields, in the order in which they are written.
        inner: fields that hold parts of their own, with theirs; they are written after its own.
    """
    names: dict[str, Any] = {}
    body = [*_written(rows, "value", "", names)]
    for field, fields in inner:
        lines = [*_written(fields, "inner", f".{field}", names)] or ["pass"]
        body += [f"inner = value.{field}", "if inner is not None:", *(f"    {line}" for line in lines)]
    write: Writer = _made("write", "value, out, lost, at", body or ["pass"], names)
    return write


def _written(rows: Rows, struct: str, path: str, names: dict[str, Any]) -> Iterator[str]:
    for row in rows:
        held = f"{struct}.{row.field}"
        yield f"if {held}:" if row.many else f"if {held} is not None:"
        if row.key is None:
            yield f"    lost.append(at + {f'{path}.{row.field}'!r})"
        elif row.lower is None:
            yield f"    out[{row.key!r}] = {held}"
        else:
            lower = f"lower_{len(names)}"
            names[lower] = row.lower
            yield f"    out[{row.key!r}] = {lower}({held})"


# --- lifters ---------------------------------------------------------------------------------------------

Lifter = Callable[[Iterable[Any]], Any]
"""Takes an object's values; returns what `made` returned, or None when they are of other types than expected."""


class Place(NamedTuple):
    """Where the value of one key of an object goes, and on which condition."""

    part: str | None
    """None: it stays in the rest, as long as `lift` makes nothing of it."""
    field: str
    types: Collection[type]
    """The value is of one of these."""
    lift: Callable[[Any], Any] | None = None
    """Makes the canonical value, None where there is none. Without it, the value is the canonical one."""
    trace: str | None = None
    """The path under which the key and the value are kept."""


Fields = list[tuple[str, str]]
"""Names, and the code that makes their values."""


def lifter(keys: Sequence[str], places: Sequence[Place | None], made: Callable[..., Any]) -> Lifter:
    """Return the function that takes objects with these keys apart.

    Args:
        keys: of the object, in their order.
        places: one for each key; None: it stays in the rest, whatever it is.
        made: is given the parts, the rest, and the traces.
    """
    body, names = _checked(keys, places)
    body.append(
        f"return made({_parts(_fields(places))}, {_object(_rest(places))}, {_object(_entries(_traces(places)))})"
    )
    lift: Lifter = _made("lift", "values", body, names | {"made": made})
    return lift


ItemLifter = Callable[[Iterable[Any], dict[str, Any], str], Any]
"""Takes an object's values, the traces of the whole event, and the object's canonical path; returns the item or None.

Notes nothing when it returns None.
"""


def item_lifter(keys: Sequence[str], places: Sequence[Place | None], made: Callable[..., Any]) -> ItemLifter:
    """Return the function that makes items of objects with these keys; see `lifter`.

    Args:
        keys: of the object, in their order.
        places: one for each key, in the parts ``item`` and ``properties`` alone.
        made: is given the item's fields by name.
    """
    body, names = _checked(keys, places)
    body += [f"raw[at + {'.' + path.removeprefix('item.')!r}] = {trace}" for path, trace in _traces(places)]
    parts = _fields(places)
    fields, free = parts.get("item", []), _entries(parts.get("properties", [])) + _rest(places)
    if free:
        fields.append(("properties", _object(free)))
    body.append(f"return {_call('made', fields)}")
    lift: ItemLifter = _made("lift", "values, raw, at", body, names | {"made": made})
    return lift


class Lines(NamedTuple):
    """The product lines among the properties of an event."""

    spot: int
    """Which key has them."""
    read: Callable[[Any, dict[str, Any]], Any]
    """Makes a tuple of items of them, and adds their traces; None, and no trace: they are none after all."""
    trace: str | None
    """The path under which their key is kept."""
    flat: str
    """The path under which the place of a product that stands beside them is kept."""


EventLifter = Callable[[Iterable[Any], Iterable[Any]], Any]
"""Takes the values of an event's properties, and of the fields that come along with them."""


def event_lifter(
    keys: Sequence[str],
    places: Sequence[Place | None],
    more: Sequence[str],
    lines: Lines | None,
    made: Mapping[str, Any],
) -> EventLifter:
    """Return the function that takes the properties of events with these keys apart; see `lifter`.

    It makes the commerce part and the context at once, and returns what ``made["lifted"]`` returned, and the former.

    Args:
        keys: of the properties, in their order.
        places: one for each key; None for the product lines, too.
        more: fields of the commerce part that come along, and win over those among the properties.
        lines: the product lines, where there are any.
        made: what is given the fields of a part by name, by the part's name; ``lifted`` is given the other parts, the
            rest, the traces, and the context; ``no_context`` is that of an event without any.
    """
    body, names = _checked(keys, places)
    names |= {_maker(part): maker for part, maker in made.items()}
    body += _unpacked("m", len(more), "more")
    parts = _fields(places)
    body.append(f"raw = {_object(_entries(_traces(places)))}")
    if lines is not None:
        names["read"] = lines.read
        body += _reading(lines, beside="item" in parts)
    commerce = _commerce(parts, more, lines)
    context = _context(parts)
    rest = _object(_rest(places, lines))
    body.append(f"return {_maker('lifted')}({_parts(parts)}, {rest}, raw, {context}), {commerce}")
    lift: EventLifter = _made("lift", "values, more", body, names)
    return lift


def _reading(lines: Lines, *, beside: bool) -> Iterator[str]:
    """Yield the lines of code that read product lines; with `beside`, another product stands beside them."""
    if lines.trace is not None:
        yield f"raw[{lines.trace!r}] = [key_{lines.spot}]"
    yield f"items = read(v{lines.spot}, raw)"
    yield "if items is None:"
    yield "    return None"
    if beside:
        yield f"raw[{lines.flat!r}] = [len(items)]"


def _commerce(parts: dict[str, Fields], more: Sequence[str], lines: Lines | None) -> str:
    """Return what makes the commerce part; takes its fields out of the parts."""
    fields = [(field, value) for field, value in parts.pop("commerce", []) if field not in more]
    fields += [(field, f"m{index}") for index, field in enumerate(more)]
    items = ["*items"] if lines is not None else []
    if "item" in parts:
        items.append(_call(_maker("item"), parts.pop("item")))
    if items:
        fields.append(("items", "items" if items == ["*items"] else f"({', '.join(items)},)"))
    return _call(_maker("commerce"), fields) if fields else "None"


def _context(parts: dict[str, Fields]) -> str:
    """Return what makes the context; takes its fields and parts out of the parts."""
    fields = parts.pop("context", [])
    for part in [part for part in parts if part.startswith(_IN_CONTEXT)]:
        fields.append((part.removeprefix(_IN_CONTEXT), _call(_maker(part), parts.pop(part))))
    return _call(_maker("context"), fields) if fields else _maker("no_context")


_IN_CONTEXT: Final = "context."


def _maker(part: str) -> str:
    return f"make_{part.replace('.', '_')}"


# --- what lifters are made of ----------------------------------------------------------------------------


def _checked(keys: Sequence[str], places: Sequence[Place | None]) -> tuple[list[str], dict[str, Any]]:
    """Return the lines that unpack the values and check them, and what they name."""
    names: dict[str, Any] = {f"key_{index}": key for index, key in enumerate(keys)}
    body = [*_unpacked("v", len(keys), "values")]
    for index, place in enumerate(places):
        if place is not None:
            names[f"lift_{index}"] = place.lift
            names |= {f"type_{index}_{number}": kind for number, kind in enumerate(place.types)}
            body += [f"if {_is_other(index, place)}:", "    return None"]
    return body, names


def _unpacked(letter: str, count: int, values: str) -> Iterator[str]:
    if count:
        yield "".join(f"{letter}{index}, " for index in range(count)) + f"= {values}"


def _taken(places: Sequence[Place | None]) -> Iterator[tuple[int, Place]]:
    """Yield the places of values that do not stay in the rest."""
    for index, place in enumerate(places):
        if place is not None and place.part is not None:
            yield index, place


def _fields(places: Sequence[Place | None]) -> dict[str, Fields]:
    """Return the fields of each part."""
    parts: dict[str, Fields] = {}
    for index, place in _taken(places):
        parts.setdefault(str(place.part), []).append((place.field, f"t{index}" if place.lift else f"v{index}"))
    return parts


def _traces(places: Sequence[Place | None]) -> Fields:
    return [(place.trace, f"[key_{i}, v{i}]") for i, place in _taken(places) if place.trace is not None]


def _rest(places: Sequence[Place | None], lines: Lines | None = None) -> list[str]:
    left = None if lines is None else lines.spot
    return [f"key_{i}: v{i}" for i, place in enumerate(places) if i != left and (place is None or place.part is None)]


def _is_other(index: int, place: Place) -> str:
    """Return the condition on which a value is not what was expected."""
    other = " and ".join(f"type(v{index}) is not type_{index}_{number}" for number in range(len(place.types)))
    if place.lift is None:
        return other
    lifted = f"(t{index} := lift_{index}(v{index}))"
    return f"{other} or {lifted} is {'not ' if place.part is None else ''}None"


def _parts(parts: Mapping[str, Fields]) -> str:
    return _object(f"{part!r}: {_object(_entries(fields))}" for part, fields in parts.items())


def _entries(fields: Fields) -> list[str]:
    return [f"{name!r}: {value}" for name, value in fields]


def _object(entries: Iterable[str]) -> str:
    return "{" + ", ".join(entries) + "}"


def _call(name: str, fields: Fields) -> str:
    return f"{name}({', '.join(f'{field}={value}' for field, value in fields)})"


# --- making ----------------------------------------------------------------------------------------------

_TEXT: Final = "def {name}({parameters}):\n    {body}"


def _made(name: str, parameters: str, body: Iterable[str], names: dict[str, Any]) -> Any:
    """Return the function of that body, which sees `names` and what is built in."""
    text = _TEXT.format(name=name, parameters=parameters, body="\n    ".join(body))
    exec(text, names)  # noqa: S102 - the text of this module, see above
    return names[name]
