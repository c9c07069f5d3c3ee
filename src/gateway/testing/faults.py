"""A vendor that fails as it is told, and writes down what it took: for tests of adapters and of delivery.

    from gateway.testing.faults import Fault, FaultyVendor, refuses, resets, served

    vendor = FaultyVendor(ADAPTER, [{"api_key": "k-1"}], faults=[
        Fault(refuses(429, **{"Retry-After": "2"}), times=3),        # the first three requests
        Fault(resets(takes=True), share=0.1),                        # every tenth of the others, after storing it
        Fault(refuses(400, b'{"error": "no"}'), where=lambda seen: seen.path == "/ingest"),
    ])
    with served(vendor) as url:
        ...                                                          # send to url
    assert not vendor.lost(expected) and vendor.out_of_order() == []

Behind the faults stands the vendor as its adapter's inbound half understands it, as in `gateway.testing.standin`;
without an adapter, one that answers 202 to everything. Of the faults the first that fits a request is done to it.
`vendor.faults` may be replaced at any time.
"""

import asyncio
import random
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import ceil
from types import SimpleNamespace
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace
from starlette.applications import Starlette

from gateway.adapter import Adapter, Once, Reply
from gateway.event import Event, lane
from gateway.inbound.edge import Edge
from gateway.inbound.routes import Source, Sources
from gateway.inbound.stats import Stats
from gateway.log.port import Told
from gateway.testing.limits import Limits
from gateway.testing.standin import Memory
from gateway.testing.wire import WELL, Act, Seen, Wire

GARBAGE: Final = b"\x16\x03\x01\x02\x00 this is no HTTP \xff\xfe\r\n\r\n"

# --- what can be done to a request -----------------------------------------------------------------------


def refuses(status: int, body: bytes = b"", **headers: str) -> Act:
    """Answer with a status; a success among them still stores."""
    return Act(status=status, body=body, headers=headers)


def throttles(retry_after: float | str | None = None, **headers: str) -> Act:
    """Answer 429, with ``Retry-After`` in seconds or as it is given, or without."""
    told = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Act(status=429, body=b"", headers={**told, **headers})


def hangs(*, takes: bool = False) -> Act:
    """Answer never."""
    return Act(hangs=True, takes=takes)


def slow(seconds: float) -> Act:
    """Store and answer well, but late."""
    return Act(wait_s=seconds)


def resets(after: int = 0, *, takes: bool = False) -> Act:
    """Reset the connection after so many bytes of the answer; `takes`: what was sent is stored all the same."""
    return Act(cut=after, takes=takes)


def drips(seconds: float, piece: int = 1) -> Act:
    """Answer well, a few bytes at a time."""
    return Act(drip_s=seconds, piece=piece)


def giant(size: int = 64 << 20, status: int | None = None) -> Act:
    """Answer with so many bytes of spaces."""
    return Act(filler=size, status=status)


def garbage(data: bytes = GARBAGE) -> Act:
    """Answer with bytes that are no HTTP."""
    return Act(raw=data, takes=False)


def redirects(to: str, status: int = 307) -> Act:
    """Send the client elsewhere."""
    return Act(status=status, body=b"", headers={"Location": to})


class Fault(Struct, frozen=True):
    """An act, and the requests that it is done to."""

    act: Act | Callable[[Seen], Act]
    """A function makes the act for each request, from what it carries."""
    where: Callable[[Seen], bool] = lambda _: True
    times: int | None = None
    """How many requests at most; None: no end."""
    share: float = 1.0
    """The part of the requests that it hits, by chance."""
    after: int = 0
    """How many requests that fit are spared first."""


# --- what is written down --------------------------------------------------------------------------------


class Stored(NamedTuple):
    """One event that the vendor stored."""

    key: str
    lane: str
    name: str


@dataclass(eq=False)
class Taken:
    """One request, and what came of it."""

    seen: Seen
    act: Act
    stored: list[Stored] = field(default_factory=list)
    status: int | None = None
    """That of the answer, once it was written whole; None: it never was."""


