"""Events -> requests to Blueshift's four endpoints.

Sources, read 2026-11-21: developer.blueshift.com/reference/post_api-v1-event, /post_api-v1-bulkevents,
/post_api-v1-customers, /post_api-v1-customers-bulk.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from gateway.adapter import Encoded, EncodeError, Event, Loss, Settings, chunk, json_bytes, losses_of

from .encode_event import write_customer, write_event
from .limits import BULK_BODY, BULK_EVENTS, CUSTOMER_ROWS
from .row import Written

_EVENTS: Final = (b'{"events":[', b"]}")
_CUSTOMERS: Final = (b'{"customers":[', b"]}")
_LARGEST: Final = BULK_BODY.value


class _Part(Struct, frozen=True):
    """One event as bytes."""

    event: int
    body: bytes
    lost: list[Loss]


def encode_event(events: Sequence[Event], settings: Settings) -> list[Encoded]:  # noqa: ARG001 - the port's signature
    """Return one call of ``/api/v1/event`` per event."""
    if len(events) == 1:
        return [_single(_part(0, write_event(events[0]), 0))]
    return [_single(part) for part in _parts(events, write_event, 0)]


def encode_bulk(events: Sequence[Event], settings: Settings) -> list[Encoded]:  # noqa: ARG001 - the port's signature
    """Return calls of ``/api/v1/bulkevents``, each within 30 events and 1 MB."""
    return _batches(_parts(events, write_event, _frame(_EVENTS)), _EVENTS, BULK_EVENTS.value)


def encode_customer(events: Sequence[Event], settings: Settings) -> list[Encoded]:  # noqa: ARG001 - the port's signature
    """Return one call of ``/api/v1/customers`` per ``identify``."""
    return [_single(part) for part in _parts(events, write_customer, 0)]


def encode_customers(events: Sequence[Event], settings: Settings) -> list[Encoded]:  # noqa: ARG001 - the port's signature
    """Return calls of ``/api/v1/customers/bulk``, each within 50 rows."""
    return _batches(_parts(events, write_customer, _frame(_CUSTOMERS)), _CUSTOMERS, CUSTOMER_ROWS.value)


def _frame(frame: tuple[bytes, bytes]) -> int:
    return len(frame[0]) + len(frame[1])


def _parts(events: Sequence[Event], write: Callable[[Event], Written], frame: int) -> list[_Part]:
    """Write each event; one that cannot be expressed is left out, or raises when it is alone."""
    parts = []
    for index, event in enumerate(events):
        try:
            parts.append(_part(index, write(event), frame))
        except EncodeError:
            if len(events) == 1:
                raise
    return parts


def _part(index: int, written: Written, frame: int) -> _Part:
    try:
        body = json_bytes(written.body)
    except RecursionError:
        raise EncodeError("the event is nested too deep") from None
    if len(body) + frame + 1 > _LARGEST:
        raise EncodeError(f"the event is larger than the {_LARGEST:,} bytes that a call may have")
    return _Part(index, body, written.lost)


def _single(part: _Part) -> Encoded:
    return Encoded(events=(part.event,), body=part.body, lost=losses_of(part.event, part.lost))


def _batches(parts: Sequence[_Part], frame: tuple[bytes, bytes], max_events: int) -> list[Encoded]:
    bodies = [part.body for part in parts]
    cuts = chunk(bodies, max_events=max_events, max_body=_LARGEST, frame=_frame(frame))
    return [_batch(parts[cut.start : cut.stop], frame) for cut in cuts]


def _batch(parts: Sequence[_Part], frame: tuple[bytes, bytes]) -> Encoded:
    body = frame[0] + b",".join(part.body for part in parts) + frame[1]
    return Encoded(events=tuple(part.event for part in parts), body=body, lost=_losses(parts))


def _losses(parts: Sequence[_Part]) -> tuple[Loss, ...]:
    return tuple([loss for part in parts for loss in losses_of(part.event, part.lost)])
