"""The log against a simple model of it, over any sequence of what can happen to it."""

import asyncio
import tempfile
from collections import Counter, deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from gateway.decision import UNROUTED, Decision
from gateway.log.port import Entry, LogStatus, Settlement
from gateway.log.sqlite import Retention
from tests.contract.log_harness import ENGINES, TO_BOTH, TO_CRM, TO_NONE, Harness, key, letter, parked

T = TypeVar("T")

NAMES = ("crm", "mail", "late")
DECISIONS = (TO_BOTH, TO_CRM, TO_NONE, Decision(deliver=(("late", "all"), ("mail", "orders"))))
FATES = st.sampled_from(["delivered", "parked", "dead"])
LANES = st.sampled_from(["ann", "bob"])


@dataclass
class Target:
    """What the model knows of one target."""

    accepted: int = 0
    delivered: int = 0
    duplicate: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    ahead: deque[tuple[int, str]] = field(default_factory=deque)
    """(number of the event, rule) of what its cursor has not passed."""
    parked: dict[int, str] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)
    seqs: dict[int, int] = field(default_factory=dict)


class Machine(RuleBasedStateMachine):
    """Does the same to a log and to the model, and compares."""

    engine: type[Harness]

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="log-model-")
        self.harness = self.engine(Path(self.folder.name))
        self.runner = asyncio.Runner()
        self.targets: dict[str, Target] = {}
        self.keys: set[bytes] = set()
        self.count = 0
        self.log = self.run(self.harness.open(retention=Retention(seconds=60)))
        self.register("crm")
        self.register("mail")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def register(self, name: str) -> None:
        self.run(self.log.register([name]))
        self.targets.setdefault(name, Target())

    @rule()
    def register_late(self) -> None:
        self.register("late")

    @rule(events=st.lists(st.tuples(st.sampled_from(DECISIONS), st.none() | st.sampled_from("abcd")), max_size=5))
    def append(self, events: list[tuple[Decision, str | None]]) -> None:
        entries = []
        for decision, name in events:
            self.count += 1
            entries.append(Entry(f"e{self.count}", f"e{self.count}".encode(), decision, key(name) if name else None))
            self._expect(decision, entries[-1].dedupe)
        self.run(self.log.append(entries))

    def _expect(self, decision: Decision, dedupe: bytes | None) -> None:
        again = dedupe in self.keys
        if dedupe is not None:
            self.keys.add(dedupe)
        for name, target in self.targets.items():
            target.accepted += 1
            if again:
                target.duplicate += 1
            elif name in dict(decision.deliver):
                target.ahead.append((self.count, dict(decision.deliver)[name]))
            else:
                target.dropped[dict(decision.drop).get(name, UNROUTED)] += 1

    @rule(name=st.sampled_from(NAMES), fates=st.lists(st.tuples(FATES, LANES), max_size=4))
    def settle(self, name: str, fates: list[tuple[str, str]]) -> None:
        target = self.targets.get(name)
        if target is None:
            return
        place = self.run(self.log.cursor(name))
        records, _ = self.run(self.log.read(name, place, len(fates) + 1, 1 << 20))
        settlement = Settlement()
        park, dead = [], []
        for record, (fate, lane) in zip(records, fates, strict=False):
            number, expected = target.ahead.popleft()
            assert (record.body, record.rule) == (f"e{number}".encode(), expected)
            target.seqs[number] = settlement.cursor = record.seq
            if fate == "delivered":
                settlement.delivered += 1
            elif fate == "parked":
                target.parked[number] = lane
                park.append(parked(record.seq, lane))
            else:
                target.dead.add(number)
                dead.append(letter(record.seq, name, body=record.body, lane=lane))
        target.delivered += settlement.delivered
        settlement.park, settlement.dead = park, dead
        self.run(self.log.settle(name, settlement))

    @rule(name=st.sampled_from(NAMES), lane=LANES, delivered=st.booleans())
    def end_first_of_lane(self, name: str, lane: str, delivered: bool) -> None:
        target = self.targets.get(name, Target())
        waiting = sorted(number for number, at in target.parked.items() if at == lane)
        rows = self.run(self.log.parked(name, lane, 10))
        assert [record.body.decode() for _, record in rows] == [f"e{number}" for number in waiting[:10]]
        if not rows:
            return
        row, record = rows[0]
        assert row.seq == target.seqs[waiting[0]]
        del target.parked[waiting[0]]
        if delivered:
            target.delivered += 1
            self.run(self.log.settle(name, Settlement(delivered=1, unpark=[row.seq])))
        else:
            target.dead.add(waiting[0])
            dead = [letter(row.seq, name, body=record.body, lane=lane)]
            self.run(self.log.settle(name, Settlement(unpark=[row.seq], dead=dead)))

    @rule(retry=st.booleans(), count=st.integers(0, 3))
    def decide_on_dead(self, retry: bool, count: int) -> None:
        chosen = self.run(self.log.dead_letters(limit=count))
        ids = [found.id for found in chosen]
        for found in chosen:
            target, number = self.targets[found.target], int(found.body[1:])
            target.dead.remove(number)
            if retry:
                target.parked[number] = found.lane
            else:
                target.dropped["dead letter: by hand"] += 1
        work = self.log.retry_dead(ids) if retry else self.log.drop_dead(ids, "by hand")
        assert self.run(work) == len(chosen)

    @rule(seconds=st.integers(0, 100))
    def prune(self, seconds: int) -> None:
        self.harness.clock.now += seconds
        self.run(self.harness.prune(self.log))

    @rule()
    def reopen(self) -> None:
        self.run(self.log.close())
        self.log = self.run(self.harness.open(retention=Retention(seconds=60)))

    async def at_one_moment(self) -> tuple[LogStatus, list[tuple[int, bytes]]]:
        """Return counts and events between which the log has not pruned by itself."""
        while True:
            status = await self.log.status()
            stored = await self.log.scan(0, 10_000, 1 << 24)
            if status == await self.log.status():
                return status, stored

    @invariant()
    def every_sum_is_whole(self) -> None:
        if not hasattr(self, "log"):
            return
        status, stored = self.run(self.at_one_moment())
        assert {found.target for found in status.targets} == set(self.targets)
        for found in status.targets:
            target = self.targets[found.target]
            assert found.missing == 0
            assert found.accepted == target.accepted
            assert found.delivered == target.delivered
            assert found.queued == len(target.ahead) + len(target.parked)
            assert found.parked == len(target.parked)
            assert found.dropped_by == target.dropped
            assert found.duplicate == target.duplicate
            assert found.dead == len(target.dead)
        assert (status.events, status.bytes) == (len(stored), sum(len(body) for _, body in stored))

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.run(self.log.close())
            self.runner.close()
            self.folder.cleanup()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_log_does_what_the_model_does(engine: str) -> None:
    machine = type("EngineMachine", (Machine,), {"engine": ENGINES[engine]})
    run_state_machine_as_test(machine, settings=settings(max_examples=80, stateful_step_count=30, deadline=None))
