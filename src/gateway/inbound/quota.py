"""Counts requests in a vendor's fixed windows, as the vendor does, for its quota headers and for sandboxes."""

import math
from collections.abc import Sequence

from gateway.adapter import Quota, Window


class Counter:
    """Fixed windows of one endpoint of one source, all at once. Times are seconds of any steady clock."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._windows = sorted(windows, key=lambda window: window.seconds)
        self._by_events = [window.unit == "events" for window in self._windows]
        self._lengths = [window.seconds for window in self._windows]
        self._starts = [-math.inf] * len(self._windows)
        self._used = [0] * len(self._windows)

    def take(self, now: float, events: int, *, enforce: bool) -> int | None:
        """Count one request with so many events.

        Returns:
            None when it fits, or when nothing is enforced; else the whole seconds until it would.
        """
        self._turn(now)
        if enforce and (wait := self._wait(now, events)):
            return wait
        for index, by_events in enumerate(self._by_events):
            self._used[index] += events if by_events else 1
        return None

    def _turn(self, now: float) -> None:
        """Begin the windows anew that have ended."""
        for index, start in enumerate(self._starts):
            if now - start >= self._lengths[index]:
                self._starts[index] = now
                self._used[index] = 0

    def _wait(self, now: float, events: int) -> int | None:
        waits = [
            start + window.seconds - now
            for window, start, used in zip(self._windows, self._starts, self._used, strict=True)
            if used and used + (events if window.unit == "events" else 1) > window.count
        ]
        return max(1, math.ceil(max(waits))) if waits else None

    def quota(self, now: float) -> Quota:
        """Return what is left of the longest window."""
        window = self._windows[-1]
        reset = math.ceil(self._starts[-1] + window.seconds - now) if self._used[-1] else math.ceil(window.seconds)
        return Quota(window.count, max(0, window.count - self._used[-1]), max(0, reset))
