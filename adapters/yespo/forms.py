"""The forms that a product list or an object takes in a parameter, opened on the way in and closed on the way out.

Sources, read 2026-11-21: docs.yespo.io/docs/site-activity-tracking-using-generate-events (``product``, ``products``,
``category`` and ``page`` hold JSON text); docs.yespo.io/docs/how-use-v1event-api-resource (``items`` as
``{"array": […]}``, later a plain list).
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.adapter import Shape, json_bytes

from .wire import Json, structure

ARRAY: Final = "array"
OBJECT: Final = "object"

LINE_KEYS: Final = frozenset({"items", "cartItems", "products", "product"})
ONE: Final = "product"
"""The parameter that holds one product, not a list."""

NESTED: Final = {"pageViewed": "page", "productCategoryViewed": "category"}
"""Event type -> the parameter whose members are fields: ``page.location`` is ``location`` of ``page``."""

TEXT_TYPES: Final = frozenset({
    "pageViewed", "productViewed", "productCategoryViewed", "cartUpdated", "productAddedToWishlist",
    "productImpressions",
})  # fmt: skip
"""Yespo's own types, whose structures are JSON text."""
STRUCTURES: Final = frozenset({"product", "products", "page", "category"})
"""Their parameters that hold one."""

Texts = dict[str, Any]
"""Parameter -> the JSON text it came as; true where we would write the very same."""


def as_text(value: Any) -> Any:
    """Return an object or list as JSON text, anything else as it is."""
    return json_bytes(value).decode() if isinstance(value, (dict, list)) else value


# --- in --------------------------------------------------------------------------------------------------


def open_text(name: str, text: str, flat: Json, texts: Texts) -> None:
    """Put a parameter's text among the values: as the object or list that it holds, or as it is."""
    value = structure(text)
    if value is None:
        flat[name] = text
        return
    flat[name] = value
    texts[name] = True if json_bytes(value) == text.encode("utf-8", "surrogatepass") else text


def open_params(shape: Shape, flat: Json, texts: Texts, keep: Json, forms: Json) -> None:
    """Bring lists and objects into the plain form that the vocabulary reads."""
    param = NESTED.get(shape.vendor_name)
    if param is not None and isinstance(flat.get(param), dict):
        _flatten(param, flat, forms)
    if shape.lines is not None and not LINE_KEYS.isdisjoint(flat):
        _open_lines((shape.lines.at, *shape.lines.also), flat, texts, keep, forms)


def _flatten(param: str, flat: Json, forms: Json) -> None:
    members = {f"{param}.{name}": value for name, value in flat[param].items()}
    if members and members.keys().isdisjoint(flat):
        del flat[param]
        flat.update(members)
        forms[param] = OBJECT


def _open_lines(keys: tuple[str, ...], flat: Json, texts: Texts, keep: Json, forms: Json) -> None:
    for key in keys:
        if key not in flat:
            continue
        rows, form = _rows(key, flat[key])
        if rows:
            flat[key] = rows
            if form:
                forms[key] = form
            return
        if rows == []:
            text = texts.pop(key, None)
            sent = flat.pop(key)
            keep[key] = sent if text is None else json_bytes(sent).decode() if text is True else text


_OBJECTS: Final = frozenset({dict})


def _rows(key: str, value: Any) -> tuple[list[Any] | None, str | None]:
    """Return the rows of a product list and the form it came in; None when it is none."""
    if isinstance(value, list):
        return (value, None) if _OBJECTS.issuperset(map(type, value)) else (None, None)
    if not isinstance(value, dict):
        return None, None
    inner = value.get(ARRAY)
    if len(value) == 1 and isinstance(inner, list) and _OBJECTS.issuperset(map(type, inner)):
        return inner, ARRAY
    return ([value], OBJECT) if key == ONE and value else (None, None)


# --- out -------------------------------------------------------------------------------------------------


def close_params(shape: Shape, fields: Json, kept: Mapping[str, Any], *, native: bool, wrap: bool) -> None:
    """Give lists and objects the form they came in, or that of Yespo's own event types."""
    texts = kept.get("texts") or {}
    forms = kept.get("forms") or {}
    param = NESTED.get(shape.vendor_name)
    if param is not None and (not native or param in forms):
        _nest(param, fields)
    for key in LINE_KEYS:
        if key in fields:
            form = forms.get(key) if native else OBJECT if key == ONE else ARRAY if wrap else None
            if form is not None:
                fields[key] = _closed(fields[key], form)
    if not native:
        texts = _OWN_TEXTS if shape.vendor_name in TEXT_TYPES else {}
    for name in texts:
        if name in fields:
            _write_text(name, texts[name], fields)


_OWN_TEXTS: Final = dict.fromkeys(STRUCTURES, True)


def _nest(param: str, fields: Json) -> None:
    prefix = f"{param}."
    members = {name: fields.pop(name) for name in [name for name in fields if name.startswith(prefix)]}
    if members:
        fields[param] = {name.removeprefix(prefix): value for name, value in members.items()}


def _closed(value: Any, form: Any) -> Any:
    if not isinstance(value, list):
        return value
    if form == ARRAY:
        return {ARRAY: value}
    return value[0] if form == OBJECT and len(value) == 1 else value


def _write_text(name: str, before: Any, fields: Json) -> None:
    """Write a structure as JSON text: the client's own where it still says the same."""
    if not isinstance(fields[name], (dict, list)):
        return
    text = json_bytes(fields[name]).decode()
    same = isinstance(before, str) and structure(before) == structure(text)
    fields[name] = before if same else text
