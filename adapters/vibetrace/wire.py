"""Vibetrace's types and names, and JSON in.

An event is ``{<type>: {<fields>}}``; a custom one is of the type ``generic`` and has its name in ``event_name``.
Sources, read 2026-11-21: help.vtcdn.net/kb/how-to-send-events-via-api and /how-to-send-events-through-the-api;
github.com/vibetrace/api.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from gateway.adapter import Event, Shape, Vocabulary, derive_uuid, load_vocabulary, nesting_bound, nests_deeper

from .answers import unreadable
from .limits import IN_DEPTH

SLUG: Final = "vibetrace"

VOCABULARY: Final[Vocabulary] = load_vocabulary(SLUG)
ATTRIBUTES: Final = VOCABULARY.table("attributes")
"""All that ``update``, ``login`` and a user hold."""

UPDATE: Final = "update"
LOGIN: Final = "login"
CONFIRMATION: Final = "confirmation"
CHECKOUT: Final = "checkout"
GENERIC: Final = "generic"
EVENT_NAME: Final = "event_name"

PERSON_TYPES: Final = frozenset({UPDATE, LOGIN})
CUSTOM_TYPES: Final = frozenset({GENERIC, "event"})
"""``event`` is another spelling of ``generic``, seen in public loader scripts."""
OPEN_TYPES: Final = frozenset({"emailopen", "open"})
"""What an e-mail open may be called: no page tells."""
PURCHASE_TYPES: Final = frozenset({CONFIRMATION, CHECKOUT})
LEGACY_TYPES: Final = frozenset({"viewitem", "viewcategory", "search", "addtocart", CHECKOUT})
TYPES: Final = frozenset({*PERSON_TYPES, *CUSTOM_TYPES, *OPEN_TYPES, *LEGACY_TYPES, CONFIRMATION})
"""In normal form."""

ORDER: Final = "Order Completed"
PAGE_NAME: Final = {"page": "page_name", "screen": "screen_name"}
"""Where the name of a page or a screen stands; ours."""


def normal(word: str) -> str:
    """Return a type or an event name without what clients vary: case, ``_``, ``-`` and spaces."""
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


def _spellings() -> Iterator[tuple[str, Shape]]:
    for shape in VOCABULARY.shapes():
        for spelling in (shape.vendor_name, *shape.also):
            yield spelling, shape


BY_TYPE: Final = {normal(spelling): shape for spelling, shape in _spellings()}
"""Normal form of a type -> what it means. A custom event may also come as a type of its own."""
BY_NAME: Final = {word: shape for word, shape in BY_TYPE.items() if word not in TYPES}
"""Normal form of an ``event_name`` -> what it means: Vibetrace's own types mean nothing there."""
_CUSTOM_NAMES: Final = {shape: spelling for spelling, shape in reversed([*_spellings()]) if normal(spelling) in BY_NAME}

_ANY: Final = VOCABULARY.decode("")


def unknown(name: str) -> Shape:
    """Return the shape of an event that the vocabulary does not know."""
    return Shape("track", name, name, (), _ANY.table, _ANY.lines)


_BY_NAME_OR_KIND: Final = {(shape.kind, shape.name): shape for shape in VOCABULARY.shapes()}


def shape_of(event: Event) -> Shape:
    """Return the shape to write an event in; for an unknown name that of any event."""
    known = _BY_NAME_OR_KIND.get((event.kind, event.name))
    if known is None and event.kind != "track":
        return VOCABULARY.encode(event)
    return known or _ANY


USUAL_TYPE: Final = {"Signed In": LOGIN, ORDER: CONFIRMATION}
"""Of a track event, where it is not ``generic``."""


def usual_type(event: Event) -> str:
    """Return the type that an event has when nobody says otherwise."""
    if event.kind == "identify":
        return UPDATE
    return USUAL_TYPE.get(event.name, GENERIC) if event.kind == "track" else GENERIC


def custom_name(shape: Shape, name: str = "") -> str:
    """Return the ``event_name`` that we write for a shape; `name` stands for one that the vocabulary does not know."""
    return _CUSTOM_NAMES.get(shape) or shape.vendor_name or name


# --- ids -------------------------------------------------------------------------------------------------

_MADE_UP: Final = "ffff"
_ID_DIGITS: Final = 24


def mint(seed: str) -> str:
    """Return a made-up ``_id``: 24 hexadecimal digits, of which the first four are ``f``."""
    return _MADE_UP + derive_uuid(seed).replace("-", "")[: _ID_DIGITS - len(_MADE_UP)]


def is_minted(own_id: str) -> bool:
    """Tell whether an ``_id`` looks like one of ours; in the vendor's form it would be of the year 2105."""
    return len(own_id) == _ID_DIGITS and own_id.startswith(_MADE_UP)


# --- JSON ------------------------------------------------------------------------------------------------

_DEPTH: Final = IN_DEPTH.value
_objects: Final = msgspec.json.Decoder(dict[str, Any])
_values: Final = msgspec.json.Decoder()


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body.

    Raises:
        Rejected: it is none, or is nested deeper than `IN_DEPTH`.
    """
    value: dict[str, Any] = _parsed(_objects, body)
    return value


def parse_value(body: bytes) -> Any:
    """Return any JSON value.

    Raises:
        Rejected: as in `parse_object`.
    """
    return _parsed(_values, body)


def _parsed(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        value = decoder.decode(body)
    except (ValueError, RecursionError):
        raise unreadable() from None
    if nesting_bound(body) > _DEPTH and nests_deeper(value, _DEPTH + 1):
        raise unreadable()
    return value
