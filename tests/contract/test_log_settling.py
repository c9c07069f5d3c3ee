"""Every promise of `gateway.log.port` about what becomes of stored events, over every engine."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.decision import UNROUTED, Decision
from gateway.errors import LogError
from gateway.log.port import Settlement
from tests.contract.log_harness import (
    ENGINES,
    TO_NONE,
    Harness,
    balance,
    bodies,
    entry,
    key,
    letter,
    parked,
    places,
    until,
)

TARGETS = ["crm", "mail"]
PLENTY = 1 << 20


@pytest.fixture(params=ENGINES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    return ENGINES[request.param](tmp_path)


# --- cursors and settlements -----------------------------------------------------------------------------


def test_a_new_target_begins_at_the_end_and_keeps_its_place(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.append([entry("e1")])
            assert await log.cursor("crm") == (await log.status()).head
            await log.append([entry("e2"), entry("e3")])
            (first, last), place = await log.read("crm", await log.cursor("crm"), 10, PLENTY)
            await log.settle("crm", Settlement(cursor=first.seq, delivered=1))
            await log.settle("crm", Settlement(cursor=first.seq - 1))
            assert await log.cursor("crm") == first.seq
        async with harness.opened() as log:
            await log.register(TARGETS)
            assert await log.cursor("crm") == first.seq
            assert await log.cursor("mail") == last.seq == place

    asyncio.run(play())


@pytest.mark.parametrize(
    "bad",
    [
        lambda p: Settlement(cursor=p[3], delivered=3, park=[parked(p[3] + 99)]),
        lambda p: Settlement(cursor=p[3] + 99, delivered=1, dead=[letter(p[1])]),
        lambda p: Settlement(cursor=p[3], delivered=1, park=[parked(p[1])], dead=[letter(p[2], "mail")]),
        lambda p: Settlement(cursor=p[3], park=[parked(p[2]), parked(p[3])]),
    ],
    ids=["no such event", "beyond the end", "another target's letter", "another target's event"],
)
def test_a_settlement_is_applied_whole_or_not_at_all(harness: Harness, bad: Callable[[list[int]], Settlement]) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3", Decision(deliver=(("mail", "orders"),)))])
            before, p = await balance(log), await places(log)
            place = await log.cursor("crm")
            good = log.settle("mail", Settlement(cursor=p[1], delivered=1))
            outcomes = await asyncio.gather(log.settle("crm", bad(p)), good, return_exceptions=True)
            assert isinstance(outcomes[0], LogError)
            assert outcomes[1] is None
            after = await balance(log)
            assert after["crm"] == before["crm"]
            assert after["mail"]["delivered"] == 1
            assert await log.cursor("crm") == place < p[1]
            assert await log.parked_lanes("crm") == {}
            assert await log.dead_letters() == []
            assert log.fault is None

    asyncio.run(play())


def test_an_unknown_target_cannot_settle(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            with pytest.raises(LogError, match="nobody"):
                await log.settle("nobody", Settlement())

    asyncio.run(play())


def test_parked_events_stand_in_their_lane_in_the_order_of_the_log(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry(f"e{i}") for i in range(1, 6)])
            p = await places(log)
            rows = [
                parked(p[4], due_at=40.5),
                parked(p[2], due_at=20.5),
                parked(p[3], "bob", 30.5),
                parked(p[5], due_at=1),
            ]
            await log.settle("crm", Settlement(cursor=p[5], delivered=1, park=rows))
            assert await log.parked_lanes("crm") == {"ann": 20.5, "bob": 30.5}
            assert await log.parked_lanes("mail") == {}
            lane = await log.parked("crm", "ann", 2)
            assert [row for row, _ in lane] == [rows[1], rows[0]]
            assert [(record.seq, record.body, record.rule) for _, record in lane] == [
                (p[2], b"e2", "all"),
                (p[4], b"e4", "all"),
            ]
            again = parked(p[2], due_at=99.5, attempts=2, reason="timeout")
            await log.settle("crm", Settlement(park=[again]))
            assert await log.parked_lanes("crm") == {"ann": 99.5, "bob": 30.5}
            assert [row for row, _ in await log.parked("crm", "ann", 1)] == [again]
            assert (await balance(log))["crm"]["parked"] == 4
            await log.settle("crm", Settlement(delivered=2, unpark=p[2:4]))
            assert await log.parked_lanes("crm") == {"ann": 40.5}
        async with harness.opened() as log:
            assert await log.parked_lanes("crm") == {"ann": 40.5}
            assert (await balance(log))["crm"]["delivered"] == 3

    asyncio.run(play())


# --- dead letters ----------------------------------------------------------------------------------------


def test_dead_letters_come_back_whole_the_newest_first(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3")])
            p = await places(log)
            full = letter(p[2], endpoint="bulk", request=b"{}", status=400, answer=b"\x00no")
            await log.settle("crm", Settlement(cursor=p[2], dead=[letter(p[1]), full]))
            await log.settle("mail", Settlement(cursor=p[1], dead=[letter(p[1], "mail")]))
            third, second, first = await log.dead_letters()
            assert [found.target for found in (third, second, first)] == ["mail", "crm", "crm"]
            assert {field: getattr(second, field) for field in full.__struct_fields__ if field != "id"} == {
                field: getattr(full, field) for field in full.__struct_fields__ if field != "id"
            }
            assert await log.dead_letters(target="crm", limit=1) == [second]
            assert await log.dead_letters(before=second.id) == [first]
            assert await log.dead_letters(ids=[first.id, third.id, 99]) == [third, first]
            counts = await balance(log)
            assert (counts["crm"]["dead"], counts["mail"]["dead"]) == (2, 1)

    asyncio.run(play())


def test_a_retried_letter_waits_again_at_its_place_in_its_lane(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3")])
            p = await places(log)
            dead = [letter(p[1], body=b"e1"), letter(p[3], lane="bob", body=b"e3")]
            await log.settle("crm", Settlement(cursor=p[3], dead=dead, park=[parked(p[2], due_at=9e9)]))
            ids = [found.id for found in await log.dead_letters()]
            assert await log.retry_dead([*ids, 99]) == 2
            assert await log.retry_dead(ids) == 0
            assert await log.dead_letters() == []
            rows = [row for row, _ in await log.parked("crm", "ann", 10)]
            assert [(row.seq, row.due_at, row.attempts) for row in rows] == [
                (p[1], harness.clock.now, 0),
                (p[2], 9e9, 1),
            ]
            assert await log.parked_lanes("crm") == {"ann": harness.clock.now, "bob": harness.clock.now}
            ((_, record),) = await log.parked("crm", "bob", 10)
            assert (record.seq, record.body, record.rule) == (p[3], b"e3", "all")
            assert (await balance(log))["crm"]["parked"] == 3

    asyncio.run(play())


def test_a_retry_in_another_process_wakes_the_deliverer(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry("e1")])
            _, place = await places(log)
            await log.settle("crm", Settlement(cursor=place, dead=[letter(place)]))
            calls: list[None] = []
            log.on_append(lambda: calls.append(None))
            with harness.child("retry", "inspect") as child:
                assert await asyncio.to_thread(child.say) == 1
                await until(lambda: bool(calls))
            await harness.caught_up(log)
            assert list(await log.parked_lanes("crm")) == ["ann"]

    asyncio.run(play())


def test_a_dropped_letter_is_gone_and_counted_under_its_reason(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3", TO_NONE)])
            p = await places(log)
            await log.settle("crm", Settlement(cursor=p[2], dead=[letter(p[1]), letter(p[2])]))
            ids = [found.id for found in await log.dead_letters()]
            assert await log.drop_dead([*ids, 99], "too old") == 2
            assert await log.drop_dead(ids, "too old") == 0
            (crm, _) = (await log.status()).targets
            assert crm.dropped_by == {"dead letter: too old": 2, "tests": 1}
            assert (await balance(log))["crm"]["dead"] == 0

    asyncio.run(play())


# --- duplicates ------------------------------------------------------------------------------------------


def test_a_key_is_stored_once_within_the_window_and_over_restarts(harness: Harness) -> None:
    async def play() -> None:
        window = 3600.0
        async with harness.opened(duplicate_window_s=window) as log:
            await log.register(TARGETS)
            await log.append([entry("e1", key=key("k")), entry("e2", key=key("k")), entry("e3"), entry("e4")])
            await log.append([entry("e5", TO_NONE, key("k")), entry("e6", key=key("other"))])
            assert await bodies(log, "crm") == ["e1", "e3", "e4", "e6"]
        harness.clock.now += window * 0.95
        async with harness.opened(duplicate_window_s=window) as log:
            await log.append([entry("e7", key=key("k"))])
            counts = await balance(log)
            assert [counts[name]["duplicate"] for name in TARGETS] == [3, 3]
            harness.clock.now += window
            await log.append([entry("e8", key=key("k"))])
            assert (await bodies(log, "crm"))[-1] == "e8"
        harness.clock.now += 2 * window
        async with harness.opened(duplicate_window_s=window) as log:
            await log.append([entry("e9", key=key("k"))])
            assert (await bodies(log, "crm"))[-1] == "e9"
            assert (await balance(log))["mail"]["duplicate"] == 3

    asyncio.run(play())


def test_a_key_with_a_time_of_its_own_counts_from_the_event_that_was_stored(harness: Harness) -> None:
    """Not from the last one refused; over restarts, and longer than the log's window."""

    async def play() -> None:
        async with harness.opened(duplicate_window_s=60) as log:
            await log.register(TARGETS)
            await log.append([entry("e1", key=key("open"), once_s=1200), entry("e2", key=key("open"), once_s=1200)])
            await log.append([entry("e3", key=key("buy"), once_s=1e8), entry("e4", key=key("other"), once_s=1200)])
            harness.clock.now += 1000
            await log.append([entry("e5", key=key("open"), once_s=1200)])
        async with harness.opened(duplicate_window_s=60) as log:
            harness.clock.now += 201
            await log.append([entry("e6", key=key("open"), once_s=1200), entry("e7", key=key("buy"), once_s=1e8)])
            assert await bodies(log, "crm") == ["e1", "e3", "e4", "e6"]
            assert (await balance(log))["mail"]["duplicate"] == 3

    asyncio.run(play())


