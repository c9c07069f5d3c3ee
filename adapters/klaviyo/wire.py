"""Klaviyo's payloads, by Klaviyo's names, and a reader that keeps what the names do not cover.

Source: https://github.com/klaviyo/openapi, openapi/stable.json of the revisions 2022-10-17 to 2026-07-15 (schemas
EventCreateQuery, EventCreateQueryV2, EventsBulkCreateJob, ProfileCreateQuery, ProfileUpsertQuery,
ProfileBulkImportJobCreateQuery and their client twins), read 2026-11-21.

An absent member is `UNSET`, which differs from null. `value` is kept raw, so that 12.10 stays 12.10. The attributes
of a profile are a plain object: the vocabulary's tables take it apart.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from adapters.klaviyo.errors import Invalid, from_msgspec, malformed
from gateway.adapter import json_bytes

Json = dict[str, Any]
Text = str | UnsetType | None
Flag = bool | UnsetType | None
Key = str | int | UnsetType | None
"""A unique_id; the schema says string, order numbers come as integers."""


class _Wire(Struct, forbid_unknown_fields=True):
    """A member outside the schema makes the reader take its careful way, which keeps it."""


# --- profiles --------------------------------------------------------------------------------------------


class ProfileData(_Wire):
    """A profile resource; `meta` also stands inside `attributes` (2024-02-15 to 2026-07-15)."""

    type: Literal["profile"]
    attributes: Json
    id: Text = UNSET
    meta: Json | UnsetType | None = UNSET


class ProfileBody(_Wire):
    """``{"data": profile}``: a body of the profile endpoints, and the wrapped profile of an event."""

    data: ProfileData


class ImportProfiles(_Wire):
    data: list[Raw]


class ImportAttributes(_Wire):
    profiles: ImportProfiles


class ImportJob(_Wire):
    type: Literal["profile-bulk-import-job"]
    attributes: ImportAttributes


class ImportBody(_Wire):
    """Body of ``/api/profile-bulk-import-jobs``; `relationships.lists` is outside the schema read here, and kept."""

    data: ImportJob


# --- events ----------------------------------------------------------------------------------------------


class MetricAttributes(_Wire):
    name: str
    service: Text = UNSET


class MetricData(_Wire):
    type: Literal["metric"]
    attributes: MetricAttributes


class Metric(_Wire):
    data: MetricData


class Occurrence(_Wire, kw_only=True):
    """What all spellings of an event have in common."""

    properties: Json | None = {}
    """Required by the schema; its absence is forgiven."""
    time: Text = UNSET
    value: Raw = Raw()
    """Empty when absent."""
    value_currency: Text = UNSET
    unique_id: Key = UNSET
    backfill: Flag = UNSET


class BulkEventAttributes(Occurrence):
    metric: Metric


class EventAttributes(BulkEventAttributes):
    profile: ProfileBody


class EventData(_Wire):
    type: Literal["event"]
    attributes: EventAttributes


class EventBody(_Wire):
    """The wrapped shape, revisions from 2023-07-15."""

    data: EventData


class FlatAttributes(Occurrence):
    metric: MetricAttributes
    profile: Json


class FlatData(_Wire):
    type: Literal["event"]
    attributes: FlatAttributes


class FlatBody(_Wire):
    """The flat shape, revisions up to 2023-06-15."""

    data: FlatData


# --- bulk ------------------------------------------------------------------------------------------------


class BulkEvent(_Wire):
    type: Literal["event"]
    attributes: BulkEventAttributes


class BulkEvents(_Wire):
    data: list[BulkEvent]


class GroupAttributes(_Wire):
    profile: ProfileBody
    events: BulkEvents
    backfill: Flag = UNSET


class Group(_Wire):
    """One profile with its events."""

    type: Literal["event-bulk-create"]
    attributes: GroupAttributes


class GroupBody(_Wire):
    """Body of ``/client/event-bulk-create``: one group."""

    data: Group


class Groups(_Wire):
    data: list[Raw]


class JobAttributes(_Wire, rename={"events_bulk_create": "events-bulk-create"}):
    events_bulk_create: Groups


class Job(_Wire):
    type: Literal["event-bulk-create-job"]
    attributes: JobAttributes


class JobBody(_Wire):
    """Body of ``/api/event-bulk-create-jobs``; each group is read by itself, so that each can be at fault."""

    data: Job


# --- legacy ----------------------------------------------------------------------------------------------


class Track(Struct):
    """The object of ``/api/track``."""

    token: str
    event: str
    customer_properties: Json
    properties: Json | None = None
    time: int | float | str | None = None
    ip: str | None = None


class Identify(Struct):
    """The object of ``/api/identify``."""

    token: str
    properties: Json


# --- reading ---------------------------------------------------------------------------------------------

T = TypeVar("T")

NOTHING: Final[Json] = {}
"""What was left over from a body that is all schema. Never written to."""

_tree: Final = msgspec.json.Decoder(float_hook=Decimal)
_plain: Final = msgspec.json.Decoder()

UNREADABLE: Final = (ValueError, ArithmeticError, RecursionError)
"""All that decoding hostile bytes can raise."""


class Reader(Generic[T]):
    """A typed decoder that hands unknown members over instead of losing them or failing."""

    def __init__(self, struct: type[T]) -> None:
        self._decode = msgspec.json.Decoder(struct).decode
        self._known = _members(struct)

    def read(self, body: bytes | Raw) -> tuple[T, Json]:
        """Return the payload, and a tree of its unknown members, each at its place.

        Raises:
            Invalid: the body is no JSON, or not of this type.
        """
        try:
            return self.read_exactly(body), NOTHING
        except msgspec.ValidationError:
            return self.read_tree(parse(body))

    def read_exactly(self, body: bytes | Raw) -> T:
        """Return a payload that is all schema.

        Raises:
            msgspec.ValidationError: it is something else, or more.
            Invalid: the body is no JSON.
        """
        try:
            return self._decode(body)
        except msgspec.ValidationError:
            raise
        except UNREADABLE as error:
            raise malformed(_why(error)) from None

    def read_tree(self, tree: Any) -> tuple[T, Json]:
        """Do the same with parsed JSON, which is cut down to the known members."""
        rest = _prune(tree, self._known) if isinstance(tree, dict) else {}
        try:
            return self._decode(json_bytes(tree)), plain(rest)
        except msgspec.ValidationError as error:
            raise from_msgspec(error) from None
        except UNREADABLE as error:
            raise malformed(_why(error)) from None


def parse(body: bytes | Raw) -> Any:
    """Return JSON with its decimals as they were written.

    Raises:
        Invalid: the body is no JSON.
    """
    try:
        return _tree.decode(body)
    except UNREADABLE as error:
        raise malformed(_why(error)) from None


def plain(tree: Json) -> Json:
    """Return the tree with decimals as floats.

    Raises:
        Invalid: a number in it is beyond any float.
    """
    if not tree:
        return tree
    try:
        return _plain.decode(json_bytes(tree))  # type: ignore[no-any-return]  # an object stays an object
    except UNREADABLE as error:
        raise Invalid("/data", f"{_why(error)}.") from None


def place(value: Any, *keys: str) -> Json:
    """Return a tree that holds a value at a path."""
    for key in reversed(keys):
        value = {key: value}
    return value  # type: ignore[no-any-return]  # there is at least one key


def _why(error: Exception) -> str:
    return "Too deeply nested" if isinstance(error, RecursionError) else (str(error) or "Number out of range")


_Members = dict[str, "_Members | None"]


def _members(struct: Any) -> _Members:
    """Return the encoded member names of a Struct; below a member that is a Struct, or a list of them, its own."""
    found: _Members = {}
    for field in msgspec.structs.fields(struct):
        inner = next((arg for arg in (field.type, *getattr(field.type, "__args__", ())) if _is_struct(arg)), None)
        found[field.encode_name] = None if inner is None else _members(inner)
    return found


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Struct)


def _prune(tree: Json, known: _Members) -> Json:
    """Take the unknown members out of `tree` and return them; of a list, as an object by index."""
    rest = {key: tree.pop(key) for key in [key for key in tree if key not in known]}
    for key, inner in known.items():
        below = {} if inner is None else _prune_below(tree.get(key), inner)
        if below:
            rest[key] = below
    return rest


def _prune_below(value: Any, known: _Members) -> Json:
    if isinstance(value, dict):
        return _prune(value, known)
    if isinstance(value, list):
        rows = {str(i): _prune(row, known) for i, row in enumerate(value) if isinstance(row, dict)}
        return {index: rest for index, rest in rows.items() if rest}
    return {}


def dig(tree: Mapping[str, Any], *keys: str) -> Json:
    """Return the object at a path, or an empty one."""
    found: Any = tree
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def graft(tree: Json, branch: Mapping[str, Any]) -> Json:
    """Put members of `branch` where `tree` has none, objects into objects, and return `tree`."""
    for key, value in branch.items():
        held = tree.get(key, UNSET)
        if held is UNSET:
            tree[key] = value
        elif isinstance(held, dict) and isinstance(value, dict):
            tree[key] = graft(dict(held), value)
    return tree
