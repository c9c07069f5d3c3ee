"""Single events: ``POST /api/events`` and ``POST /client/events``, flat and wrapped.

Sources, read 2026-11-21:
    https://github.com/klaviyo/openapi, all branches, create_event and create_client_event
    https://developers.klaviyo.com/en/reference/events_api_overview
    https://developers.klaviyo.com/en/docs/api_versioning_and_deprecation_policy
"""

from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import UNSET

from adapters.klaviyo import limits
from adapters.klaviyo.decode_person import (
    Person,
    check_identified,
    check_strings,
    flat,
    is_named_without_dollar,
    wrapped,
)
from adapters.klaviyo.errors import CORS, Invalid, answering, shapeless
from adapters.klaviyo.names import CONSENT, LAST_FLAT, NAME_KEY, NEWEST, SLUG, VOCABULARY, floor_revision
from adapters.klaviyo.values import amount, check_depth, check_properties, moment, to_number
from adapters.klaviyo.wire import (
    NOTHING,
    EventAttributes,
    EventBody,
    FlatAttributes,
    FlatBody,
    Json,
    MetricAttributes,
    Occurrence,
    ProfileData,
    Reader,
    Text,
    dig,
    graft,
    parse,
    place,
)
from gateway.adapter import Decoded, Lifted, Reply, Request, Shape
from gateway.event import EMPTY_CONTEXT, Context, Event, Origin, Profile

ACCEPTED: Final = Reply(202)
CLIENT_ACCEPTED: Final = Reply(202, CORS)

_wrapped: Final = Reader(EventBody)
_flat: Final = Reader(FlatBody)

_AT: Final = ("data", "attributes")
_ATTRIBUTES: Final = "/data/attributes"
_METRIC: Final = "/metric/data/attributes/name"
_FLAT_METRIC: Final = "/metric/name"
_PERSON: Final = "/profile/data"
_LONGEST_NAME: Final = limits.METRIC_NAME.value
_PROFILE_STRINGS: Final = limits.PROFILE_STRINGS.value
IDENTIFY: Final = "Identify"
"""The name of every identify event."""


def origin(request: Request, endpoint: str) -> Origin:
    """Return where an event came in, with the revision that Klaviyo would serve.

    Raises:
        Invalid: the revision is no date, or older than the API.
    """
    return _origin(request.source, endpoint, request.header(b"revision"))


@lru_cache(maxsize=256)
def _origin(source: str, endpoint: str, asked: str | None) -> Origin:
    revision = NEWEST if asked is None else floor_revision(asked.strip())
    if revision is None:
        raise Invalid("/data", f'Invalid API revision "{asked}": expected YYYY-MM-DD[.suffix].')
    return Origin(name=source, vendor=SLUG, endpoint=endpoint, revision=revision)


# --- the endpoint ----------------------------------------------------------------------------------------


@answering
def events(request: Request) -> Decoded:
    """Return the one event of a body."""
    return Decoded((_read(request, origin(request, "events")),), ACCEPTED)


@answering
def client_events(request: Request) -> Decoded:
    """Return the one event that a browser or an app sent."""
    return Decoded((_read(request, origin(request, "client-events")),), CLIENT_ACCEPTED)


def _read(request: Request, source: Origin) -> Event:
    """Read in the shape of the revision, and in that of the body where the two differ."""
    try:
        if source.revision is not None and source.revision <= LAST_FLAT:
            return _flat_event(request, source, _flat.read_exactly(request.body).data.attributes, NOTHING)
        return _wrapped_event(request, source, _wrapped.read_exactly(request.body).data.attributes, NOTHING)
    except msgspec.ValidationError:
        return _sniff(request, source, parse(request.body))


def _sniff(request: Request, source: Origin, tree: Any) -> Event:
    attributes = dig(tree, "data", "attributes")
    if not isinstance(tree, dict):
        raise shapeless()
    shapes = {_is_wrapped(attributes.get(key)) for key in ("profile", "metric")} - {None}
    if shapes == {True, False}:
        raise shapeless()
    if shapes == {False}:
        bare, rest = _flat.read_tree(tree)
        return _flat_event(request, source, bare.data.attributes, rest)
    read, rest = _wrapped.read_tree(tree)
    return _wrapped_event(request, source, read.data.attributes, rest)


