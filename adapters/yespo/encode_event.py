"""One canonical event -> type, key and parameters, and a report of what did not go across unchanged.

Sources, read 2026-11-21: docs.yespo.io/docs/how-use-v1event-api-resource, /validating-event-parameters,
/site-activity-tracking-using-generate-events, /how-send-events-resource-v1event.

Parameters have one level of names. Identifiers and what a canonical field stands for are written first; free values
(properties, traits) fill the rest and give way where a name is taken. An event that came from Yespo gets its own
spellings back, and nothing added.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from gateway.adapter import EncodeError, Event, Loss, Settings, Shape, derive_uuid, losses_below
from gateway.event import EMPTY_PROFILE, Item

from .decode_event import CONSENT, implied_consent
from .forms import LINE_KEYS, NESTED, ONE, close_params
from .limits import NAME_LENGTH
from .names import (
    IDENTIFIERS,
    NAME_PARAM,
    ORDER_STATUS,
    PRIORITY,
    STATUSES,
    is_legal,
    resolved,
    write_type,
)
from .options import TargetOptions
from .person import BECOMES_PARAM, identifiers, visible, write_identifiers, write_person
from .times import read_time, write_seconds
from .wire import SLUG, VOCABULARY, Json

_NOTHING: Final[Mapping[str, Any]] = {}
_ITEMS: Final = "commerce.items"
_ONE_LEVEL: Final = "Another parameter has that name."


class Written(Struct):
    """An event in Yespo's words."""

    type: str
    key: str | None
    """None: Yespo takes the first identifier among the parameters."""
    params: Json
    lost: list[Loss]
    free: dict[str, str]
    """Parameter -> canonical path, of values that may be left out where an event is too large."""


class Job(Struct, frozen=True):
    """An event to write, and what is known of it."""

    event: Event
    shape: Shape
    kept: Mapping[str, Any]
    """What this adapter's decoder set aside."""
    native: bool
    """Whether it came in by this adapter, so that it goes out as it came."""
    wrap: bool
    """Whether product lists are wrapped in an object."""


def is_native(event: Event) -> bool:
    """Tell whether an event came in by this adapter."""
    return event.source.vendor == SLUG


def kept_of(event: Event) -> Mapping[str, Any]:
    """Return what this adapter's decoder set aside of an event."""
    return event.residue.get(SLUG) or _NOTHING if is_native(event) else _NOTHING


def options_of(settings: Settings) -> TargetOptions:
    """Return the target's options."""
    options = settings.options
    return options if isinstance(options, TargetOptions) else _DEFAULT


_DEFAULT: Final = TargetOptions()


def job_of(event: Event, settings: Settings) -> Job:
    """Return how to write an event for the event endpoints."""
    return Job(
        event=event,
        shape=VOCABULARY.encode(event),
        kept=kept_of(event),
        native=is_native(event),
        wrap=options_of(settings).wrap_items,
    )


def write_event(job: Job) -> Written:
    """Return the event's type, key and parameters.

    Raises:
        EncodeError: it has no name, or nobody it is about.
    """
    event, kept = job.event, job.kept
    lost: list[Loss] = []
    type_key = write_type(job.shape, kept.get("type"), lost)
    profile = visible(event.profile, kept.get("hidden")) if "hidden" in kept else event.profile
    who = identifiers(profile, lost, native=job.native)
    written = Written(type_key, _key(who, job), {}, lost, {})
    write_identifiers(who, kept.get("who") or _NOTHING, written.params)
    if profile is not EMPTY_PROFILE:
        write_person(profile, kept.get("raw") or {}, written.params, lost)
    _write_fields(job, written)
    if profile.traits:
        _write_traits(job, written)
    close_params(job.shape, written.params, job.kept, native=job.native, wrap=job.wrap)
    _write_rest(job, written)
    return written


def _key(who: dict[str, str], job: Job) -> str | None:
    key = job.kept.get("key")
    if isinstance(key, str):
        return key
    if not who or (len(who) == 1 and "contact_key" in who):
        raise EncodeError("Yespo needs a contact id, an external id, an e-mail address, a phone number or a push token")
    if job.native:
        return resolved(who)
    for field in PRIORITY:
        if field in who and is_legal(who[field]):
            return who[field]
    return None


# --- fields and free values ------------------------------------------------------------------------------


