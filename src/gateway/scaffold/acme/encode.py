"""Events -> requests to Acme, and what of them is lost on the way."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.adapter import Encoded, EncodeError, Event, Loss, Settings, Shape, chunk, json_bytes, parse_time
from gateway.event import Profile

from .limits import MAX_BODY, MAX_EVENTS
from .wire import CONTACT, FRAME, SLUG, VOCABULARY

_objects: Final = msgspec.json.Decoder(dict[str, Any])
_FRAME_SIZE: Final = len(FRAME[0]) + len(FRAME[1])

Lost = dict[str, str]
"""Canonical path -> why it is lost."""
Read = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Returns what Acme reads as free values."""

NO_FIELD: Final = "Acme's events have no field for it."
NO_NAME: Final = "Acme has one name for all events of this kind."
NO_PERMISSIONS: Final = "Acme's events say nothing of permissions."
KEY_TAKEN: Final = "Acme reads its key as something else."
NOT_ITS_OWN: Final = "It means something to another vendor alone."


def encode_events(events: Sequence[Event], settings: Settings) -> list[Encoded]:  # noqa: ARG001  the port's form
    """Return batches.

    Raises:
        EncodeError: an event is larger than a request may be, or nested too deep.
    """
    written = [_written(event) for event in events]
    parts = [part for part, _ in written]
    lost = [lost for _, lost in written]
    cuts = chunk(parts, max_events=MAX_EVENTS.value, max_body=MAX_BODY.value, frame=_FRAME_SIZE)
    return [_batch(parts, lost, cut) for cut in cuts]


def _written(event: Event) -> tuple[bytes, Lost]:
    try:
        item, lost = _item(event)
        part = json_bytes(item)
    except RecursionError:
        raise EncodeError("the event is nested too deep") from None
    if len(part) + _FRAME_SIZE >= MAX_BODY.value:
        raise EncodeError(f"the event is larger than the {MAX_BODY.value:,} bytes that a request may have")
    return part, lost


def _batch(parts: Sequence[bytes], lost: Sequence[Lost], cut: range) -> Encoded:
    body = FRAME[0] + b",".join(parts[cut.start : cut.stop]) + FRAME[1]
    losses = [Loss(index, path, "dropped", why) for index in cut for path, why in lost[index].items()]
    return Encoded(events=tuple(cut), body=body, lost=tuple(losses))


def _item(event: Event) -> tuple[dict[str, Any], Lost]:
    shape = VOCABULARY.encode(event)
    kept = event.residue.get(SLUG, {})
    raw = kept.get("raw", {})
    lost = dict(_beside(event, shape))
    item = {
        "at": _at(event, kept.get("at")),
        "uid": event.dedupe_key,
        "contact": _contact(event.profile, raw, lost),
        "data": _data(event, shape, raw, lost),
    }
    return {"verb": _verb(shape, kept.get("verb"))} | {key: value for key, value in item.items() if value}, lost


def _beside(event: Event, shape: Shape) -> Iterator[tuple[str, str]]:
    """Yield what no table moves and no item holds."""
    if shape.name != event.name:
        yield "name", NO_NAME
    if event.consent:
        yield "consent", NO_PERMISSIONS
    if event.profile.push_tokens:
        yield "profile.push_tokens", NO_FIELD
    if event.profile.vendor_ids:
        yield "profile.vendor_ids", NOT_ITS_OWN
    yield from ((f"residue.{vendor}", NOT_ITS_OWN) for vendor in event.residue if vendor != SLUG)


def _contact(profile: Profile, raw: dict[str, Any], lost: Lost) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    missing: list[str] = []
    CONTACT.lower("profile", profile, raw, fields, missing)
    CONTACT.lower("profile.location", profile.location, raw, fields, missing)
    free: dict[str, Any] = {}
    CONTACT.lower_free("profile.traits", profile.traits, raw, free, missing)
    lost |= dict.fromkeys(missing, NO_FIELD)
    lost |= {f"profile.traits.{key}": KEY_TAKEN for key in free if key in fields}
    contact = fields | {key: value for key, value in free.items() if key not in fields}
    if len(CONTACT.lift(profile.traits).rest) == len(profile.traits):
        return contact
    _take_out("profile.traits", profile.traits, _traits, contact, lost)
    return contact


def _traits(contact: Mapping[str, Any]) -> Mapping[str, Any]:
    back = CONTACT.lift(contact)
    return back.parts.get("profile.traits", {}) | back.rest


def _data(event: Event, shape: Shape, raw: dict[str, Any], lost: Lost) -> dict[str, Any]:
    data, missing = shape.lower(event, raw)
    lost |= dict.fromkeys(missing, NO_FIELD)
    free = event.properties
    if len(shape.lift(free)[0].rest) == len(free):
        return data
    data = {key: data[key] for key in data if key not in free} | {key: data[key] for key in data if key in free}
    _take_out("properties", free, lambda back: shape.lift(back)[0].properties(), data, lost)
    return data


def _take_out(at: str, free: Iterable[str], read: Read, out: dict[str, Any], lost: Lost) -> None:
    """Take out the free values whose keys mean fields, until all others are read back."""
    while True:
        back = read(_objects.decode(json_bytes(out)))
        wrong = [name for name in free if name not in back and f"{at}.{name}" not in lost]
        if not wrong:
            return
        for name in wrong:
            out.pop(name, None)
            lost[f"{at}.{name}"] = KEY_TAKEN


def _verb(shape: Shape, before: str | None) -> str:
    """Return an event's name as the client spelled it, else in the usual spelling."""
    return before if before and VOCABULARY.decode(before) is shape else shape.vendor_name


def _at(event: Event, before: str | None) -> str:
    """Return an event's time as the client wrote it, unless it was changed since; without one, that of arrival."""
    if before and parse_time(before) == event.occurred_at:
        return before
    return (event.occurred_at or event.received_at).isoformat()
