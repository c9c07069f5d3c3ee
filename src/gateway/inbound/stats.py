"""Counts of the inbound edge, kept as plain numbers and read when metrics are scraped."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the histogram of answer times."""


class Histogram(Struct):
    """Times in seconds."""

    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self.total += seconds


class EndpointStats(Struct):
    """Requests by status, refused ones by reason, events and answer times of one endpoint of one source."""

    source: str
    endpoint: str
    requests: dict[int, int] = {}
    refused: dict[str, int] = {}
    events: int = 0
    seconds: Histogram = msgspec.field(default_factory=Histogram)

    def add(self, status: int, events: int, seconds: float, refused: str | None = None) -> None:
        """Count one answered request; `refused` is the reason when it was not accepted."""
        self.requests[status] = self.requests.get(status, 0) + 1
        self.events += events
        self.seconds.add(seconds)
        if refused is not None:
            self.refused[refused] = self.refused.get(refused, 0) + 1

    def take(self, other: "EndpointStats") -> None:
        """Add what another process counted."""
        for status, count in other.requests.items():
            self.requests[status] = self.requests.get(status, 0) + count
        for reason, count in other.refused.items():
            self.refused[reason] = self.refused.get(reason, 0) + count
        self.events += other.events
        self.seconds.total += other.seconds.total
        self.seconds.buckets = [a + b for a, b in zip(self.seconds.buckets, other.seconds.buckets, strict=True)]


class Stats:
    """What was answered, by source and endpoint; an unknown path counts under the endpoint ``""``."""

    def __init__(self, several: Iterable[Iterable[EndpointStats]] = ()) -> None:
        self._endpoints: dict[tuple[str, str], EndpointStats] = {}
        for endpoints in several:
            for counted in endpoints:
                self.of(counted.source, counted.endpoint).take(counted)

    def of(self, source: str, endpoint: str) -> EndpointStats:
        """Return the counts of one endpoint."""
        found = self._endpoints.get((source, endpoint))
        if found is None:
            found = self._endpoints[source, endpoint] = EndpointStats(source, endpoint)
        return found

    def all(self) -> list[EndpointStats]:
        """Return all counts."""
        return list(self._endpoints.values())
