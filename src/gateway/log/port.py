"""What a log does, whatever engine is under it. One contract suite runs over all engines."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, Protocol

from msgspec import Struct

from gateway.decision import Decision

Told = Callable[[Exception | None], None]
"""Hears on the event loop what became of entries: None, they are durable; else why nothing of them was stored."""
HISTORY: Final = "\x1freplay:"
"""What the lanes of events that are sent again begin with: they wait beside those of the same profile's new events."""
DEFAULT_SHARE: Final = 0.2
"""Part of a target's limits that history may use."""


class Entry(Struct, frozen=True):
    """One accepted event on its way into the log."""

    id: str
    body: bytes
    """What `gateway.event.dump` wrote."""
    decision: Decision
    dedupe: bytes | None = None
    """16 bytes that stand for the client's own key within its scope; None: never a duplicate."""
    once_s: float | None = None
    """Seconds for which `dedupe` counts from the event that was stored; None: the log's window."""


class Record(Struct, frozen=True):
    """One event as a target reads it."""

    seq: int
    """Place in the log: grows, with gaps."""
    body: bytes
    rule: str
    """The name of the rule that sent it to this target."""


class Parked(Struct, frozen=True):
    """One event that waits beside the log so that the cursor can move on, in the order of its lane."""

    seq: int
    lane: str
    due_at: float
    """Unix seconds before which it is not tried again."""
    attempts: int
    reason: str
    first_at: float
    """Unix seconds of the first failure, or when it was parked behind another."""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """One event that was given up on for one target, kept whole for a person."""

    target: str
    seq: int
    event_id: str
    rule: str
    body: bytes
    """The event as `gateway.event.dump` wrote it."""
    reason: str
    died_at: datetime
    attempts: int
    lane: str
    endpoint: str | None = None
    request: bytes | None = None
    """Body of the last request, secrets never in it; None when it was never sent."""
    status: int | None = None
    answer: bytes | None = None
    id: int = 0
    """Given by the log."""


class Settlement(Struct, kw_only=True):
    """What became of some of a target's events; applied whole or not at all."""

    cursor: int | None = None
    """New place: every event up to it is delivered, dead or parked. Never moves back."""
    delivered: int = 0
    """Events counted as delivered by this settlement: those the cursor passes, and those of `unpark`."""
    park: Sequence[Parked] = ()
    """Inserts, or replaces a row of the same event."""
    unpark: Sequence[int] = ()
    """Events (seq) that wait no longer, because they were delivered, dropped, or are in `dead`."""
    dead: Sequence[DeadLetter] = ()
    dropped: Mapping[str, int] = {}
    """Why -> events counted as dropped by this settlement: as with `delivered`, those the cursor passes or unparked."""


class TargetStatus(Struct, frozen=True, kw_only=True):
    """The conservation sum of one target: accepted = delivered + queued + dropped + duplicate + dead."""

    target: str
    accepted: int
    delivered: int
    queued: int
    """Counted, not computed: behind the cursor's front, and parked."""
    parked: int
    """How many of the queued wait beside the log."""
    dropped: int
    dropped_by: dict[str, int]
    """Rule name -> events."""
    duplicate: int
    dead: int
    cursor: int
    oldest_queued_at: float | None
    """Unix seconds of acceptance of the oldest queued event."""
    again: int = 0
    """How many of the accepted came once more: replayed, or imported as dead letters."""

    @property
    def missing(self) -> int:
        """What the sum lacks: anything but 0 is a fault of the gateway."""
        return self.accepted - self.delivered - self.queued - self.dropped - self.duplicate - self.dead


class LogStatus(Struct, frozen=True, kw_only=True):
    """The whole log at one moment."""

    targets: list[TargetStatus]
    events: int
    """Stored now."""
    bytes: int
    """Of the stored events' bodies."""
    head: int
    """Place of the newest event."""


class Journal(Struct, frozen=True, kw_only=True):
    """What was seen lately of a stream that nodes share."""

    bytes: int
    max_bytes: int
    behind: int
    """Messages that this node's view has still to do."""
    lagging: int
    """Of the servers that keep it: those that are gone, or do not have all of it."""


Role = Literal["all", "ingest", "deliver", "inspect"]
"""Who opens a log: `all` and the two halves of it exclude each other; `inspect` reads, and edits dead letters."""


class Log(Protocol):
    """The port. Every coroutine may raise `LogError`; `append` raises `LogUnavailable` when storing nothing."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Store events in order; durable when it returns. A duplicate is counted and not stored."""

    def on_append(self, wake: Callable[[], None]) -> None:
        """Have `wake` called on the event loop after each commit of new events, by whichever process."""

    async def register(self, targets: Sequence[str]) -> None:
        """Make targets known: a new one begins at the log's end of now, and counts events from there on."""

    async def forget(self, target: str) -> None:
        """Remove a target with all that is kept for it, dead letters too; its name can be used again.

        Raises:
            LogError: there is no such target.
        """

    async def cursor(self, target: str) -> int:
        """Return a target's place; a target never seen before begins at the log's end of now."""

    async def read(self, target: str, after: int, limit: int, max_bytes: int) -> tuple[list[Record], int]:
        """Return the next events for a target, and the place up to which the log was searched.

        The place is beyond the last record when what follows it is not for this target.
        """

    async def settle(self, target: str, settlement: Settlement) -> None:
        """Record what became of events; durable when it returns."""

    async def parked_lanes(self, target: str) -> dict[str, float]:
        """Return each waiting lane and when its first event is due (Unix seconds)."""

    async def parked(self, target: str, lane: str, limit: int) -> list[tuple[Parked, Record]]:
        """Return a lane's first waiting events, in order."""

    async def dead_letters(
        self, *, target: str | None = None, ids: Sequence[int] = (), before: int | None = None, limit: int = 100
    ) -> list[DeadLetter]:
        """Return dead letters, newest first; `before` is the id to go on from."""

    async def retry_dead(self, ids: Sequence[int]) -> int:
        """Put dead letters back into their lanes, in the order of acceptance, due now; return how many there were."""

    async def drop_dead(self, ids: Sequence[int], reason: str) -> int:
        """Drop dead letters for good, counted as dropped by ``dead letter: reason``; return how many there were."""

    async def replay_share(self, target: str) -> float:
        """Return the part of a target's limits that history may use."""

    async def scan(self, after: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """Return the next events whoever they are for, as (place, body)."""

    async def status(self) -> LogStatus:
        """Return counts, as of one moment."""

    async def hold(self, name: str, place: int | None) -> None:
        """Keep all events after a place for a reader that is no target; None lets go, as do 7 days of silence."""

    @property
    def fault(self) -> str | None:
        """Why the log cannot store now, in short; None when it can."""

    async def close(self) -> None:
        """Finish what is under way and let go of the files."""
