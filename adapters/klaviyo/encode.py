"""Canonical events as Klaviyo takes them: single events, bulk jobs, profile imports.

Sources, read 2026-11-21:
    https://github.com/klaviyo/openapi, branch 2026-07-15: EventCreateQueryV2, EventsBulkCreateJob, ProfileUpsertQuery
    https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling

Every event carries a `unique_id` that stays the same over retries and a time in whole seconds. In a bulk job each
event is a group of its own, so that the index in an error's pointer is the event's position.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.klaviyo import limits
from adapters.klaviyo.decode import IDENTIFY
from adapters.klaviyo.encode_person import person
from adapters.klaviyo.fit import fit, fit_count, fit_name
from adapters.klaviyo.names import CONSENT, CONSENT_METRIC, DEVICE, NAME_KEY, SLUG, VOCABULARY
from adapters.klaviyo.values import SHORT, fits, in_window, is_shallow, to_number
from adapters.klaviyo.wire import NOTHING, UNREADABLE, Json, dig, graft
from gateway.adapter import Answer, Encoded, EncodeError, Event, Loss, Settings, Shape, chunk, json_bytes, losses_below
from gateway.event import EMPTY_CONTEXT, Commerce

_ELSEWHERE: Final = frozenset({"commerce.total", "commerce.currency", "context.ip"})
"""Canonical paths that are no properties: they have fields of their own."""

_BODY_SENT: Final = limits.BODY_SENT.value
_NAME: Final = limits.METRIC_NAME.value
_PROPERTIES: Final = limits.PROPERTIES.value
_SECONDS: Final = len("2026-07-18T16:04:09")

_HEAD: Final = b'{"data":{"type":"event-bulk-create-job","attributes":{"events-bulk-create":{"data":['
_TAIL: Final = b"]}}}}"
_INDEX: Final = re.compile(r"/data/attributes/events-bulk-create/data/(\d{1,9})(?:/|$)")


# --- endpoints -------------------------------------------------------------------------------------------


def events(batch: Sequence[Event], settings: Settings) -> list[Encoded]:  # noqa: ARG001 - the port's signature
    """Return one request for each event.

    Raises:
        EncodeError: an event names nobody, has no name or an impossible time, or is too large.
    """
    if len(batch) == 1:
        return [_single(0, batch[0])]
    return [_single(index, event) for index, event in enumerate(batch)]


def bulk(batch: Sequence[Event], settings: Settings) -> list[Encoded]:  # noqa: ARG001 - the port's signature
    """Return bulk jobs of as many events as fit.

    A key that was used for the same profile and metric begins a new job: in one and the same, Klaviyo would refuse
    them all.

    Raises:
        EncodeError: as `events`.
    """
    written, parts = [], []
    for index, event in enumerate(batch):
        it, part = _encode(index, event, _entry)
        _check_size(len(part) + len(_HEAD) + len(_TAIL), _BODY_SENT)
        written.append(it)
        parts.append(part)
    return [_job(parts, written, cut) for span in _without_repeats(written) for cut in _cuts(parts, span)]


def profiles(batch: Sequence[Event], settings: Settings) -> list[Encoded]:  # noqa: ARG001 - the port's signature
    """Return one profile import for each identify.

    Raises:
        EncodeError: it names nobody that Klaviyo could know, or is too large.
    """
    return [_profile(index, event) for index, event in enumerate(batch)]


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise EncodeError(f"{size} bytes, more than the {most} that Klaviyo takes in one request")


# --- one event -------------------------------------------------------------------------------------------


class Written(Struct, frozen=True):
    """One event in Klaviyo's words."""

    attributes: Json
    """Of the event, without its profile."""
    who: Json
    """The profile resource."""
    rest: Json
    """Members to put back that only Klaviyo knows, at their places in a single event's body."""
    entry: Json
    """The same for a group of a bulk job."""
    lost: list[Loss]


def _single(index: int, event: Event) -> Encoded:
    it, encoded = _encode(index, event, _body)
    if it.entry:
        _report(it.entry, f"residue.{SLUG}.entry", index, it.lost)
    _check_size(len(encoded), _BODY_SENT)
    return Encoded(events=(index,), body=encoded, lost=tuple(it.lost))


def _body(it: Written) -> Json:
    it.attributes["profile"] = {"data": it.who}
    body: Json = {"data": {"type": "event", "attributes": it.attributes}}
    return graft(body, it.rest) if it.rest else body