def test_a_key_stored_by_another_process_is_a_duplicate(harness: Harness) -> None:
    async def play() -> None:
        with harness.child("append_when_told", "ingest+", "a", "b") as child:
            child.say()
            async with harness.opened("ingest", shared_ingest=True) as log:
                await log.register(TARGETS)
                await log.append([entry("b", key=key("b"))])
                child.go_on()
                assert await asyncio.to_thread(child.say) == "a"
                await log.append([entry("a", key=key("a"))])
                child.go_on()
                assert await asyncio.to_thread(child.say) == "b"
                await harness.caught_up(log)
                assert sorted(await bodies(log, "crm")) == ["a", "b"]
                assert (await balance(log))["crm"]["duplicate"] == 2

    asyncio.run(play())


# --- counting --------------------------------------------------------------------------------------------


def test_a_target_counts_from_when_it_was_registered_and_what_no_rule_named(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(["crm"])
            await log.append([entry("e1"), entry("e2", key=key("k")), entry("e3", key=key("k"))])
            await log.register(["crm", "mail", "late"])
            await log.append([entry("e4"), entry("e5", TO_NONE), entry("e6", key=key("k"))])
            counts = await balance(log)
            assert counts["crm"]["accepted"] == 6
            assert counts["mail"] == {
                "accepted": 3, "delivered": 0, "queued": 1, "parked": 0, "dropped": 1, "duplicate": 1, "dead": 0
            }  # fmt: skip
            assert {found.target: found.dropped_by for found in (await log.status()).targets} == {
                "crm": {"tests": 1},
                "late": {UNROUTED: 2},
                "mail": {"tests": 1},
            }

    asyncio.run(play())


def test_the_oldest_queued_event_is_known_by_its_time(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            assert [found.oldest_queued_at for found in (await log.status()).targets] == [None, None]
            start = harness.clock.now
            await log.append([entry("e1")])
            harness.clock.now += 10
            await log.append([entry("e2")])
            p = await places(log)
            await log.settle("crm", Settlement(cursor=p[1], delivered=1))
            await log.settle("mail", Settlement(cursor=p[2], delivered=1, park=[parked(p[1])]))
            assert [found.oldest_queued_at for found in (await log.status()).targets] == [start + 10, start]

    asyncio.run(play())
