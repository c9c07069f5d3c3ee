"""The events a target holds in memory, ordered by lane, with what is ready, what waits, and until when."""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from heapq import heapify, heappop, heappush
from typing import Final

from gateway.adapter import Event
from gateway.delivery.endpoints import Way
from gateway.log.port import HISTORY, DeadLetter, Parked

OVERHEAD: Final = 1_500
"""Bytes of memory that an event takes beside its text, about."""
FACTOR: Final = 4
"""Bytes of memory that a byte of an event's text takes once it is decoded, about."""


class Fate(Enum):
    """What became of an event, other than a row in the log."""

    DELIVERED = auto()


@dataclass(frozen=True, slots=True)
class Dropped:
    """An event that is not for the target after all, and why."""

    why: str


@dataclass(slots=True, eq=False)
class Item:
    """One event on its way to the target."""

    seq: int
    rule: str
    body: bytes
    lane: "Lane"
    event: Event | None
    """As the target gets it; None: it is not held in memory, only its place in the log is."""
    accepted: float = 0.0
    """Unix seconds."""
    way: Way | None = None
    """How `event` goes to the target; None: not found yet."""
    attempts: int = 0
    first_at: float = 0.0
    """Unix seconds of the first failure; 0: none yet."""
    durable: bool = False
    """Whether a row of it lies among the parked ones, so that its outcome is settled by itself."""
    fate: Fate | Dropped | Parked | DeadLetter | None = None
    """What is settled once the cursor passes it."""
    settled: bool = False
    """Delivered, dropped or dead: nothing more to do."""

    @property
    def size(self) -> int:
        """Estimated bytes of memory."""
        return OVERHEAD + FACTOR * len(self.body)


@dataclass(slots=True, eq=False)
class Lane:
    """One profile's events, in order."""

    key: str
    items: deque[Item] = field(default_factory=deque)
    """In memory and not in flight."""
    busy: bool = False
    """Some of it is in flight."""
    ready: bool = False
    """It stands in a queue of ready lanes."""
    waiting: bool = False
    """Nothing of it is tried before `due`."""
    more: bool = False
    """Rows of it may lie in the log that are not in memory; new events go behind them."""
    due: float = 0.0
    """Unix seconds."""
    reason: str = ""
    unflushed: int = 0
    """New rows of it that are not yet durable."""
    unsettled: int = 0
    """Changes of its durable rows that are not yet durable."""
    history: bool = False
    """Its events are sent again, after all new ones and within a share of the limits."""


