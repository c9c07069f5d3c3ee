"""Free values of other vendors' events in a form that Synerise takes: no nulls, no names that mean something else."""

from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter, is_
from typing import Any, Final

import msgspec

from gateway.adapter import Event, Shape
from gateway.event import Commerce, Item

from .money import FLAT_KEYS
from .wire import LINES, ORIGINAL_TIME, RESERVED, TRANSACTION_KEYS, VOCABULARY
from .written import Report

_NULL: Final = "In Synerise an empty value deletes or is refused, so none is sent."
_TAKEN: Final = "Synerise reads this name as something else."

_SPECIAL: Final = RESERVED | FLAT_KEYS | {ORIGINAL_TIME, LINES, "currency", "$currency"}
_OF_ORDERS: Final = _SPECIAL | (set(TRANSACTION_KEYS) - {"source"})

_LEAVES: Final = frozenset({str, int, float, bool})
_LONGEST_KEY: Final = 64
"""Characters; no table has a longer key."""


def fit(event: Event, shape: Shape, report: Report, *, order: bool = False) -> Event:
    """Return an event of another vendor whose free values can be sent; what that changes is reported."""
    properties = event.properties
    if properties:
        properties = _fit_properties(event, shape, report, "metadata" if order else "params")
    commerce = event.commerce
    if commerce is not None and any(map(_free, commerce.items)):
        commerce = _fit_items(commerce, report)
    if properties is event.properties and commerce is event.commerce:
        return event
    return msgspec.structs.replace(event, properties=properties, commerce=commerce)


_free: Final = attrgetter("properties")


def _fit_items(commerce: Commerce, report: Report) -> Commerce:
    items = tuple([_fit_item(item, at, report) for at, item in enumerate(commerce.items)])
    return commerce if all(map(is_, items, commerce.items)) else msgspec.structs.replace(commerce, items=items)


def _fit_properties(event: Event, shape: Shape, report: Report, place: str) -> dict[str, Any]:
    special = _OF_ORDERS if place == "metadata" else _SPECIAL
    properties = without_nulls(event.properties, "properties", report)
    if not special.isdisjoint(properties) or ("email" in properties and _is_other_email(properties, event)):
        properties = dict(properties)
        for key in [key for key in properties if key in special or key == "email"]:
            if key != "email" or _is_other_email(properties, event):
                _put_aside(properties, key, f"properties.{key}", place, report)
    action = shape.vendor_name if shape.vendor_name in _KNOWN else None
    for key in properties:
        if len(key) > _LONGEST_KEY:
            continue
        path = _meaning(action, key)
        if path is not None and path != f"properties.{key}":
            report.renamed(f"properties.{key}", f"Synerise reads it as {path}.", f"{place}.{key}")
    return properties


def _is_other_email(properties: Mapping[str, Any], event: Event) -> bool:
    """Tell whether there is an ``email`` that is not the person's, which Synerise asks for."""
    return "email" in properties and properties["email"] != event.profile.email


def _put_aside(values: dict[str, Any], key: str, path: str, place: str, report: Report) -> None:
    """Give a free value whose name is taken a prefixed one, or drop it, and report it."""
    value, name = values.pop(key), "property_" + key.replace("$", "")
    if name in values:
        report.dropped(path, _TAKEN)
        return
    values[name] = value
    report.renamed(path, _TAKEN, f"{place}.{name}")


@lru_cache(maxsize=8_192)
def _meaning(action: str | None, key: str) -> str | None:
    """Return the canonical path that an action's table reads a key as, None when the key is free there."""
    table = _ANY if action is None else VOCABULARY.decode(action).table
    for probe in ("1", ["1"]):
        for part, fields in table.lift({key: probe}).parts.items():
            return f"{part}.{next(iter(fields))}"
    return None


_ANY: Final = VOCABULARY.decode("").table
"""Of actions that no table is for."""
_KNOWN: Final = frozenset(shape.vendor_name for shape in VOCABULARY.shapes())


def _fit_item(item: Item, at: int, report: Report) -> Item:
    if not item.properties:
        return item
    path = f"commerce.items[{at}].properties"
    properties = without_nulls(item.properties, path, report)
    if not FLAT_KEYS.isdisjoint(properties):
        properties = dict(properties)
        for key in [key for key in properties if key in FLAT_KEYS]:
            _put_aside(properties, key, f"{path}.{key}", f"{LINES}[{at}]", report)
    return item if properties is item.properties else msgspec.structs.replace(item, properties=properties)


def without_nulls(values: dict[str, Any], path: str, report: Report) -> dict[str, Any]:
    """Return an object without nulls at any level; the same one when it has none."""
    if _LEAVES.issuperset(map(type, values.values())):
        return values
    changed = False
    out = {}
    for key, value in values.items():
        if type(value) in _LEAVES:
            out[key] = value
        elif value is None:
            report.dropped(f"{path}.{key}", _NULL)
            changed = True
        else:
            out[key] = _cleaned(value, f"{path}.{key}", report)
            changed = changed or out[key] is not value
    return out if changed else values


def _cleaned(value: Any, path: str, report: Report) -> Any:
    if isinstance(value, dict):
        return without_nulls(value, path, report)
    if not isinstance(value, (list, tuple)):
        return value
    out = []
    for index, inner in enumerate(value):
        if inner is None:
            report.dropped(f"{path}[{index}]", _NULL)
        else:
            out.append(_cleaned(inner, f"{path}[{index}]", report))
    same = len(out) == len(value) and all(a is b for a, b in zip(out, value, strict=True))
    return value if same else out