def _is_wrapped(value: Any) -> bool | None:
    """Tell whether an object is a wrapped resource; None when it is no object at all."""
    return isinstance(value.get("data"), dict) if isinstance(value, dict) else None


def _wrapped_event(request: Request, source: Origin, it: EventAttributes, rest: Json) -> Event:
    person = wrapped_person(it.profile.data, len(request.body), _ATTRIBUTES + _PERSON)
    try:
        return event(request, source, it, it.metric.data.attributes, person, rest)
    except Invalid as problem:
        raise problem.below(_ATTRIBUTES) from None


def _flat_event(request: Request, source: Origin, it: FlatAttributes, rest: Json) -> Event:
    try:
        person = _flat_person(it.profile, len(request.body))
        return event(request, source, it, it.metric, person, _rewrapped(rest), _FLAT_METRIC)
    except Invalid as problem:
        raise problem.below(_ATTRIBUTES) from None


def _flat_person(attributes: Json, size: int) -> Person:
    try:
        check_strings(attributes, size)
        person = flat(attributes)
        if not is_named_without_dollar(attributes):
            check_identified(person.profile, "")
    except Invalid as problem:
        raise problem.below("/profile") from None
    return person


def _rewrapped(rest: Json) -> Json:
    """Return the unknown members of a flat body at their places in a wrapped one."""
    metric = dig(rest, "data", "attributes").pop("metric", None)
    return graft(place(metric, *_AT, "metric", "data", "attributes"), rest) if metric else rest


def wrapped_person(data: ProfileData, size: int, prefix: str) -> Person:
    """Return an identified person, complaints pointing below `prefix`; `size` is that of the body, in bytes."""
    try:
        if size > _PROFILE_STRINGS:
            check_strings(data.attributes, size)
        person = wrapped(data)
        check_identified(person.profile, "/attributes")
    except Invalid as problem:
        raise problem.below(prefix) from None
    return person


# --- one event -------------------------------------------------------------------------------------------


def event(
    request: Request,
    source: Origin,
    it: Occurrence,
    metric: MetricAttributes,
    person: Person,
    rest: Json,
    metric_at: str = _METRIC,
    *,
    residue: Json = NOTHING,
) -> Event:
    """Return one event about a person; a complaint's pointer is relative to the event's attributes.

    Args:
        request: gives ids and the time of receipt.
        source: where it came in.
        it: time, money, key and properties.
        metric: its name, and the service it is counted under.
        person: who.
        rest: unknown members of the body, at their places in the wrapped shape.
        metric_at: where the metric's name stands.
        residue: more that only Klaviyo understands.
    """
    if not 0 < len(metric.name) <= _LONGEST_NAME:
        raise _misnamed(metric.name, metric_at)
    properties, value = it.properties or {}, bytes(it.value)
    check_properties(properties, len(request.body) + len(request.query))
    raw, left = person.raw.copy(), _left(it, value, metric.service)
    dedupe_key, money = _key(it, properties, raw), _money(it, value, properties, raw)
    shape = VOCABULARY.decode(metric.name)
    lifted, commerce = shape.lift(properties, money)
    if lifted.raw:
        raw.update(lifted.raw)
    about, vendor_name = person.profile, shape.vendor_name
    kept: dict[str, Json] = {}
    if raw or left or person.left or rest or residue or metric.name != vendor_name:
        kept = _residue(raw, _rest(left, person, rest), metric.name, vendor_name, residue)
    return Event(
        id=request.new_id(),
        kind=shape.kind,
        name=shape.name if shape.kind == "track" else _own_name(shape, lifted),
        received_at=request.received_at,
        source=source,
        occurred_at=moment(it.time, request.received_at) if isinstance(it.time, str) else None,
        dedupe_key=dedupe_key,
        profile=_with_device(about, lifted) if "profile" in lifted.parts else about,
        commerce=commerce,
        consent=(CONSENT[metric.name],) if metric.name in CONSENT and not person.consent else person.consent,
        context=lifted.context() if person.ip is None else lifted.context(ip=person.ip),
        properties=lifted.properties(),
        residue=kept,
    )


