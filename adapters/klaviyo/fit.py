"""Free values within Klaviyo's limits: what is too long is cut, what is too deep becomes text, and each is reported."""

from typing import Any, Final

from adapters.klaviyo import limits
from adapters.klaviyo.values import fits
from adapters.klaviyo.wire import Json
from gateway.adapter import Loss, json_bytes

_CUT: Final = "…"


def fit(properties: Json, path: str, index: int, lost: list[Loss]) -> Json:
    """Return properties that Klaviyo stores; `path` is their canonical place, `index` their event's."""
    if fits(properties):
        return properties
    return {key: _value(value, 1, f"{path}.{key}", index, lost) for key, value in properties.items()}


def fit_count(properties: Json, index: int, lost: list[Loss]) -> Json:
    """Return as many of an event's properties as it may have; the last ones go."""
    most = limits.PROPERTIES.value
    if len(properties) <= most:
        return properties
    reason = f"An event may have at most {most} properties."
    keys = list(properties)
    lost += [Loss(index, f"properties.{key}", "dropped", reason) for key in keys[most:]]
    return {key: properties[key] for key in keys[:most]}


def fit_name(name: str, index: int, lost: list[Loss]) -> str:
    """Return a metric's name, cut to its length."""
    most = limits.METRIC_NAME.value
    if len(name) <= most:
        return name
    reason = f"A metric's name must have fewer than {most + 1} characters; the end was cut."
    lost.append(Loss(index, "name", "coerced", reason, "metric.name"))
    return name[: most - 1] + _CUT


def _value(value: Any, depth: int, path: str, index: int, lost: list[Loss]) -> Any:
    if isinstance(value, str):
        return _string(value, path, index, lost)
    if not isinstance(value, (dict, list, tuple)):
        return value
    if depth > limits.NESTING.value:
        reason = f"Nested deeper than {limits.NESTING.value} levels; sent as JSON text."
        lost.append(Loss(index, path, "coerced", reason))
        return _string(json_bytes(value).decode(), path, index, lost)
    if isinstance(value, dict):
        return {key: _value(inner, depth + 1, f"{path}.{key}", index, lost) for key, inner in value.items()}
    if len(value) > limits.ARRAY.value:
        lost.append(Loss(index, path, "coerced", f"Only the first {limits.ARRAY.value} elements were kept."))
    kept = list(value)[: limits.ARRAY.value]
    return [_value(inner, depth + 1, f"{path}[{i}]", index, lost) for i, inner in enumerate(kept)]


def _string(text: str, path: str, index: int, lost: list[Loss]) -> str:
    most = limits.STRING_SENT.value
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= most:
        return text
    lost.append(Loss(index, path, "coerced", f"A string may have at most {most} bytes; the end was cut."))
    return encoded[: most - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT
