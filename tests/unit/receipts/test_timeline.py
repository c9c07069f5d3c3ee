"""The timeline of an event, from a log and its receipts in every state they may be in."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.adapter import Verdict
from gateway.decision import UNROUTED, Decision
from gateway.event import Event, dump
from gateway.ids import uuid7
from gateway.log.port import DeadLetter, Entry, Parked, Settlement
from gateway.log.sqlite import Retention, SqliteLog
from gateway.receipts import AtTarget, Ended, Timeline, path_beside, reading, timelines
from tests.unit.receipts.making import attempt, entries, event, recorded

TO_CRM = Decision(deliver=(("crm", "all"),), drop=(("mail", UNROUTED), ("ads", "tests")))
NAMES = ["crm", "mail", "ads"]

Work = Callable[[SqliteLog], Awaitable[Any]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


def with_log(path: Path, work: Work, clock: Callable[[], float] = time.time) -> None:
    async def main() -> None:
        log = await SqliteLog.open(path, role="all", retention=Retention(seconds=3_600), clock=clock)
        try:
            await log.register(NAMES)
            await work(log)
        finally:
            await log.close()

    asyncio.run(main())


def store(path: Path, events: list[Event], settlement: Settlement | None = None) -> None:
    """Accept events, and say what became of them at `crm`."""

    async def work(log: SqliteLog) -> None:
        await log.append(entries(events, TO_CRM))
        if settlement is not None:
            await log.settle("crm", settlement)

    with_log(path, work)


def told(path: Path, wanted: str, since_s: float = 3_600) -> list[Timeline]:
    with reading(path) as files:
        return timelines(files, wanted, int((time.time() - since_s) * 1000), [*NAMES, "new"])


def at_crm(path: Path, one: Event) -> AtTarget:
    (found,) = told(path, one.id)
    assert found.event == one
    return next(target for target in found.targets if target.target == "crm")


def test_the_decision_at_every_target(path: Path) -> None:
    one = event()
    store(path, [one])
    (found,) = told(path, one.id.upper())
    assert [(t.target, t.rule, t.outcome, t.why) for t in found.targets] == [
        ("crm", "all", "queued", "0 events of the target before it"),
        ("mail", None, "dropped", "no rule sends it there"),
        ("ads", None, "dropped", "dropped by 'tests'"),
        ("new", None, "dropped", "the target was not there when the event was accepted"),
    ]


def test_queued_behind_others_and_why_the_target_does_not_go_on(path: Path) -> None:
    events = [event() for _ in range(3)]
    store(path, events)
    held = attempt(events[0].id, verdict=Verdict.HOLD, why="HTTP 401: the key is wrong", status=401)
    recorded(path_beside(path), held)
    found = at_crm(path, events[2])
    assert found.outcome == "queued"
    assert found.why.startswith("2 events of the target before it; the target's last request, ")
    assert found.why.endswith(": held, HTTP 401: the key is wrong")
    assert [one.status for one in at_crm(path, events[0]).attempts] == ["held"]


def test_delivered_as_the_receipts_say(path: Path) -> None:
    one, other = event(), event()
    store(path, [one, other], Settlement(cursor=2, delivered=2))
    failed = attempt(one.id, verdict=Verdict.RETRY, status=500, why="HTTP 500")
    recorded(path_beside(path), failed, attempt(other.id, one.id))
    found = at_crm(path, one)
    assert (found.outcome, found.why) == ("delivered", "HTTP 202")
    assert found.at is not None
    assert abs(found.at - datetime.now(UTC)).total_seconds() < 60
    assert [(a.status, a.position, a.events) for a in found.attempts] == [("retry", 1, 1), ("delivered", 2, 2)]


def test_delivered_before_the_log_has_noted_it(path: Path) -> None:
    one = event()
    store(path, [one])
    recorded(path_beside(path), attempt(one.id))
    assert at_crm(path, one).outcome == "delivered"


def test_dropped_on_the_way(path: Path) -> None:
    one = event()
    store(path, [one], Settlement(cursor=1, dropped={"all: no permission for email": 1}))
    recorded(path_beside(path), Ended("crm", one.id, "dropped", "all: no permission for email"))
    found = at_crm(path, one)
    assert (found.outcome, found.why) == ("dropped", "all: no permission for email")
    assert found.attempts[0].method is None


def test_waiting_and_behind_what(path: Path) -> None:
    events = [event(), event()]
    due = time.time() + 60
    rows = [
        Parked(1, "ann", due, 2, "HTTP 500", time.time()),
        Parked(2, "ann", due, 0, "behind an earlier event of its lane", time.time()),
    ]
    store(path, events, Settlement(cursor=2, park=rows))
    first, second = at_crm(path, events[0]), at_crm(path, events[1])
    assert (first.outcome, first.why) == ("waiting", "2 attempts, the last: HTTP 500")
    assert first.until is not None
    assert first.until.timestamp() == pytest.approx(due, abs=0.01)
    assert (second.outcome, second.until) == ("waiting", first.until)
    assert second.why == f"behind the event {events[0].id} of the same profile, which waits: HTTP 500"


def letter(one: Event, seq: int, **more: Any) -> DeadLetter:
    fields = {"target": "crm", "rule": "all", "reason": "HTTP 400", "died_at": datetime.now(UTC), "attempts": 1}
    return DeadLetter(**{**fields, "seq": seq, "event_id": one.id, "body": dump(one), "lane": "ann", **more})


def test_a_dead_letter_whatever_the_receipts_say(path: Path) -> None:
    """A bulk request that was taken may name one event that was not."""
    one, other = event(), event()
    store(path, [one, other], Settlement(cursor=2, delivered=1, dead=[letter(one, 1)]))
    recorded(path_beside(path), attempt(one.id, other.id), Ended("crm", one.id, "dead", "HTTP 400"))
    found = at_crm(path, one)
    assert (found.outcome, found.why, found.dead_letter) == ("dead", "HTTP 400", 1)
    assert at_crm(path, other).outcome == "delivered"


def test_a_dead_letter_that_was_put_back_waits(path: Path) -> None:
    one = event()
    store(path, [one], Settlement(cursor=1, dead=[letter(one, 1)]))
    with_log(path, lambda log: log.retry_dead([1]))
    found = at_crm(path, one)
    assert (found.outcome, found.why) == ("waiting", "retried by hand")


def test_without_a_receipt_the_end_is_not_known_and_said_so(path: Path) -> None:
    one = event()
    store(path, [one], Settlement(cursor=1, delivered=1))
    (found,) = told(path, one.id)
    assert found.targets[0].outcome == "unknown"
    assert found.notes == ["there are no receipts: what was sent and answered is not known"]
    recorded(path_beside(path), attempt(uuid7()))
    (found,) = told(path, one.id)
    assert found.notes[0].startswith("receipts begin at ")


# --- what the log holds no more --------------------------------------------------------------------------


def pruned(path: Path, events: list[Event], settlement: Settlement) -> None:
    """Accept events two hours ago, and let them go."""
    old = time.time() - 7_200

    async def work(log: SqliteLog) -> None:
        await log.append([Entry(one.id, dump(one), TO_CRM) for one in events])
        await log.settle("crm", settlement)

    with_log(path, work, clock=lambda: old)
    with_log(path, lambda log: log.prune())


def old_event() -> Event:
    stamp = f"{int((time.time() - 7_200) * 1000):012x}"
    return event(id=f"{stamp[:8]}-{stamp[8:]}-7{uuid7()[15:]}", dedupe_key="order-1")


def test_receipts_outlive_the_event(path: Path) -> None:
    one = old_event()
    pruned(path, [one], Settlement(cursor=1, delivered=1))
    assert told(path, one.id) == []
    recorded(path_beside(path), attempt(one.id))
    (found,) = told(path, one.id)
    assert (found.event, found.notes) == (None, ["the log holds the event no more: this is what its receipts say"])
    assert (found.targets[0].target, found.targets[0].outcome) == ("crm", "delivered")


@pytest.mark.parametrize("state", ["dead", "parked", "retried"])
def test_what_a_target_still_holds_is_found(path: Path, state: str) -> None:
    one = old_event()
    row = Parked(1, "ann", time.time() + 60, 1, "HTTP 500", time.time())
    settlement = Settlement(cursor=1, park=[row]) if state == "parked" else Settlement(cursor=1, dead=[letter(one, 1)])
    pruned(path, [one], settlement)
    if state == "retried":
        with_log(path, lambda log: log.retry_dead([1]))
    assert at_crm(path, one).outcome == ("dead" if state == "dead" else "waiting")
    if state == "dead":
        assert [found.id for found in told(path, "order-1", since_s=3 * 3_600)] == [one.id]


# --- the client's own key --------------------------------------------------------------------------------


def test_events_under_a_clients_key_newest_first(path: Path) -> None:
    key = 'order "1042" ž'
    events = [event(dedupe_key=key), event(dedupe_key="order"), event(dedupe_key=key)]
    quoting = event(properties={"text": f'"dedupe_key":{msgspec.json.encode(key).decode()}', "dedupe_key": key})
    store(path, [*events, quoting])
    assert [found.id for found in told(path, key)] == [events[2].id, events[0].id]
    assert told(path, "1042") == []


def test_a_key_that_looks_like_an_id(path: Path) -> None:
    key = uuid7()
    one = event(dedupe_key=key)
    store(path, [one])
    assert [found.id for found in told(path, key)] == [one.id]


def test_keys_are_looked_for_as_far_back_as_asked(path: Path) -> None:
    one = old_event()

    async def work(log: SqliteLog) -> None:
        await log.append(entries([one], TO_CRM))

    with_log(path, work, clock=lambda: time.time() - 7_200)
    assert told(path, "order-1") == []
    assert len(told(path, "order-1", since_s=3 * 3_600)) == 1
    assert len(told(path, one.id)) == 1


@pytest.mark.parametrize(
    "wanted", ["", "x", "0" * 36, "ffffffff-ffff-7fff-bfff-ffffffffffff", "a-b-c-d-e", "%", "\x00"]
)
def test_anything_may_be_asked_for(path: Path, wanted: str) -> None:
    store(path, [event()])
    recorded(path_beside(path), attempt(uuid7()))
    assert told(path, wanted) == []
