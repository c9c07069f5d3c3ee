"""Tells the log what became of events: many at a time, and the cursor only over what is settled without a gap."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from gateway.delivery.bell import Bell
from gateway.delivery.lanes import Dropped, Fate, Item, Lane
from gateway.errors import LogError
from gateway.log.port import DeadLetter, Log, Parked, Settlement

FLUSH_EVERY: Final = 0.02
"""Seconds that settlements are gathered."""
FLUSH_AT: Final = 500
"""Events settled that do not wait for `FLUSH_EVERY`."""
RETRY_EVERY: Final = 1.0
"""Seconds before a log that failed is asked again."""


class Settler:
    """One target's events between being read and being settled.

    An event read beyond the cursor stands in the window until all before it are settled; only then does the log
    hear of it, so that each event counts in one state at any time. An event with a durable row among the parked
    ones is settled by itself.
    """

    def __init__(self, log: Log, target: str, *, cursor: int) -> None:
        self.window: deque[Item] = deque()
        self.trouble = ""
        """What the log says while it cannot settle."""
        self._log = log
        self._target = target
        self._cursor = self.place = cursor
        self._changed: Callable[[Lane], None] = lambda _: None
        self._moved: Callable[[], None] = lambda: None
        self._bell = Bell()
        self._rows: dict[int, Parked] = {}
        self._unpark: list[int] = []
        self._dead: list[DeadLetter] = []
        self._delivered = 0
        self._dropped: Counter[str] = Counter()
        self._touched: list[Lane] = []
        self._count = 0
        self._stopping = False

    def listen(self, *, changed: Callable[[Lane], None], moved: Callable[[], None]) -> None:
        """Have calls made: with each lane whose rows became durable, and after each settlement."""
        self._changed = changed
        self._moved = moved

    def admit(self, items: list[Item], place: int) -> None:
        """Take in what was read, in order, up to a place in the log."""
        self.window.extend(items)
        self.place = place
        if not items:
            self._mark()

    def delivered(self, item: Item) -> None:
        """The target has it."""
        if item.durable:
            self._release(item)
            self._delivered += 1
        else:
            self._decide(item, Fate.DELIVERED)
        self._mark()

    def dropped(self, item: Item, why: str) -> None:
        """It is not for the target after all."""
        if item.durable:
            self._release(item)
            self._dropped[why] += 1
        else:
            self._decide(item, Dropped(why))
        self._mark()

    def dead(self, item: Item, letter: DeadLetter) -> None:
        """It is given up on."""
        if item.durable:
            self._release(item)
            self._dead.append(letter)
        else:
            self._decide(item, letter)
        self._mark()

    def park(self, item: Item, row: Parked) -> None:
        """It waits beside the log."""
        if item.durable:
            self._rows[item.seq] = row
            self._touch(item.lane)
        else:
            self._decide(item, row)
        self._mark()

    def set_apart(self, item: Item, lane: Lane) -> None:
        """An event goes into another lane; its row beside the log is written anew before the next look for it."""
        if item.durable:
            self._touch(item.lane)
        elif isinstance(item.fate, Parked):
            item.lane.unflushed -= 1
            lane.unflushed += 1
        item.lane = lane

    def _decide(self, item: Item, fate: Fate | Dropped | Parked | DeadLetter) -> None:
        item.lane.unflushed += isinstance(fate, Parked) - isinstance(item.fate, Parked)
        item.fate = fate

    def _release(self, item: Item) -> None:
        self._rows.pop(item.seq, None)
        self._unpark.append(item.seq)
        self._touch(item.lane)

    def _touch(self, lane: Lane) -> None:
        lane.unsettled += 1
        self._touched.append(lane)

    def _mark(self) -> None:
        self._count += 1
        if self._count == 1 or self._count == FLUSH_AT:
            self._bell.ring()

    async def run(self) -> None:
        """Settle what comes until `stop`."""
        while not self._stopping:
            await self._bell.wait()
            if self._count < FLUSH_AT and not self._stopping:
                await asyncio.sleep(FLUSH_EVERY)
            await self.flush()

    def stop(self) -> None:
        """Let `run` return after what it is settling now."""
        self._stopping = True
        self._bell.ring()

    async def drain(self) -> None:
        """Settle all there is; nothing else may settle meanwhile."""
        while await self.flush():
            pass

    async def flush(self) -> bool:
        """Settle what there is now; durable when it returns, however often the log has to be asked.

        Returns:
            Whether there was anything.
        """
        self._count = 0
        passed, touched = self._pass(), self._touched
        self._touched = []
        settlement = self._settlement(passed)
        if settlement is None:
            return False
        await self._settle(settlement)
        self._settled(passed, touched)
        return True

    async def _settle(self, settlement: Settlement) -> None:
        while True:
            try:
                await self._log.settle(self._target, settlement)
            except LogError as error:
                self.trouble = f"the log cannot settle: {error}"
                await asyncio.sleep(RETRY_EVERY)
            else:
                self.trouble = ""
                return

    def _pass(self) -> list[Item]:
        """Return the events that the cursor passes now: the settled ones without a gap."""
        window = self.window
        passed: list[Item] = []
        while window and window[0].fate is not None:
            passed.append(window.popleft())
        return passed

    def _settlement(self, passed: list[Item]) -> Settlement | None:
        park, dead, delivered, dropped = list(self._rows.values()), self._dead, self._delivered, self._dropped
        for item in passed:
            if isinstance(item.fate, Parked):
                item.durable = True
                park.append(item.fate)
            elif isinstance(item.fate, DeadLetter):
                dead.append(item.fate)
            elif isinstance(item.fate, Dropped):
                dropped[item.fate.why] += 1
            else:
                delivered += 1
        cursor = passed[-1].seq if passed else self._cursor
        if not self.window:
            cursor = max(cursor, self.place)
        unpark, self._unpark, self._rows, self._dead, self._delivered = self._unpark, [], {}, [], 0
        self._dropped = Counter()
        if cursor == self._cursor and not (park or dead or unpark):
            return None
        moved = None if cursor == self._cursor else cursor
        self._cursor = cursor
        return Settlement(cursor=moved, delivered=delivered, park=park, unpark=unpark, dead=dead, dropped=dropped)

    def _settled(self, passed: list[Item], touched: list[Lane]) -> None:
        for lane in touched:
            lane.unsettled -= 1
            self._changed(lane)
        for item in passed:
            if isinstance(item.fate, Parked):
                item.lane.unflushed -= 1
                self._changed(item.lane)
            item.fate = None
        self._moved()

    def leave(self, row: Callable[[Item], Parked]) -> None:
        """Park what lies between events that are settled, so that the cursor can pass these: nothing is sent twice."""
        window = list(self.window)
        last = max((at for at, item in enumerate(window) if _is_over(item)), default=-1)
        for item in window[: last + 1]:
            if item.fate is None:
                self.park(item, row(item))


def _is_over(item: Item) -> bool:
    return item.fate is not None and not isinstance(item.fate, Parked)
