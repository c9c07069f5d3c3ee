"""How long the log takes to make events durable."""

from bisect import bisect_left
from typing import Final

from msgspec import Struct, field

BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds."""


class Timing(Struct):
    """Times in seconds."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self.total += seconds
