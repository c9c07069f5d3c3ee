"""When to try again: growing waits for a lane, and a valve for the whole target."""

from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Final, Literal

THRESHOLD: Final = 5
"""Lanes that fail in a row before the target is taken as down."""
OPEN_BASE: Final = 1.0
"""Seconds before the first probe of a target that is down; doubles each time."""
OPEN_CAP: Final = 60.0
THROTTLE_CAP: Final = 60.0
"""Seconds: longest pause after a 429 that does not say how long."""


def full_jitter(attempt: int, base: float, cap: float, draw: Callable[[], float]) -> float:
    """Return seconds to wait after the given failure (from 1): anything from 0 to ``base * 2**(attempt - 1)``.

    Full jitter spreads many lanes that failed together best:
    aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter, read 2026-11-21.
    """
    return draw() * min(cap, base * 2.0 ** min(attempt - 1, 60))


def equal_jitter(attempt: int, base: float, cap: float, draw: Callable[[], float]) -> float:
    """Return seconds to wait: at least half of ``base * 2**(attempt - 1)``, at most all of it."""
    return (0.5 + 0.5 * draw()) * min(cap, base * 2.0 ** min(attempt - 1, 60))


class Flow(Enum):
    """How much a valve lets through."""

    NONE = 0
    ONE = 1
    """A single request, to find out."""
    ALL = 2


class Valve:
    """Stops a whole target: open circuit when it seems down, held when its account is wrong.

    Pure: time is handed in. After a pause one probe goes through; its outcome decides.
    """

    def __init__(self, draw: Callable[[], float], hold_probe: float = 60.0) -> None:
        self._draw = draw
        self._hold_probe = hold_probe
        self._failed: set[str] = set()
        self._opened = 0
        self._probing = False
        self._next = -inf
        self.state: Literal["running", "open", "held"] = "running"
        self.reason = ""

    @property
    def running(self) -> bool:
        """Whether everything may go through."""
        return self.state == "running"

    def flow(self, now: float) -> Flow:
        """Return what may start now."""
        if self.state == "running":
            return Flow.ALL
        return Flow.NONE if self._probing or now < self._next else Flow.ONE

    def opens_at(self) -> float:
        """Return when a probe may start; infinity while one is under way."""
        return inf if self._probing else self._next

    def probe(self) -> None:
        """A probe starts."""
        self._probing = True

    def probed(self) -> None:
        """The probe is over, whatever came of it."""
        self._probing = False

    def works(self, *, probe: bool) -> None:
        """The target answered as it should; of a held target only a probe's answer counts."""
        self._failed.clear()
        if self.state == "open" or (self.state == "held" and probe):
            self.release()

    def answers(self) -> None:
        """The target answered, if only that it has too much to do: it is not down."""
        self._failed.clear()
        if self.state == "open":
            self.release()

    def fails(self, lane: str, why: str, now: float, *, probe: bool) -> None:
        """A request of a lane was not answered, or with an error of the target's own."""
        self._failed.add(lane)
        down = self.state == "running" and len(self._failed) >= THRESHOLD
        if down or (self.state == "open" and probe):
            self._open(why, now)
        elif self.state == "held" and probe:
            self._next = now + self._hold_probe

    def _open(self, why: str, now: float) -> None:
        self._opened += 1
        self.state = "open"
        self.reason = why
        self._next = now + equal_jitter(self._opened, OPEN_BASE, OPEN_CAP, self._draw)

    def hold(self, why: str, now: float) -> None:
        """The account is wrong: stop."""
        self.state = "held"
        self.reason = why
        self._next = now + self._hold_probe

    def release(self) -> None:
        """Let everything through again."""
        self.state = "running"
        self.reason = ""
        self._opened = 0
        self._failed.clear()
