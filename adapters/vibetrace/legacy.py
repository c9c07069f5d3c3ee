"""Types of the first API, for targets whose option ``types`` says that their account takes them.

Each holds the fields that github.com/vibetrace/api lists (read 2026-11-21) and nothing more: the table of its name.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from msgspec import to_builtins

from gateway.adapter import Event, Loss
from gateway.event import EMPTY_CONTEXT, Item, leaves

from .options import TargetOptions
from .row import NO_ATTRIBUTES
from .wire import BY_TYPE, CHECKOUT, LEGACY_TYPES, VOCABULARY

_TABLES: Final = {type_: VOCABULARY.table(type_) for type_ in LEGACY_TYPES}
_PATHS: Final = {type_: dict(table.paths()) for type_, table in _TABLES.items()}
_TYPE_OF: Final = {BY_TYPE[type_].name: type_ for type_ in LEGACY_TYPES}
_ONE_ITEM: Final = frozenset({"viewitem", "addtocart"})
_IN_CART: Final = frozenset({"addtocart", CHECKOUT})
_SAYS: Final = {"viewcategory": "category", "search": "query"}
"""The property without which a type says nothing."""

_LINE_REST: Final = "Vibetrace reads id and quantity of an item; it has the rest in its catalogue."


def legacy_type(name: str, options: TargetOptions) -> str | None:
    """Return the type for a track event of that name, where the account takes it."""
    type_ = _TYPE_OF.get(name)
    return type_ if type_ in options.types else None


def fits(type_: str, event: Event) -> bool:
    """Tell whether an event has the fields that a type requires."""
    commerce = event.commerce
    if type_ in _SAYS:
        return isinstance(event.properties.get(_SAYS[type_]), str)
    if commerce is None or (type_ in _IN_CART and not commerce.cart_id):
        return False
    return type_ not in _ONE_ITEM or (len(commerce.items) == 1 and _id_of(commerce.items[0]) is not None)


def _id_of(item: Item) -> str | None:
    return item.product_id or item.sku


def write_legacy(type_: str, event: Event, options: TargetOptions, lost: list[Loss]) -> dict[str, Any]:
    """Return the fields of an event that `fits` a type; report the others."""
    table, paths = _TABLES[type_], _PATHS[type_]
    out: dict[str, Any] = {}
    missing: list[str] = []
    if event.commerce is not None:
        table.lower("commerce", event.commerce, {}, out, missing)
        _write_items(type_, event.commerce.items, out, options, lost)
    if event.context != EMPTY_CONTEXT:
        page = event.context.page
        if page is not None and page.referrer is not None:
            out[paths["context.page.referrer"]] = page.referrer
        held = leaves(to_builtins(event.context), "context")
        missing += [path for path, _ in held if path != "context.page.referrer"]
    if event.profile.user_id is not None:
        out[paths["profile.user_id"]] = event.profile.user_id
    for key, value in event.properties.items():
        path = f"properties.{key}"
        if path in paths and not isinstance(value, (dict, list)):
            out[paths[path]] = value
        else:
            missing.append(path)
    if event.consent:
        missing.append("consent")
    reason = f"An event of the type {type_} has no field for it."
    lost += [Loss(0, path, "dropped", reason) for path in missing]
    lost += [Loss(0, path, "dropped", NO_ATTRIBUTES) for path in _person(event)]
    return out


def _person(event: Event) -> list[str]:
    known = ("profile.email", "profile.user_id", "profile.vendor_ids", "profile.push_tokens")
    held = leaves(to_builtins(event.profile), "profile")
    return [path for path, _ in held if path != "profile" and not path.startswith(known)]


def _write_items(
    type_: str, items: Sequence[Item], out: dict[str, Any], options: TargetOptions, lost: list[Loss]
) -> None:
    if type_ in _ONE_ITEM:
        out["itemId"] = _write_id(items[0], "commerce.items[0]", options, lost, "itemId")
        reason = f"An event of the type {type_} holds the item's id alone."
        if items[0].quantity is not None:
            lost.append(Loss(0, "commerce.items[0].quantity", "dropped", reason))
        _report_item(items[0], "commerce.items[0]", reason, lost)
    elif type_ == CHECKOUT and items:
        out["items"] = write_lines(items, options, lost)
    elif items:
        lost.append(Loss(0, "commerce.items", "dropped", f"An event of the type {type_} has no items."))


def write_lines(items: Sequence[Item], options: TargetOptions, lost: list[Loss]) -> list[dict[str, Any]]:
    """Return ``[{"id", "quantity"}]``; report what else the lines hold, and lines without an id."""
    lines: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        at = f"commerce.items[{index}]"
        if _id_of(item) is None:
            lost.append(Loss(0, at, "dropped", "Vibetrace knows an item by its id, and this one has none."))
            continue
        line: dict[str, Any] = {"id": _write_id(item, at, options, lost, f"items[{len(lines)}].id")}
        if item.quantity is not None:
            line["quantity"] = item.quantity
        _report_item(item, at, _LINE_REST, lost)
        lines.append(line)
    return lines


def _write_id(item: Item, at: str, options: TargetOptions, lost: list[Loss], key: str) -> str | None:
    """Return the id by which the account's catalogue knows an item, and report the other."""
    first, second = ("product_id", "sku") if options.item_id == "product_id" else ("sku", "product_id")
    chosen = first if getattr(item, first) else second
    if chosen == "sku":
        lost.append(Loss(0, f"{at}.sku", "renamed", "Vibetrace has one id of an item.", key))
    other = "sku" if chosen == "product_id" else "product_id"
    if getattr(item, other) is not None:
        lost.append(Loss(0, f"{at}.{other}", "dropped", "Vibetrace has one id of an item."))
    own: str | None = getattr(item, chosen)
    return own


_FIELDS: Final = tuple(
    name for name in Item.__struct_fields__ if name not in ("product_id", "sku", "quantity", "properties")
)
_values: Final = attrgetter(*_FIELDS)
_NO_VALUES: Final = _values(Item())


def _report_item(item: Item, at: str, reason: str, lost: list[Loss]) -> None:
    """Report all that an item says besides ids and quantity."""
    values = _values(item)
    if values == _NO_VALUES and not item.properties:
        return
    held = [name for name, value, none in zip(_FIELDS, values, _NO_VALUES, strict=True) if value != none]
    lost += [Loss(0, f"{at}.{name}", "dropped", reason) for name in held]
    lost += [Loss(0, f"{at}.properties.{key}", "dropped", reason) for key in item.properties]
