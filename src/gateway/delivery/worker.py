"""Delivers to one target: reads ahead, keeps its senders busy, loads back what waits, and stops without loss."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from math import inf

import httpx

from gateway.adapter import Login, Outbound, Window
from gateway.delivery.backoff import Flow, Valve
from gateway.delivery.bell import Bell
from gateway.delivery.calls import Call
from gateway.delivery.endpoints import Endpoint, Endpoints, Way
from gateway.delivery.intake import Intake
from gateway.delivery.jobs import Job
from gateway.delivery.judge import Judge
from gateway.delivery.lanes import Item, Lanes
from gateway.delivery.limiter import Limiter
from gateway.delivery.line import Line
from gateway.delivery.login import Session
from gateway.delivery.reading import Reader
from gateway.delivery.sending import Context, Sender
from gateway.delivery.settling import RETRY_EVERY, Settler
from gateway.delivery.spec import Hooks, TargetSpec, TargetState, Transform, identity
from gateway.delivery.waits import Waits
from gateway.log.port import Log, Parked


class Worker:
    """One target's delivery.

    Args:
        limiter: shared by all targets at one account.
        draw: random numbers from 0 up to 1.
        wall: Unix seconds; the event loop's clock measures durations.
    """

    def __init__(
        self,
        log: Log,
        spec: TargetSpec,
        *,
        transport: httpx.AsyncBaseTransport,
        limiter: Limiter,
        transform: Transform = identity,
        hooks: Hooks | None = None,
        draw: Callable[[], float] = random.random,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.spec = spec
        self._log = log
        self._transport = transport
        self._transform = transform
        self._hooks = hooks or Hooks()
        self._draw = draw
        self._wall = wall
        self._work = Bell()
        self._reading_bell = Bell()
        self._lanes = Lanes(sooner=self._reading_bell.ring)
        self._valve = Valve(draw, spec.hold_probe)
        self._endpoints = _endpoints(spec, transport, limiter)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self.started = False
        self._trouble = ""
        self._history_in_flight = 0
        self._waits = Waits()
        limiter.listen(self._work.ring)

    # --- life ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Find the cursor and what waits, and begin."""
        cursor = await self._log.cursor(self.spec.name)
        self._settler = Settler(self._log, self.spec.name, cursor=cursor)
        context = Context(self.spec, self._lanes, self._settler, self._valve, self._hooks, self._draw, self._wall)
        self._sender = Sender(context)
        intake = Intake(self._sender, self._endpoints, self._transform)
        self._reader = Reader(self._log, self._sender, intake, self._reading_bell, loaded=self._work.ring)
        self._settler.listen(changed=self._reader.row_changed, moved=self._reader.settled)
        await self._reader.refresh()
        loop = asyncio.get_running_loop()
        self._settling = loop.create_task(self._settler.run(), name=f"settle {self.spec.name}")
        self._reading = loop.create_task(self._reader.run(), name=f"read {self.spec.name}")
        self._tasks = [
            loop.create_task(self._send(), name=f"send {self.spec.name} {number}")
            for number in range(self.spec.concurrency)
        ]
        for task in (self._settling, self._reading, *self._tasks):
            task.add_done_callback(self._ended)
        self.started = True

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Have a person hear of a part that ended by a fault of ours: the target would stand still without a word."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._sender.trouble = f"{task.get_name()} ended: {error!r}"

    def wake(self) -> None:
        """There may be new events in the log."""
        if self.started:
            self._reader.wake()

    def release(self) -> None:
        """Let a held or open target go on at once, and what waits as well."""
        self._valve.release()
        self._lanes.hurry(self._wall())
        self._reading_bell.ring()
        self._work.ring()

    def halt(self) -> None:
        """Start nothing more."""
        self._stopping = self._sender.stopping = True
        self._reading.cancel()
        for _ in self._tasks:
            self._work.ring()

    async def finish(self, grace: float) -> None:
        """Halt, and let what is in flight end, at most `grace` seconds; `stop` comes after it."""
        self.halt()
        await asyncio.wait(self._tasks, timeout=grace)

    async def stop(self, grace: float) -> None:
        """Finish what is in flight, at most `grace` seconds, and settle; nothing delivered is sent again."""
        self.halt()
        await asyncio.wait(self._tasks, timeout=grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(self._reading, *self._tasks, return_exceptions=True)
        await self._settle_all(max(grace, RETRY_EVERY))
        await self._transport.aclose()
        self._work.silence()
        self._reading_bell.silence()

    async def _settle_all(self, grace: float) -> None:
        """Have the log know all; a log that does not answer in time is left alone, at the price of duplicates."""
        self._settler.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._settling
                self._settler.leave(self._left)
                await self._settler.drain()

    def _left(self, item: Item) -> Parked:
        return self._sender.row(item, self._wall(), "the gateway stopped before it was sent")

    # --- sending -------------------------------------------------------------------------------------

    async def _send(self) -> None:
        """One of the senders: takes work as it comes."""
        while not self._stopping:
            try:
                taken = self._take()
            except Exception as error:  # noqa: BLE001 - as below
                self._trouble = f"a fault before sending: {error!r}"
                await asyncio.sleep(RETRY_EVERY)
                continue
            if taken is None:
                await self._work.wait()
                continue
            if self._work.waiters and self._lanes.any_ready:
                self._work.ring()
            try:
                await taken.run()
            except Exception as error:  # noqa: BLE001 - a fault of ours or of a hook must not end the sending
                self._trouble = f"a fault while sending: {error!r}"
                await asyncio.sleep(RETRY_EVERY)
            else:
                self._trouble = ""
            self._history_in_flight -= taken.history
            if taken.probe or (self._reader.held_back and self._valve.running):
                self._reading_bell.ring()

    def _take(self) -> Job | None:
        """Return the next batch that may start now; without one, see to being woken in time."""
        now = self._sender.now()
        flow = self._valve.flow(now)
        wake_at = self._valve.opens_at() if flow is Flow.NONE else inf
        ways = self._lanes.ready_ways() if flow is not Flow.NONE else []
        if not ways:
            self._waits.end_all(now)
        for way in ways:
            for endpoint in way.preferred(self._lanes.ready_events):
                room = self._room(endpoint, way, now)
                if room:
                    self._waits.end(endpoint, now)
                    return self._job(endpoint, way, room, probe=flow is Flow.ONE)
                wake_at = min(wake_at, self._opens_at(endpoint, way, now))
        if wake_at < inf:
            self._work.ring_at(wake_at)
        return None

    def _room(self, endpoint: Endpoint, way: Way, now: float) -> int:
        """Return how many events that go a way one request to an endpoint may carry now."""
        if way.history:
            share = self._sender.history_share
            most = max(1, int(self.spec.concurrency * share))
            return endpoint.gate.history_room(now, share) if self._history_in_flight < most else 0
        return endpoint.gate.room(now)

    def _opens_at(self, endpoint: Endpoint, way: Way, now: float) -> float:
        """Return when that may be more than none, as far as known."""
        if way.history:
            at = endpoint.gate.history_opens_at(now)
            return at if at > now else inf
        self._waits.begin(endpoint, now)
        return endpoint.gate.opens_at(now)

    def _job(self, endpoint: Endpoint, first: Way, room: int, *, probe: bool) -> Job:
        limit = 1 if probe else min(room, endpoint.outbound.max_events)
        ways = [first] if limit == 1 else self._joining(endpoint, first)
        self._history_in_flight += first.history
        return Job(self._sender, endpoint, self._lanes.take(ways, limit), probe=probe, history=first.history)

    def _joining(self, endpoint: Endpoint, first: Way) -> list[Way]:
        """Return the ways whose events go into a request together: those that lead through its endpoint now."""
        others = [way for way in endpoint.beside(first) if way is not first]
        return [first, *(way for way in others if way.endpoints == first.endpoints or self._open(way) is endpoint)]

    def _open(self, way: Way) -> Endpoint | None:
        now = self._sender.now()
        return next((e for e in way.preferred(self._lanes.ready_events) if e.gate.room(now)), None)

    # --- telling -------------------------------------------------------------------------------------

    def state(self) -> TargetState:
        """Return how the target is doing."""
        now = self._sender.now()
        reasons = Counter(lane.reason for lane in self._lanes.waiting())
        troubles = (
            self._valve.reason,
            self._settler.trouble,
            self._reader.trouble,
            self._trouble,
            self._sender.trouble,
        )
        oldest = next((item.accepted for item in self._settler.window if not item.settled), None)
        pauses = {e.outbound.name: e.gate.paused_until - now for e in self._endpoints.all if e.gate.paused_until > now}
        return TargetState(
            target=self.spec.name,
            state="stopped" if self._stopping else self._valve.state,
            reason=next(filter(None, troubles), ""),
            paused=pauses,
            in_flight=self._sender.in_flight,
            unsettled=len(self._settler.window),
            lag=None if oldest is None else max(self._wall() - oldest, 0.0),
            waiting_lanes=reasons.total(),
            waiting=dict(reasons.most_common(10)),
            memory=self._lanes.memory,
            limited={**{e.outbound.name: 0.0 for e in self._endpoints.all}, **self._waits.told(now)},
            overtaken=self._sender.overtaken,
        )


def _endpoints(spec: TargetSpec, transport: httpx.AsyncBaseTransport, limiter: Limiter) -> Endpoints:
    """Prepare the endpoints that the target's credentials allow."""
    secret = {credential.name for credential in spec.adapter.credentials if credential.secret}
    secrets = tuple(value.encode() for name, value in spec.credentials.items() if name in secret and value)
    settings = spec.settings()
    line = Line(spec, transport)
    logins = {out.login for out in spec.adapter.outbound if out.login is not None}
    sessions: dict[Login | None, Session] = {login: Session(login, spec, line) for login in logins}
    usable: dict[str, Endpoint] = {}
    unusable = []
    for outbound in spec.adapter.outbound:
        if not all(spec.credentials.get(name) for name in outbound.needs):
            unusable.append(outbound)
            continue
        gate = limiter.gate(outbound.name, _windows(outbound, spec), target=spec.name, own=spec.windows)
        call = Call(outbound, spec, line, sessions.get(outbound.login))
        usable[outbound.name] = Endpoint(outbound, settings, gate, Judge(outbound), call, secrets)
    ready = [replace(one, prepare=usable.get(one.outbound.prepare or "")) for one in usable.values()]
    return Endpoints(spec.adapter.slug, settings, ready, unusable)


def _windows(outbound: Outbound, spec: TargetSpec) -> tuple[Window, ...]:
    """Return the endpoint's windows; those that are nobody's rule give way to a person's own."""
    return tuple(window for window in outbound.windows if not (window.ours and spec.windows))
