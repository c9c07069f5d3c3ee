"""A log in memory that checks every settlement: what it counts, it can name."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from gateway.log.port import (
    DEFAULT_SHARE,
    DeadLetter,
    Entry,
    LogStatus,
    Parked,
    Record,
    Settlement,
    TargetStatus,
)
from tests.unit.delivery.memory_target import MemoryTarget

_RETRIED = "retried by hand"


class MemoryLog:
    """`gateway.log.port.Log` without a file; every settlement that does not add up is an AssertionError."""

    def __init__(self, targets: Sequence[str] = ("crm",)) -> None:
        self.entries: list[Entry] = []
        self.targets = {name: MemoryTarget() for name in targets}
        self.settlements: list[Settlement] = []
        self.fails: Exception | None = None
        self._wakes: list[Callable[[], None]] = []
        self._letters = 0

    async def append(self, entries: Sequence[Entry]) -> None:
        self.entries += entries
        for wake in self._wakes:
            wake()

    def on_append(self, wake: Callable[[], None]) -> None:
        self._wakes.append(wake)

    async def register(self, targets: Sequence[str]) -> None:
        for name in targets:
            self.targets.setdefault(name, MemoryTarget(cursor=len(self.entries)))

    async def forget(self, target: str) -> None:
        del self.targets[target]

    async def cursor(self, target: str) -> int:
        await self.register([target])
        return self.targets[target].cursor

    def _records(self, target: str, after: int, upto: int) -> list[Record]:
        span = range(max(after, 0), min(upto, len(self.entries)))
        return [
            Record(at + 1, self.entries[at].body, rule)
            for at in span
            for name, rule in self.entries[at].decision.deliver
            if name == target
        ]

    async def read(self, target: str, after: int, limit: int, max_bytes: int) -> tuple[list[Record], int]:
        self._check()
        await asyncio.sleep(0)
        records: list[Record] = []
        size = 0
        for record in self._records(target, after, len(self.entries)):
            size += len(record.body)
            if len(records) == limit or (records and size > max_bytes):
                return records, records[-1].seq
            records.append(record)
        return records, len(self.entries)

    def _check(self) -> None:
        if self.fails is not None:
            raise self.fails

    async def settle(self, target: str, settlement: Settlement) -> None:
        self._check()
        await asyncio.sleep(0)
        state = self.targets[target]
        cursor = state.cursor if settlement.cursor is None else settlement.cursor
        assert cursor <= len(self.entries)
        state.apply(settlement, {record.seq for record in self._records(target, state.cursor, cursor)})
        for letter in settlement.dead:
            self._letters += 1
            assert letter.target == target
            state.letters.append(msgspec.structs.replace(letter, id=self._letters))
        self.settlements.append(settlement)

    async def parked_lanes(self, target: str) -> dict[str, float]:
        await asyncio.sleep(0)
        lanes: dict[str, float] = {}
        for row in sorted(self.targets[target].parked.values(), key=lambda row: row.seq):
            lanes.setdefault(row.lane, row.due_at)
        return lanes

    async def parked(self, target: str, lane: str, limit: int) -> list[tuple[Parked, Record]]:
        await asyncio.sleep(0)
        rows = sorted((r for r in self.targets[target].parked.values() if r.lane == lane), key=lambda row: row.seq)
        return [(row, self._records(target, row.seq - 1, row.seq)[0]) for row in rows[:limit]]

    async def dead_letters(
        self, *, target: str | None = None, ids: Sequence[int] = (), before: int | None = None, limit: int = 100
    ) -> list[DeadLetter]:
        letters = [
            letter
            for name, state in self.targets.items()
            if target in (None, name)
            for letter in state.letters
            if (not ids or letter.id in ids) and (before is None or letter.id < before)
        ]
        return sorted(letters, key=lambda letter: -letter.id)[:limit]

    async def retry_dead(self, ids: Sequence[int]) -> int:
        letters = await self.dead_letters(ids=ids, limit=len(ids))
        for letter in letters:
            state = self.targets[letter.target]
            state.letters.remove(letter)
            state.parked[letter.seq] = Parked(letter.seq, letter.lane, 0.0, 0, _RETRIED, 0.0)
        for wake in self._wakes:
            wake()
        return len(letters)

    async def drop_dead(self, ids: Sequence[int], reason: str) -> int:
        letters = await self.dead_letters(ids=ids, limit=len(ids))
        for letter in letters:
            state = self.targets[letter.target]
            state.letters.remove(letter)
            rule = f"dead letter: {reason}"
            state.dropped[rule] = state.dropped.get(rule, 0) + 1
        return len(letters)

    async def replay_share(self, target: str) -> float:
        return DEFAULT_SHARE

    async def scan(self, after: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]]:
        return [(at + 1, self.entries[at].body) for at in range(after, min(after + limit, len(self.entries)))]

    async def status(self) -> LogStatus:
        return LogStatus(
            targets=[self._status(name) for name in self.targets],
            events=len(self.entries),
            bytes=sum(len(entry.body) for entry in self.entries),
            head=len(self.entries),
        )

    def _status(self, name: str) -> TargetStatus:
        state = self.targets[name]
        accepted = len(self._records(name, 0, len(self.entries)))
        return TargetStatus(
            target=name,
            accepted=accepted,
            delivered=state.delivered,
            queued=len(self._records(name, state.cursor, len(self.entries))) + len(state.parked),
            parked=len(state.parked),
            dropped=sum(state.dropped.values()),
            dropped_by=dict(state.dropped),
            duplicate=0,
            dead=len(state.letters),
            cursor=state.cursor,
            oldest_queued_at=None,
        )

    async def hold(self, name: str, place: int | None) -> None:
        self.settlements.append(Settlement())

    @property
    def fault(self) -> str | None:
        return None if self.fails is None else str(self.fails)

    async def close(self) -> None:
        self._wakes.clear()
