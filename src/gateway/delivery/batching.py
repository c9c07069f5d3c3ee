"""How a batch becomes requests."""

from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import httpx

from gateway.adapter import Encoded, Event
from gateway.delivery.endpoints import Endpoint, reason_of
from gateway.delivery.lanes import Item
from gateway.errors import ToldElsewhere

BAD_PATH: Final = "the adapter made an address that cannot be used"
LEFT_OUT: Final = "the adapter put the event into no request"


class Batch(NamedTuple):
    """Requests for some events, and those that can never be sent, each with the reason."""

    requests: list[Encoded]
    failed: dict[int, str]
    """Index among the events -> reason. When there are any, `requests` is empty: encode the others anew.

    Without requests, failures and what is needless, the batch has to be smaller.
    """
    needless: Mapping[int, str] = MappingProxyType({})
    """Index among the events -> why it need not be sent. `requests` is empty then, too."""


def encode(endpoint: Endpoint, items: Sequence[Item]) -> Batch:
    """Turn events into requests; an event that breaks the encoding of its batch is found by trying each alone."""
    events = [item.event for item in items if item.event is not None]
    try:
        requests = endpoint.outbound.encode(events, endpoint.settings)
    except ToldElsewhere as error:
        return _alone(endpoint, events) if len(events) > 1 else Batch([], {}, {0: str(error)})
    except Exception as error:  # noqa: BLE001 - an adapter's fault must cost one event, not the target
        return _alone(endpoint, events) if len(events) > 1 else Batch([], {0: reason_of(error)})
    return _checked(requests, items)


def _alone(endpoint: Endpoint, events: Sequence[Event]) -> Batch:
    requests: list[Encoded] = []
    failed: dict[int, str] = {}
    needless: dict[int, str] = {}
    for at, event in enumerate(events):
        try:
            requests += [_moved(one, at) for one in endpoint.outbound.encode([event], endpoint.settings)]
        except ToldElsewhere as error:
            needless[at] = str(error)
        except Exception as error:  # noqa: BLE001 - as above
            failed[at] = reason_of(error)
    return Batch([] if failed or needless else requests, failed, needless)


def _moved(request: Encoded, at: int) -> Encoded:
    return Encoded(events=(at,), body=request.body, path=request.path, lost=request.lost)


def _checked(requests: list[Encoded], items: Sequence[Item]) -> Batch:
    """Make sure that every event is carried, and each lane in order."""
    if lost := _lost_ways(requests):
        return Batch([], lost)
    if len(requests) == 1 and len(requests[0].events) == len(items):
        return Batch(requests, {})
    carried = {at for request in requests for at in request.events}
    missing = {at: LEFT_OUT for at in range(len(items)) if at not in carried}
    return Batch([] if missing else _in_order(requests, items), missing)


def _lost_ways(requests: Sequence[Encoded]) -> dict[int, str]:
    """Return the events of requests to addresses that no request can have, or that could lead to another host."""
    return {at: BAD_PATH for request in requests if not _is_path(request.path) for at in request.events}


def _is_path(path: str | None) -> bool:
    if path is None:
        return True
    try:
        return path.startswith("/") and httpx.URL("http://vendor" + path).host == "vendor"
    except httpx.InvalidURL:
        return False


def _in_order(requests: list[Encoded], items: Sequence[Item]) -> list[Encoded]:
    """Return the requests that can be sent one after the other without overtaking an event of the same lane.

    The rest comes later; none at all means that the batch has to be smaller. Where one event takes several
    requests, their order is the adapter's.
    """
    if sum(len(request.events) for request in requests) > len(items):
        return requests
    ahead: dict[int, deque[int]] = {}
    for at, item in enumerate(items):
        ahead.setdefault(id(item.lane), deque()).append(at)
    allowed: list[Encoded] = []
    for request in sorted(requests, key=lambda one: min(one.events)):
        for at in sorted(request.events):
            if ahead[id(items[at].lane)].popleft() != at:
                return allowed
        allowed.append(request)
    return allowed
