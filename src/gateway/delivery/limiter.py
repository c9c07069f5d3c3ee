"""Keeps requests within a vendor's windows, whichever way the vendor aligns them.

A slot is taken when a request starts and is free again `seconds` after its answer came. The vendor counted the
request somewhere between the two, so any `count + 1` requests lie more than `seconds` apart at its door: no fixed,
sliding or drifting window of that length can see more than `count`, and no network delay changes that.

Time is handed in. Freed slots are spread over a small part of the window, so that waiting requests do not start
in one instant.
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from math import inf
from typing import Final

from gateway.adapter import Window
from gateway.delivery.spec import LimiterState

SPREAD: Final = 0.04
"""Part of a window over which its slots come back; on average half of it is lost."""
GRAINS: Final = 256
"""Instants in a window at which slots come back: bounds the memory of a window, whatever its count."""
RAMP: Final = 20
"""Requests that start one by one after a pause."""
RAMP_GAP: Final = 0.05
"""Longest seconds between two of them."""
UNSEEN: Final = 5.0
"""Seconds after a snapshot in which a process that crashed may have gone on sending: take one more often than that."""
CREDIT: Final = 0.1
"""Seconds for which history may make up where its timer came late."""
ANY: Final = 1 << 30
"""Room of a gate that counts no events."""


class Slots:
    """One window's slots."""

    __slots__ = ("_grain", "_resting", "_times", "_used", "by_events", "count", "flying", "history_at", "seconds")

    def __init__(self, window: Window) -> None:
        self.count = window.count
        self.seconds = window.seconds
        self.by_events = window.unit == "events"
        self.flying = 0
        self.history_at = -inf
        """When history may take slots again."""
        self._used = 0
        self._grain = window.seconds / GRAINS
        self._resting: dict[int, int] = {}
        self._times: list[int] = []

    def free(self, now: float) -> int:
        """Return how many slots may be taken now."""
        times = self._times
        while times and times[0] * self._grain <= now:
            self._used -= self._resting.pop(heappop(times))
        return self.count - self._used - self.flying

    def opens_at(self, now: float) -> float:
        """Return when a slot can be taken, as far as known: infinity while only answers can free one."""
        if self.free(now) > 0:
            return now
        return self._times[0] * self._grain if self._times else inf

    def charge(self, slots: int, now: float, share: float) -> None:
        """Have history pay for slots: it takes no more of them than its share, evenly over time."""
        self.history_at = max(self.history_at, now - CREDIT) + slots * self.seconds / (self.count * share)

    def most(self, seconds: float) -> int:
        """Return how many slots can be taken in a time."""
        return self.count * (int(seconds / self.seconds) + 1)

    def rest(self, until: float, slots: int) -> None:
        """Keep slots taken up to a moment."""
        grain = int(until / self._grain) + 1
        if grain not in self._resting:
            heappush(self._times, grain)
            self._resting[grain] = 0
        self._resting[grain] += slots
        self._used += slots

    def resting(self) -> list[tuple[float, int]]:
        """Return (free again at, how many), unsorted."""
        return [(grain * self._grain, slots) for grain, slots in self._resting.items()]


class Gate:
    """The way to one endpoint: all windows that a request to it counts in, and the pauses the vendor asked for."""

    __slots__ = ("_limiter", "_next_start", "_ramp", "paused_at", "paused_until", "slots", "throttles")

    def __init__(self, limiter: "Limiter") -> None:
        self._limiter = limiter
        self._next_start = -inf
        self._ramp = 0
        self.slots: list[Slots] = []
        self.paused_at = -inf
        self.paused_until = -inf
        self.throttles = 0
        """Times in a row that the vendor said too fast."""

    @property
    def largest(self) -> int:
        """How many events one request may carry at most, whatever the moment."""
        return min([ANY, *(slots.count for slots in self.slots if slots.by_events)])

    def room(self, now: float) -> int:
        """Return how many events one request may carry if it starts now; 0 when none may start."""
        if now < self._next_start:
            return 0
        room = ANY
        for slots in self.slots:
            free = slots.free(now)
            if free <= 0:
                return 0
            if slots.by_events and free < room:
                room = free
        return room

    def opens_at(self, now: float) -> float:
        """Return the earliest moment at which a request may start, as far as known; infinity: after an answer."""
        at = max([self._next_start, now, *(slots.opens_at(now) for slots in self.slots)])
        if at == inf:
            self._limiter.hungry = True
        return at

    def history_room(self, now: float, share: float) -> int:
        """Return how many events of history one request may carry if it starts now; 0 when none may start."""
        room = self.room(now)
        for slots in self.slots:
            if now < slots.history_at:
                return 0
            if slots.by_events:
                room = min(room, max(1, int(slots.count * share)))
        return room

    def history_opens_at(self, now: float) -> float:
        """Return the earliest moment at which a request of history may start, as `opens_at` does."""
        return max([self.opens_at(now), *(slots.history_at for slots in self.slots)])

    def charge(self, events: int, now: float, share: float) -> None:
        """Have history pay for a request that `take` started."""
        for slots in self.slots:
            slots.charge(events if slots.by_events else 1, now, share)

    def take(self, events: int, now: float) -> None:
        """Start a request; `room` said that there is room."""
        for slots in self.slots:
            slots.flying += events if slots.by_events else 1
        if self._ramp:
            self._ramp -= 1
            self._next_start = now + RAMP_GAP * self._limiter.draw()

    def give(self, events: int, now: float) -> None:
        """End a request: its answer came, or it failed."""
        for slots in self.slots:
            taken = events if slots.by_events else 1
            slots.flying -= taken
            slots.rest(now + slots.seconds * (1 + SPREAD * self._limiter.draw()), taken)
        self._limiter.freed()

    def pause(self, until: float, now: float) -> None:
        """Start nothing before a moment, and then one request after the other."""
        if until <= self.paused_until or until <= now:
            return
        self.paused_at = now
        self.paused_until = until
        self._next_start = until + min(1.0, 0.1 * (until - now)) * self._limiter.draw()
        self._ramp = RAMP


