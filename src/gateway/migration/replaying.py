"""Lets history wait in the lanes of a target, a little at a time: whoever delivers to the target sends it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.log.engine import Engine
from gateway.log.replays import Again, Replay, Step
from gateway.migration.history import Choice

MOST_WAITING: Final = 1_000
"""Replayed events that wait for a target at any time."""
AT_ONCE: Final = 200
"""Events looked at in one step."""
AT_ONCE_BYTES: Final = 4 << 20
LOOK_EVERY_S: Final = 0.2
"""Between two looks whether there is room for more."""


@dataclass
class Pace:
    """How fast a job goes: seen from its places, since it was first looked at here."""

    clock: Callable[[], float]
    _begun: tuple[float, int] | None = field(default=None, init=False)

    def left_s(self, job: Replay) -> float | None:
        """Return the seconds until the last event waits; None when nothing is known yet."""
        now = self.clock()
        if self._begun is None:
            self._begun = (now, job.place - job.waiting)
        began_at, from_place = self._begun
        done = job.place - job.waiting - from_place
        if done <= 0 or now <= began_at:
            return None
        return (job.last - job.place + job.waiting) * (now - began_at) / done


@dataclass
class Forecast:
    """What a job would do."""

    looked: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)

    @property
    def sent(self) -> int:
        """Events that would be sent."""
        return self.by_rule.total()


async def _look(log: Engine, choice: Choice, after: int, last: int, limit: int) -> tuple[int, list[Again | str]]:
    """Return the next events, each as it is to be sent or why it is not, and the place they reach to."""
    rows = [row for row in await log.scan(after, limit, AT_ONCE_BYTES) if row[0] <= last]
    if not rows:
        return last, []
    return rows[-1][0], [choice.of(*row) for row in rows]


async def forecast(log: Engine, choice: Choice, span: tuple[int, int]) -> Forecast:
    """Return what would be sent of a span; nothing is."""
    found = Forecast()
    place, last = span
    while place < last:
        place, chosen = await _look(log, choice, place, last, AT_ONCE)
        found.looked += len(chosen)
        found.by_rule.update(one.rule for one in chosen if isinstance(one, Again))
        found.passed.update(one for one in chosen if isinstance(one, str))
    return found


async def go_on(log: Engine, job: Replay, choice: Choice, told: Callable[[Replay], None]) -> Replay:
    """Do a job from where it is to its end, as fast as its target takes it.

    Args:
        told: hears how far it is, after each step and while it waits.

    Raises:
        LogError: the log cannot be used, or somebody else goes on with the job or has cancelled it.
    """
    while job.state == "running":
        room = MOST_WAITING - job.waiting
        if room < AT_ONCE:
            await asyncio.sleep(LOOK_EVERY_S)
            job = await _looked_up(log, job)
        else:
            place, chosen = await _look(log, choice, job.place, job.last, AT_ONCE)
            job = await log.replay(_step(job, place, chosen))
        told(job)
    return job


def _step(job: Replay, place: int, chosen: Sequence[Again | str]) -> Step:
    again = [one for one in chosen if isinstance(one, Again)]
    passed = Counter(one for one in chosen if isinstance(one, str))
    return Step(job.id, job.place, place, len(chosen), again, passed)


async def _looked_up(log: Engine, job: Replay) -> Replay:
    return next(one for one in await log.replays(job.target) if one.id == job.id)


async def to_its_end(log: Engine, job: Replay, told: Callable[[Replay], None]) -> Replay:
    """Wait until the target has got all that waits, and say so in the log."""
    while job.waiting:
        await asyncio.sleep(LOOK_EVERY_S)
        job = await _looked_up(log, job)
        told(job)
    return await log.finish_replay(job.id)
