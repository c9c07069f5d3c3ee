"""People -> attributes: of the types ``update`` and ``login``, and of a user."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.adapter import Event
from gateway.event import EMPTY_CONTEXT, Profile

from .free import fill
from .row import Kept, Lost, is_native
from .wire import ATTRIBUTES

_BECOMES: Final = "On an update or a login Vibetrace takes it for an attribute of the person."
_ALONE: Final = "An update or a login of Vibetrace's holds attributes of the person alone."


def attributes(who: Profile, raw: dict[str, Any], lost: list[Lost], *, native: bool) -> dict[str, Any]:
    """Return the attributes of a person; the e-mail address is not among them."""
    out: dict[str, Any] = {}
    missing: list[str] = []
    ATTRIBUTES.lower("profile", who, raw, out, missing)
    if who.location is not None:
        ATTRIBUTES.lower("profile.location", who.location, raw, out, missing)
    for path in missing:
        if path != "profile.email":
            reason = "Vibetrace's API knows people by e-mail address, its own id and userId."
            lost.append(Lost(path, "dropped", reason))
    if who.traits:
        fill(who.traits, "profile.traits", out, lost, ATTRIBUTES, native=native)
    return out


def write_person(event: Event, kept: Kept, lost: list[Lost], *, login: bool) -> dict[str, Any]:
    """Return the fields of an ``update`` or a ``login``."""
    native = is_native(event)
    out = attributes(event.profile, kept.raw, lost, native=native)
    if event.properties:
        _write_properties(event.properties, out, lost)
    if not login and event.name != "Identify":
        lost.append(Lost("name", "dropped", "Vibetrace has one name for every update of a person."))
    if event.commerce is not None:
        lost.append(Lost("commerce", "dropped", _ALONE))
    if event.context is not EMPTY_CONTEXT and event.context != EMPTY_CONTEXT:
        lost.append(Lost("context", "dropped", _ALONE))
    if event.consent:
        lost.append(Lost("consent", "dropped", "Vibetrace's API has no call for permissions."))
    repeats = kept.all.get("email", login or not (out or native))
    if repeats and event.profile.email is not None:
        out.setdefault("email", event.profile.email)
    return out


def _write_properties(properties: Mapping[str, Any], out: dict[str, Any], lost: list[Lost]) -> None:
    """Write an event's properties as attributes; each is reported, by `fill` or here."""
    reported = len(lost)
    given = {key: value for key, value in properties.items() if key != "session_id"}
    if len(given) < len(properties):
        lost.append(Lost("properties.session_id", "dropped", _ALONE))
    fill(given, "properties", out, lost, ATTRIBUTES, native=False)
    said = {loss.path for loss in lost[reported:]}
    for key, value in given.items():
        path = f"properties.{key}"
        if path not in said and not (isinstance(value, dict) and value):
            lost.append(Lost(path, "renamed", _BECOMES, key))
