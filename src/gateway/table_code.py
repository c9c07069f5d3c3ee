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

Of product lines it makes an item without such a thing in between.

What becomes text of a program: names of canonical parts and fields, and in a writer the table's keys, by their `repr`.
What a client sent never does: the keys of its objects are reached by names that are made up here.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
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


def lifter(keys: Sequence[str], places: Sequence[Place | None], made: Callable[..., Any]) -> Lifter:
    """Return the function that takes objects with these keys apart.

    Args:
        keys: of the object, in their order.
        places: one for each key; None: it stays in the rest, whatever it is.
        made: is given the parts, the rest, and the traces.
    """
    body, names = _checked(keys, places)
    parts: dict[str, list[str]] = {}
    traces = []
    for index, place in _taken(places):
        parts.setdefault(str(place.part), []).append(f"{place.field!r}: {_value(index, place)}")
        if place.trace is not None:
            traces.append(f"{place.trace!r}: [key_{index}, v{index}]")
    found = [f"{part!r}: {_object(fields)}" for part, fields in parts.items()]
    body.append(f"return made({_object(found)}, {_object(_rest(places))}, {_object(traces)})")
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
    fields, free = [], []
    for index, place in _taken(places):
        if place.part == "item":
            fields.append(f"{place.field}={_value(index, place)}")
        else:
            free.append(f"{place.field!r}: {_value(index, place)}")
        if place.trace is not None:
            path = "." + place.trace.removeprefix("item.")
            body.append(f"raw[at + {path!r}] = [key_{index}, v{index}]")
    free += _rest(places)
    if free:
        fields.append(f"properties={_object(free)}")
    body.append(f"return made({', '.join(fields)})")
    lift: ItemLifter = _made("lift", "values, raw, at", body, names | {"made": made})
    return lift


def _checked(keys: Sequence[str], places: Sequence[Place | None]) -> tuple[list[str], dict[str, Any]]:
    """Return the lines that unpack the values and check them, and what they name."""
    names: dict[str, Any] = {f"key_{index}": key for index, key in enumerate(keys)}
    body = ["".join(f"v{index}, " for index in range(len(keys))) + "= values"]
    for index, place in enumerate(places):
        if place is not None:
            names[f"lift_{index}"] = place.lift
            names |= {f"type_{index}_{number}": kind for number, kind in enumerate(place.types)}
            body += [f"if {_is_other(index, place)}:", "    return None"]
    return body, names


def _taken(places: Sequence[Place | None]) -> Iterator[tuple[int, Place]]:
    """Yield the places of values that do not stay in the rest."""
    for index, place in enumerate(places):
        if place is not None and place.part is not None:
            yield index, place


def _rest(places: Sequence[Place | None]) -> list[str]:
    return [f"key_{i}: v{i}" for i, place in enumerate(places) if place is None or place.part is None]


def _value(index: int, place: Place) -> str:
    return f"t{index}" if place.lift else f"v{index}"


def _is_other(index: int, place: Place) -> str:
    """Return the condition on which a value is not what was expected."""
    other = " and ".join(f"type(v{index}) is not type_{index}_{number}" for number in range(len(place.types)))
    if place.lift is None:
        return other
    lifted = f"(t{index} := lift_{index}(v{index}))"
    return f"{other} or {lifted} is {'not ' if place.part is None else ''}None"


def _object(entries: Iterable[str]) -> str:
    return "{" + ", ".join(entries) + "}"


# --- making ----------------------------------------------------------------------------------------------

_TEXT: Final = "def {name}({parameters}):\n    {body}"


def _made(name: str, parameters: str, body: Iterable[str], names: dict[str, Any]) -> Any:
    """Return the function of that body, which sees `names` and what is built in."""
    text = _TEXT.format(name=name, parameters=parameters, body="\n    ".join(body))
    exec(text, names)  # noqa: S102 - the text of this module, see above
    return names[name]
