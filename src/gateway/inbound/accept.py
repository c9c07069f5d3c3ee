"""From decoded events to the durable log: decision, duplicate key, encoding."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from gateway.adapter import Once, People
from gateway.decision import Decision
from gateway.event import Event, Origin, dump, lane
from gateway.inbound.routes import Source
from gateway.log.port import Entry, Told

_DEDUPE_BYTES: Final = 16
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Directory(Protocol):
    """Who is known, beside the log."""

    async def catch_up(self) -> None:
        """Wait until all earlier events are known."""

    def people(self, source: str) -> People:
        """Return who is known to a source."""


class Log(Protocol):
    """Where entries go."""

    def hand_over(self, entries: Sequence[Entry], told: Told) -> None:
        """Store entries in order, and tell when they are durable; raises `LogUnavailable`."""


class LogStore:
    """Stores accepted events in the log, with where they go."""

    def __init__(self, log: Log, decide: Callable[[Event], Decision], directory: Directory) -> None:
        self._log = log
        self._decide = decide
        self._directory = directory
        self._people: dict[str, People] = {}

    def append(self, source: Source, events: Sequence[Event], once: Mapping[str, Once], told: Told) -> None:
        """Store events in order, and tell when they are durable."""
        scope = source.adapter.dedupe
        decide = self._decide
        if once:
            entries = [self._entry(it, scope, once.get(it.id)) for it in events]
        else:
            entries = [Entry(it.id, dump(it), decide(it), dedupe_of(it, scope)) for it in events]
        self._log.hand_over(entries, told)

    def _entry(self, event: Event, scope: frozenset[str], once: Once | None) -> Entry:
        if once is None:
            return Entry(event.id, dump(event), self._decide(event), dedupe_of(event, scope))
        key = _hash(f"{event.source.name}\x1fonce\x1f{once.key}")
        return Entry(event.id, dump(event), self._decide(event), key, once.seconds)

    async def known(self) -> None:
        """Wait until the directory knows all earlier events."""
        await self._directory.catch_up()

    def people(self, source: str) -> People:
        """Return who is known to a source."""
        known = self._people.get(source)
        if known is None:
            known = self._people[source] = self._directory.people(source)
        return known


def dedupe_of(event: Event, scope: frozenset[str]) -> bytes | None:
    """Return what stands for the client's own key within its scope, or None when the client gave none."""
    key = event.dedupe_key
    if not key:
        return None
    profile = lane(event) if "profile" in scope else ""
    name = event.name if "name" in scope else ""
    time = f"\x1f{event.occurred_at}" if "time" in scope else ""
    content = f"\x1f{_content(event)}" if "content" in scope else ""
    return _hash(f"{event.source.name}\x1f{profile}\x1f{name}{time}{content}\x1f{key}")


def _content(event: Event) -> str:
    """Return what stands for all that the client said."""
    said = msgspec.structs.replace(event, id="", received_at=_NEVER, source=Origin(name="", vendor="", endpoint=""))
    return blake2b(dump(said), digest_size=_DEDUPE_BYTES).hexdigest()


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DEDUPE_BYTES).digest()