class Limiter:
    """The gates of one account at a vendor.

    Args:
        draw: gives random numbers from 0 up to 1.
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self.draw = draw
        self.hungry = False
        self._gates: dict[str, Gate] = {}
        self._slots: dict[str, Slots] = {}
        self._listeners: list[Callable[[], None]] = []

    def gate(self, endpoint: str, windows: Sequence[Window], *, target: str = "", own: Sequence[Window] = ()) -> Gate:
        """Return the gate of an endpoint; windows of further targets at the same account are added to it.

        Args:
            windows: the vendor's.
            own: the target's, shared by all its endpoints.
        """
        gate = self._gates.setdefault(endpoint, Gate(self))
        for window in windows:
            scope = f"shared {window.shared}" if window.shared else f"endpoint {endpoint}"
            self._add(gate, scope, window)
        for window in own:
            self._add(gate, f"target {target}", window)
        return gate

    def _add(self, gate: Gate, scope: str, window: Window) -> None:
        slots = self._slots.setdefault(f"{scope}: {window.unit} in {window.seconds:g} s", Slots(window))
        slots.count = min(slots.count, window.count)
        if slots not in gate.slots:
            gate.slots.append(slots)

    def listen(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when an answer frees what somebody waits for."""
        self._listeners.append(wake)

    def freed(self) -> None:
        """Tell those who wait for an answer."""
        if self.hungry:
            self.hungry = False
            for wake in self._listeners:
                wake()

    def snapshot(self, now: float, wall: float, *, clean: bool) -> LimiterState:
        """Return what must not be forgotten; what is in flight is taken as answered now."""
        shift = wall - now
        slots = {}
        for name, window in self._slots.items():
            window.free(now)
            resting = [(at + shift, taken) for at, taken in window.resting()]
            if window.flying:
                resting.append((wall + window.seconds, window.flying))
            if resting:
                slots[name] = resting
        pauses = {name: gate.paused_until + shift for name, gate in self._gates.items() if gate.paused_until > now}
        return LimiterState(at=wall, clean=clean, slots=slots, pauses=pauses)

    def restore(self, state: LimiterState, now: float, wall: float) -> None:
        """Take up what an earlier process sent.

        After a crash (`clean` is false) as much is taken as sent within `UNSEEN` seconds after the snapshot as the
        windows would have let through. Windows that are configured no longer are forgotten.
        """
        shift = now - wall
        for name, window in self._slots.items():
            for at, taken in state.slots.get(name, ()):
                if wall < at <= wall + window.seconds * (1 + 2 * SPREAD):
                    window.rest(at + shift, taken)
            again = state.at + shift + UNSEEN + window.seconds
            if not state.clean and now < again <= now + UNSEEN + window.seconds:
                window.rest(again, min(self._unseen(window), window.free(now)))
        for endpoint, until in state.pauses.items():
            if endpoint in self._gates:
                self._gates[endpoint].pause(until + shift, now)

    def _unseen(self, slots: Slots) -> int:
        """Return the most slots that can have been taken within `UNSEEN` seconds."""
        return sum(
            min(other.most(UNSEEN) for other in gate.slots if other.by_events == slots.by_events)
            for gate in self._gates.values()
            if slots in gate.slots
        )