def _write_fields(job: Job, written: Written) -> None:
    """Write commerce, context and properties."""
    event, shape = job.event, job.shape
    items = () if event.commerce is None else event.commerce.items
    raw = job.kept.get("raw") or {}
    if not job.native and len(items) > 1 and shape.lines is not None and shape.lines.at == ONE:
        raw = {_ITEMS: ["products"]}
    fields, homeless = shape.lower(event, raw)
    if items and not job.native:
        _complete_rows(shape, items, fields, written.lost)
    if event.properties:
        _judge(job, fields, frozenset(homeless), written)
    if homeless:
        reason = "Yespo has no parameter for it."
        written.lost += [Loss(0, path, "dropped", reason) for path in homeless if not path.startswith("properties.")]
    if not job.native:
        _complete(event, shape, fields, written.lost)
    written.params.update(fields)


def _complete_rows(shape: Shape, items: tuple[Item, ...], fields: Json, lost: list[Loss]) -> None:
    """Give each row what Yespo requires of one: a product id, a category as text."""
    rows = _rows(fields)
    if shape.lines is None or len(rows) != len(items):
        return
    slots = _slots(shape.lines.each)
    for at, item in enumerate(items):
        if item.product_id is None and item.sku is not None:
            rows[at][slots["item.product_id"]] = item.sku
        if item.categories:
            _join(rows[at], slots["item.categories"], item.categories, f"{_ITEMS}[{at}].categories", lost)


def _rows(fields: Json) -> list[Json]:
    for key in LINE_KEYS:
        if key in fields and isinstance(rows := fields[key], list):
            return rows
    return []


@lru_cache(maxsize=16)
def _slots(table: Any) -> Mapping[str, str]:
    return dict(table.paths())


def _join(row: Json, key: str, names: tuple[str, ...], path: str, lost: list[Loss]) -> None:
    row[key] = text = ",".join(names)
    if not text or text.count(",") >= len(names) or tuple(map(str.strip, names)) != names:
        lost.append(Loss(0, path, "coerced", "Yespo has one text for a product's categories.", key))


def _judge(job: Job, fields: Json, homeless: frozenset[str], written: Written) -> None:
    """Put properties aside whose names are taken, and report those that Yespo reads as something else."""
    event, params, free = job.event, written.params, written.free
    identify = event.kind == "identify"
    mapped = _mapped(job.shape.table)
    for key, value in event.properties.items():
        path, role = f"properties.{key}", _role_of(key, job)
        if homeless and path in homeless:
            _put_aside(key, value, path, "property_", fields, written)
        elif key in mapped:
            continue
        elif key in params or _is_reserved(key, value, role, job):
            fields.pop(key, None)
            _put_aside(key, value, path, "property_", fields, written)
        else:
            free[key] = path
            if identify:
                reason = "Yespo takes it for an attribute of the contact."
                written.lost.append(Loss(0, path, "renamed", reason, key))
            elif role.read_as is not None:
                written.lost.append(Loss(0, path, "renamed", f"Yespo takes it for {role.read_as}.", key))


_LONGEST: Final = NAME_LENGTH.value


def _put_aside(key: str, value: Any, path: str, prefix: str, fields: Json, written: Written) -> None:
    name = (prefix + key)[:_LONGEST]
    if name in fields or name in written.params:
        written.lost.append(Loss(0, path, "dropped", _ONE_LEVEL))
        return
    fields[name] = value
    written.free[name] = path
    written.lost.append(Loss(0, path, "renamed", f"In Yespo {key[:_LONGEST]!r} is something else, or too long.", name))


class Role(NamedTuple):
    """What a free value's name means to Yespo."""

    steers: bool
    """Whether a free value must not have it."""
    read_as: str | None
    """The canonical path as which it is read; None: it is free."""


_FREE: Final = Role(steers=False, read_as=None)
_IMPOSSIBLE: Final = Role(steers=True, read_as=None)


def _role_of(key: str, job: Job) -> Role:
    """Return what a name means; to an event that came from Yespo, nothing."""
    if not 0 < len(key) <= _LONGEST:
        return _IMPOSSIBLE
    return _FREE if job.native else _role(key, job.shape.table, NESTED.get(job.shape.vendor_name))


@lru_cache(maxsize=4_096)
def _role(key: str, table: Any, nested: str | None) -> Role:
    """Return what a name means to events with this table; `nested` is the parameter in which they have others.

    Cached, so the key must be a short one.
    """
    inside = nested is not None and (key == nested or key.startswith(f"{nested}."))
    return Role(inside or key in _RESERVED or key.lower() in IDENTIFIERS, _meaning(table, key))


_RESERVED: Final = frozenset({CONSENT, "contactJson", *LINE_KEYS, *NAME_PARAM.values()})