def _encode(index: int, event: Event, frame: Callable[[Written], Json]) -> tuple[Written, bytes]:
    """Write an event; only one that is nested, or turns out to be long, is searched for what is over a limit."""
    flat = _is_flat(event)
    it = _write(index, event, search=not flat)
    encoded = json_bytes(frame(it))
    if flat and len(encoded) > SHORT:
        it = _write(index, event, search=True)
        encoded = json_bytes(frame(it))
    return it, encoded


def _is_flat(event: Event) -> bool:
    """Tell whether the free values of an event are no deeper than arrays of scalars."""
    if event.commerce is not None:
        for item in event.commerce.items:
            if item.properties and not is_shallow(item.properties.values()):
                return False
    return is_shallow(event.properties.values())


def _write(index: int, event: Event, *, search: bool) -> Written:
    """Return an event in Klaviyo's words; with `search`, what is over a limit in its properties is made to fit."""
    kept = event.residue.get(SLUG) or {}
    raw = dig(kept, "raw") if kept else NOTHING
    lost: list[Loss] = []
    shape = VOCABULARY.encode(event)
    metric, time = _metric(event, shape, kept, index, lost), _time(event, index, lost)
    properties = _properties(event, shape, raw, index, lost)
    attributes: Json = {
        "properties": properties,
        "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
        "time": time,
        "unique_id": event.dedupe_key or event.id,
    }
    if event.commerce is not None:
        _put_money(event.commerce, raw, attributes, properties, index, lost)
    if raw:
        _put_key(event, raw, attributes, properties)
    if len(properties) > _PROPERTIES or (search and not fits(properties)):
        attributes["properties"] = fit_count(fit(properties, "properties", index, lost), index, lost)
    who = person(event, index, raw, lost, told=CONSENT.get(metric))
    if not event.residue:
        return Written(attributes, who, NOTHING, NOTHING, lost)
    _report_residue(event, index, lost)
    if not kept:
        return Written(attributes, who, NOTHING, NOTHING, lost)
    return Written(attributes, who, dig(kept, "rest"), dig(kept, "entry"), lost)


def _metric(event: Event, shape: Shape, kept: Json, index: int, lost: list[Loss]) -> str:
    before = kept.get("metric") if kept else None
    if isinstance(before, str) and VOCABULARY.decode(before).name == shape.name == event.name:
        return before
    if not shape.vendor_name:
        raise EncodeError("the event has no name, and Klaviyo's metrics need one")
    if event.kind == "group":
        lost.append(Loss(index, "kind", "coerced", "Klaviyo has no groups; recorded as an event.", "metric"))
    if event.consent and event.source.vendor != SLUG:
        first = event.consent[0]
        if said := CONSENT_METRIC.get((event.name, first.granted, first.channel)):
            return said
    name = shape.vendor_name
    return name if len(name) <= _NAME else fit_name(name, index, lost)


def _time(event: Event, index: int, lost: list[Loss]) -> str:
    """Return the event's time, or that of its receipt, in whole seconds."""
    moment = event.occurred_at
    if moment is None:
        return _seconds(event.received_at)
    if not in_window(moment, event.received_at):
        raise EncodeError(f"{moment.isoformat()} is outside the times that Klaviyo takes (1990 to a year from now)")
    if moment.microsecond:
        lost.append(Loss(index, "occurred_at", "coerced", "Klaviyo keeps whole seconds.", "time"))
    return _seconds(moment)


def _seconds(moment: datetime) -> str:
    if moment.tzinfo is UTC:
        return f"{msgspec.to_builtins(moment)[:_SECONDS]}+00:00"  # what isoformat returns, seven times as fast
    return moment.isoformat(timespec="seconds") if moment.microsecond else moment.isoformat()


def _properties(event: Event, shape: Shape, raw: Json, index: int, lost: list[Loss]) -> Json:
    properties, homeless = shape.lower(event, raw)
    if homeless and not _ELSEWHERE.issuperset(homeless):
        reason = "Klaviyo has no name for it, or a field of the event needed its name."
        lost += [Loss(index, path, "dropped", reason) for path in homeless if path not in _ELSEWHERE]
    if event.profile.device_id is not None:
        _put_device(event, raw, properties, index, lost)
    if event.name != shape.name:
        _put_name(event, properties, index, lost)
    return properties


