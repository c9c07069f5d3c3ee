"""A small part of PromQL, enough for the alert rules: what each expression says of series that are known."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Labels = Mapping[str, str]
Samples = Sequence[tuple[float, float]]
"""(moment in seconds, value), in order."""
Series = Sequence[tuple[str, Labels, Samples]]

SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
SELECTOR: Final = re.compile(r"(?P<name>[a-z_:][a-z0-9_:]*)(?:\{(?P<labels>[^}]*)\})?(?:\[(?P<range>[^\]]+)\])?")
CALL: Final = re.compile(r"(?P<function>rate|increase|delta)\((?P<inner>[^()]+)\)")
MOST: Final = re.compile(r"max by \(target\) \(([^()]+)\)")
UNLESS: Final = " unless on (target) "
LABEL: Final = re.compile(r'\s*(\w+)="([^"]*)"\s*')
COMPARISON: Final = re.compile(r"(.+?)\s*(==|!=|>=|<=|>|<)\s*([-+0-9.e]+)")
COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip


@dataclass(frozen=True)
class Selector:
    """Which series an expression is about."""

    name: str
    labels: tuple[tuple[str, str], ...]
    range_s: float | None


def seconds(text: str) -> float:
    """Return what a duration such as ``15m`` lasts."""
    match = re.fullmatch(r"(\d+)([smh])", text)
    assert match, text
    return int(match[1]) * SECONDS[match[2]]


def selector(text: str) -> Selector:
    """Return a selector."""
    match = SELECTOR.fullmatch(text.strip())
    assert match, text
    found = [LABEL.fullmatch(part) for part in (match["labels"] or "").split(",") if part]
    assert all(found), text
    labels = tuple((one[1], one[2]) for one in found if one)
    return Selector(match["name"], labels, seconds(match["range"]) if match["range"] else None)


def selectors(expression: str) -> list[Selector]:
    """Return all selectors of an expression."""
    expression, _, but = expression.partition(UNLESS)
    if but:
        return [*selectors(expression), selector(but)]
    left = COMPARISON.fullmatch(expression)
    assert left, expression
    parts = [(most[1] if (most := MOST.fullmatch(part.strip())) else part.strip()) for part in left[1].split(" / ")]
    calls = [CALL.fullmatch(part) for part in parts]
    return [selector(call["inner"] if call else part) for call, part in zip(calls, parts, strict=True)]


def fires(expression: str, for_s: float, series: Series, at: float, every: float = 60.0) -> bool:
    """Tell whether an alert has fired at a moment: its expression has been true for some series for so long."""
    steps = int(for_s // every)
    moments = [at - step * every for step in range(steps + 1)]
    each = [_true(expression, series, moment) for moment in moments]
    return bool(set.intersection(*each))


def _true(expression: str, series: Series, at: float) -> set[tuple[tuple[str, str], ...]]:
    expression, _, but = expression.partition(UNLESS)
    if but:
        others = {dict(key).get("target") for key in _vector(but, series, at)}
        return {key for key in _true(expression, series, at) if dict(key).get("target") not in others}
    match = COMPARISON.fullmatch(expression)
    assert match, expression
    values = _vector(match[1], series, at)
    return {key for key, value in values.items() if COMPARE[match[2]](value, float(match[3]))}


def _vector(text: str, series: Series, at: float) -> dict[tuple[tuple[str, str], ...], float]:
    above, slash, below = text.partition(" / ")
    if slash:
        upper, lower = _vector(above, series, at), _vector(below, series, at)
        return {key: upper[key] / lower[key] for key in upper.keys() & lower.keys() if lower[key]}
    most = MOST.fullmatch(text.strip())
    if most:
        each = _vector(most[1], series, at)
        targets = {target for key in each if (target := dict(key).get("target"))}
        by_target = {target: [each[key] for key in each if ("target", target) in key] for target in targets}
        return {(("target", target),): max(values) for target, values in by_target.items()}
    call = CALL.fullmatch(text.strip())
    wanted = selector(call["inner"] if call else text)
    found = {}
    for name, labels, samples in series:
        if name == wanted.name and all(labels.get(key) == value for key, value in wanted.labels):
            value = _value(call["function"] if call else "", wanted, samples, at)
            if value is not None:
                found[tuple(sorted(labels.items()))] = value
    return found


def _value(function: str, wanted: Selector, samples: Samples, at: float) -> float | None:
    if not function:
        before = [value for moment, value in samples if at - 300 < moment <= at]
        return before[-1] if before else None
    assert wanted.range_s is not None
    inside = [(moment, value) for moment, value in samples if at - wanted.range_s <= moment <= at]
    if len(inside) < 2:
        return None
    grown = inside[-1][1] - inside[0][1]
    return grown / wanted.range_s if function == "rate" else grown
