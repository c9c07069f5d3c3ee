"""An event of another vendor's -> the type that stands for it, and its fields.

Sources, read 2026-11-21: help.vtcdn.net/kb/how-to-send-events-via-api (``update``, ``login``, ``confirmation``,
``generic``); github.com/vibetrace/api (the types of a target's option ``types``).
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from gateway.adapter import Event, Shape, json_bytes
from gateway.event import EMPTY_CONTEXT, EMPTY_PROFILE, Commerce, Context, Item, Profile

from . import consent
from .encode_person import write_person
from .free import fill
from .legacy import fits, legacy_type, write_legacy, write_lines
from .options import TargetOptions
from .row import NO_ATTRIBUTES, Kept, Lost
from .wire import CONFIRMATION, EVENT_NAME, GENERIC, LOGIN, ORDER, PAGE_NAME, UPDATE, VOCABULARY, custom_name, shape_of

_LINE: Final = VOCABULARY.table("line")
_CONTEXT_PARTS: Final = ("context.device", "context.app", "context.page", "context.campaign")
_context_parts: Final = attrgetter(*(part.removeprefix("context.") for part in _CONTEXT_PARTS))
_FLAT_LINES: Final = "Vibetrace's custom events have flat fields; the lines go as JSON text."


def write_foreign(event: Event, options: TargetOptions, kept: Kept, lost: list[Lost]) -> tuple[str, dict[str, Any]]:
    """Return the type and the fields."""
    if event.kind == "identify":
        return UPDATE, write_person(event, kept, lost, login=False)
    if event.kind == "track":
        if event.name == "Signed In":
            return LOGIN, write_person(event, kept, lost, login=True)
        if event.name == ORDER and event.commerce is not None and event.commerce.order_id:
            return CONFIRMATION, _confirmation(event, options, lost)
        if options.types:
            type_ = legacy_type(event.name, options)
            if type_ is not None and fits(type_, event):
                return type_, write_legacy(type_, event, options, lost)
    return GENERIC, {GENERIC: _custom(event, lost)}


def _confirmation(event: Event, options: TargetOptions, lost: list[Lost]) -> dict[str, Any]:
    shape, out = shape_of(event), {}
    commerce = event.commerce
    if commerce is not None:
        out = _amounts(shape, commerce)
        out["items"] = write_lines(commerce.items, options, lost)
    _write_rest(event, shape, out, lost)
    return out


def _custom(event: Event, lost: list[Lost]) -> dict[str, Any]:
    shape = shape_of(event)
    out: dict[str, Any] = {EVENT_NAME: custom_name(shape, event.name)}
    if event.kind != "track":
        _write_name(event, shape, out, lost)
    elif event.name == ORDER:
        reason = "Vibetrace knows a purchase by its order id; without one it goes as a custom event."
        lost.append(Lost("name", "renamed", reason, out[EVENT_NAME]))
    commerce = event.commerce
    if commerce is not None:
        out.update(_amounts(shape, commerce))
        if commerce.items:
            _write_items(commerce.items, shape, out, lost)
    _write_rest(event, shape, out, lost)
    return out


def _write_name(event: Event, shape: Shape, out: dict[str, Any], lost: list[Lost]) -> None:
    """Write the name of a page or a screen; groups and aliases have none here."""
    if event.name == shape.name:
        return
    if event.kind in PAGE_NAME and event.name.strip():
        out[PAGE_NAME[event.kind]] = event.name
    else:
        lost.append(Lost("name", "dropped", f"Vibetrace gets one name for every {event.kind}."))


def _amounts(shape: Shape, commerce: Commerce) -> dict[str, Any]:
    out: dict[str, Any] = {}
    shape.table.lower("commerce", commerce, _AS_IT_IS, out, [])
    return out


_AS_IT_IS: Final[dict[str, Any]] = {}


def _write_items(items: Sequence[Item], shape: Shape, out: dict[str, Any], lost: list[Lost]) -> None:
    """Write a single product flat, where the event is about one, and several as text."""
    if len(items) == 1 and "item" in shape.table.parts():
        shape.table.lower("item", items[0], _AS_IT_IS, out, [])
        fill(items[0].properties, "commerce.items[0].properties", out, lost, shape.table, native=False)
        return
    out["items"] = json_bytes([_line(item) for item in items]).decode()
    lost.append(Lost("commerce.items", "coerced", _FLAT_LINES, "items"))


def _line(item: Item) -> Mapping[str, Any]:
    line: dict[str, Any] = {}
    _LINE.lower("item", item, _AS_IT_IS, line, [])
    return {**item.properties, **line} if item.properties else line


def _write_rest(event: Event, shape: Shape, out: dict[str, Any], lost: list[Lost]) -> None:
    if event.context is not EMPTY_CONTEXT:
        _write_context(event.context, shape, out)
    if event.profile is not EMPTY_PROFILE:
        _write_profile(event.profile, shape, out, lost)
    if event.consent:
        consent.write(event, out, lost)
    if event.properties:
        _write_properties(event.properties, shape, out, lost)


def _write_context(context: Context, shape: Shape, out: dict[str, Any]) -> None:
    shape.table.lower("context", context, _AS_IT_IS, out, [])
    for part, held in zip(_CONTEXT_PARTS, _context_parts(context), strict=True):
        if held is not None:
            shape.table.lower(part, held, _AS_IT_IS, out, [])


def _write_profile(who: Profile, shape: Shape, out: dict[str, Any], lost: list[Lost]) -> None:
    missing: list[str] = []
    shape.table.lower("profile", who, _AS_IT_IS, out, missing)
    lost += [Lost(path, "dropped", NO_ATTRIBUTES) for path in missing if path != "profile.email"]
    if who.location is not None:
        lost.append(Lost("profile.location", "dropped", NO_ATTRIBUTES))
    if who.traits:
        lost.append(Lost("profile.traits", "dropped", NO_ATTRIBUTES))


def _write_properties(properties: dict[str, Any], shape: Shape, out: dict[str, Any], lost: list[Lost]) -> None:
    session = properties.get("session_id")
    if isinstance(session, str):
        out["sessionId"] = session
        properties = {key: value for key, value in properties.items() if key != "session_id"}
    fill(properties, "properties", out, lost, shape.table, native=False)
