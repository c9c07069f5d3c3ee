"""Event and request ids: UUIDv7 (RFC 9562, section 5.7, read 2026-11-21), in time order within a process."""

import random
import time

_SUB_MS_BITS = 12
_last = 0
_random = random.SystemRandom().getrandbits(64)
_bits = random.Random(_random).getrandbits  # noqa: S311  an id is unique, not secret


def uuid7() -> str:
    """Return a fresh id; each is greater than the one before."""
    global _last
    stamp = time.time_ns()
    ticks = ((stamp // 1_000_000) << _SUB_MS_BITS) | (((stamp % 1_000_000) << _SUB_MS_BITS) // 1_000_000)
    if ticks <= _last:
        ticks = _last + 1
    _last = ticks
    text = f"{ticks >> _SUB_MS_BITS:012x}7{ticks & 0xFFF:03x}{0x8000000000000000 | _bits(62):016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
