"""Counts of the inbound edge, kept as plain numbers and read when metrics are scraped."""

from bisect import bisect_left
from collections import Counter
from typing import Final

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the histogram of answer times."""


class Histogram:
    """Times in seconds."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self.total += seconds


class Stats:
    """Requests, events and answer times by source and endpoint."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.events: Counter[tuple[str, str]] = Counter()
        self.seconds: dict[tuple[str, str], Histogram] = {}

    def request(self, source: str, endpoint: str, status: int, events: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests[source, endpoint, status] += 1
        place = (source, endpoint)
        if events:
            self.events[place] += events
        histogram = self.seconds.get(place)
        if histogram is None:
            histogram = self.seconds[place] = Histogram()
        histogram.add(seconds)
