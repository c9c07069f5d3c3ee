"""Following: what happens is told once, in order, and only what was asked for."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.adapter import Verdict
from gateway.decision import Decision
from gateway.errors import LogError
from gateway.event import Event, dump
from gateway.log.port import DeadLetter, Settlement
from gateway.log.sqlite import SqliteLog
from gateway.receipts import Ended, Follower, Wanted, path_beside
from gateway.receipts.following import AT_ONCE
from tests.unit.receipts.making import attempt, entries, event, recorded

BOTH = Decision(deliver=(("crm", "all"), ("mail", "all")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "gateway.db"
    store(made, [])
    return made


def store(path: Path, events: Sequence[Event], dead: Sequence[Event] = ()) -> None:
    async def main() -> None:
        log = await SqliteLog.open(path, role="all")
        await log.register(["crm", "mail"])
        await log.append(entries(events, BOTH))
        letters = [letter(number, one) for number, one in enumerate(dead, start=1)]
        if letters:
            await log.settle("crm", Settlement(dead=letters))
        await log.close()

    asyncio.run(main())


def letter(seq: int, one: Event) -> DeadLetter:
    fields: dict[str, Any] = {"target": "crm", "rule": "all", "reason": "HTTP 400", "attempts": 1, "lane": "ann"}
    return DeadLetter(seq=seq, event_id=one.id, body=dump(one), died_at=datetime.now(UTC), **fields)


def told(follower: Follower) -> list[tuple[str, str, str]]:
    return sorted((line.what, line.event, line.target) for line in follower.look())


def test_everything_is_told_once(path: Path) -> None:
    before, one, other = event(), event(), event()
    store(path, [before])
    recorded(path_beside(path), attempt(before.id))
    follower = Follower(path, Wanted())
    assert follower.look() == []
    store(path, [one, other], dead=[other])
    retry = attempt(one.id, verdict=Verdict.RETRY, status=500)
    recorded(path_beside(path), attempt(one.id, other.id), retry, Ended("mail", one.id, "dropped", "no permission"))
    assert told(follower) == sorted(
        [
            ("accepted", one.id, ""),
            ("accepted", other.id, ""),
            ("delivered", one.id, "crm"),
            ("retry", one.id, "crm"),
            ("dropped", one.id, "mail"),
            ("dead", other.id, "crm"),
        ]
    )
    assert follower.look() == []


def test_receipts_may_come_later(path: Path) -> None:
    follower = Follower(path, Wanted())
    one = event()
    store(path, [one])
    assert told(follower) == [("accepted", one.id, "")]
    recorded(path_beside(path), attempt(one.id), Ended("crm", one.id, "dead", "told by the log"))
    assert told(follower) == [("delivered", one.id, "crm")]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(source="shop"), {"accepted", "delivered", "retry"}),
        (Wanted(source="app"), set()),
        (Wanted(name="Order *"), {"accepted", "delivered"}),
        (Wanted(name="Cart *"), {"accepted", "retry"}),
        (Wanted(target="crm"), {"accepted", "delivered"}),
        (Wanted(target="other"), set()),
        (Wanted(status=["delivered", "retry"]), {"delivered", "retry"}),
        (Wanted(status=["accepted"], name="Nothing"), set()),
    ],
)
def test_only_what_is_asked_for(path: Path, wanted: Wanted, expected: set[str]) -> None:
    follower = Follower(path, wanted)
    order, cart = event(), msgspec.structs.replace(event(), name="Cart Updated")
    store(path, [order, cart])
    recorded(path_beside(path), attempt(order.id), attempt(cart.id, target="mail", verdict=Verdict.RETRY))
    assert {line.what for line in follower.look()} == expected


def test_the_names_of_earlier_events_are_looked_up(path: Path) -> None:
    one = event()
    store(path, [one])
    follower = Follower(path, Wanted(name="Order *"))
    recorded(path_beside(path), attempt(one.id))
    (line,) = follower.look()
    assert (line.what, line.name, line.source) == ("delivered", "Order Completed", "shop")


def test_who_is_far_behind_is_told_what_is_left_out(path: Path) -> None:
    follower = Follower(path, Wanted())
    events = [event() for _ in range(2 * AT_ONCE + 500)]
    store(path, events)
    recorded(path_beside(path), *[attempt(one.id) for one in events])
    lines = follower.look()
    assert sorted(line.why for line in lines if line.what == "skipped") == [
        f"{AT_ONCE + 500} accepted events, to keep up",
        f"{AT_ONCE + 500} requests, to keep up",
    ]
    assert [line.event for line in lines if line.what == "accepted"] == [one.id for one in events[-AT_ONCE:]]
    assert sum(line.what == "delivered" for line in lines) == AT_ONCE
    assert follower.look() == []


def test_there_must_be_a_log(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="there is no log"):
        Follower(tmp_path / "none.db", Wanted())
