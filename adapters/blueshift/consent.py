"""Permissions: Blueshift's channel flags and subscription groups, both ways.

Sources, read 2026-11-21: developer.blueshift.com/reference/post_api-v1-customers (flags and their ``..._at``);
help.blueshift.com 44725658590227 and 44718290122515 (groups, nested and flat; the alphabet of a group's id).

| key                                     | canonical                                     |
|-----------------------------------------|-----------------------------------------------|
| unsubscribed, _push, _inapp, _sms       | channel email, push, in_app, sms; inverted    |
| opted_in                                | every channel (our choice: no page defines it)|
| subscription_groups[], subscription_group_id | group                                    |
| the events subscribe and unsubscribe    | channel email                                 |
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from gateway.adapter import Loss
from gateway.event import ConsentChange

from .names import GRANTED_BY_EVENT
from .times import read_time, write_time

FLAGS: Final = {
    "unsubscribed": "email",
    "unsubscribed_push": "push",
    "unsubscribed_inapp": "in_app",
    "unsubscribed_sms": "sms",
}
EVERY: Final = "opted_in"
GROUPS: Final = "subscription_groups"
GROUP: Final = "subscription_group_id"
SUBSCRIBED: Final = "subscription_group_subscribed"

MARKS: Final = frozenset({*FLAGS, EVERY, GROUPS, GROUP})
"""An object without any of these holds no permission."""

_CHANNEL_FLAG: Final = {channel: key for key, channel in FLAGS.items()}
_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9_-]")


class Found(NamedTuple):
    """Permissions in an object, and the keys they stood in."""

    changes: tuple[ConsentChange, ...]
    sent: dict[str, Any]


def read(vendor_name: str | None, body: dict[str, Any]) -> Found:
    """Return the permissions that an event's name and keys change; what cannot be read is left alone."""
    granted = None if vendor_name is None else GRANTED_BY_EVENT.get(vendor_name)
    changes = [] if granted is None else [ConsentChange(granted=granted, channel="email")]
    sent: dict[str, Any] = {}
    if not MARKS.isdisjoint(body):
        changes += [*_read_flags(body, sent), *_read_groups(body, sent), *_read_group(body, sent)]
    return Found(tuple(changes), sent)


def _read_flags(body: dict[str, Any], sent: dict[str, Any]) -> Iterator[ConsentChange]:
    for key, channel in (*FLAGS.items(), (EVERY, None)):
        flag = _flag(body.get(key))
        if flag is not None:
            sent[key] = body[key]
            moment = _take_time(body, f"{key}_at", sent)
            yield ConsentChange(granted=flag is (channel is None), channel=channel, at=moment)


def _read_groups(body: dict[str, Any], sent: dict[str, Any]) -> Iterator[ConsentChange]:
    rows = body.get(GROUPS)
    if isinstance(rows, list) and rows and all(_is_group(row) for row in rows):
        sent[GROUPS] = rows
        for row in rows:
            yield ConsentChange(granted=_flag(row["subscribed"]) is True, group=str(row["id"]))


def _is_group(row: Any) -> bool:
    return isinstance(row, dict) and _is_id(row.get("id")) and _flag(row.get("subscribed")) is not None


def _is_id(value: Any) -> bool:
    return (isinstance(value, str) and bool(value)) or (isinstance(value, int) and not isinstance(value, bool))


def _read_group(body: dict[str, Any], sent: dict[str, Any]) -> Iterator[ConsentChange]:
    group, granted = body.get(GROUP), _flag(body.get(SUBSCRIBED))
    if not _is_id(group) or granted is None:
        return
    sent[GROUP], sent[SUBSCRIBED] = group, body[SUBSCRIBED]
    moment = _take_time(body, _group_time(granted), sent)
    yield ConsentChange(granted=granted, group=str(group), at=moment)


def _group_time(granted: bool) -> str:
    return f"subscription_group_{'subscribed' if granted else 'unsubscribed'}_at"


def _flag(value: Any) -> bool | None:
    """Return a boolean; lower-case text is fine (developer.blueshift.com/docs/data-types-and-attributes)."""
    if isinstance(value, str):
        return _WORDS.get(value)
    return value if isinstance(value, bool) else None


_WORDS: Final = {"true": True, "false": False}


def _take_time(body: dict[str, Any], key: str, sent: dict[str, Any]) -> Any:
    moment = read_time(body[key]) if key in body else None
    if moment is not None:
        sent[key] = body[key]
    return moment


# --- out -------------------------------------------------------------------------------------------------


def write(changes: Sequence[ConsentChange], lost: list[Loss]) -> dict[str, Any]:
    """Return the keys that change these permissions; what they cannot say is appended to `lost`."""
    out: dict[str, Any] = {}
    writer = _Writer(out, lost, flat=sum(change.group is not None for change in changes) == 1)
    for index, change in enumerate(changes):
        writer.add(f"consent[{index}]", change)
    return out


class _Writer:
    def __init__(self, out: dict[str, Any], lost: list[Loss], *, flat: bool) -> None:
        self._out = out
        self._lost = lost
        self._flat = flat
        self._by_key: dict[str, str] = {}

    def add(self, path: str, change: ConsentChange) -> None:
        if change.wording is not None:
            self._drop(f"{path}.wording", "Blueshift keeps no wording with a permission.")
        if change.group is not None:
            self._add_group(path, change)
        elif change.channel is None:
            self._add_every(path, change)
        else:
            self._add_flag(path, change, change.channel)

    def _add_flag(self, path: str, change: ConsentChange, channel: str) -> None:
        key = _CHANNEL_FLAG.get(channel)
        if key is None:
            key = f"unsubscribed_{channel}"
            reason = "Blueshift has no such channel: it keeps the flag as a plain attribute and does not act on it."
            self._lost.append(Loss(0, f"{path}.channel", "coerced", reason, key))
        self._put(path, key, not change.granted, change)

    def _add_every(self, path: str, change: ConsentChange) -> None:
        self._put(path, EVERY, change.granted, change)
        if not change.granted:
            for key in FLAGS:
                self._out[key] = True

    def _put(self, path: str, key: str, value: bool, change: ConsentChange) -> None:
        if key in self._by_key:
            self._replace(key, self._by_key[key])
        self._by_key[key] = path
        self._out[key] = value
        if change.at is not None:
            self._out[f"{key}_at"] = write_time(change.at)

    def _replace(self, key: str, path: str) -> None:
        reason = "A later change of the same permission in this event replaces it."
        self._drop(f"{path}.granted", reason)
        if self._out.pop(f"{key}_at", None) is not None:
            self._drop(f"{path}.at", reason)

    def _add_group(self, path: str, change: ConsentChange) -> None:
        group = _ILLEGAL.sub("_", change.group or "") or "_"
        if group != change.group:
            reason = "A group's id may hold letters, digits, - and _ only."
            self._lost.append(Loss(0, f"{path}.group", "renamed", reason, f"{GROUPS}.id"))
        if change.channel is not None:
            self._drop(f"{path}.channel", "A Blueshift group belongs to its own channel.")
        if self._flat and change.at is not None:
            self._out.update({GROUP: group, SUBSCRIBED: change.granted})
            self._out[_group_time(change.granted)] = write_time(change.at)
            return
        if change.at is not None:
            self._drop(f"{path}.at", "Several groups in one event have no times of their own.")
        self._out.setdefault(GROUPS, []).append({"id": group, "subscribed": change.granted})

    def _drop(self, path: str, reason: str) -> None:
        self._lost.append(Loss(0, path, "dropped", reason))
