"""Small pure things that most adapters need; `gateway.adapter` gives them out."""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

_NAMESPACE: Final = uuid.UUID("6f1d3f0a-3f6c-5b7e-9a44-0d1f6a1b5c11").bytes
_NAMESPACED: Final = hashlib.sha1(_NAMESPACE, usedforsecurity=False)

_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def derive_uuid(*parts: str) -> str:
    """Return a UUIDv5 that depends on the parts alone: the same over retries, restarts and replays.

    What `uuid.uuid5` returns for the parts joined by U+001F, in a third of its time (RFC 9562, section 5.5, read
    2026-11-21).
    """
    hashed = _NAMESPACED.copy()
    hashed.update("\x1f".join(parts).encode())
    digest = hashed.hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"


def parse_time(text: str) -> datetime | None:
    """Return the UTC time of an ISO 8601 text (space or ``T``, any offset spelling, naive means UTC), else None."""
    try:
        value = datetime.fromisoformat(text)
        if value.tzinfo is UTC:
            return value
        # `combine` does what `replace(tzinfo=UTC)` does, in a sixth of its time.
        return datetime.combine(value, value.time(), UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_unix(seconds: float) -> datetime | None:
    """Return the UTC time of Unix seconds, None when out of the years 1 to 9999."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


json_bytes: Final[Callable[[Any], bytes]] = msgspec.json.Encoder(decimal_format="number").encode
"""Returns compact JSON; Decimals become numbers with all their digits."""


_SPACES: Final = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def non_space(but: str = "") -> str:
    """Return a pattern's class of all characters but spaces and those in `but`, which are escaped as in a class.

    It is ``[^\\s…]`` written out: without ``\\s`` a class is a table, which takes two thirds of the time.
    """
    return f"[^{_SPACES}{but}]"


def nesting_bound(body: bytes) -> int:
    """Return how deep JSON can be nested at most: as deep as it opens brackets (a third of the price of `count`)."""
    return len(body) - len(body.replace(b"[", b"").replace(b"{", b""))


def nests_deeper(value: Any, depth: int) -> bool:
    """Tell whether a JSON value holds objects and lists in each other on more than so many levels."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(depth):
        level = [
            inner
            for node in level
            for inner in (node.values() if isinstance(node, dict) else node)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return bool(level)


def chunk(parts: Sequence[bytes], *, max_events: int, max_body: int, frame: int) -> list[range]:
    """Cut encoded items into ranges, each within the limits.

    Args:
        parts: the items' JSON, one per event.
        max_events: items a request may hold.
        max_body: bytes a request may hold.
        frame: bytes around the items; one more per item is counted for its comma.

    An item too large by itself is a range of its own: the vendor, or the caller, refuses it.
    """
    if len(parts) == 1:
        return [range(1)]
    ranges = []
    start, size = 0, frame
    for index, part in enumerate(parts):
        cost = len(part) + 1
        if index > start and (index - start >= max_events or size + cost > max_body):
            ranges.append(range(start, index))
            start, size = index, frame
        size += cost
    if start < len(parts):
        ranges.append(range(start, len(parts)))
    return ranges