def identify_event(request: Request, source: Origin, person: Person, residue: Json = NOTHING) -> Event:
    """Return what a client says about a person, apart from any event."""
    rest = {"data": person.left} if person.left else NOTHING
    more = residue.get("rest")
    return Event(
        id=request.new_id(),
        kind="identify",
        name=IDENTIFY,
        received_at=request.received_at,
        source=source,
        profile=person.profile,
        consent=person.consent,
        context=EMPTY_CONTEXT if person.ip is None else Context(ip=person.ip),
        residue=_residue(person.raw, graft(dict(rest), more) if more else rest, "", "", residue),
    )


def _misnamed(name: str, at: str) -> Invalid:
    if not name:
        return Invalid(at, "This field may not be blank.")
    return Invalid(at, f"A metric's name must have fewer than {_LONGEST_NAME + 1} characters.")


def _left(it: Occurrence, value: bytes, service: Text) -> Json:
    """Return the known attributes that have no canonical home: nulls, blanks, flags of Klaviyo's own."""
    left: Json = {}
    if it.backfill is not UNSET:
        left["backfill"] = it.backfill
    if it.time is None:
        left["time"] = None
    if it.properties is None:
        left["properties"] = None
    if value == b"null":
        left["value"] = None
    if it.unique_id is not UNSET and it.unique_id in (None, ""):
        left["unique_id"] = it.unique_id
    if it.value_currency is not UNSET and not it.value_currency:
        left["value_currency"] = it.value_currency
    if service is not UNSET:
        left["metric"] = place(service, "data", "attributes", "service")
    return left


def _key(it: Occurrence, properties: Json, raw: Json) -> str | None:
    """Return the client's own key: `unique_id`, else ``$event_id``; a ``$event_id`` that repeats it is noted."""
    key, twin = it.unique_id, properties.get("$event_id")
    if isinstance(key, str) and key and twin is None:
        return key
    if key is UNSET or key is None or key == "":
        if not twin or not isinstance(twin, (str, int)) or twin is True:
            return None
        raw["dedupe_key"] = ["$event_id", properties.pop("$event_id")]
        return str(twin)
    if not isinstance(key, str):
        raw["dedupe_key"] = ["unique_id", key]
    if twin is not None and type(twin) is type(key) and twin == key:
        raw["$event_id"] = ["$event_id", properties.pop("$event_id")]
    return str(key)


def _money(it: Occurrence, value: bytes, properties: Json, raw: Json) -> Json:
    """Return what the event is worth: `value`, else ``$value``; a ``$value`` that repeats it is noted."""
    total, quoted = amount(value) if value else (None, None)
    if quoted is not None:
        raw["commerce.total"] = ["value", quoted]
    if "$value" in properties:
        total = _twin(total, properties, raw)
    money: Json = {} if total is None else {"total": total}
    if it.value_currency:
        money["currency"] = it.value_currency
    return money


def _twin(total: Decimal | None, properties: Json, raw: Json) -> Decimal | None:
    twin = to_number(properties["$value"])
    if twin is None or total not in (None, twin):
        return total
    raw["commerce.total" if total is None else "$value"] = ["$value", properties.pop("$value")]
    return twin


def _own_name(shape: Shape, lifted: Lifted) -> str:
    """Return the name of a page or a screen, which Klaviyo keeps among the properties."""
    key = NAME_KEY[shape.kind]
    name = lifted.rest.get(key)
    if isinstance(name, str) and name not in ("", shape.name):
        del lifted.rest[key]
        return name
    return shape.name


def _with_device(profile: Profile, lifted: Lifted) -> Profile:
    return msgspec.structs.replace(profile, **lifted.parts["profile"])


def _rest(left: Json, person: Person, rest: Json) -> Json:
    if person.left:
        left["profile"] = {"data": person.left}
    if not left:
        return rest
    return graft(place(left, *_AT), rest)


def _residue(raw: Json, rest: Json, name: str, usual: str, more: Json) -> dict[str, Json]:
    if not (raw or rest or more) and name == usual:
        return {}
    kept = dict(more)
    if raw:
        kept["raw"] = raw
    if rest:
        kept["rest"] = rest
    if kept:
        check_depth(kept)
    if name != usual:
        kept["metric"] = name
    return {SLUG: kept} if kept else {}
