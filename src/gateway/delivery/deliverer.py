"""Delivers to all targets, each by its own worker."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence

import httpx

from gateway.delivery.limiter import Limiter
from gateway.delivery.spec import Hooks, LimiterState, TargetSpec, TargetState, Transform, identity
from gateway.delivery.transport import default_transport
from gateway.delivery.worker import Worker
from gateway.log.port import Log


class Deliverer:
    """The delivery side of a gateway.

    Args:
        transform: changes an event as its rule says, for one target.
        transport: makes the transport of a target; each has its own, so that one's connections cost no other.
        past: what `snapshot` returned before, by an earlier process; see `Limiter.restore`.
        draw: random numbers from 0 up to 1.
        wall: Unix seconds.
    """

    def __init__(
        self,
        specs: Sequence[TargetSpec],
        log: Log,
        *,
        transform: Transform = identity,
        hooks: Hooks | None = None,
        transport: Callable[[TargetSpec], httpx.AsyncBaseTransport] = default_transport,
        past: Mapping[str, LimiterState] | None = None,
        draw: Callable[[], float] = random.random,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._log = log
        self._wall = wall
        self._past = past or {}
        self._limiters = {spec.account: Limiter(draw) for spec in specs}
        self._workers = {
            spec.name: Worker(
                log,
                spec,
                transport=transport(spec),
                limiter=self._limiters[spec.account],
                transform=transform,
                hooks=hooks,
                draw=draw,
                wall=wall,
            )
            for spec in specs
        }

    async def start(self) -> None:
        """Begin to deliver, from where the log says each target is."""
        now = asyncio.get_running_loop().time()
        for account, limiter in self._limiters.items():
            if account in self._past:
                limiter.restore(self._past[account], now, self._wall())
        self._log.on_append(self.wake)
        for worker in self._workers.values():
            await worker.start()

    def wake(self) -> None:
        """There may be new events in the log, or parked ones put back."""
        for worker in self._workers.values():
            worker.wake()

    async def stop(self, grace: float = 10.0) -> dict[str, LimiterState]:
        """Finish what is in flight within `grace` seconds, settle, and return what the next start should know."""
        await asyncio.gather(*(worker.stop(grace) for worker in self._workers.values() if worker.started))
        return self.snapshot(clean=True)

    def release(self, target: str) -> None:
        """Let a held or open target go on at once.

        Raises:
            KeyError: there is no such target.
        """
        self._workers[target].release()

    def states(self) -> list[TargetState]:
        """Return how each target is doing that was started."""
        return [worker.state() for worker in self._workers.values() if worker.started]

    def snapshot(self, *, clean: bool = False) -> dict[str, LimiterState]:
        """Return what was sent lately, by account, to be kept for the next start.

        Take one every second, and that of `stop` at the end: `Limiter.restore` makes up for what a process that
        crashed may have sent after its last one.
        """
        now, wall = asyncio.get_running_loop().time(), self._wall()
        return {account: limiter.snapshot(now, wall, clean=clean) for account, limiter in self._limiters.items()}
