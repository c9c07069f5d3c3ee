"""Events -> requests to the live and the past endpoint for events.

Sources, read 2026-11-21: docs.yespo.io/docs/how-use-v1event-api-resource, /how-send-past-events.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from operator import attrgetter
from typing import Final

from gateway.adapter import Encoded, EncodeError, Event, Loss, Settings, chunk, losses_of

from .encode_event import Written, job_of, kept_of, options_of, write_event
from .limits import EVENT_BODY_SENT, PAST_BODY_SENT, PAST_EVENTS
from .names import ORDER_STATUS
from .times import read_time, write_seconds
from .wire import VOCABULARY, Json, Param, as_json

_TAIL: Final = b"]}"
_LARGEST: Final = EVENT_BODY_SENT.value


# --- live ------------------------------------------------------------------------------------------------


def encode_events(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return one call of ``/api/v2/event`` per event.

    Raises:
        EncodeError: an event has no name, or nobody it is about, or is too large whatever is left out.
    """
    return [_live(index, event, settings) for index, event in enumerate(events)]


def _live(index: int, event: Event, settings: Settings) -> Encoded:
    written = write_event(job_of(event, settings))
    if event.occurred_at is not None and not (_is_order(event) and "date" in written.params):
        written.lost.append(
            Loss(0, "occurred_at", "dropped", "Yespo takes a live event's time of arrival for its time.")
        )
    body = fit(written, {})
    return Encoded(events=(index,), body=body, lost=losses_of(index, written.lost))


def _is_order(event: Event) -> bool:
    return VOCABULARY.encode(event).name in ORDER_STATUS


def fit(written: Written, more: Json) -> bytes:
    """Return an event as JSON within the size that Yespo takes; the largest free values are left out, and reported.

    Args:
        written: the event.
        more: members beside type, key and parameters.

    Raises:
        EncodeError: it is too large all the same.
    """
    body = _body(written, more)
    if len(body) <= _LARGEST:
        return body
    sizes = {name: len(as_json(written.params[name])) for name in written.free if name in written.params}
    over = len(body) - _LARGEST
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if over <= 0:
            break
        over -= sizes[name] + len(as_json(name)) + _AROUND
        _leave_out(name, written)
    body = _body(written, more)
    if len(body) > _LARGEST:
        raise EncodeError(f"the event is larger than the {_LARGEST:,} bytes that Yespo takes")
    return body


_AROUND: Final = len('{"name":,"value":}')


def _leave_out(name: str, written: Written) -> None:
    del written.params[name]
    path = written.free[name]
    written.lost[:] = [one for one in written.lost if one.path != path]
    written.lost.append(
        Loss(0, path, "dropped", "Yespo takes at most 20 kB per event, and this was among the largest.")
    )


def _body(written: Written, more: Json) -> bytes:
    head: Json = {"eventTypeKey": written.type}
    if written.key is not None:
        head["keyValue"] = written.key
    head["params"] = [*map(Param, written.params, written.params.values())]
    if more:
        head.update(more)
    return as_json(head)


# --- past ------------------------------------------------------------------------------------------------


def encode_past(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return calls of ``/api/v2/past_events``, each within 500 events.

    Raises:
        EncodeError: as `encode_events`; or an event lies too far back, in the future, or has no key or no time.
    """
    written = [_past(event, settings) for event in events]
    return batches(written, b'{"events":[', PAST_EVENTS.value, PAST_BODY_SENT.value)


def batches(written: Sequence[tuple[bytes, list[Loss]]], head: bytes, most: int, max_body: int) -> list[Encoded]:
    """Return requests that hold these events, each with its losses, in a list after `head`."""
    if len(written) == 1:
        part, lost = written[0]
        return [Encoded(events=(0,), body=head + part + _TAIL, lost=tuple(lost))]
    parts = [part for part, _ in written]
    cuts = chunk(parts, max_events=most, max_body=max_body, frame=len(head) + len(_TAIL))
    return [
        Encoded(
            events=tuple(cut),
            body=head + b",".join(parts[cut.start : cut.stop]) + _TAIL,
            lost=tuple([loss for index in cut for loss in losses_of(index, written[index][1])]),
        )
        for cut in cuts
    ]


@cache
def _days(count: int) -> timedelta:
    return timedelta(days=count)


_path: Final = attrgetter("path")


def _past(event: Event, settings: Settings) -> tuple[bytes, list[Loss]]:
    moment = event.occurred_at
    if moment is None:
        raise EncodeError("Yespo's past events need a time, and the event has none")
    depth = options_of(settings).past_depth_days
    if event.received_at - moment > _days(depth):
        raise EncodeError(f"Yespo stores past events of the last {depth} days, and this one is older")
    if moment > event.received_at:
        raise EncodeError("Yespo's past events cannot lie in the future")
    written = write_event(job_of(event, settings))
    if written.key is None:
        raise EncodeError("Yespo's past events need a key, and no identifier of the event is one that it takes")
    if moment.microsecond and "occurred_at" not in map(_path, written.lost):
        written.lost.append(Loss(0, "occurred_at", "coerced", "Yespo keeps whole seconds.", "occurred"))
    before = kept_of(event).get("occurred")
    same = before is not None and read_time(before) == moment
    return fit(written, {"occurred": before if same else write_seconds(moment)}), written.lost
