"""Many events at once: ``POST /api/event-bulk-create-jobs`` and ``POST /client/event-bulk-create``.

Sources, read 2026-11-21:
    https://github.com/klaviyo/openapi, branches from 2024-05-15, bulk_create_events and bulk_create_client_events
    https://github.com/segmentio/action-destinations, destinations/klaviyo/functions.ts: how pointers are read

All or nothing: one bad entry refuses the request, and every bad entry is named by its index.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from adapters.klaviyo import limits
from adapters.klaviyo.decode import ACCEPTED, CLIENT_ACCEPTED, event, origin, wrapped_person
from adapters.klaviyo.errors import Invalid, answering, bad_request
from adapters.klaviyo.wire import BulkEvent, Group, GroupBody, Job, JobBody, Json, Reader, dig
from gateway.adapter import Decoded, Request
from gateway.event import Event, Origin, Profile

_job: Final = Reader(JobBody)
_group: Final = Reader(Group)
_single: Final = Reader(GroupBody)

_GROUPS: Final = "/data/attributes/events-bulk-create/data"
_Seen = set[tuple[str, ...]]


@answering
def bulk(request: Request) -> Decoded:
    """Return the events of all groups, in order."""
    source = origin(request, "event-bulk-create-jobs")
    body, rest = _job.read(request.body)
    groups = _groups(body.data, request)
    found: list[Event] = []
    problems: list[Invalid] = []
    seen: _Seen = set()
    for index, (group, left) in groups:
        try:
            found += _events(request, source, group, left, seen, {"frame": rest} if rest else {})
        except Invalid as problem:
            problems.append(problem.below(f"{_GROUPS}/{index}"))
    if problems:
        raise bad_request(request, problems)
    return Decoded(found, ACCEPTED)


def _groups(job: Job, request: Request) -> list[tuple[int, tuple[Group, Json]]]:
    """Return the typed groups by index, or refuse the request with what is wrong with each."""
    groups, problems = [], []
    for index, raw in enumerate(job.attributes.events_bulk_create.data):
        try:
            groups.append((index, _typed(raw)))
        except Invalid as problem:
            problems.append(problem.below(f"{_GROUPS}/{index}"))
    if problems:
        raise bad_request(request, problems)
    _check_count(sum(len(group.attributes.events.data) for _, (group, _) in groups), _GROUPS)
    return groups


def _typed(raw: msgspec.Raw) -> tuple[Group, Json]:
    try:
        return _group.read(raw)
    except Invalid as problem:
        pointer = "" if problem.pointer == "/data" else problem.pointer
        raise Invalid(pointer, problem.detail, problem.code, problem.title) from None


def _check_count(count: int, at: str) -> None:
    if not count:
        raise Invalid(at, "At least one event is required.")
    if count > limits.BULK_EVENTS.value:
        raise Invalid(at, f"A request may have at most {limits.BULK_EVENTS.value} events.")


@answering
def client_bulk(request: Request) -> Decoded:
    """Return the events of the one group that a browser or an app sent."""
    source = origin(request, "client-event-bulk-create")
    body, rest = _single.read(request.body)
    try:
        _check_count(len(body.data.attributes.events.data), "/attributes/events/data")
        return Decoded(list(_events(request, source, body.data, dig(rest, "data"), set(), {})), CLIENT_ACCEPTED)
    except Invalid as problem:
        raise problem.below("/data") from None


# --- one group -------------------------------------------------------------------------------------------


def _events(request: Request, source: Origin, group: Group, rest: Json, seen: _Seen, residue: Json) -> Iterator[Event]:
    """Yield a group's events; complaints point below the group."""
    attributes = group.attributes
    person = wrapped_person(attributes.profile.data, len(request.body), "/attributes/profile/data")
    rows, shared, entry = _split(rest)
    if entry:
        residue = {**residue, "entry": entry}
    for index, it in enumerate(attributes.events.data):
        prefix = f"/attributes/events/data/{index}/attributes"
        left = _event_rest(rows.get(str(index), {}), shared)
        if it.attributes.backfill is msgspec.UNSET:
            it.attributes.backfill = attributes.backfill
        try:
            made = event(
                request, source, it.attributes, it.attributes.metric.data.attributes, person, left, residue=residue
            )
            _check_repeats(made, it, seen)
        except Invalid as problem:
            raise problem.below(prefix) from None
        yield made


def _split(rest: Json) -> tuple[Json, Json, Json]:
    """Return the unknown members of the events by index, those of the profile, and those of the group itself."""
    if not rest:
        return {}, {}, {}
    rest = {**rest, "attributes": {**dig(rest, "attributes")}}
    rows = dig(rest["attributes"].pop("events", {}), "data")
    profile = rest["attributes"].pop("profile", {})
    if not rest["attributes"]:
        del rest["attributes"]
    return rows, profile, rest


def _event_rest(row: Json, profile: Json) -> Json:
    """Return an event's unknown members at their places in a body of its own."""
    rest = {"data": row} if row else {}
    if profile:
        attributes = {**dig(row, "attributes"), "profile": profile}
        rest = {"data": {**row, "attributes": attributes}}
    return rest


def _check_repeats(made: Event, it: BulkEvent, seen: _Seen) -> None:
    """Refuse a key that was used before, in this request, for the same profile and metric."""
    if made.dedupe_key is None:
        return
    metric = it.attributes.metric.data.attributes
    for identifier in _identifiers(made.profile):
        key = (*identifier, metric.name, str(metric.service or ""), made.dedupe_key)
        if key in seen:
            raise Invalid("/unique_id", "unique_id is used more than once for this profile and metric.")
        seen.add(key)


def _identifiers(who: Profile) -> Iterator[tuple[str, str]]:
    named = {"email": who.email, "phone": who.phone, "user_id": who.user_id, "anonymous_id": who.anonymous_id}
    for name, value in {**named, **who.vendor_ids}.items():
        if value:
            yield name, value
