"""A client's request -> events and the answer."""

from typing import Final

import msgspec

from gateway.adapter import Decoded, Event, Request, json_bytes, parse_time, reply
from gateway.event import Origin

from .errors import refused
from .limits import MAX_EVENTS
from .wire import CONTACT, SLUG, VOCABULARY, Batch, Item

EVENTS: Final = "events"
"""The endpoint's name."""

_batches: Final = msgspec.json.Decoder(Batch)


def decode_events(request: Request) -> Decoded:
    """Return the events of one batch; it is taken or refused as a whole."""
    try:
        items = _batches.decode(request.body).batch
    except (ValueError, RecursionError):
        raise refused(400, "the body is not as documented") from None
    if len(items) > MAX_EVENTS.value:
        raise refused(413, "too many events")
    events = [_event(item, request) for item in items]
    return Decoded(events, reply(202, json_bytes({"accepted": len(events)}), "application/json"))


def _event(item: Item, request: Request) -> Event:
    shape = VOCABULARY.decode(item.verb)
    person = CONTACT.lift(item.contact)
    fields, commerce = shape.lift(item.data)
    kept = {"raw": person.raw | fields.raw, "at": item.at, "verb": item.verb}
    return Event(
        id=request.new_id(),
        kind=shape.kind,
        name=shape.name,
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=EVENTS),
        occurred_at=parse_time(item.at) if item.at else None,
        dedupe_key=item.uid,
        profile=person.profile(**({"traits": person.rest} if person.rest else {})),
        commerce=commerce,
        context=fields.context(),
        properties=fields.properties(),
        residue={SLUG: {key: value for key, value in kept.items() if value}},
    )
