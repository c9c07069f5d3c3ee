"""Free values (properties, traits) on the one flat level that Vibetrace's events and users have.

No page says what becomes of a nested value, so none is sent: objects become several fields, joined by ``_``, and lists
of objects become JSON text. A client of Vibetrace's own gets back what it sent, nested or not.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.adapter import EncodeError, json_bytes
from gateway.table import Table

from .row import Lost

_FLAT: Final = "Vibetrace's events and users have flat fields."
_TEXT: Final = "Vibetrace's events and users have flat fields; sent as JSON text."

RESERVED: Final = frozenset({"email", "_id", "event_name", "userId", "sessionId"})
"""Fields that tell Vibetrace who or what an event is about."""


def fill(
    values: Mapping[str, Any], at: str, out: dict[str, Any], lost: list[Lost], table: Table, *, native: bool
) -> None:
    """Write free values beside the fields that are written already.

    Args:
        values: by name.
        at: their canonical place.
        out: receives them.
        lost: receives what did not go across unchanged.
        table: as which Vibetrace's fields are read here.
        native: they came from a client of Vibetrace's.

    Raises:
        EncodeError: they are nested too deep.
    """
    if native:
        _give_back(values, at, out, lost)
        return
    for key, value in values.items():
        kind = type(value)
        if kind is dict or kind is list:
            try:
                _write_nested(key, value, f"{at}.{key}", out, lost)
            except RecursionError:
                raise EncodeError("the event is nested too deep") from None
        elif key in out or key in RESERVED:
            _put_aside(key, value, f"{at}.{key}", out, lost)
        else:
            out[key] = value
            if (read := table.reads(key, value)) not in (None, path := f"{at}.{key}"):
                lost.append(Lost(path, "renamed", f"Vibetrace takes it for {read}.", key))


def _give_back(values: Mapping[str, Any], at: str, out: dict[str, Any], lost: list[Lost]) -> None:
    for key, value in values.items():
        if key in out:
            lost.append(Lost(f"{at}.{key}", "dropped", f"{key!r} stands for something else here."))
        else:
            out[key] = value


def _write_nested(key: str, value: Any, path: str, out: dict[str, Any], lost: list[Lost]) -> None:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            _write_nested(f"{key}_{name}", inner, f"{path}.{name}", out, lost)
    elif isinstance(value, list) and all(not isinstance(inner, (dict, list)) for inner in value):
        _put(key, value, path, out, lost, "" if path.endswith(f".{key}") else _FLAT)
    elif isinstance(value, (dict, list)):
        _put(key, json_bytes(value).decode(), path, out, lost, _TEXT)
    else:
        _put(key, value, path, out, lost, _FLAT)


def _put(key: str, value: Any, path: str, out: dict[str, Any], lost: list[Lost], reason: str) -> None:
    if key in out or key in RESERVED:
        _put_aside(key, value, path, out, lost)
        return
    out[key] = value
    if reason:
        lost.append(Lost(path, "coerced", reason, key))


def _put_aside(key: str, value: Any, path: str, out: dict[str, Any], lost: list[Lost]) -> None:
    """Write a value whose key is taken under one with ``_`` behind it, or not at all."""
    name = f"{key}_"
    if name in out:
        lost.append(Lost(path, "dropped", f"{key!r} and {name!r} already stand for something else."))
        return
    out[name] = value
    lost.append(Lost(path, "renamed", f"{key!r} stands for something else here.", name))
