"""Events -> requests to Acme, and what of them is lost on the way."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.adapter import Encoded, EncodeError, Event, Loss, Settings, Shape, chunk, json_bytes, parse_time
from gateway.event import Profile

from .limits import MAX_BODY, MAX_EVENTS
from .wire import CONTACT, FRAME, SLUG, VOCABULARY

_FRAME_SIZE: Final = len(FRAME[0]) + len(FRAME[1])

NO_FIELD: Final = "Acme's events have no field for it."
NO_NAME: Final = "Acme has one name for all events of this kind."
NO_PERMISSIONS: Final = "Acme's events say nothing of permissions."
NOT_ITS_OWN: Final = "It means something to another vendor alone."


def encode_events(events: Sequence[Event], settings: Settings) -> list[Encoded]:  # noqa: ARG001  the port's form
    """Return batches.

    Raises:
        EncodeError: an event is larger than a request may be, or nested too deep.
    """
    lost: list[Loss] = []
    parts = [_part(_item(event, index, lost)) for index, event in enumerate(events)]
    cuts = chunk(parts, max_events=MAX_EVENTS.value, max_body=MAX_BODY.value, frame=_FRAME_SIZE)
    return [_batch(parts, cut, lost) for cut in cuts]


def _part(item: Mapping[str, Any]) -> bytes:
    try:
        part = json_bytes(item)
    except RecursionError:
        raise EncodeError("the event is nested too deep") from None
    if len(part) + _FRAME_SIZE >= MAX_BODY.value:
        raise EncodeError(f"the event is larger than the {MAX_BODY.value:,} bytes that a request may have")
    return part


def _batch(parts: Sequence[bytes], cut: range, lost: Sequence[Loss]) -> Encoded:
    body = FRAME[0] + b",".join(parts[cut.start : cut.stop]) + FRAME[1]
    return Encoded(events=tuple(cut), body=body, lost=tuple([loss for loss in lost if loss.event in cut]))


def _item(event: Event, index: int, lost: list[Loss]) -> dict[str, Any]:
    shape = VOCABULARY.encode(event)
    kept = event.residue.get(SLUG, {})
    raw = kept.get("raw", {})
    data, missing = shape.lower(event, raw)
    item = {
        "at": _at(event, kept.get("at")),
        "uid": event.dedupe_key,
        "contact": _contact(event.profile, raw, missing),
        "data": data,
    }
    lost += [Loss(index, path, "dropped", NO_FIELD) for path in missing]
    lost += [Loss(index, path, "dropped", why) for path, why in _beside(event, shape)]
    return {"verb": _verb(shape, kept.get("verb"))} | {key: value for key, value in item.items() if value}


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


def _contact(profile: Profile, raw: dict[str, Any], missing: list[str]) -> dict[str, Any]:
    """Return a person; a trait whose key a field needs is missing."""
    fields: dict[str, Any] = {}
    CONTACT.lower("profile", profile, raw, fields, missing)
    CONTACT.lower("profile.location", profile.location, raw, fields, missing)
    free: dict[str, Any] = {}
    CONTACT.lower_free("profile.traits", profile.traits, raw, free, missing)
    missing += [f"profile.traits.{key}" for key in free if key in fields]
    return free | fields


def _verb(shape: Shape, before: str | None) -> str:
    """Return an event's name as the client spelled it, else in the usual spelling."""
    return before if before and VOCABULARY.decode(before) is shape else shape.vendor_name


def _at(event: Event, before: str | None) -> str:
    """Return an event's time as the client wrote it, unless it was changed since; without one, that of arrival."""
    if before and parse_time(before) == event.occurred_at:
        return before
    return (event.occurred_at or event.received_at).isoformat()