class Arrival(NamedTuple):
    """One event of one request."""

    at: float
    """When the request was whole, seconds of `time.monotonic`."""
    key: str
    lane: str
    answered: bool
    """Whether a success was written whole."""


_taken: ContextVar[Taken] = ContextVar("taken")


class _Store(Memory):
    """Where the vendor behind keeps events: noted with the request that brought them."""

    def __init__(self, key: Callable[[Event], str]) -> None:
        super().__init__()
        self._key = key

    def append(self, source: Source, events: Sequence[Event], once: Mapping[str, Once], told: Told) -> None:
        _taken.get().stored.extend(Stored(self._key(event), lane(event), event.name) for event in events)
        super().append(source, events, once, told)


def own_key(event: Event) -> str:
    """Return the key that the client gave, else the id given here."""
    return event.dedupe_key or event.id


# --- the vendor ------------------------------------------------------------------------------------------


class FaultyVendor:
    """One vendor on loopback.

    Args:
        adapter: how it understands requests; None: it stores nothing and answers 202.
        accounts: the credentials it accepts.
        faults: what it does wrong.
        limits: windows that it enforces, or only counts.
        throttled: the answer beyond them, from the seconds to wait; by default 429 with `Retry-After`.
        key: what tells one event from another, of those it stored.
        keep_bodies: whether requests are kept with their bodies.
        seed: of chance.
    """

    def __init__(
        self,
        adapter: Adapter | None = None,
        accounts: Sequence[Mapping[str, str]] = (),
        *,
        faults: Sequence[Fault] = (),
        limits: Sequence[Limits] = (),
        throttled: Callable[[float], Act] = lambda wait: throttles(max(1, ceil(wait))),
        key: Callable[[Event], str] = own_key,
        options: Any = None,
        keep_bodies: bool = True,
        seed: int = 0,
    ) -> None:
        self.limits = limits
        self.requests: list[Taken] = []
        """All there were, in the order in which they were whole."""
        self.memory = _Store(key)
        self.troubles: list[str] = []
        """Faults of the vendor behind, an exception in `key` among them; `serving` and `served` end by raising them."""
        self._throttled = throttled
        self._keep_bodies = keep_bodies
        self._draw = random.Random(seed).random  # noqa: S311 - chance that can be repeated
        self._edge = None if adapter is None else self._behind(adapter, accounts, options)
        self._by_number: dict[int, Taken] = {}
        self.faults = faults

    def _behind(self, adapter: Adapter, accounts: Sequence[Mapping[str, str]], options: Any) -> Edge:
        source = Source(adapter.slug, adapter, accounts, options=options)
        self.memory.serve(source)
        quiet: Any = SimpleNamespace(requests=None, error=self._note, warning=self._note)
        return Edge(Sources([source]), self.memory, Starlette(), quiet, Stats())

    @property
    def faults(self) -> Sequence[Fault]:
        """What it does wrong from now on."""
        return self._faults

    @faults.setter
    def faults(self, faults: Sequence[Fault]) -> None:
        self._faults = tuple(faults)
        self._met: Counter[int] = Counter()
        self._done: Counter[int] = Counter()

    # --- answering -----------------------------------------------------------------------------------

    async def play(self, seen: Seen) -> tuple[Act, Reply]:
        """Decide what is done to a request, and do what is not seen of it."""
        act = self._throttle(seen) or self._act(seen)
        kept = seen if self._keep_bodies else replace(seen, body=b"")
        taken = self._by_number[seen.number] = Taken(kept, act)
        self.requests.append(taken)
        success = act.status is None or 200 <= act.status < 300
        if not (success if act.takes is None else act.takes):
            return act, Reply(act.status or 503)
        _taken.set(taken)
        return act, await self._well(seen)

    def written(self, seen: Seen, status: int | None) -> None:
        """Note how a request ended."""
        taken = self._by_number.pop(seen.number, None)
        if taken is not None:
            taken.status = status

    def _throttle(self, seen: Seen) -> Act | None:
        waits = [limits.take(seen.at) for limits in self.limits if limits.path in ("", seen.path)]
        longest = max((wait for wait in waits if wait is not None), default=None)
        return None if longest is None else self._throttled(longest)

    def _act(self, seen: Seen) -> Act:
        for number, fault in enumerate(self._faults):
            if not fault.where(seen) or (fault.times is not None and self._done[number] >= fault.times):
                continue
            self._met[number] += 1
            if self._met[number] <= fault.after or (fault.share < 1 and self._draw() >= fault.share):
                continue
            self._done[number] += 1
            return fault.act if isinstance(fault.act, Act) else fault.act(seen)
        return WELL

    async def _well(self, seen: Seen) -> Reply:
        """Return what the vendor behind answers."""
        if self._edge is None:
            return Reply(202)
        path, _, query = seen.target.partition("?")
        scope = {
            "type": "http",
            "method": seen.method,
            "path": unquote(path),
            "query_string": query.encode("latin-1"),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in seen.headers.items()],
        }
        said: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": seen.body}

        async def send(message: Any) -> None:
            said.append(message)

        await self._edge(scope, receive, send)
        headers = tuple((name, value) for name, value in said[0]["headers"] if name.lower() != b"content-length")
        return Reply(said[0]["status"], headers, said[1]["body"])

    def _note(self, *said: Any, **fields: Any) -> None:
        self.troubles.append(f"{said} {fields}")

    # --- what it knows -------------------------------------------------------------------------------

    @property
    def arrivals(self) -> list[Arrival]:
        """Every event of every request that was stored, in order, as often as it came."""
        return [
            Arrival(taken.seen.at, stored.key, stored.lane, taken.status is not None and taken.status < 300)
            for taken in list(self.requests)
            for stored in taken.stored
        ]

    def keys(self) -> Counter[str]:
        """Return how often each event was stored."""
        return Counter(arrival.key for arrival in self.arrivals)

    def lost(self, expected: Iterable[str]) -> set[str]:
        """Return which of these events were never stored."""
        return set(expected) - self.keys().keys()

    def order(self) -> dict[str, list[str]]:
        """Return each lane's events in the order in which they first came."""
        lanes: dict[str, dict[str, None]] = {}
        for arrival in self.arrivals:
            lanes.setdefault(arrival.lane, {})[arrival.key] = None
        return {name: list(keys) for name, keys in lanes.items()}

    def out_of_order(self, rank: Callable[[str], Any] = int) -> list[str]:
        """Return the lanes whose events did not first come in the order of their keys' rank."""
        return [name for name, keys in self.order().items() if [*keys] != sorted(keys, key=rank)]

    @property
    def statuses(self) -> Counter[int | None]:
        """How many answers of each status went out; None: those that never did."""
        return Counter(taken.status for taken in list(self.requests))