class Lanes:
    """All lanes of a target that are not empty.

    A lane is busy, waiting, ready or being loaded; only a ready one gives events, and it has at most one request
    in flight.

    Args:
        sooner: called when a lane waits for an earlier moment than all others do.
    """

    def __init__(self, sooner: Callable[[], None]) -> None:
        self._sooner = sooner
        self.memory = 0
        """Estimated bytes of all events held, in flight included."""
        self._lanes: dict[str, Lane] = {}
        self._ready: defaultdict[Way, deque[Lane]] = defaultdict(deque)
        """The way served last is the last."""
        self._counts: defaultdict[Way, int] = defaultdict(int)
        self._due: list[tuple[float, int, Lane]] = []
        self._entries = 0

    def find(self, key: str) -> Lane | None:
        """Return a lane, if it is known."""
        return self._lanes.get(key)

    def get(self, key: str) -> Lane:
        """Return a lane, a new one if need be."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, history=key.startswith(HISTORY))
        return lane

    def append(self, item: Item) -> None:
        """Take an event into memory, at the end of its lane."""
        lane = item.lane
        lane.items.append(item)
        self.memory += item.size
        if lane.ready:
            self._counts[_way(lane)] += 1
        else:
            self._make_ready(lane)

    def ready_ways(self) -> list[Way]:
        """Return the ways that the first events of ready lanes go, the one served longest ago first, history last."""
        return sorted([way for way, lanes in self._ready.items() if lanes], key=_is_history)

    @property
    def any_ready(self) -> bool:
        """Whether there is something to send."""
        return any(self._ready.values())

    def ready_events(self, ways: Collection[Way]) -> int:
        """Return about how many events that go one of these ways could be sent now."""
        return sum(self._counts[way] for way in ways)

    def take(self, ways: Sequence[Way], limit: int) -> list[Item]:
        """Return up to `limit` events from the heads of ready lanes, lane by lane; these lanes are then busy.

        Args:
            ways: those that the events may go; the first has had its turn.
        """
        taken: list[Item] = []
        self._ready[ways[0]] = self._ready.pop(ways[0])
        for way in ways:
            queue = self._ready[way]
            while queue and len(taken) < limit:
                lane = queue.popleft()
                self._counts[way] -= len(lane.items)
                lane.ready = False
                lane.busy = True
                _run(lane.items, ways, limit, taken)
        return taken

    def put_back(self, items: list[Item]) -> None:
        """Return events, in order, to the heads of their busy lanes."""
        for item in reversed(items):
            item.lane.items.appendleft(item)

    def release(self, lane: Lane) -> None:
        """A lane's request is over."""
        lane.busy = False
        self._make_ready(lane)

    def _make_ready(self, lane: Lane) -> None:
        if lane.busy or lane.waiting or lane.ready:
            return
        if lane.items:
            way = _way(lane)
            lane.ready = True
            self._ready[way].append(lane)
            self._counts[way] += len(lane.items)
        elif lane.more:
            self.rest(lane, 0.0, lane.reason)
        else:
            self.forget_idle(lane)

    def forget_idle(self, lane: Lane) -> None:
        """Drop a lane that has nothing left, in memory or on its way to the log."""
        if lane.items or lane.busy or lane.waiting or lane.more or lane.unflushed or lane.unsettled:
            return
        if self._lanes.get(lane.key) is lane:
            del self._lanes[lane.key]

    def rest(self, lane: Lane, due: float, reason: str) -> None:
        """Try nothing of a lane before a moment (Unix seconds)."""
        lane.busy = False
        lane.waiting = True
        lane.due = due
        lane.reason = reason
        self._entries += 1
        heappush(self._due, (due, self._entries, lane))
        if self._due[0][2] is lane:
            self._sooner()

    def wake(self, lane: Lane) -> None:
        """Let a waiting lane go on with what it has in memory."""
        lane.waiting = False
        self._make_ready(lane)

    def pop_due(self, now: float) -> Lane | None:
        """Return one waiting lane whose time has come; it still waits."""
        while self._due and self._due[0][0] <= now:
            due, _, lane = heappop(self._due)
            if lane.waiting and lane.due == due:
                return lane
        return None

    def next_due(self) -> float | None:
        """Return when the next waiting lane is due."""
        return self._due[0][0] if self._due else None

    def hurry(self, now: float) -> None:
        """Make all waiting lanes due now."""
        self._due = [(now, order, lane) for _, order, lane in self._due if lane.waiting]
        heapify(self._due)
        for _, _, lane in self._due:
            lane.due = now

    def settled(self, item: Item) -> None:
        """An event is delivered or dead: let go of it."""
        self.memory -= item.size
        item.settled = True
        item.event = None
        item.body = b""

    def evict(self, lane: Lane) -> None:
        """Forget the events of a waiting lane, all of which have durable rows."""
        for item in lane.items:
            self.memory -= item.size
        lane.items.clear()
        lane.more = True

    def waiting(self) -> Iterator[Lane]:
        """Yield each waiting lane."""
        return (lane for lane in self._lanes.values() if lane.waiting)


def _run(items: deque[Item], ways: Collection[Way], limit: int, taken: list[Item]) -> None:
    """Move the leading events that go one of these ways."""
    while items and len(taken) < limit and items[0].way in ways:
        taken.append(items.popleft())


def _is_history(way: Way) -> bool:
    return way.history


def _way(lane: Lane) -> Way:
    way = lane.items[0].way
    if way is None:
        raise AssertionError(f"event {lane.items[0].seq} is in a lane without having been given a way")
    return way
