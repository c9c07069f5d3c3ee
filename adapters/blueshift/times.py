"""Blueshift's times, in the forms its senders use.

Sources, read 2026-11-21: developer.blueshift.com/docs/data-types-and-attributes (ISO 8601, basic form too);
Blueshift Android SDK c9af96d, ``CommonUtils.getCurrentUtcTimestamp`` (six S in a Java pattern: 481 ms is ``.000481``);
Blueshift iOS SDK 1fb7344, ``BlueShiftUserInfo.m`` (``joined_at`` counts from 2001-01-01).
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import to_builtins

from gateway.adapter import parse_time, parse_unix

APPLE_EPOCH: Final = 978_307_200
"""Unix seconds of 2001-01-01 (developer.apple.com/documentation/foundation/date, read 2026-11-21)."""

_MILLISECONDS_FROM: Final = 100_000_000_000
"""A number at least this large counts milliseconds: as seconds it would lie beyond the year 5000."""

_JAVA_MILLIS: Final = re.compile(r"\.000(?=\d{3}(Z|$))")
_EPOCH_TEXT: Final = re.compile(r"\d{10}|\d{13}")


def read_time(value: Any, device_type: Any = None) -> datetime | None:
    """Return the UTC time in a ``timestamp``: ISO 8601, or (our choice) epoch seconds or milliseconds."""
    if not isinstance(value, str):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return _read_epoch(value) if is_number else None
    text = value.strip() if value.isascii() else _ascii_digits(value)
    moment = parse_time(text)
    if moment is None:
        return _read_epoch(int(text)) if _EPOCH_TEXT.fullmatch(text) else None
    if ".000" not in text or not is_android(device_type) or not _JAVA_MILLIS.search(text):
        return moment
    return moment + timedelta(microseconds=moment.microsecond * 999)


def read_since(value: Any, *, ios: bool) -> datetime | None:
    """Return the UTC time of the SDKs' numeric ``joined_at`` and ``date_of_birth``."""
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return parse_unix(value + APPLE_EPOCH) if ios else _read_epoch(value)


def _read_epoch(value: float) -> datetime | None:
    return parse_unix(value / 1000 if abs(value) >= _MILLISECONDS_FROM else value)


def _ascii_digits(text: str) -> str:
    """Return the text with every script's digits as ASCII: Java formats in the device's locale."""
    return "".join(str(unicodedata.digit(char, char)) for char in text).strip()


def write_time(moment: datetime) -> str:
    """Return ISO 8601 with Z, and no more digits than the time has, in threes."""
    text: str = to_builtins(moment)
    return text if moment.microsecond % 1000 or not moment.microsecond else text[:_MILLISECONDS_END] + "Z"


def write_arrival(moment: datetime) -> str:
    """Return the time of arrival that stands in for a missing ``timestamp``: always six digits, as a clock reads."""
    text: str = to_builtins(moment)
    return text if moment.microsecond else text[:-1] + ".000000Z"


_MILLISECONDS_END: Final = len("2026-11-21T12:00:00.000")


def is_android(device_type: Any) -> bool:
    """Tell whether a ``device_type`` is the Android SDK's."""
    return isinstance(device_type, str) and device_type.strip().lower() == "android"


def is_ios(body: Mapping[str, Any]) -> bool:
    """Tell whether the device in an event is Apple's."""
    for name in (body.get("device_type"), body.get("os_name")):
        if isinstance(name, str) and name.lower().startswith(_APPLE):
            return True
    return False


_APPLE: Final = ("iphone", "ipad", "ipod", "ios")