def _tell(vendor: FaultyVendor) -> None:
    """Make a fault of the vendor behind the test's own."""
    if vendor.troubles:
        raise AssertionError(f"the vendor behind failed {len(vendor.troubles)} times; first: {vendor.troubles[0]}")


# --- serving ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(vendor: FaultyVendor, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Serve on the running event loop; the `Wire` can be closed and opened again on its port: a vendor that is down."""
    wire = Wire(vendor.play, vendor.written, tls)
    await wire.open()
    try:
        yield wire
        _tell(vendor)
    finally:
        await wire.close()


class Served:
    """A vendor in a thread of its own."""

    def __init__(self, vendor: FaultyVendor, tls: ssl.SSLContext | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._wire = Wire(vendor.play, vendor.written, tls)
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty vendor", daemon=True)
        self._thread.start()
        self.url = self.up()

    def up(self) -> str:
        """Listen, on the port of before if there was one."""
        return asyncio.run_coroutine_threadsafe(self._wire.open(), self._loop).result()

    def down(self) -> None:
        """Refuse connections and drop those there are."""
        asyncio.run_coroutine_threadsafe(self._wire.close(), self._loop).result()

    def end(self) -> None:
        """Stop for good."""
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def served(vendor: FaultyVendor, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve in a thread and yield the URL."""
    running = Served(vendor, tls)
    try:
        yield running.url
        _tell(vendor)
    finally:
        running.end()
