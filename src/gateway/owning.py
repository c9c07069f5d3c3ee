"""This node's share of the targets, where several nodes share a log: taken, kept by a beat, given up in time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

from gateway.errors import LogError
from gateway.log.owners import Owners, SharedLog
from gateway.telemetry import Logger

BEAT_S: Final = 1.0
LEASE_S: Final = 6.0
"""How long the others wait for a silent owner."""
MARGIN_S: Final = 2.0
"""So much earlier an owner that cannot beat stops sending: what it has sent by then comes before the next owner's."""
AWAY_S: Final = LEASE_S - MARGIN_S
"""A node that has not looked at the others for so long begins anew to count how long they are silent."""


class Share(Protocol):
    """What delivers."""

    def targets(self) -> Collection[str]:
        """Return all configured targets."""

    async def deliver_to(self, targets: Collection[str], *, at_once: bool = False) -> None:
        """Deliver to these targets alone; the others have ended when it returns.

        Args:
            at_once: give up what is in flight.
        """

    def known_limits(self) -> dict[str, bytes]:
        """Return what was sent lately, by account."""


class Owning:
    """Keeps a share of the targets.

    Args:
        clock: seconds that only grow, whatever the machine's time does.
    """

    def __init__(
        self, log: SharedLog, share: Share, logger: Callable[[], Logger], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.mine: frozenset[str] = frozenset()
        """The targets that this node delivers to."""
        self._log = log
        self._share = share
        self._logger = logger
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}
        """Node -> its last beat, and when that was seen first."""
        self._looked_at = 0.0
        self._safe_until = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to take a share."""
        steps = {self._beat: BEAT_S, self._arrange: BEAT_S, self._watch: BEAT_S / 4}
        self._tasks = [asyncio.create_task(self._repeat(step, every_s)) for step, every_s in steps.items()]

    async def stop(self, end: Callable[[], Awaitable[None]]) -> None:
        """Take and give nothing more, end the delivering, and leave; until then the share is kept."""
        beating, arranging, watching = self._tasks
        arranging.cancel()
        await asyncio.wait([arranging])
        await end()
        for task in (beating, watching):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(LogError, TimeoutError):
            async with asyncio.timeout(LEASE_S):
                await self._log.leave(self._share.known_limits())

    async def _repeat(self, step: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            begun = self._clock()
            try:
                await step()
            except (LogError, TimeoutError) as error:
                self._logger().warning("owning", reason=str(error) or "no answer in time")
            except Exception as error:  # noqa: BLE001 - a fault of ours must not let the lease run out
                self._logger().error("owning failed", exc_info=error)
            await asyncio.sleep(max(0.05, begun + every_s - self._clock()))

    # --- the lease -----------------------------------------------------------------------------------

    @property
    def _safe(self) -> bool:
        """Whether nobody can have taken over yet."""
        return self._clock() < self._safe_until

    async def _beat(self) -> None:
        """Say that this node lives; once that is in its own view, the view is right for as long as the lease."""
        begun = self._clock()
        async with asyncio.timeout(LEASE_S):
            await self._log.beat(self._share.known_limits())
        self._safe_until = begun + LEASE_S - MARGIN_S

    async def _watch(self) -> None:
        """Send nothing more once the others may take over."""
        if self.mine and not self._safe:
            self._logger().error("lease lost", targets=sorted(self.mine))
            await self._deliver_to(frozenset(), at_once=True)

    async def _arrange(self) -> None:
        """Look who is there and who owns what; take or give what is due."""
        if not self._safe:
            return
        now = await self._log.owners()
        living = self._living(now)
        await self._bury(now, living)
        me, targets = self._log.node, sorted(self._share.targets())
        take, give = shares(me, targets, now.owners, living)
        held = frozenset(target for target, node in now.owners.items() if node == me)
        await self._deliver_to(held - set(give))
        if give:
            await self._log.release(give, self._share.known_limits())
        if take:
            got = await self._log.claim({target: _seen(now, target) for target in take})
            await self._deliver_to(self.mine | set(got))

    def _living(self, now: Owners) -> set[str]:
        """Return the nodes that have beaten lately, as far as this one has seen.

        One that was buried and is back counts from 0 again: a number seen before this node was away may be a new one.
        """
        at = self._clock()
        if at - self._looked_at > AWAY_S:
            self._seen.clear()
        self._looked_at = at
        self._seen = {
            node: before if (before := self._seen.get(node)) and before[0] == beat else (beat, at)
            for node, beat in now.beats.items()
        }
        return {node for node, (_, since) in self._seen.items() if at - since < LEASE_S} | {self._log.node}

    async def _bury(self, now: Owners, living: set[str]) -> None:
        """Forget nodes that are gone and own nothing."""
        for node in now.beats.keys() - living - set(now.owners.values()):
            await self._log.bury(node, now.beats[node])

    async def _deliver_to(self, targets: frozenset[str], *, at_once: bool = False) -> None:
        if targets == self.mine or not (self._safe or at_once):
            return
        self.mine = targets
        self._logger().info("delivers to", targets=sorted(targets))
        await self._share.deliver_to(targets, at_once=at_once)


def _seen(now: Owners, target: str) -> tuple[str, int] | None:
    owner = now.owners.get(target)
    return None if owner is None else (owner, now.beats.get(owner, -1))


def shares(
    me: str, targets: Sequence[str], owners: Mapping[str, str], living: Collection[str]
) -> tuple[list[str], list[str]]:
    """Return which targets a node should claim, and which it should give up, so that all living nodes have their share.

    Each gets as many as every other, or one more; who has more keeps more, so that little moves. Targets that are not
    configured are given up.
    """
    held = {node: [target for target in targets if owners.get(target) == node] for node in living}
    ranked = sorted(living, key=lambda node: (-len(held[node]), node))
    least, more = divmod(len(targets), len(ranked))
    quota = least + (ranked.index(me) < more)
    gone = [target for target, node in owners.items() if node == me and target not in targets]
    free = [target for target in targets if owners.get(target) not in living]
    first = ranked.index(me) * least
    turned = free[first % len(free) :] + free[: first % len(free)] if free else []
    return turned[: max(0, quota - len(held[me]))], held[me][quota:] + gone
