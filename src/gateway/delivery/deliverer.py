"""Delivers to all targets, each by its own worker."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from gateway.delivery.limiter import Limiter
from gateway.delivery.settling import RETRY_EVERY
from gateway.delivery.spec import Hooks, LimiterState, TargetSpec, TargetState, Transform, identity
from gateway.delivery.transport import default_transport
from gateway.delivery.worker import Worker
from gateway.errors import LogError
from gateway.log.port import Log

GRACE: Final = 10.0
"""Seconds for what is in flight when the process stops."""
MORE: Final = 5.0
"""Seconds that a worker which is replaced gets beyond the time that one request may take."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What has to be done so that other targets are delivered to: prepared, not begun."""

    ends: list[str]
    """Targets whose workers end."""
    begins: list[Worker]
    """Workers that take their places once these have ended."""
    limiters: dict[str, Limiter]
    """Theirs, by account."""
    hooks: Hooks | None


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
        self._transform = transform
        self._hooks = hooks
        self._transport = transport
        self._draw = draw
        self._wall = wall
        self._past = dict(past or {})
        self._limiters = {spec.account: Limiter(draw) for spec in specs}
        self._workers = {spec.name: self._worker(spec, self._limiters, hooks) for spec in specs}
        self._ending: list[Worker] = []
        self._changing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._hurry = asyncio.Event()

    def _worker(self, spec: TargetSpec, limiters: Mapping[str, Limiter], hooks: Hooks | None) -> Worker:
        return Worker(
            self._log,
            spec,
            transport=self._transport(spec),
            limiter=limiters[spec.account],
            transform=self._transform,
            hooks=hooks,
            draw=self._draw,
            wall=self._wall,
        )

    async def start(self) -> None:
        """Begin to deliver, from where the log says each target is."""
        self._restore(self._limiters)
        self._log.on_append(self.wake)
        for worker in self._workers.values():
            await worker.start()

    def _restore(self, limiters: Mapping[str, Limiter]) -> None:
        now = asyncio.get_running_loop().time()
        for account, limiter in limiters.items():
            if account in self._past:
                limiter.restore(self._past.pop(account), now, self._wall())

    def wake(self) -> None:
        """There may be new events in the log, or parked ones put back."""
        for worker in self._workers.values():
            worker.wake()

    # --- other targets -------------------------------------------------------------------------------

    def plan(self, specs: Sequence[TargetSpec], hooks: Hooks | None = None, *, anew: bool = False) -> Plan:
        """Prepare to deliver to these targets instead; `change` does it, unless another `change` comes between.

        Targets at one account share a limiter, so where one of them changes, all of them begin anew. With other
        hooks, all targets do.

        Args:
            hooks: instead of those of now.
            anew: have all targets begin anew, so that what they hold in memory is changed by the rules of now.

        Raises:
            Exception: a target cannot be called as it is described.
        """
        before = {name: worker.spec for name, worker in self._workers.items()}
        after = {spec.name: spec for spec in specs}
        hooks = hooks or self._hooks
        same = hooks == self._hooks and not anew
        touched = [name for name in before | after if not (same and before.get(name) == after.get(name))]
        accounts = {spec.account for name in touched for spec in (before.get(name), after.get(name)) if spec}
        begins = [spec for spec in specs if spec.account in accounts]
        limiters = {spec.account: Limiter(self._draw) for spec in begins}
        return Plan(
            [name for name, spec in before.items() if spec.account in accounts],
            [self._worker(spec, limiters, hooks) for spec in begins],
            limiters,
            hooks,
        )

    def recall(self, past: Mapping[str, LimiterState]) -> None:
        """Know what others sent lately at accounts that this process does not send to now."""
        self._past |= {account: state for account, state in past.items() if account not in self._limiters}

    def change(self, plan: Plan, *, at_once: bool = False) -> "asyncio.Task[None]":
        """Have workers end and others begin.

        From now on the ending ones start nothing more; what they have in flight has the time that one request may
        take. The others begin after them, from where the log says their targets are.

        Args:
            at_once: give up what is in flight, also of those that were ending already.

        Returns:
            What is done once the others have begun; it need not be awaited.
        """
        hurry = self._hurry
        if at_once:
            hurry.set()
            self._hurry = asyncio.Event()
        ending = [self._workers.pop(name) for name in plan.ends]
        for worker in ending:
            if worker.started:
                worker.halt()
        self._ending += ending
        self._workers |= {worker.spec.name: worker for worker in plan.begins}
        self._hooks = plan.hooks
        changing = self._change(self._changing, ending, plan, hurry)
        self._changing = asyncio.create_task(changing, name="change of targets")
        return self._changing

    async def _change(
        self, previous: "asyncio.Task[None] | None", ending: list[Worker], plan: Plan, hurry: asyncio.Event
    ) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        await asyncio.gather(*(self._end(worker, hurry) for worker in ending), return_exceptions=True)
        self._exchange({worker.spec.account for worker in ending}, plan.limiters)
        self._ending = [worker for worker in self._ending if worker not in ending]
        for worker in plan.begins:
            await self._begin(worker)

    async def _end(self, worker: Worker, hurry: asyncio.Event) -> None:
        """End a worker once nothing of it is in flight, when the whole process stops, or when there is no time."""
        if not worker.started:
            return
        finishing = asyncio.create_task(worker.finish(worker.spec.timeouts.total + MORE))
        reasons = [asyncio.create_task(self._closing.wait()), asyncio.create_task(hurry.wait())]
        await asyncio.wait({finishing, *reasons}, return_when=asyncio.FIRST_COMPLETED)
        for reason in reasons:
            reason.cancel()
        await worker.stop(0.0 if hurry.is_set() else GRACE)
        await finishing

    def _exchange(self, accounts: set[str], limiters: Mapping[str, Limiter]) -> None:
        """Put new limiters in the place of those of some accounts; what was sent lately stays known."""
        now, wall = asyncio.get_running_loop().time(), self._wall()
        for account in accounts & self._limiters.keys():
            self._past[account] = self._limiters.pop(account).snapshot(now, wall, clean=True)
        self._limiters |= limiters
        self._restore(limiters)

    async def _begin(self, worker: Worker) -> None:
        """Start a worker, however often the log has to be asked, unless it is not wanted any more."""
        while self._wanted(worker):
            try:
                await worker.start()
            except LogError:
                await asyncio.sleep(RETRY_EVERY)
                continue
            if not self._wanted(worker):
                worker.halt()
            return

    def _wanted(self, worker: Worker) -> bool:
        return self._workers.get(worker.spec.name) is worker and not self._closing.is_set()

    # --- the end -------------------------------------------------------------------------------------

    async def stop(self, grace: float = GRACE) -> dict[str, LimiterState]:
        """Finish what is in flight within `grace` seconds, settle, and return what the next start should know."""
        self._closing.set()
        changing = [self._changing] if self._changing else []
        early = [worker for worker in self._workers.values() if worker.started]
        await asyncio.gather(*(worker.stop(grace) for worker in early), *changing)
        late = [worker for worker in self._workers.values() if worker.started and worker not in early]
        await asyncio.gather(*(worker.stop(grace) for worker in late))
        return self.snapshot(clean=True)

    def release(self, target: str) -> None:
        """Let a held or open target go on at once.

        Raises:
            KeyError: there is no such target.
        """
        self._workers[target].release()

    # --- telling -------------------------------------------------------------------------------------

    def states(self) -> list[TargetState]:
        """Return how each target is doing that was started; one that is being replaced, by its old worker."""
        return [worker.state() for worker in (*self._ending, *self._workers.values()) if worker.started]

    def snapshot(self, *, clean: bool = False) -> dict[str, LimiterState]:
        """Return what was sent lately, by account, to be kept for the next start.

        Take one every second, and that of `stop` at the end: `Limiter.restore` makes up for what a process that
        crashed may have sent after its last one. Accounts that no target has any more are remembered as long as
        what was sent to them counts.
        """
        now, wall = asyncio.get_running_loop().time(), self._wall()
        self._past = {account: state for account, state in self._past.items() if _counts(state, wall)}
        live = {account: limiter.snapshot(now, wall, clean=clean) for account, limiter in self._limiters.items()}
        return {**self._past, **live}


def _counts(state: LimiterState, wall: float) -> bool:
    """Tell whether anything in a state still limits what may be sent."""
    taken = (at for slots in state.slots.values() for at, _ in slots)
    return any(at > wall for at in (*taken, *state.pauses.values()))
