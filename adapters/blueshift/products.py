"""Product lines in every form that Blueshift's senders use, both ways.

``products[]`` (the SDKs) and ``items[]`` (web tags) hold one object a line; ``product_ids[]`` and ``skus[]`` hold ids
alone; ``product_id`` or ``sku`` with ``quantity`` and ``price`` stand flat in the event. Sources, read 2026-11-21:
Blueshift Android SDK c9af96d and iOS SDK 1fb7344 (product helpers), developer.blueshift.com catalog pages
(items are keyed by ``product_id``), public web-tag code.

Which form was sent is kept, so that Blueshift gets the same form back.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from gateway.adapter import Lifted, Loss
from gateway.event import Item

from .names import put_aside
from .wire import FLAT_TABLE, LINE_TABLE, meaning

LINES: Final = ("products", "items")
IDS: Final = {"product_ids": "product_id", "skus": "sku"}
FLAT_IDS: Final = ("product_id", "productId", "sku")
FLAT: Final = "flat"

MARKS: Final = frozenset({*LINES, *IDS, *FLAT_IDS})
"""An event without any of these names no product."""

FLAT_EVENTS: Final = frozenset({
    "Product Viewed", "Product Added", "Product Removed", "Product Added to Wishlist", "Product Removed from Wishlist",
    "Ordered Product",
})  # fmt: skip
"""Events whose single product stands flat."""

_FIRST: Final = "commerce.items[0]"
_ID_KEYS: Final = tuple(IDS)
_OBJECTS: Final = frozenset({dict})
_FORMS: Final = (*LINES, *IDS, FLAT)

Raw = dict[str, Any]


class Form(NamedTuple):
    """How products were sent: the main form, and lists that repeat its ids."""

    main: str
    mirrors: tuple[str, ...]


def read(lifted: Lifted) -> tuple[tuple[Item, ...], list[str]]:
    """Take the products out of what a table left over, and how they were sent: a `Form` as JSON, empty without any.

    What is no product stays there.
    """
    found = _read_lines(lifted) or _read_flat(lifted) or _read_ids(lifted)
    if found is None:
        return (), []
    items, main = found
    return items, [main] if lifted.rest.keys().isdisjoint(IDS) else [main, *_take_mirrors(lifted.rest, items)]


def _read_lines(lifted: Lifted) -> tuple[tuple[Item, ...], str] | None:
    rest, raw = lifted.rest, lifted.raw
    for key in LINES:
        rows = rest.get(key)
        if isinstance(rows, list) and rows and _OBJECTS.issuperset(map(type, rows)):
            del rest[key]
            return _read_rows(rows, raw), key
    return None


def _read_rows(rows: Sequence[dict[str, Any]], raw: Raw) -> tuple[Item, ...]:
    if len(rows) == 1:
        return (LINE_TABLE.lift_item(rows[0], raw, _FIRST),)
    return tuple([LINE_TABLE.lift_item(row, raw, f"commerce.items[{index}]") for index, row in enumerate(rows)])


def _read_flat(lifted: Lifted) -> tuple[tuple[Item, ...], str] | None:
    if not any(_is_id(lifted.rest.get(key)) for key in FLAT_IDS):
        return None
    flat = FLAT_TABLE.lift(lifted.rest)
    lifted.rest = flat.rest
    for path, spelling in flat.raw.items():
        lifted.raw[f"commerce.items[0].{path.removeprefix('item.')}"] = spelling
    return (Item(**flat.parts["item"]),), FLAT


def _read_ids(lifted: Lifted) -> tuple[tuple[Item, ...], str] | None:
    for key, field in IDS.items():
        ids = lifted.rest.get(key)
        if isinstance(ids, list) and ids and all(isinstance(one, str) and one for one in ids):
            del lifted.rest[key]
            return tuple(Item(**{field: one}) for one in ids), key
    return None


def _is_id(value: Any) -> bool:
    return (isinstance(value, str) and bool(value)) or (isinstance(value, int) and not isinstance(value, bool))


def _take_mirrors(rest: dict[str, Any], items: Sequence[Item]) -> list[str]:
    """Take the lists of ids that say nothing new."""
    mirrors = [key for key in IDS if key in rest and rest[key] == _ids(items, key)]
    for key in mirrors:
        del rest[key]
    return mirrors


def _ids(items: Sequence[Item], key: str) -> list[str]:
    first, second = ("product_id", "sku") if key == "product_ids" else ("sku", "product_id")
    return [one for item in items if (one := getattr(item, first) or getattr(item, second)) is not None]


# --- out -------------------------------------------------------------------------------------------------


def write(items: Sequence[Item], form: Any, raw: Raw, *, flat: bool, lost: list[Loss]) -> dict[str, Any]:
    """Return the keys that name these products.

    Args:
        items: at least one.
        form: how they were sent, where they came from Blueshift; then nothing is added to it.
        raw: spellings to put back.
        flat: whether one product may stand flat in this event.
        lost: receives what did not go across unchanged.
    """
    sent = _form(form)
    if sent is None or not _fits(items, sent.main):
        return _write_all(items, raw, flat=flat, lost=lost)
    out = {key: _ids(items, key) for key in sent.mirrors} if sent.mirrors else {}
    if sent.main == FLAT:
        return {**_write_flat(items[0], raw, lost), **out}
    if sent.main in IDS:
        return {sent.main: _ids(items, sent.main), **out}
    return {sent.main: _write_lines(items, raw, lost, report=False), **out}


def _form(kept: Any) -> Form | None:
    if not isinstance(kept, (list, tuple)) or not kept:
        return None
    main, mirrors = kept[0], tuple(kept[1:])
    known = main in _FORMS and (not mirrors or all(key in _ID_KEYS for key in mirrors))
    return Form(main, mirrors) if known else None


def _fits(items: Sequence[Item], main: str) -> bool:
    """Tell whether a form can hold what the items say by now."""
    if main == FLAT:
        return len(items) == 1
    field = IDS.get(main)
    return field is None or all(item == Item(**{field: getattr(item, field)}) for item in items)


def _write_all(items: Sequence[Item], raw: Raw, *, flat: bool, lost: list[Loss]) -> dict[str, Any]:
    """Write both ids everywhere: Blueshift's catalog is keyed by the one, its SDKs send the other."""
    if flat and len(items) == 1:
        return _write_flat(_with_both_ids(items[0]), raw, lost)
    both = [_with_both_ids(item) for item in items]
    ids = _ids(items, "product_ids")
    return {"products": _write_lines(both, raw, lost, report=True), **({"product_ids": ids} if ids else {})}


