"""CEL's own implementation (cel-cpp, through the package cel-expr-python), asked about the same expressions."""

from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final

import msgspec
from cel_expr_python import cel
from msgspec import Struct

from gateway.event import Event
from gateway.expressions.celtypes import fields

_ENVIRONMENT: Final = cel.NewEnv(variables={"event": cel.Type.DYN})


def evaluate(text: str, event: Event) -> Any:
    """Return what CEL makes of an expression: None where it has an error, or a number that JSON cannot say.

    Raises:
        Exception: it does not parse.
    """
    compiled = _ENVIRONMENT.compile(text, disable_check=True)
    value = compiled.eval(data={"event": plain(event)})
    return None if value.type() == cel.Type.ERROR else _sayable(value.plain_value())


def _sayable(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def plain(value: Any, kind: type[Struct] | None = None) -> Any:
    """Return a value of an event as CEL would see it: absent parts are there and empty, absent fields null."""
    part = type(value) if isinstance(value, Struct) else kind
    if part is not None:
        return {name: _field(value, name, held.type) for name, held in fields(part).items()}
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()  # the package takes no times within a mapping
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return value


def _field(holder: Any, name: str, kind: Any) -> Any:
    value = None if holder is None else getattr(holder, name)
    if value is None and kind.name in ("list", "map"):
        return [] if kind.name == "list" else {}
    return plain(value, kind.part if kind.name == "part" else None)


def comparable(value: Any) -> Any:
    """Return a result of ours as the reference would give it."""
    if isinstance(value, datetime):
        return value
    return msgspec.to_builtins(value, builtin_types=(Decimal, datetime)) if value is not None else None
