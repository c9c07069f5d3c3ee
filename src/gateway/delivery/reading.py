"""Brings events into memory: new ones from behind the cursor, and those that wait beside the log."""

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final

from gateway.delivery.bell import Bell
from gateway.delivery.intake import Intake
from gateway.delivery.lanes import FACTOR, OVERHEAD, Lane
from gateway.delivery.sending import Sender
from gateway.delivery.settling import RETRY_EVERY
from gateway.errors import LogError
from gateway.log.port import HISTORY, Log

READ_AT_ONCE: Final = 500
"""Events of one read."""
LOAD_AT_ONCE: Final = 100
"""Parked events of one lane loaded at a time."""
KEEP: Final = 2.0
"""Seconds: a lane that waits longer gives its memory back."""
REFRESH: Final = 5.0
"""Seconds between looks for parked events that others put back (`gateway dead retry`)."""
REFRESH_HISTORY: Final = 0.5
"""The same while events of history wait, of which more come as they go."""
_REFRESH_SHARE: Final = 50.0
"""A look takes at most a fiftieth of the time, however many lanes wait."""
HISTORY_AT_ONCE: Final = 20
"""Lanes of history that are loaded before new events are looked for."""
HISTORY_MEMORY: Final = 4
"""History is loaded while no more than this part of the memory is taken: new events need room."""
_FLUSHING: Final = 0.05
"""Seconds before a lane is looked at again whose rows are on their way to the log."""


