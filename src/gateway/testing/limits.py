"""Windows as vendors may count them, for stand-ins: fixed ones of any alignment, and sliding ones.

A vendor seldom says how its windows lie. A client that is well behaved exceeds none of them: not one that begins
with the minute, not one that begins with the first request, not one that moves along.
"""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from math import floor
from typing import Protocol


class Counting(Protocol):
    """A window and what it has counted. Times are of any steady clock, in seconds, and never go back."""

    count: int
    seconds: float
    violations: int
    """Requests that were more than it allows."""

    def over(self, at: float, amount: int) -> float | None:
        """Return the seconds until so much more would fit, None when it fits now; counts nothing."""

    def add(self, at: float, amount: int) -> None:
        """Count so much."""


class Fixed:
    """At most `count` in ``[offset + n * seconds, offset + (n + 1) * seconds)``, for every n."""

    def __init__(self, count: int, seconds: float, offset: float = 0.0) -> None:
        self.count = count
        self.seconds = seconds
        self.violations = 0
        self.busiest = 0
        """The most that one window held."""
        self._offset = offset
        self._number = 0
        self._used = 0

    def _turn(self, at: float) -> None:
        number = floor((at - self._offset) / self.seconds)
        if number != self._number:
            self._number, self._used = number, 0

    def over(self, at: float, amount: int) -> float | None:
        """See `Counting`."""
        self._turn(at)
        if self._used + amount <= self.count:
            return None
        return self._offset + (self._number + 1) * self.seconds - at

    def add(self, at: float, amount: int) -> None:
        """See `Counting`."""
        self._turn(at)
        self._used += amount
        self.busiest = max(self.busiest, self._used)


class Sliding:
    """At most `count` in any `seconds` that end with a request."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count = count
        self.seconds = seconds
        self.violations = 0
        self.busiest = 0
        """The most that one window held."""
        self._inside: deque[tuple[float, int]] = deque()
        self._used = 0

    def _turn(self, at: float) -> None:
        while self._inside and self._inside[0][0] <= at - self.seconds:
            self._used -= self._inside.popleft()[1]

    def over(self, at: float, amount: int) -> float | None:
        """See `Counting`."""
        self._turn(at)
        excess = self._used + amount - self.count
        if excess <= 0:
            return None
        for moment, held in self._inside:
            excess -= held
            if excess <= 0:
                return moment + self.seconds - at
        return self.seconds

    def add(self, at: float, amount: int) -> None:
        """See `Counting`."""
        self._turn(at)
        self._inside.append((at, amount))
        self._used += amount
        self.busiest = max(self.busiest, self._used)


def alignments(count: int, seconds: float, number: int = 8) -> list[Fixed]:
    """Return so many fixed windows that begin at moments spread over their length."""
    return [Fixed(count, seconds, seconds * at / number) for at in range(number)]


class Limits:
    """Windows that hold all at once, for some of a vendor's paths.

    Args:
        path: of the requests that count; empty: all.
        enforce: whether what is too much is refused, and then not counted; else it is counted and only noted.
    """

    def __init__(self, windows: Sequence[Counting], *, path: str = "", enforce: bool = True) -> None:
        self.windows = windows
        self.path = path
        self.times: list[float] = []
        """When each request came that was not refused."""
        self._enforce = enforce

    def take(self, at: float, amount: int = 1) -> float | None:
        """Count one request; return None, or the seconds to wait when it is refused."""
        waits = []
        for window in self.windows:
            wait = window.over(at, amount)
            if wait is not None:
                window.violations += 1
                waits.append(wait)
        if waits and self._enforce:
            return max(waits)
        for window in self.windows:
            window.add(at, amount)
        self.times.append(at)
        return None

    @property
    def violations(self) -> int:
        """Requests that were more than a window allows, summed over the windows."""
        return sum(window.violations for window in self.windows)

    def use(self, count: int, seconds: float) -> float:
        """Return which part of what a window allows was used while it was the one that held requests back.

        The request number ``count * n`` cannot come before ``n * seconds`` are over: the use is 1 when it comes then.
        """
        rounds = (len(self.times) - 1) // count
        if rounds < 1:
            return 0.0
        first, last = (next(islice(self.times, at, None)) for at in (0, rounds * count))
        return rounds * seconds / (last - first)
