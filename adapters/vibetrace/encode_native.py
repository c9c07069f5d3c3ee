"""An event that came from a client of Vibetrace's -> the type and the fields that it sent."""

from typing import Any

from gateway.adapter import Event, Loss, Shape
from gateway.event import EMPTY_PROFILE

from . import consent
from .encode_person import write_person
from .row import NO_ATTRIBUTES, Kept
from .wire import (
    BY_NAME,
    BY_TYPE,
    CHECKOUT,
    CUSTOM_TYPES,
    EVENT_NAME,
    GENERIC,
    LOGIN,
    ORDER,
    PAGE_NAME,
    PERSON_TYPES,
    custom_name,
    normal,
    shape_of,
    unknown,
    usual_type,
)


def write_native(event: Event, kept: Kept, lost: list[Loss]) -> tuple[str, dict[str, Any]]:
    """Return the type and the fields; what a route changed since goes as it is now."""
    type_ = _type(event, kept)
    word = normal(type_)
    if word in PERSON_TYPES:
        return type_, write_person(event, kept, lost, login=word == LOGIN)
    shape = shape_of(event)
    if word == CHECKOUT:
        shape = BY_TYPE[word]
    out = _fields(event, shape, kept, lost)
    _put_back(word, event, kept, out)
    if word in CUSTOM_TYPES:
        return type_, _custom(event, shape, kept, out)
    return type_, _typed(kept, out)


def _type(event: Event, kept: Kept) -> str:
    """Return the type as it was sent, where it still means the event."""
    sent = kept.all.get("type")
    return sent if isinstance(sent, str) and _means(sent, event, kept) else usual_type(event)


def _means(sent: str, event: Event, kept: Kept) -> bool:
    word = normal(sent)
    if word in CUSTOM_TYPES:
        return event.kind != "identify"
    if word == CHECKOUT and event.name == ORDER:
        keep = kept.all.get("keep")
        return isinstance(keep, dict) and keep.get("confirmation") is True
    return _is_named(BY_TYPE.get(word) or unknown(sent), event)


def _is_named(shape: Shape, event: Event) -> bool:
    return shape.kind == event.kind and (shape.name == event.name or shape.kind in PAGE_NAME)


def _fields(event: Event, shape: Shape, kept: Kept, lost: list[Loss]) -> dict[str, Any]:
    out, missing = shape.lower(event, kept.raw)
    who = event.profile
    if who is not EMPTY_PROFILE:
        person: dict[str, Any] = {}
        shape.table.lower("profile", who, kept.raw, person, missing)
        missing += [f"properties.{key}" for key in person if key in out]
        out.update(person)
        if who.location is not None:
            missing.append("profile.location")
        if who.traits:
            missing.append("profile.traits")
    for path in missing:
        if path != "profile.email":
            reason = NO_ATTRIBUTES if path.startswith("profile.") else "Another value needs its field."
            lost.append(Loss(0, path, "dropped", reason))
    if event.consent:
        consent.write(event, out, lost)
    return out


def _put_back(word: str, event: Event, kept: Kept, out: dict[str, Any]) -> None:
    keep = kept.all.get("keep")
    if isinstance(keep, dict):
        for key, value in keep.items():
            if key not in out and (key != "confirmation" or word == CHECKOUT):
                out[key] = value
    if kept.all.get("email") and event.profile.email is not None:
        out.setdefault("email", event.profile.email)


def _typed(kept: Kept, out: dict[str, Any]) -> dict[str, Any]:
    keys = kept.all.get("bag")
    if isinstance(keys, list):
        bag = {key: out.pop(key) for key in keys if key in out}
        if bag:
            out[GENERIC] = bag
    return out


def _custom(event: Event, shape: Shape, kept: Kept, out: dict[str, Any]) -> dict[str, Any]:
    bag = {EVENT_NAME: _name(event, shape, kept), **out}
    if event.kind in PAGE_NAME and event.name != shape.name:
        bag[PAGE_NAME[event.kind]] = event.name
    if kept.all.get("single"):
        return bag
    beside, twice = kept.all.get("beside"), kept.all.get("twice")
    fields = {key: bag.pop(key) for key in beside if key in bag} if isinstance(beside, list) else {}
    if isinstance(twice, dict):
        fields.update(twice)
    fields[GENERIC] = bag
    return fields


def _name(event: Event, shape: Shape, kept: Kept) -> str:
    sent = kept.all.get("name")
    if isinstance(sent, str) and _is_named(BY_NAME.get(normal(sent)) or unknown(sent), event):
        return sent
    return custom_name(shape, event.name)
