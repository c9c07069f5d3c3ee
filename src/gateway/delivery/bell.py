"""Waking coroutines that have nothing to do."""

import asyncio
from collections import deque
from math import inf


class Bell:
    """Wakes one waiter at a time, by a ring or at a moment of the event loop's clock.

    A ring that nobody hears is kept for the next waiter.
    """

    def __init__(self) -> None:
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._rung = False
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = inf

    def ring(self) -> None:
        """Wake one waiter."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._rung = True

    def ring_at(self, when: float) -> None:
        """Ring at a moment, or at an earlier one already asked for."""
        if self._alarm is not None:
            if self._alarm_at <= when:
                return
            self._alarm.cancel()
        self._alarm_at = when  # uvloop's handle of a moment that has passed does not know it
        self._alarm = asyncio.get_running_loop().call_at(when, self._alarmed)

    def _alarmed(self) -> None:
        self._alarm = None
        self.ring()

    async def wait(self) -> None:
        """Return at the next ring."""
        if self._rung:
            self._rung = False
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.ring()
            raise

    @property
    def waiters(self) -> int:
        """How many wait."""
        return len(self._waiters)

    def silence(self) -> None:
        """Forget the alarm."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
