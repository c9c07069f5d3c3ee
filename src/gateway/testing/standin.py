"""A stand-in for a vendor: its adapter's inbound half, its limits enforced, its memory open to be read.

It believes what the adapter believes about the vendor. Tests of an encoder use the vendor's published payloads
besides; a stand-in alone would only prove that two halves of one mind agree.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.adapter import Adapter, Once, People
from gateway.event import Event, Profile
from gateway.inbound.edge import Edge
from gateway.inbound.routes import Source, Sources
from gateway.inbound.stats import Stats
from gateway.log.port import Told
from gateway.telemetry import Logger

KEPT: Final = 10_000
"""Events a stand-in remembers; older ones are only counted."""

RECEIVED: Final = "/_received"
"""Where a stand-in tells what it got; no vendor has such a path."""


class Memory:
    """What a stand-in received: every accepted event counted, the last ones kept."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=KEPT)
        self.by_name: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self._people: dict[str, MemoryPeople] = {}
        self._adapters: dict[str, Adapter] = {}
        self._once: dict[str, float] = {}

    def serve(self, source: Source) -> None:
        """Make a source known."""
        self._adapters[source.name] = source.adapter

    def append(self, source: Source, events: Sequence[Event], once: Mapping[str, Once], told: Told) -> None:
        """Keep events, but for those that count once and were kept before."""
        people = self.people(source.name)
        for event in events:
            if event.id in once and not self._first(once[event.id]):
                continue
            self.events.append(event)
            self.by_name[event.name] += 1
            people.meet(event.profile)
        told(None)

    def _first(self, once: Once) -> bool:
        now = monotonic()
        if self._once.get(once.key, now) > now:
            return False
        self._once[once.key] = now + once.seconds
        return True

    async def known(self) -> None:
        """Everybody is known at once."""

    def people(self, source: str) -> "MemoryPeople":
        """Return who a source has met."""
        if source not in self._people:
            self._people[source] = MemoryPeople(self._adapters[source])
        return self._people[source]


class MemoryPeople(People):
    """A directory that forgets at exit."""

    def __init__(self, adapter: Adapter) -> None:
        self._mint = adapter.mint or (lambda seed: seed)
        self._ids: dict[tuple[str, str], str] = {}
        self._profiles: dict[str, Profile] = {}

    def find(self, profile: Profile) -> str | None:
        """Return the id of the first identifier that is known."""
        return next((self._ids[key] for key in _identifiers(profile) if key in self._ids), None)

    def get(self, vendor_id: str) -> Profile | None:
        """Return the identifiers of an id."""
        return self._profiles.get(vendor_id)

    def mint(self, profile: Profile) -> str:
        """Return the id a person has or gets."""
        known = self.find(profile)
        if known is not None:
            return known
        first = next(iter(_identifiers(profile)), ("", ""))
        return self._mint("\x1f".join(first))

    def meet(self, profile: Profile) -> None:
        """Remember a person's identifiers."""
        keys = _identifiers(profile)
        if not keys:
            return
        vendor_id = self.mint(profile)
        for key in keys:
            self._ids.setdefault(key, vendor_id)
        known = self._profiles.get(vendor_id, Profile())
        self._profiles[vendor_id] = msgspec.structs.replace(known, **dict(keys))


def _identifiers(profile: Profile) -> list[tuple[str, str]]:
    fields = ("user_id", "email", "phone", "anonymous_id", "device_id")
    return [(field, value) for field in fields if (value := getattr(profile, field))]


class StandIn:
    """One vendor on loopback, as an ASGI application."""

    def __init__(
        self,
        adapter: Adapter,
        accounts: Sequence[Mapping[str, str]],
        logger: Logger,
        *,
        enforce_limits: bool = True,
        options: Any = None,
    ) -> None:
        self.memory = Memory()
        source = Source(adapter.slug, adapter, accounts, enforce_limits=enforce_limits, options=options)
        self.memory.serve(source)
        nothing = Starlette()
        self.stats = Stats()
        self._edge = Edge(Sources([source]), self.memory, nothing, logger, self.stats)
        self._report = Starlette(routes=[Route(RECEIVED, self._received)])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI connection."""
        app = self._report if scope.get("path") == RECEIVED else self._edge
        await app(scope, receive, send)

    async def _received(self, request: HttpRequest) -> Response:
        asked = request.query_params.get("last", "20")
        last = int(asked) if asked.isdecimal() else 20
        report = {
            "events": sum(self.memory.by_name.values()),
            "by_name": dict(self.memory.by_name),
            "requests": [
                {"endpoint": counted.endpoint, "status": status, "requests": count}
                for counted in self.stats.all()
                for status, count in counted.requests.items()
            ],
            "events_by_endpoint": {counted.endpoint: counted.events for counted in self.stats.all() if counted.events},
            "last": list(self.memory.events)[-last:] if last > 0 else [],
        }
        return Response(msgspec.json.encode(report), media_type="application/json")
