"""Where two values differ: an expected one and a found one, or an event before and after a change."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gateway.event import leaves


class Unlike(NamedTuple):
    """One place where values differ; None stands for nothing there."""

    path: str
    one: Any
    other: Any


def differences(expected: Any, found: Any, path: str = "", *, whole: bool = False) -> Iterator[Unlike]:
    """Yield where a value is not as expected.

    Args:
        whole: whether everything found has to be expected; else only what is named is compared, and of a list its
            first elements, as many as are named.
    """
    if isinstance(expected, Mapping) and _is_like(found, Mapping):
        yield from _in_mapping(expected, found or {}, path, whole)
    elif isinstance(expected, (list, tuple)) and _is_like(found, (list, tuple)):
        yield from _in_list(expected, found or (), path, whole)
    elif not _equal(expected, found):
        yield Unlike(path, expected, found)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Unlike]:
    """Yield the leaves that differ between two values, in the order of the first, what is new at the end."""
    old, new = dict(leaves(before)), dict(leaves(after))
    for path in (*old, *(path for path in new if path not in old)):
        if not _equal(old.get(path), new.get(path)):
            yield Unlike(path, old.get(path), new.get(path))


def _is_like(found: Any, kinds: Any) -> bool:
    return found is None or isinstance(found, kinds)


def _in_mapping(expected: Mapping[str, Any], found: Mapping[str, Any], path: str, whole: bool) -> Iterator[Unlike]:
    for key in (*expected, *(key for key in found if whole and key not in expected)):
        at = f"{path}.{key}" if path else key
        yield from differences(expected.get(key), found.get(key), at, whole=whole)


def _in_list(expected: Any, found: Any, path: str, whole: bool) -> Iterator[Unlike]:
    for index in range(max(len(expected), len(found)) if whole else len(expected)):
        one, other = (several[index] if index < len(several) else None for several in (expected, found))
        yield from differences(one, other, f"{path}[{index}]", whole=whole)


def _equal(one: Any, other: Any) -> bool:
    """Tell whether two leaves say the same: numbers by their value, whatever their type; nothing is like empty."""
    if _is_nothing(one) or _is_nothing(other):
        return _is_nothing(one) and _is_nothing(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, _NUMBERS) and isinstance(other, _NUMBERS):
        return Decimal(str(one)) == Decimal(str(other))
    return bool(one == other)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, (Mapping, list, tuple)) and not value)


_NUMBERS: Final = (int, float, Decimal)
