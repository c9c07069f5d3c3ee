"""Counts requests in a vendor's fixed windows, as the vendor does, for its quota headers and for sandboxes."""

import math
from collections.abc import Sequence

from gateway.adapter import Quota, Window


class FixedWindow:
    """One window, which begins with the first request after the last one ended. Times are of any steady clock."""

    __slots__ = ("_by_events", "_start", "_used", "count", "seconds")

    def __init__(self, window: Window) -> None:
        self.count = window.count
        self.seconds = window.seconds
        self._by_events = window.unit == "events"
        self._start = -math.inf
        self._used = 0

    def turn(self, now: float) -> None:
        """Begin anew if it has ended."""
        if now - self._start >= self.seconds:
            self._start = now
            self._used = 0

    def wait(self, now: float, events: int) -> float:
        """Return the seconds until one request with so many events fits; an empty window takes anything."""
        self.turn(now)
        cost = events if self._by_events else 1
        return self._start + self.seconds - now if self._used and self._used + cost > self.count else 0.0

    def add(self, now: float, events: int) -> None:
        """Count one request."""
        if now - self._start >= self.seconds:
            self.turn(now)
        self._used += events if self._by_events else 1

    def quota(self, now: float) -> Quota:
        """Return what is left of it."""
        reset = self._start + self.seconds - now if self._used else self.seconds
        return Quota(self.count, max(0, self.count - self._used), max(0, math.ceil(reset)))


class Counter:
    """The windows of one endpoint of one source, all at once; some of them may count for other endpoints as well."""

    def __init__(self, windows: Sequence[FixedWindow]) -> None:
        self._windows = sorted(windows, key=lambda window: window.seconds)

    def take(self, now: float, events: int, *, enforce: bool) -> int | None:
        """Count one request with so many events.

        Returns:
            None when it fits, or when nothing is enforced; else the whole seconds until it would.
        """
        if enforce and (wait := max(window.wait(now, events) for window in self._windows)):
            return max(1, math.ceil(wait))
        for window in self._windows:
            window.add(now, events)
        return None

    def quota(self, now: float) -> Quota:
        """Return what is left of the longest window."""
        return self._windows[-1].quota(now)


class Counters:
    """Makes the counters of one source's endpoints; windows that the vendor shares among them are the same one."""

    def __init__(self) -> None:
        self._shared: dict[tuple[str, float], FixedWindow] = {}

    def of(self, windows: Sequence[Window]) -> Counter | None:
        """Return the counter of an endpoint, None for one without limits of its vendor's."""
        published = [self._window(window) for window in windows if not window.ours]
        return Counter(published) if published else None

    def _window(self, window: Window) -> FixedWindow:
        if window.shared is None:
            return FixedWindow(window)
        return self._shared.setdefault((window.shared, window.seconds), FixedWindow(window))