def _is_reserved(key: str, value: Any, role: Role, job: Job) -> bool:
    """Tell whether a parameter of this name steers Yespo, so that a free value must not have it."""
    if key not in _OF_ORDERS or role.steers or job.native or job.shape.name not in ORDER_STATUS:
        return role.steers
    return key == "date" or not (isinstance(value, str) and value in STATUSES)


_OF_ORDERS: Final = ("status", "date")


@lru_cache(maxsize=256)
def _mapped(table: Any) -> frozenset[str]:
    """Return the properties that have a parameter of another name."""
    paths = [path for path, _ in table.paths() if path.startswith("properties.")]
    return frozenset(path.removeprefix("properties.") for path in paths)


def _meaning(table: Any, key: str) -> str | None:
    """Return the canonical path as which a parameter is read, None when it is free."""
    for probe in ("1", "2026-11-21"):
        for part, fields in table.lift({key: probe}).parts.items():
            return f"{part}.{next(iter(fields))}"
    return None


def _write_traits(job: Job, written: Written) -> None:
    event, params = job.event, written.params
    identify = event.kind == "identify"
    for key, value in event.profile.traits.items():
        path, role = f"profile.traits.{key}", _role_of(key, job)
        if key in params or _is_reserved(key, value, role, job):
            _put_aside(key, value, path, "trait_", params, written)
            continue
        params[key] = value
        written.free[key] = path
        if not identify:
            written.lost.append(Loss(0, path, "renamed", BECOMES_PARAM, key))
        elif role.read_as is not None:
            written.lost.append(Loss(0, path, "renamed", f"Yespo takes it for {role.read_as}.", key))


# --- what an event's type asks for -----------------------------------------------------------------------


def _complete(event: Event, shape: Shape, fields: Json, lost: list[Loss]) -> None:
    """Give an event of another vendor what Yespo requires of its own types."""
    status = ORDER_STATUS.get(shape.name)
    if status is not None:
        fields.setdefault("status", status)
        fields["date"] = write_seconds(event.occurred_at or event.received_at)
        if event.occurred_at is not None and event.occurred_at.microsecond:
            lost.append(Loss(0, "occurred_at", "coerced", "Yespo's order dates are whole seconds.", "date"))
    elif shape.name == "Cart Updated" and "recycleStateId" not in fields:
        fields["recycleStateId"] = derive_uuid(event.id)


def _write_rest(job: Job, written: Written) -> None:
    event, lost = job.event, written.lost
    if event.name != job.shape.name:
        _write_name(event, written)
    if event.consent and event.consent != implied_consent(written.type):
        written.params[CONSENT] = msgspec.to_builtins(event.consent)
        if not job.native:
            reason = "Yespo keeps it with the event; it gives or takes back no permission there."
            lost.append(Loss(0, "consent", "renamed", reason, CONSENT))
    if job.kept:
        _restore(event, job.kept, written.params)
    if event.dedupe_key is not None:
        lost.append(Loss(0, "dedupe_key", "dropped", "Yespo's events have no key against duplicates."))
    if event.residue:
        report_residue(event, lost)


def _write_name(event: Event, written: Written) -> None:
    param = NAME_PARAM.get(event.kind)
    if param is None or not event.name or param in written.params:
        written.lost.append(Loss(0, "name", "dropped", "Yespo has no name for it beside the event's type."))
    else:
        written.params[param] = event.name


def _restore(event: Event, kept: Mapping[str, Any], params: Json) -> None:
    """Put back what was set aside of an event that came from Yespo."""
    for name, value in (kept.get("keep") or _NOTHING).items():
        params.setdefault(name, value)
    if "contact" in kept and "contactJson" not in params:
        params["contactJson"] = kept["contact"]
    if "date" in kept and event.occurred_at is not None and "date" not in params:
        same = read_time(kept["date"]) == event.occurred_at
        params["date"] = kept["date"] if same else write_seconds(event.occurred_at)


def report_residue(event: Event, lost: list[Loss], *own: str) -> None:
    """Report what other vendors set aside, and what of ours is for another endpoint.

    Args:
        event: the event.
        lost: receives the losses.
        own: the entries of our own that this endpoint does put back.
    """
    for vendor, held in event.residue.items():
        if vendor == SLUG:
            reason = "Another method of Yespo's had a place for it."
            others = {key: value for key, value in held.items() if key in ELSEWHERE and key not in own}
        else:
            reason = f"Only {vendor} knows what it means."
            others = {key: value for key, value in held.items() if key != "raw"}
        if others:
            lost += losses_below(others, f"residue.{vendor}", reason)


ELSEWHERE: Final = frozenset({"top", "info", "row", "channels", "fields", "bulk", "form"})
"""Entries of our residue that belong to orders and contacts."""
