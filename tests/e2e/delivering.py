"""The real delivery side in this process: a SQLite log, the default transport, real sockets, real time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.adapter import Adapter, Event, Window
from gateway.decision import Decision
from gateway.delivery import Attempt, Deliverer, Hooks, TargetSpec, Timeouts
from gateway.event import Kind, Origin, Profile, dump
from gateway.ids import uuid7
from gateway.log.port import DeadLetter, Entry, TargetStatus
from gateway.log.sqlite import SqliteLog

PATIENCE_S = 40.0
QUICK = Timeouts(connect=1.0, read=0.4, total=0.8)
"""Waits that a test can afford."""


def event(number: int, who: str = "", name: str = "Product Viewed", kind: Kind = "track", **more: Any) -> Event:
    """Return an event that can be told by its number wherever it arrives."""
    given: dict[str, Any] = {"properties": {"number": number}, **more}
    return Event(
        id=uuid7(),
        kind=kind,
        name=name,
        received_at=datetime.now(UTC),
        source=Origin(name="shop", vendor="invented", endpoint="events"),
        profile=given.pop("profile", Profile(email=f"{who or f'p{number % 7}'}@example.com")),
        **given,
    )


def number_of(event: Event) -> str:
    """Return the number that `event` put in."""
    return str(event.properties["number"])


def with_windows(adapter: Adapter, *windows: Window, only: Sequence[str] = ()) -> Adapter:
    """Return an adapter whose endpoints, or those named alone, have these windows, on both sides none of the vendor's.

    Args:
        only: outbound endpoints that are left.
    """
    replace = msgspec.structs.replace
    outbound = tuple(replace(one, windows=windows) for one in adapter.outbound if one.name in only or not only)
    return replace(adapter, outbound=outbound, inbound=tuple(replace(one, windows=()) for one in adapter.inbound))


@dataclass
class Delivery:
    """Targets, and a log with events for them."""

    log: SqliteLog
    deliverer: Deliverer
    names: list[str]
    attempts: list[Attempt] = field(default_factory=list)

    async def accept(self, events: Sequence[Event], *targets: str) -> None:
        """Store events for all targets, or for those named."""
        decision = Decision(deliver=tuple((name, "rule") for name in targets or self.names))
        await self.log.append([Entry(one.id, dump(one), decision) for one in events])

    async def status(self) -> dict[str, TargetStatus]:
        """Return the counts by target, held to their sum."""
        found = {target.target: target for target in (await self.log.status()).targets}
        assert [name for name, target in found.items() if target.missing] == []
        return found

    async def until(self, condition: Callable[[], bool], patience: float = PATIENCE_S) -> None:
        """Wait until something is so."""
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, f"it never came to be\n{self.deliverer.states()}"
            await asyncio.sleep(0.02)

    async def settled(self, *targets: str, patience: float = PATIENCE_S) -> dict[str, TargetStatus]:
        """Wait until nothing is queued for these targets, or for all."""
        end = time.monotonic() + patience
        while True:
            found = await self.status()
            if not any(found[name].queued for name in targets or self.names):
                return found
            assert time.monotonic() < end, f"{found}\n{self.deliverer.states()}"
            await asyncio.sleep(0.02)

    async def dead(self) -> list[DeadLetter]:
        """Return all dead letters, the first to die first."""
        return (await self.log.dead_letters(limit=10_000))[::-1]


def spec(adapter: Adapter, url: str, name: str = "crm", **more: Any) -> TargetSpec:
    """Return a target with made-up credentials and short waits."""
    credentials = {credential.name: "sandbox" for credential in adapter.credentials}
    given = {"credentials": credentials, "timeouts": QUICK, "backoff_base": 0.05, "hold_probe": 0.2, **more}
    return TargetSpec(name=name, adapter=adapter, base_url=url, **given)


def account(adapter: Adapter) -> dict[str, str]:
    """Return the credentials that `spec` presents."""
    return {credential.name: "sandbox" for credential in adapter.credentials}


@asynccontextmanager
async def delivering(folder: Path, *specs: TargetSpec, events: Sequence[Event] = ()) -> AsyncIterator[Delivery]:
    """Yield a running delivery side to which some events were given before it began."""
    log = await SqliteLog.open(folder / "gateway.db", role="all")
    names = [spec.name for spec in specs]
    attempts: list[Attempt] = []
    try:
        await log.register(names)
        made = Delivery(log, Deliverer(specs, log, hooks=Hooks(observe=attempts.append)), names, attempts)
        if events:
            await made.accept(events)
        await made.deliverer.start()
        yield made
        await made.deliverer.stop(grace=1.0)
    finally:
        await log.close()