def _put_device(event: Event, raw: Json, properties: Json, index: int, lost: list[Loss]) -> None:
    device: Json = {}
    DEVICE.lower("profile", event.profile, raw, device, None)
    if not device.keys().isdisjoint(properties):
        reason = "The profile's own device id stands there."
        lost += [Loss(index, f"properties.{key}", "dropped", reason) for key in device if key in properties]
    properties.update(device)


def _put_name(event: Event, properties: Json, index: int, lost: list[Loss]) -> None:
    """Keep the name of a page or a screen, which is not the metric's."""
    key = NAME_KEY[event.kind]
    if not event.name or key in properties:
        lost.append(Loss(index, "name", "dropped", "The metric has a name of its own."))
        return
    properties[key] = event.name
    lost.append(Loss(index, "name", "renamed", "The metric has a name of its own.", f"properties.{key}"))


def _put_money(commerce: Commerce, raw: Json, attributes: Json, properties: Json, index: int, lost: list[Loss]) -> None:
    total = commerce.total
    if total is not None:
        if abs(total) > _MOST:
            lost.append(Loss(index, "commerce.total", "dropped", "Too large for a number."))
        else:
            _put_total(total, raw, attributes, properties)
    if commerce.currency is not None:
        attributes["value_currency"] = commerce.currency


_MOST: Final = Decimal(sys.float_info.max)


def _put_total(total: Decimal, raw: Json, attributes: Json, properties: Json) -> None:
    """Write the total where the client had it: the attribute, ``$value`` among the properties, or both."""
    if not raw:
        attributes["value"] = total
        return
    key, written = _before(raw, "commerce.total")
    same = key is not None and to_number(written) == total
    if same and key == "$value":
        properties["$value"] = written
        return
    attributes["value"] = written if same else total
    key, written = _before(raw, "$value")
    if key is not None:
        properties["$value"] = written if to_number(written) == total else total


def _put_key(event: Event, raw: Json, attributes: Json, properties: Json) -> None:
    """Write the client's key where the client had it; see `_put_total`."""
    key, written = _before(raw, "dedupe_key")
    if key is not None and str(written) == event.dedupe_key:
        attributes["unique_id"] = written
        if key == "$event_id":
            del attributes["unique_id"]
            properties["$event_id"] = written
            return
    key, _ = _before(raw, "$event_id")
    if key is not None:
        properties["$event_id"] = attributes["unique_id"]


def _before(raw: Json, path: str) -> tuple[str | None, Any]:
    """Return the key and value that the client wrote for a canonical path."""
    found = raw.get(path)
    return (found[0], found[1]) if isinstance(found, list) and len(found) == 2 else (None, None)


# --- bulk ------------------------------------------------------------------------------------------------


def _entry(it: Written) -> Json:
    """Return a group of one event; profile meta stands beside the attributes here."""
    who = _with_meta_beside(graft(dict(it.who), dig(it.rest, "data", "attributes", "profile", "data")))
    data: Json = {"type": "event", "attributes": it.attributes}
    own = dig(it.rest, "data")
    if own:
        attributes = {key: value for key, value in dig(own, "attributes").items() if key != "profile"}
        data = graft(data, {**own, "attributes": attributes})
    group: Json = {"profile": {"data": who}, "events": {"data": [data]}}
    entry: Json = {"type": "event-bulk-create", "attributes": group}
    return graft(entry, it.entry) if it.entry else entry


def _with_meta_beside(who: Json) -> Json:
    attributes = who["attributes"]
    if isinstance(attributes.get("meta"), dict) and "meta" not in who:
        inner = dict(attributes)
        return {**who, "meta": inner.pop("meta"), "attributes": inner}
    return who


def _without_repeats(written: Iterable[Written]) -> Iterator[range]:
    """Yield the spans within which no key stands twice for one profile and metric."""
    seen: set[tuple[str, ...]] = set()
    start = index = 0
    for index, it in enumerate(written):
        keys = _keys(it)
        if not keys.isdisjoint(seen):
            yield range(start, index)
            start, seen = index, set()
        seen |= keys
    yield range(start, index + 1)


def _keys(it: Written) -> set[tuple[str, ...]]:
    metric = it.attributes["metric"]["data"]["attributes"]["name"]
    number = str(it.attributes.get("unique_id", it.attributes["properties"].get("$event_id")))
    attributes = it.who["attributes"]
    names = ("email", "phone_number", "external_id", "anonymous_id", "_kx")
    known = {name: attributes[name] for name in names if name in attributes} | {"id": it.who.get("id")}
    return {(name, str(value), metric, number) for name, value in known.items() if value}


