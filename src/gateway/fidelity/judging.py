"""How well each thing that an event can say gets across."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from itertools import count
from typing import Any, NamedTuple

import msgspec

from gateway.adapter import (
    Adapter,
    Encoded,
    EncodeError,
    Event,
    Outbound,
    Rejected,
    Request,
    Settings,
)
from gateway.event import leaves as event_leaves
from gateway.fidelity.capabilities import CAPABILITIES, EVENT_NAMES, NOW, Capability
from gateway.inbound.routes import Source, normal_path
from gateway.offline import Nobody, settings_of


class Level(IntEnum):
    """How well something gets across."""

    NONE = 0
    PARTLY = 1
    """Changed, or not in every event that can say it."""
    FULLY = 2


class Fidelity(NamedTuple):
    """How well one thing gets across, and why not better."""

    level: Level
    reason: str = ""


Pair = Mapping[Capability, Fidelity]
"""What the first vendor can say, and how well the second is told of it."""


def carried_to(goal: Adapter, settings: Settings, events: Sequence[Event], path: str) -> Fidelity:
    """Return how well what stands at a path of some events gets across to a vendor."""
    found = [_carried(goal, settings, event, path) for event in events]
    worst, best = min(found), max(found)
    return worst if worst.level is best.level else Fidelity(Level.PARTLY, worst.reason)


def compare(origin: Adapter, goal: Adapter, settings: Settings | None = None) -> Pair:
    """Return what becomes of everything that one vendor's requests can say at another.

    Args:
        settings: of the target, where they are not those of `settings_of`.
    """
    given = settings or settings_of(goal)
    source = source_of(origin)
    said = ((capability, spoken(source, capability)) for capability in CAPABILITIES)
    return {capability: carried_to(goal, given, events, capability.path) for capability, events in said if events}


def source_of(origin: Adapter) -> Source:
    """Return the source to which a vendor's client speaks here."""
    return Source("shop", origin, ())


def spoken(source: Source, capability: Capability) -> list[Event]:
    """Return the events that say something as they come in from a vendor's client; none where it cannot be said."""
    settings = settings_of(source.adapter)
    found = (_heard(source, settings, event, capability) for event in capability.events)
    return [event for event in found if event is not None]


# --- telling ---------------------------------------------------------------------------------------------


def _carried(goal: Adapter, settings: Settings, event: Event, path: str) -> Fidelity:
    try:
        _, encoded = _encoded(goal, settings, event)
    except EncodeError as error:
        return Fidelity(Level.NONE, str(error))
    losses = [loss for one in encoded for loss in one.lost if loss.outcome != "renamed"]
    whole = next((loss for loss in losses if loss.outcome == "dropped" and _is_within(path, loss.path)), None)
    if whole is not None:
        return Fidelity(Level.NONE, whole.reason)
    part = next((loss for loss in losses if _is_within(path, loss.path) or _is_within(loss.path, path)), None)
    if part is not None:
        return Fidelity(Level.PARTLY, part.reason)
    foreign = event.source.vendor != goal.slug
    if foreign and path == "name" and event.name in EVENT_NAMES and not _has_event(goal, event):
        return Fidelity(Level.PARTLY, f"{goal.title} has no event of its own for it; it goes under its own name.")
    return Fidelity(Level.FULLY)


def _has_event(goal: Adapter, event: Event) -> bool:
    return any((shape.kind, shape.name) == (event.kind, event.name) for shape in goal.vocabulary.shapes())


def _encoded(goal: Adapter, settings: Settings, event: Event) -> tuple[Outbound, list[Encoded]]:
    usable = [out for out in goal.outbound if all(settings.credentials.get(name) for name in out.needs)]
    out = next((out for out in reversed(usable) if out.carries(event, settings)), None)
    if out is None:
        raise EncodeError(f"{goal.title} has no call for {event.kind} events.")
    return out, out.encode([event], settings)


def _is_within(path: str, outer: str) -> bool:
    return not outer or path == outer or (path.startswith(outer) and path[len(outer)] in ".[")


# --- hearing ---------------------------------------------------------------------------------------------


def _heard(source: Source, settings: Settings, event: Event, capability: Capability) -> Event | None:
    """Return the event as the vendor's client would send it, where that still says the same thing."""
    try:
        out, (encoded, *_) = _encoded(source.adapter, settings, event)
    except EncodeError:
        return None
    heard = _decoded(source, settings, out, encoded)
    same = (one for one in heard if value_at(one, capability.path) == value_at(event, capability.path))
    return next(same, None)


def _decoded(source: Source, settings: Settings, out: Outbound, encoded: Encoded) -> Iterable[Event]:
    path, _, query = (encoded.path or out.path).partition("?")
    found = source.endpoint(out.method, normal_path(path))
    if found is None:
        return ()
    numbers = count(1)
    headers = [(name.lower().encode(), value.encode()) for name, value in out.headers(settings.credentials).items()]
    request = Request(
        method=out.method,
        path=normal_path(path),
        query=query,
        raw_headers=headers,
        body=encoded.body,
        id="01900000-0000-7000-8000-000000000000",
        received_at=NOW,
        source=source.name,
        new_id=lambda: f"01900000-0000-7000-8000-{next(numbers):012x}",
        people=Nobody(source.adapter),
        params=found.params,
        account=settings.credentials,
        options=source.options,
    )
    try:
        return found.endpoint.decode(request).events
    except Rejected:
        return ()


def value_at(event: Event, path: str) -> Any:
    """Return what stands at a path, None where nothing does."""
    tree = msgspec.to_builtins(event, builtin_types=(Decimal, datetime))
    leaves = dict(event_leaves(tree))
    if path in leaves:
        return leaves[path]
    return {inner: value for inner, value in leaves.items() if _is_within(inner, path)} or None
