"""Permissions: the ``agreements`` of a profile, both ways.

Source, read 2026-11-21: github.com/Synerise/php-sdk lib/V4/Models/Agreements.php (names and values; older clients
write ``webpush``). bluetooth, rfid and wifi have no channel of ours: they are kept for the way back.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.event import ConsentChange

CHANNELS: Final = {"email": "email", "sms": "sms", "push": "push", "webPush": "web", "webpush": "web"}
NAMES: Final = {"email": "email", "sms": "sms", "push": "push", "web": "webPush"}
_OTHERS: Final = frozenset({"bluetooth", "rfid", "wifi"})

_WORDS: Final = {"true": True, "True": True, "false": False, "False": False}


def flag(value: Any) -> bool | None:
    """Return a permission's value: a boolean, one of four texts, 1 or 0."""
    if type(value) is str:
        return _WORDS.get(value)
    if type(value) is bool:
        return value
    return bool(value) if type(value) is int and value in (0, 1) else None


def bad(agreements: Mapping[str, Any]) -> str | None:
    """Return the name of a permission whose value is none."""
    known = CHANNELS.keys() | _OTHERS
    return next((key for key, value in agreements.items() if key in known and flag(value) is None), None)


def read(agreements: Mapping[str, Any]) -> tuple[ConsentChange, ...]:
    """Return the permissions of an ``agreements`` object; of two spellings the first counts."""
    found: dict[str, ConsentChange] = {}
    for key, channel in CHANNELS.items():
        granted = flag(agreements.get(key))
        if granted is not None and channel not in found:
            found[channel] = ConsentChange(granted=granted, channel=channel)
    return tuple(found.values())


def write(changes: Sequence[ConsentChange]) -> dict[str, bool]:
    """Return the ``agreements`` object for permissions; what it cannot say is left out, see `expressible`."""
    out: dict[str, bool] = {}
    for change in changes:
        if not expressible(change):
            continue
        names = NAMES.values() if change.channel is None else (NAMES[change.channel],)
        for name in names:
            out[name] = change.granted
    return out


def expressible(change: ConsentChange) -> bool:
    """Tell whether an agreement can say a permission: of a channel it knows, or of all.

    Who leaves one list of a channel does not leave the channel; who joins one agrees to the channel.
    """
    if change.group is not None and (change.channel is None or not change.granted):
        return False
    return change.channel is None or change.channel in NAMES
