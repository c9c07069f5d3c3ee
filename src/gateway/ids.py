"""Ids. An event's is a UUIDv7 (RFC 9562, section 5.7, read 2026-11-21), in time order within a process."""

import random
import time
import uuid
from typing import Final

_MOST: Final = 0xFFF
"""Ids of one millisecond; the next one borrows the millisecond that follows."""

_bits: Final = random.Random(random.SystemRandom().getrandbits(256)).getrandbits  # noqa: S311  unique, not secret


_COUNTS: Final = tuple(f"{count:03x}" for count in range(_MOST + 1))
"""Looked up, since every event pays for the making of its id."""


class _Clock:
    """The millisecond of the last id: what ids of it begin and end with, and how many there are."""

    def __init__(self) -> None:
        self.stamp = 0
        self.count = 0
        self.begin = self.end = ""

    def next(self) -> str:
        stamp = time.time_ns() // 1_000_000
        if stamp > self.stamp:
            self._turn(stamp)
        elif self.count == _MOST:
            self._turn(self.stamp + 1)
        else:
            self.count += 1
        return f"{self.begin}{_COUNTS[self.count]}{self.end}"

    def _turn(self, stamp: int) -> None:
        self.stamp = stamp
        self.count = 0
        text = f"{stamp:012x}"
        noise = _bits(62)
        self.begin = f"{text[:8]}-{text[8:]}-7"
        self.end = f"-{0x8000 | (noise >> 48):04x}-{noise & 0xFFFFFFFFFFFF:012x}"


uuid7: Final = _Clock().next
"""Return a fresh id; each is greater than the one before."""


class _Numbers:
    """One random UUID for the process, of which the last 48 bits count up."""

    def __init__(self) -> None:
        text = str(uuid.uuid4())
        self._head = text[:24]
        self._number = int(text[24:], 16)

    def next(self) -> str:
        self._number = (self._number + 1) & 0xFFFFFFFFFFFF
        return f"{self._head}{self._number:012x}"


request_id: Final = _Numbers().next
"""Return a fresh id for a request: of the form of a UUIDv4, without order, cheaper than an event's."""
