"""Counts of the inbound edge, kept as plain numbers and read when metrics are scraped."""

from bisect import bisect_left
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


class EndpointStats:
    """Requests by status, events and answer times of one endpoint of one source."""

    __slots__ = ("events", "requests", "seconds")

    def __init__(self) -> None:
        self.requests: dict[int, int] = {}
        self.events = 0
        self.seconds = Histogram()

    def add(self, status: int, events: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests[status] = self.requests.get(status, 0) + 1
        self.events += events
        self.seconds.add(seconds)


class Stats:
    """What was answered, by source and endpoint; an unknown path counts under the endpoint ``""``."""

    def __init__(self) -> None:
        self.endpoints: dict[tuple[str, str], EndpointStats] = {}

    def of(self, source: str, endpoint: str) -> EndpointStats:
        """Return the counts of one endpoint."""
        found = self.endpoints.get((source, endpoint))
        if found is None:
            found = self.endpoints[source, endpoint] = EndpointStats()
        return found
