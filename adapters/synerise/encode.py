"""Events -> requests to Synerise's three batch endpoints: bare arrays, each item one event."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.adapter import Encoded, EncodeError, Event, Loss, Settings, chunk, json_bytes, losses_of

from .encode_client import is_subscription, write_profile
from .encode_event import is_order, write_event
from .encode_transaction import write_transaction
from .limits import BODY, CLIENTS, EVENTS, TRANSACTIONS
from .options import TARGET_DEFAULTS, TargetOptions
from .written import Written

_LARGEST: Final = BODY.value
_FRAME: Final = len(b"[]")

_Write = Callable[[Event, TargetOptions], Written]


def is_profile(event: Event, settings: Settings) -> bool:  # noqa: ARG001  the port's form
    """Tell whether an event is written to the profile."""
    return event.kind == "identify" or is_subscription(event)


def is_transaction(event: Event, settings: Settings) -> bool:  # noqa: ARG001  the port's form
    """Tell whether an event is an order that goes as a transaction."""
    return is_order(event)


def is_event(event: Event, settings: Settings) -> bool:  # noqa: ARG001  the port's form
    """Tell whether an event goes as an event."""
    return not is_order(event) and not is_subscription(event)


def encode_events(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return calls of ``/v4/events/batch``."""
    return _batches(events, settings, write_event, EVENTS.value)


def encode_clients(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return calls of ``/v4/clients/batch``."""
    return _batches(events, settings, write_profile, CLIENTS.value)


def encode_transactions(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return calls of ``/v4/transactions/batch``."""
    return _batches(events, settings, write_transaction, TRANSACTIONS.value)


def _batches(events: Sequence[Event], settings: Settings, write: _Write, most: int) -> list[Encoded]:
    options = settings.options or TARGET_DEFAULTS
    if len(events) == 1:
        one = write(events[0], options)
        return [Encoded(events=(0,), body=b"[" + _bytes(one.body) + b"]", lost=tuple(one.lost))]
    written = [write(event, options) for event in events]
    parts = [_bytes(one.body) for one in written]
    cuts = chunk(parts, max_events=most, max_body=_LARGEST, frame=_FRAME)
    return [_batch(cut, parts, written) for cut in cuts]


def _bytes(body: dict[str, Any]) -> bytes:
    try:
        part = json_bytes(body)
    except RecursionError:
        raise EncodeError("the event is nested too deep") from None
    if len(part) + _FRAME + 1 > _LARGEST:
        raise EncodeError(f"the event is larger than the {_LARGEST:,} bytes that a call may have")
    return part


def _batch(cut: range, parts: Sequence[bytes], written: Sequence[Written]) -> Encoded:
    body = b"[" + b",".join(parts[cut.start : cut.stop]) + b"]"
    lost: tuple[Loss, ...] = tuple([loss for index in cut for loss in losses_of(index, written[index].lost)])
    return Encoded(events=tuple(cut), body=body, lost=lost)