class Reader:
    """One target's reading.

    A lane whose time has come, and whose events are not in memory, stands in a queue until there is room for them;
    while the target is stopped only as much is loaded as a probe needs.

    Args:
        bell: rung when there may be something to read.
        loaded: called when there may be something to send.
    """

    def __init__(
        self,
        log: Log,
        sender: Sender,
        intake: Intake,
        bell: Bell,
        *,
        loaded: Callable[[], None],
    ) -> None:
        self.trouble = ""
        """Why nothing can be read."""
        self.held_back = False
        """Whether the target was stopped at the last look: there may be more to read once it is not."""
        self._log = log
        self._sender = sender
        self._spec, self._lanes, self._settler, self._valve, *_, self._wall = sender.context
        self._intake = intake
        self._bell = bell
        self._loaded = loaded
        self._exhausted = False
        self._refresh_at = -inf
        self._to_load: deque[Lane] = deque()
        self._history_to_load: deque[Lane] = deque()

    def wake(self) -> None:
        """There may be new events in the log."""
        self._exhausted = False
        self._bell.ring()

    def settled(self) -> None:
        """Events were settled: there may be room for others."""
        if not self._exhausted or self._to_load or self._history_to_load:
            self._bell.ring()

    def row_changed(self, lane: Lane) -> None:
        """Rows of a lane became durable: if it waits for long, its memory can be had back."""
        long = lane.waiting and lane.due - self._wall() > KEEP
        if long and lane.items and not lane.unflushed and not lane.unsettled:
            self._lanes.evict(lane)
        else:
            self._lanes.forget_idle(lane)

    async def run(self) -> None:
        """Bring events into memory, those that were parked before newer ones; until it is cancelled."""
        while True:
            try:
                self.held_back = not self._valve.running
                loaded = await self._load_due()
                read = await self._read_ahead()
                if self._sender.now() >= self._refresh_at:
                    await self.refresh()
                    self._exhausted = False
                if loaded or read:
                    self._loaded()
                    continue
                self._set_alarm()
            except Exception as error:  # noqa: BLE001 - a log that fails, or a fault of ours, must not end the reading
                what = "the log cannot be read" if isinstance(error, LogError) else "a fault while reading"
                self.trouble = f"{what}: {error if isinstance(error, LogError) else repr(error)}"
                self._exhausted = False
                await asyncio.sleep(RETRY_EVERY)
                continue
            await self._bell.wait()

    def _set_alarm(self) -> None:
        due = self._lanes.next_due()
        wait = inf if due is None else max(due - self._wall(), 0.0)
        self._bell.ring_at(min(self._sender.now() + wait, self._refresh_at))

    # --- what waits beside the log -----------------------------------------------------------------------

    async def _load_due(self) -> bool:
        """Let the lanes go on whose time has come; return whether any could."""
        now = self._wall()
        any_due = False
        while (lane := self._lanes.pop_due(now)) is not None:
            if lane.items:
                self._lanes.wake(lane)
                any_due = True
            else:
                (self._history_to_load if lane.history else self._to_load).append(lane)
        any_new = await self._load_from(self._to_load, len(self._to_load), self._spec.ahead_bytes)
        any_old = await self._load_from(
            self._history_to_load, HISTORY_AT_ONCE, self._spec.ahead_bytes // HISTORY_MEMORY
        )
        return any_due or any_new or any_old

    async def _load_from(self, queue: deque[Lane], lanes: int, most: int) -> bool:
        """Load up to so many lanes while no more than `most` bytes are taken; return whether there were any."""
        begun = len(queue)
        while queue and begun - len(queue) < lanes and self._may_load(most):
            lane = queue.popleft()
            if lane.items:
                self._lanes.wake(lane)
            elif lane.unsettled:
                self._lanes.rest(lane, self._wall() + _FLUSHING, lane.reason)
            else:
                await self._load(lane)
        return len(queue) < begun

    def _may_load(self, most: int) -> bool:
        return self._lanes.memory < most and (self._valve.running or not self._lanes.any_ready)

    async def _load(self, lane: Lane) -> None:
        """Take a lane's first rows into memory."""
        try:
            await self._hooked()
            flushed = lane.unflushed == 0
            rows = await self._log.parked(self._spec.name, lane.key, LOAD_AT_ONCE)
        except BaseException:
            self._lanes.rest(lane, self._wall(), lane.reason)
            raise
        lane.more = len(rows) == LOAD_AT_ONCE or not flushed
        self._intake.bring_back(lane, rows)
        if lane.more and not rows:
            self._lanes.rest(lane, self._wall() + _FLUSHING, lane.reason)
        else:
            self._lanes.wake(lane)

    async def refresh(self) -> None:
        """Look for lanes that wait in the log, from an earlier run or put back by a person."""
        begun = self._sender.now()
        history = False
        for key, due in (await self._log.parked_lanes(self._spec.name)).items():
            history = history or key.startswith(HISTORY)
            lane = self._lanes.find(key)
            if lane is None:
                lane = self._lanes.get(key)
                self._lanes.rest(lane, due, "parked earlier")
            elif lane.waiting:
                continue
            lane.more = True
        if history:
            self._sender.history_share = await self._log.replay_share(self._spec.name)
        now = self._sender.now()
        self._refresh_at = now + max(REFRESH_HISTORY if history else REFRESH, _REFRESH_SHARE * (now - begun))

    # --- what comes behind the cursor --------------------------------------------------------------------

    async def _read_ahead(self) -> bool:
        """Read the next events beyond the cursor, when there are any and there is room."""
        settler, spec = self._settler, self._spec
        memory = spec.ahead_bytes - self._lanes.memory
        room = min(READ_AT_ONCE, spec.ahead_events - len(settler.window), memory // OVERHEAD)
        full = 2 * room < min(READ_AT_ONCE, spec.ahead_events, spec.ahead_bytes // OVERHEAD)
        if self._exhausted or full or not self._valve.running:
            return False
        self._exhausted = True
        records, place = await self._log.read(spec.name, settler.place, room, memory // FACTOR)
        if records:
            await self._hooked()
        self.trouble = ""
        if place <= settler.place and not records:
            return False
        self._exhausted = False
        self._intake.take_in(records, place)
        return True

    async def _hooked(self) -> None:
        before = self._sender.context.hooks.before
        if before is not None:
            await before()