def _with_both_ids(item: Item) -> Item:
    if (item.sku is None) == (item.product_id is None):
        return item
    return replace(item, sku=item.sku or item.product_id, product_id=item.product_id or item.sku)


def _write_lines(items: Sequence[Item], raw: Raw, lost: list[Loss], *, report: bool) -> list[dict[str, Any]]:
    if len(items) == 1:
        return [_write_line(items[0], _FIRST, raw, lost, report)]
    return [_write_line(item, f"commerce.items[{index}]", raw, lost, report) for index, item in enumerate(items)]


def _write_line(item: Item, at: str, raw: Raw, lost: list[Loss], report: bool) -> dict[str, Any]:
    """Return one line; with `report`, free keys that mean something in it are reported."""
    row: dict[str, Any] = {}
    LINE_TABLE.lower("item", item, raw, row, None, at)
    for key, value in item.properties.items():
        if key in row:
            put_aside(row, key, value, "property_", f"{at}.properties.{key}", lost)
            continue
        row[key] = value
        read = meaning("line", key) if report else None
        if read is not None:
            reason = f"Blueshift takes it for {read}."
            lost.append(Loss(0, f"{at}.properties.{key}", "renamed", reason, key))
    return row


def _write_flat(item: Item, raw: Raw, lost: list[Loss]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    FLAT_TABLE.lower("item", item, raw, out, None, "commerce.items[0]")
    for key, value in item.properties.items():
        put_aside(out, key, value, "product_", f"commerce.items[0].properties.{key}", lost)
    return out
