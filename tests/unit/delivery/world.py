"""A world for workers: time that passes only when everybody waits, a vendor that does as it is told, events."""

import asyncio
import json
import random
import selectors
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx

from gateway.adapter import Adapter
from gateway.decision import Decision
from gateway.delivery import Attempt, Deliverer, Hooks, TargetSpec
from gateway.event import Event, Kind, Origin, Profile, dump
from gateway.log.port import Entry, Log
from tests.unit.delivery.memory_log import MemoryLog
from tests.unit.delivery.vendor_adapter import adapter as make_adapter

T = TypeVar("T")
EPOCH = 1_795_000_000.0
"""Unix seconds at which a world begins."""
_PATIENCE = 100 * 86_400.0


class _Selector(selectors.SelectSelector):
    """Does not wait: time jumps to the next timer."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise AssertionError("everybody waits, and nothing is going to happen")
        if not events and timeout:
            self.now += timeout
        return events


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _Selector) -> None:
        self._time = selector
        super().__init__(selector)

    def time(self) -> float:
        return self._time.now


def play(story: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop whose clock jumps."""
    with asyncio.Runner(loop_factory=lambda: _Loop(_Selector())) as runner:
        return runner.run(story)


def event(number: int, who: str = "ann", kind: Kind = "track", name: str = "Product Viewed") -> Event:
    """Return an event whose id is its number."""
    return Event(
        id=f"e{number}",
        kind=kind,
        name=name,
        received_at=datetime.fromtimestamp(EPOCH, UTC),
        source=Origin(name="shop", vendor="made_up", endpoint="in"),
        profile=Profile(user_id=who),
    )


def entry(what: Event, *targets: str) -> Entry:
    """Return the event on its way into the log."""
    decision = Decision(deliver=tuple((target, "rule") for target in targets or ("crm",)))
    return Entry(what.id, dump(what), decision)


@dataclass(frozen=True)
class Arrival:
    """A request as the vendor saw it."""

    at: float
    path: str
    ids: tuple[str, ...]
    request: httpx.Request


Script = Callable[[Arrival], "httpx.Response | Exception | Awaitable[httpx.Response]"]


@dataclass
class Vendor(httpx.AsyncBaseTransport):
    """Answers 202, or as scripted; remembers what came."""

    script: Script = lambda arrival: httpx.Response(202)
    latency: float = 0.0
    arrivals: list[Arrival] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        body = b"".join([part async for part in request.stream])
        ids = tuple(json.loads(body))
        arrival = Arrival(asyncio.get_running_loop().time(), request.url.path, ids, request)
        self.arrivals.append(arrival)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency)
            answer = self.script(arrival)
            if isinstance(answer, Exception):
                raise answer
            response = answer if isinstance(answer, httpx.Response) else await answer
        finally:
            self.in_flight -= 1
        if response.is_success:
            self.accepted += ids
        return response

    @property
    def tried(self) -> list[tuple[str, ...]]:
        """The ids of each request."""
        return [arrival.ids for arrival in self.arrivals]


class World:
    """A gateway's delivery side, its log and its vendors."""

    def __init__(
        self,
        *vendors: Vendor,
        adapter: Adapter | None = None,
        log: Log | None = None,
        seed: int = 1,
        draw: Callable[[], float] | None = None,
        transform: Any = None,
        policies: Any = None,
        **spec: Any,
    ) -> None:
        self.vendors = vendors or (Vendor(),)
        self.names = ["crm", "mail"][: len(self.vendors)]
        self.attempts: list[Attempt] = []
        self.losses: list[tuple[str, str, str]] = []
        self.warnings: list[tuple[str, str, str, str]] = []
        self._policies = policies
        self.log = log or MemoryLog(self.names)
        self._adapter = adapter or make_adapter()
        self._spec = {"credentials": {"key": "s3cret"}, **spec}
        self._draw = draw or random.Random(seed).random
        self._more = {"transform": transform} if transform else {}
        self.deliverer = self.build()

    @property
    def vendor(self) -> Vendor:
        """The first target's."""
        return self.vendors[0]

    def build(self, **more: Any) -> Deliverer:
        """Return a deliverer, as after a restart."""
        specs = [TargetSpec(name=name, adapter=self._adapter, **self._spec) for name in self.names]
        vendors = dict(zip(self.names, self.vendors, strict=True))
        hooks = Hooks(
            observe=self.attempts.append,
            on_loss=lambda source, target, loss: self.losses.append((source, target, loss.path)),
            policies=self._policies,
            on_warning=lambda *said: self.warnings.append((*said[:3], said[3].path)),
        )
        self.deliverer = Deliverer(
            specs,
            self.log,
            hooks=hooks,
            transport=lambda spec: vendors[spec.name],
            draw=self._draw,
            wall=self.wall,
            **self._more,
            **more,
        )
        return self.deliverer

    def wall(self) -> float:
        """Return Unix seconds."""
        return EPOCH + asyncio.get_running_loop().time()

    async def append(self, *events: Event) -> None:
        """Have events accepted for all targets."""
        await self.log.append([entry(one, *self.names) for one in events])

    async def until(self, condition: Callable[[], bool], patience: float = _PATIENCE) -> None:
        """Wait until something is so; sleeps longer and longer, so that days pass quickly."""
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + patience, 0.01
        while not condition():
            assert loop.time() < end, "it never came to be"
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, 3600.0)

    async def settled(self, patience: float = _PATIENCE) -> None:
        """Wait until nothing is queued at any target."""
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + patience, 0.01
        while any(status.queued for status in (await self.log.status()).targets):
            assert loop.time() < end, "something stays queued"
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, 600.0)
        await self.check()

    async def check(self) -> None:
        """Hold the log to its sum."""
        assert [status.missing for status in (await self.log.status()).targets] == [0] * len(self.names)

    async def deliver(self, events: Sequence[Event], patience: float = _PATIENCE) -> None:
        """Have events accepted, wait until all are settled, and stop."""
        await self.append(*events)
        await self.deliverer.start()
        await self.settled(patience)
        await self.deliverer.stop()

    async def deliver_in_pieces(self, events: Sequence[Event], stops: Sequence[float]) -> set[str]:
        """Deliver with restarts after so many seconds each; each event comes once or is dead.

        Returns:
            Ids of the dead.
        """
        await self.append(*events)
        for seconds in stops:
            await self.deliverer.start()
            await asyncio.sleep(seconds)
            await self.deliverer.stop(grace=1)
            await self.check()
            self.build()
        await self.deliverer.start()
        await self.settled()
        await self.deliverer.stop()
        accepted, dead = self.vendor.accepted, {letter.event_id for letter in await self.log.dead_letters()}
        assert len(accepted) == len(set(accepted))
        assert {*accepted} | dead == {one.id for one in events}
        return dead


def by_lane(ids: Sequence[str], events: Sequence[Event]) -> dict[str | None, list[str]]:
    """Sort ids by whom their events are about."""
    who = {one.id: one.profile.user_id for one in events}
    lanes: dict[str | None, list[str]] = defaultdict(list)
    for one in ids:
        lanes[who[one]].append(one)
    return dict(lanes)


def answers(*statuses: int) -> Vendor:
    """Return a vendor with these answers, and 202 after them."""
    left = list(statuses)
    return Vendor(script=lambda arrival: httpx.Response(left.pop(0) if left else 202))