def _cuts(parts: Sequence[bytes], span: range) -> list[range]:
    cuts = chunk(
        parts[span.start : span.stop],
        max_events=limits.BULK_EVENTS.value,
        max_body=_BODY_SENT,
        frame=len(_HEAD) + len(_TAIL),
    )
    return [range(cut.start + span.start, cut.stop + span.start) for cut in cuts]


def _job(parts: Sequence[bytes], written: Sequence[Written], cut: range) -> Encoded:
    body = _HEAD + b",".join(parts[cut.start : cut.stop]) + _TAIL
    return Encoded(events=tuple(cut), body=body, lost=tuple(loss for index in cut for loss in written[index].lost))


# --- profiles --------------------------------------------------------------------------------------------


def _profile(index: int, event: Event) -> Encoded:
    kept = event.residue.get(SLUG) or {}
    lost: list[Loss] = []
    who = person(event, index, dig(kept, "raw"), lost, identify=True)
    _put_properties(event, who["attributes"], index, lost)
    _report_identify(event, index, lost)
    body = graft({"data": who}, dig(kept, "rest"))
    body["data"] = _with_meta_beside(body["data"])
    _report_residue(event, index, lost)
    encoded = json_bytes(body)
    _check_size(len(encoded), limits.PROFILE_BODY_SENT.value)
    return Encoded(events=(index,), body=encoded, lost=tuple(lost))


def _put_properties(event: Event, attributes: Json, index: int, lost: list[Loss]) -> None:
    """Keep what an identify has besides traits; a trait of the same name stays."""
    if not event.properties:
        return
    properties = dict(attributes.get("properties", {}))
    for key, value in fit(event.properties, "properties", index, lost).items():
        if key in properties:
            lost.append(Loss(index, f"properties.{key}", "dropped", "The profile has a property of that name."))
        else:
            properties[key] = value
            place = f"profile.properties.{key}"
            lost.append(Loss(index, f"properties.{key}", "renamed", "Kept as a property of the profile.", place))
    attributes["properties"] = properties


def _report_identify(event: Event, index: int, lost: list[Loss]) -> None:
    reason = "A profile import has no field for it."
    if event.name != IDENTIFY:
        lost.append(Loss(index, "name", "dropped", reason))
    told = [path for path in ("occurred_at", "dedupe_key") if getattr(event, path) is not None]
    lost += [Loss(index, path, "dropped", reason) for path in told]
    if event.commerce is not None:
        _report(msgspec.to_builtins(event.commerce), "commerce", index, lost, reason)
    if event.context is not EMPTY_CONTEXT:
        context = msgspec.to_builtins(event.context)
        context.pop("ip", None)
        _report(context, "context", index, lost, reason)


def _report(tree: Any, path: str, index: int, lost: list[Loss], reason: str = "This call has no place for it.") -> None:
    if tree:
        lost += losses_below(tree, path, reason, index)


def _report_residue(event: Event, index: int, lost: list[Loss]) -> None:
    """Report what only other vendors understand, and what stood around a whole request."""
    for vendor, kept in event.residue.items():
        if vendor != SLUG:
            others = {key: value for key, value in kept.items() if key != "raw"} if "raw" in kept else kept
            _report(others, f"residue.{vendor}", index, lost, f"Only {vendor} understands it.")
        elif "frame" in kept:
            _report(kept["frame"], f"residue.{SLUG}.frame", index, lost, "It belonged to the whole request.")


# --- answers ---------------------------------------------------------------------------------------------


def _errors(answer: Answer) -> list[Json]:
    """Return the errors of an answer, whatever it is: the edge answers in HTML."""
    try:
        found = msgspec.json.decode(answer.body)["errors"]
    except (*UNREADABLE, KeyError, TypeError):
        return []
    return [error for error in found if isinstance(error, dict)] if isinstance(found, list) else []


def error_code(answer: Answer) -> str | None:
    """Return the code of the first error."""
    code = next((error.get("code") for error in _errors(answer)), None)
    return code if isinstance(code, str) else None


def guilty(answer: Answer, encoded: Encoded) -> Mapping[int, str]:
    """Return the positions that the pointers name, each with what is wrong there."""
    found: dict[int, str] = {}
    for error in _errors(answer):
        named = _INDEX.match(str(dig(error, "source").get("pointer")))
        if named and int(named[1]) < len(encoded.events):
            found.setdefault(int(named[1]), str(error.get("detail") or error.get("title") or "refused"))
    return found
