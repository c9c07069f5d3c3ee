"""Event names, both ways, and what is reported of them.

Rule (developer.blueshift.com/reference/post_api-v1-event, read 2026-11-21): no period, no whitespace, not a
numeric value, at most 64 characters.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from gateway.adapter import EncodeError, Event, Loss, Shape

from .limits import NAME_LENGTH
from .wire import UNNAMED, VOCABULARY

_BREAKS: Final = re.compile(r"\s+|\.")
_NUMERIC: Final = re.compile(r"[-+]?[\d_]*\d[\d_]*(e[-+]?\d+)?", re.IGNORECASE)
_PREFIX: Final = "event_"

_FOR_KIND: Final = {"screen": "pageload", "group": "identify"}
"""Segment calls without a Blueshift event of their own."""


GRANTED_BY_EVENT: Final = {"subscribe": True, "unsubscribe": False}
"""Events whose name says a permission: for e-mail."""


def put_aside(out: dict[str, Any], key: str, value: Any, prefix: str, path: str, lost: list[Loss]) -> None:
    """Write a free value whose key is taken under a prefixed one, or not at all, and report it."""
    name = prefix + key
    if name in out:
        lost.append(Loss(0, path, "dropped", f"{key!r} and {name!r} already stand for something else."))
        return
    out[name] = value
    lost.append(Loss(0, path, "renamed", f"{key!r} stands for something else here.", name))


def read_name(value: Any) -> str | None:
    """Return an event's name as text, None when it has none."""
    if isinstance(value, str):
        return None if not value or value.isspace() else value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def legal(name: str) -> str:
    """Return the nearest name that the rule allows."""
    text = _BREAKS.sub("_", name.strip())
    if _NUMERIC.fullmatch(text):
        text = _PREFIX + text
    return text[: NAME_LENGTH.value]


def survives(sent: Any) -> bool:
    """Tell whether `write_name` would write what was sent without being told."""
    return isinstance(sent, str) and (sent in _VENDOR_NAMES or (legal(sent) == sent and sent not in _OTHER_NAMES))


def write_name(event: Event, kept: Mapping[str, Any], out: dict[str, Any], lost: list[Loss]) -> None:
    """Write an event's name; one that came from Blueshift and is unchanged goes back as it was sent.

    Raises:
        EncodeError: the event has no name.
    """
    if "event" in kept and _means(kept["event"], event):
        out["event"] = kept["event"]
    elif event.name == UNNAMED and isinstance(kept.get("unnamed"), dict):
        out.update(kept["unnamed"])
    else:
        out["event"] = _vendor_name(event, lost)


def _means(sent: Any, event: Event) -> bool:
    name = read_name(sent)
    if name is None:
        return False
    shape = VOCABULARY.decode(name)
    return (shape.kind, shape.name) == (event.kind, event.name)


def _vendor_name(event: Event, lost: list[Loss]) -> str:
    if event.kind != "track":
        return _name_of_kind(event, lost)
    known = _KNOWN.get(event.name)
    if known is None or (known in GRANTED_BY_EVENT and not _is_of_email(event, GRANTED_BY_EVENT[known])):
        return _free_name(event.name, lost)
    return known


def _is_of_email(event: Event, granted: bool) -> bool:
    return any((change.granted, change.channel, change.group) == (granted, "email", None) for change in event.consent)


def _name_of_kind(event: Event, lost: list[Loss]) -> str:
    shape: Shape = VOCABULARY.encode(event)
    name = _FOR_KIND.get(event.kind, shape.vendor_name)
    if name != shape.vendor_name:
        lost.append(Loss(0, "kind", "renamed", f"Blueshift has no {event.kind} call of its own.", name))
    return name


def _free_name(name: str, lost: list[Loss]) -> str:
    text = legal(name)
    if not text:
        raise EncodeError("the event has no name, and Blueshift takes none without")
    if text in _OTHER_CALLS:
        text = (_PREFIX + text)[: NAME_LENGTH.value]
    if text != name:
        reason = "Blueshift allows no spaces, dots, bare numbers, names of its own calls, or over 64 characters."
        lost.append(Loss(0, "name", "renamed", reason, text))
    return text


_KNOWN: Final = {shape.name: shape.vendor_name for shape in VOCABULARY.shapes() if shape.kind == "track"}
_OTHER_CALLS: Final = frozenset(
    name for shape in VOCABULARY.shapes() if shape.kind != "track" for name in (shape.vendor_name, *shape.also)
)
_OTHER_NAMES: Final = frozenset(name for shape in VOCABULARY.shapes() for name in shape.also)
"""Names that stand for an event which we write under another one."""
_VENDOR_NAMES: Final = frozenset(shape.vendor_name for shape in VOCABULARY.shapes())
