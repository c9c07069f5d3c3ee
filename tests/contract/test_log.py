"""Every promise of `gateway.log.port`, over every engine."""

import asyncio
from pathlib import Path

import pytest

from gateway.decision import UNROUTED, Decision
from gateway.errors import LogError, LogLocked, LogUnavailable
from gateway.log.port import Settlement
from gateway.log.sqlite import Retention
from tests.contract.log_harness import (
    ENGINES,
    TO_BOTH,
    TO_CRM,
    TO_NONE,
    Harness,
    balance,
    bodies,
    entry,
    key,
    letter,
    parked,
    until,
)

TARGETS = ["crm", "mail"]
PLENTY = 1 << 20


@pytest.fixture(params=ENGINES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    return ENGINES[request.param](tmp_path)


# --- storing ---------------------------------------------------------------------------------------------


def test_what_append_returned_from_is_seen_by_another_process(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.append([entry("e1"), entry("e2")])
            with harness.child("read", "inspect", "crm") as child:
                assert child.say() == ["e1", "e2"]

    asyncio.run(play())


@pytest.mark.parametrize(("per_append", "senders"), [(1, 1), (3, 8)])
def test_what_append_returned_from_survives_a_kill(harness: Harness, per_append: int, senders: int) -> None:
    with harness.child("append", "all", str(per_append), str(senders)) as child:
        said = [child.say() for _ in range(40)] + child.kill_and_hear()

    async def check() -> None:
        async with harness.opened() as log:
            found = await bodies(log, "crm")
            assert {name for names in said for name in names} <= set(found)
            assert len(found) == len(set(found)) == (await log.status()).events
            for sender in range(senders):
                mine = [name for name in found if name.startswith(f"{sender}.")]
                assert mine == [f"{sender}.{i // per_append}.{i % per_append}" for i in range(len(mine))]
                assert len(mine) % per_append == 0
            await log.append([entry(said[0][0], key=key(said[0][0]))])
            assert (await balance(log))["crm"]["duplicate"] == 1

    asyncio.run(check())


def test_a_kill_in_the_middle_of_everything_leaves_every_sum_whole(harness: Harness) -> None:
    async def check() -> None:
        async with harness.opened() as log:
            counts = await balance(log)
            assert counts["crm"]["delivered"] > 0
            assert counts["crm"]["accepted"] == counts["mail"]["accepted"] > said
            await log.append([entry("after")])
            assert (await bodies(log, "mail"))[-1] == "after"

    said = 0
    for _ in range(3):
        with harness.child("live", "all") as child:
            said += len([child.say() for _ in range(40)] + child.kill_and_hear()) - 1
        asyncio.run(check())


def test_events_keep_the_order_of_their_appends(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            first = log.append([entry("e1"), entry("e2")])
            second = log.append([entry("e3")])
            await asyncio.gather(first, second, *(log.append([entry(f"e{i}")]) for i in range(4, 200)))
            assert await bodies(log, "crm") == [f"e{i}" for i in range(1, 200)]

    asyncio.run(play())


def test_bodies_of_any_size_and_content_come_back(harness: Harness) -> None:
    wanted = [b"", b"\x00\xff" * 10, bytes(range(256)) * 8192]

    async def play() -> None:
        async with harness.opened() as log:
            await log.append([entry(f"e{i}", body=body) for i, body in enumerate(wanted)])
            assert [body for _, body in await log.scan(0, 10, 1 << 24)] == wanted

    asyncio.run(play())


def test_a_cancelled_append_cancels_no_other(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            tasks = [asyncio.create_task(log.append([entry(f"e{i}")])) for i in range(20)]
            await asyncio.sleep(0)
            tasks[7].cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert [i for i, outcome in enumerate(outcomes) if outcome is not None] == [7]
            assert {f"e{i}" for i in range(20) if i != 7} <= set(await bodies(log, "crm"))

    asyncio.run(play())


def test_more_than_may_wait_is_refused_at_once_and_the_rest_is_stored(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(max_pending_bytes=1000) as log:
            appends = [log.append([entry(f"e{i}", body=bytes(400))]) for i in range(5)]
            outcomes = await asyncio.gather(*appends, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [type(None)] * 2 + [LogUnavailable] * 3
            await log.append([entry("later", body=bytes(400))])
            assert (await log.status()).events == 3
            assert log.fault is None

    asyncio.run(play())


def test_an_append_of_nothing_stores_nothing(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.append([])
            assert (await log.status()).head == 0

    asyncio.run(play())


def test_closing_finishes_what_was_handed_over_and_refuses_more(harness: Harness) -> None:
    async def play() -> None:
        log = await harness.open()
        waiting = [asyncio.create_task(log.append([entry(f"e{i}")])) for i in range(50)]
        await asyncio.sleep(0)
        await log.close()
        await log.close()
        await asyncio.gather(*waiting)
        with pytest.raises(LogUnavailable, match="closed"):
            await log.append([entry("late")])
        with pytest.raises(LogError, match="closed"):
            await log.settle("crm", Settlement())
        with pytest.raises(LogError, match="closed"):
            await log.read("crm", 0, 1, 1)
        async with harness.opened() as log:
            assert len(await bodies(log, "crm")) == 50

    asyncio.run(play())


# --- trouble ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["full", "read_only"])
def test_a_store_that_takes_nothing_is_told_to_the_waiters_and_recovers(harness: Harness, trouble: str) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry("before", key=key("before"))])
            async with getattr(harness, trouble)(log):
                big = [entry(f"e{i}", body=bytes(5000), key=key(str(i))) for i in range(20)]
                outcomes = await asyncio.gather(log.append(big), log.append(big[:1]), return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [LogUnavailable] * 2
                assert log.fault
                if trouble == "read_only":
                    with pytest.raises(LogUnavailable):
                        await log.settle("crm", Settlement(cursor=1, delivered=1))
                assert await bodies(log, "crm") == ["before"]
            await log.append(big)
            assert log.fault is None
            await log.settle("crm", Settlement(cursor=1, delivered=1))
            counts = await balance(log)
            assert counts["crm"]["accepted"] == 21
            assert counts["crm"]["queued"] == 20

    asyncio.run(play())


def test_a_log_in_trouble_finds_out_by_itself_that_it_is_over(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            async with harness.read_only(log):
                with pytest.raises(LogUnavailable):
                    await log.append([entry("e1")])
            await until(lambda: log.fault is None)

    asyncio.run(play())


@pytest.mark.parametrize("engine", ENGINES)
def test_an_unusable_store_is_one_clear_error(engine: str, tmp_path: Path) -> None:
    async def stored(harness: Harness) -> None:
        async with harness.opened() as log:
            await log.append([entry("e1")])

    async def refused(harness: Harness, word: str) -> None:
        with pytest.raises(LogError, match=word):
            await harness.open()

    words = ENGINES[engine](tmp_path).unusable()
    assert words
    for number, word in enumerate(words):
        harness = ENGINES[engine](tmp_path / str(number))
        asyncio.run(stored(harness))
        harness.unusable()[word]()
        asyncio.run(refused(harness, word))


def test_looking_into_a_log_that_does_not_exist_does_not_make_one(harness: Harness) -> None:
    async def play() -> None:
        for _ in range(2):
            with pytest.raises(LogError, match="no log"):
                await harness.open("inspect")

    asyncio.run(play())


# --- reading ---------------------------------------------------------------------------------------------


def test_a_read_is_bounded_by_events_and_by_bytes_and_has_at_least_one(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.append([entry(f"e{i}", body=bytes(100)) for i in range(10)])
            few, place = await log.read("crm", 0, 3, PLENTY)
            assert (len(few), place) == (3, few[-1].seq)
            light, place = await log.read("crm", place, 10, 250)
            assert (len(light), place) == (2, light[-1].seq)
            one, place = await log.read("crm", place, 10, 1)
            assert (len(one), place) == (1, one[0].seq)
            rest, place = await log.read("crm", place, 10, PLENTY)
            assert (len(rest), place) == (4, (await log.status()).head)
            assert await log.read("crm", place, 10, PLENTY) == ([], place)
            assert [seq for seq, _ in await log.scan(0, 10, 250)] == [few[0].seq, few[1].seq]

    asyncio.run(play())


def test_a_target_reads_its_own_events_with_their_rules_and_passes_the_others(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.append([entry("e1", TO_CRM), entry("e2", TO_BOTH), entry("e3", TO_NONE), entry("e4", TO_CRM)])
            records, place = await log.read("mail", 0, 10, PLENTY)
            assert [(record.body, record.rule) for record in records] == [(b"e2", "orders")]
            assert place == (await log.status()).head
            assert await bodies(log, "crm") == ["e1", "e2", "e4"]
            assert await bodies(log, "nobody") == []

    asyncio.run(play())


def test_one_event_far_ahead_is_found_in_few_reads(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.append([entry(f"e{i}", TO_CRM) for i in range(30_000)])
            await log.append([entry("rare")])
            await log.append([entry(f"f{i}", TO_CRM) for i in range(30_000)])
            place, reads, found = 0, 0, []
            while place < (await log.status()).head:
                records, place = await log.read("mail", place, 10, PLENTY)
                found += [record.body for record in records]
                reads += 1
            assert found == [b"rare"]
            assert reads <= 4

    asyncio.run(play())


def test_wake_is_called_for_events_of_this_process_and_of_others(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened("deliver") as log:
            calls: list[None] = []
            log.on_append(lambda: calls.append(None))
            with harness.child("append_when_told", "ingest", "a", "b") as child:
                child.say()
                for name in "ab":
                    before = len(calls)
                    child.go_on()
                    assert await asyncio.to_thread(child.say) == name
                    await until(lambda before=before: len(calls) > before)  # type: ignore[misc]  # bound on purpose
            assert await bodies(log, "crm") == ["a", "b"]
        async with harness.opened() as log:
            calls.clear()
            log.on_append(lambda: calls.append(None))
            await log.append([entry("c")])
            await until(lambda: bool(calls))

    asyncio.run(play())


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
        Settlement(cursor=3, delivered=3, park=[parked(99)]),
        Settlement(cursor=99, delivered=1, dead=[letter(1)]),
        Settlement(cursor=3, delivered=1, park=[parked(1)], dead=[letter(2, "mail")]),
        Settlement(cursor=3, park=[parked(2), parked(3)]),
    ],
    ids=["no such event", "beyond the end", "another target's letter", "another target's event"],
)
def test_a_settlement_is_applied_whole_or_not_at_all(harness: Harness, bad: Settlement) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3", Decision(deliver=(("mail", "orders"),)))])
            before = await balance(log)
            good = log.settle("mail", Settlement(cursor=1, delivered=1))
            outcomes = await asyncio.gather(log.settle("crm", bad), good, return_exceptions=True)
            assert isinstance(outcomes[0], LogError)
            assert outcomes[1] is None
            after = await balance(log)
            assert after["crm"] == before["crm"]
            assert after["mail"]["delivered"] == 1
            assert await log.cursor("crm") == 0
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
            rows = [parked(4, due_at=40.5), parked(2, due_at=20.5), parked(3, "bob", 30.5), parked(5, due_at=1)]
            await log.settle("crm", Settlement(cursor=5, delivered=1, park=rows))
            assert await log.parked_lanes("crm") == {"ann": 20.5, "bob": 30.5}
            assert await log.parked_lanes("mail") == {}
            lane = await log.parked("crm", "ann", 2)
            assert [row for row, _ in lane] == [rows[1], rows[0]]
            assert [(record.seq, record.body, record.rule) for _, record in lane] == [
                (2, b"e2", "all"),
                (4, b"e4", "all"),
            ]
            again = parked(2, due_at=99.5, attempts=2, reason="timeout")
            await log.settle("crm", Settlement(park=[again]))
            assert await log.parked_lanes("crm") == {"ann": 99.5, "bob": 30.5}
            assert [row for row, _ in await log.parked("crm", "ann", 1)] == [again]
            assert (await balance(log))["crm"]["parked"] == 4
            await log.settle("crm", Settlement(delivered=2, unpark=[2, 3]))
            assert await log.parked_lanes("crm") == {"ann": 40.5}
        async with harness.opened() as log:
            assert await log.parked_lanes("crm") == {"ann": 40.5}
            assert (await balance(log))["crm"]["delivered"] == 3

    asyncio.run(play())


# --- dead letters ----------------------------------------------------------------------------------------


def test_dead_letters_come_back_whole_the_newest_first(harness: Harness) -> None:
    full = letter(2, endpoint="bulk", request=b"{}", status=400, answer=b"\x00no")

    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3")])
            await log.settle("crm", Settlement(cursor=2, dead=[letter(1), full]))
            await log.settle("mail", Settlement(cursor=1, dead=[letter(1, "mail")]))
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
            settlement = Settlement(cursor=3, dead=[letter(1), letter(3, lane="bob")], park=[parked(2, due_at=9e9)])
            await log.settle("crm", settlement)
            ids = [found.id for found in await log.dead_letters()]
            assert await log.retry_dead([*ids, 99]) == 2
            assert await log.retry_dead(ids) == 0
            assert await log.dead_letters() == []
            rows = [row for row, _ in await log.parked("crm", "ann", 10)]
            assert [(row.seq, row.due_at, row.attempts) for row in rows] == [(1, harness.clock.now, 0), (2, 9e9, 1)]
            assert await log.parked_lanes("crm") == {"ann": harness.clock.now, "bob": harness.clock.now}
            ((_, record),) = await log.parked("crm", "bob", 10)
            assert (record.seq, record.body, record.rule) == (3, b"e3", "all")
            assert (await balance(log))["crm"]["parked"] == 3

    asyncio.run(play())


def test_a_retry_in_another_process_wakes_the_deliverer(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry("e1")])
            await log.settle("crm", Settlement(cursor=1, dead=[letter(1)]))
            calls: list[None] = []
            log.on_append(lambda: calls.append(None))
            with harness.child("retry", "inspect") as child:
                assert await asyncio.to_thread(child.say) == 1
                await until(lambda: bool(calls))
            assert list(await log.parked_lanes("crm")) == ["ann"]

    asyncio.run(play())


def test_a_dropped_letter_is_gone_and_counted_under_its_reason(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened() as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3", TO_NONE)])
            await log.settle("crm", Settlement(cursor=2, dead=[letter(1), letter(2)]))
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
            await log.settle("crm", Settlement(cursor=1, delivered=1))
            await log.settle("mail", Settlement(cursor=2, delivered=1, park=[parked(1)]))
            assert [found.oldest_queued_at for found in (await log.status()).targets] == [start + 10, start]

    asyncio.run(play())


# --- pruning ---------------------------------------------------------------------------------------------

AN_HOUR = Retention(seconds=3600)


def test_what_all_have_passed_goes_when_it_is_old(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3")])
            await log.settle("crm", Settlement(cursor=3, delivered=3))
            await log.settle("mail", Settlement(cursor=2, delivered=2))
            await harness.prune(log)
            assert (await log.status()).events == 3
            harness.clock.now += 4000
            await log.append([entry("young", TO_NONE)])
            await harness.prune(log)
            assert [body for _, body in await log.scan(0, 10, PLENTY)] == [b"e3", b"young"]
            await log.settle("mail", Settlement(cursor=4, delivered=1))
            await harness.prune(log)
            assert [body for _, body in await log.scan(0, 10, PLENTY)] == [b"young"]
            status = await log.status()
            assert (status.events, status.bytes) == (1, 5)
            await balance(log)

    asyncio.run(play())


def test_what_all_have_passed_goes_when_there_is_too_much(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=Retention(seconds=1e9, bytes=1000)) as log:
            await log.register(TARGETS)
            await log.append([entry(f"e{i}", body=bytes(100)) for i in range(1500)])
            await log.settle("mail", Settlement(cursor=1500, delivered=1500))
            await harness.prune(log)
            assert (await log.status()).events == 1500
            await log.settle("crm", Settlement(cursor=1495, delivered=1495))
            await harness.prune(log)
            assert (await log.status()).bytes == 1000
            assert len(await bodies(log, "crm", await log.cursor("crm"))) == 5
            await balance(log)

    asyncio.run(play())


def test_places_are_never_given_twice(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.append([entry("e1"), entry("e2")])
            harness.clock.now += 4000
            await harness.prune(log)
            assert (await log.status()).events == 0
            assert (await log.status()).head == 2
        async with harness.opened() as log:
            assert await log.cursor("crm") == 2
            await log.append([entry("e3")])
            assert [seq for seq, _ in await log.scan(0, 10, PLENTY)] == [3]
            assert await bodies(log, "crm", 2) == ["e3"]

    asyncio.run(play())


def test_parked_events_and_dead_letters_outlive_pruning(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3")])
            await log.settle("crm", Settlement(cursor=3, delivered=1, park=[parked(1)], dead=[letter(2)]))
            await log.settle("mail", Settlement(cursor=3, delivered=2, park=[parked(1, "bob")]))
            harness.clock.now += 4000
            await harness.prune(log)
            assert [body for _, body in await log.scan(0, 10, PLENTY)] == [b"e1"]
            await log.retry_dead([found.id for found in await log.dead_letters()])
            lane = await log.parked("crm", "ann", 10)
            assert [record.body for _, record in lane] == [b"e1", b"e2"]
            await log.settle("crm", Settlement(park=[parked(2, due_at=7.0)]))
            assert [record.body for _, record in await log.parked("crm", "ann", 10)] == [b"e1", b"e2"]
            await log.settle("crm", Settlement(delivered=1, unpark=[1], dead=[]))
            assert (await log.status()).events == 1
            await log.settle("mail", Settlement(delivered=1, unpark=[1]))
            assert (await log.status()).events == (await log.status()).bytes == 0
            await log.settle("crm", Settlement(unpark=[2], dead=[letter(2)]))
            counts = await balance(log)
            assert (counts["crm"]["dead"], counts["crm"]["queued"], counts["mail"]["delivered"]) == (1, 0, 3)

    asyncio.run(play())


def test_a_target_with_nothing_to_do_holds_nothing_back(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.register([*TARGETS, "gone"])
            await log.append([entry("e1"), entry("e2")])
            for target in TARGETS:
                await log.settle(target, Settlement(cursor=2, delivered=2))
            harness.clock.now += 4000
            await harness.prune(log)
            assert (await log.status()).events == 0
            assert (await balance(log))["gone"]["dropped"] == 2

    asyncio.run(play())


def test_a_hold_keeps_what_is_after_it_until_it_moves_or_is_forgotten(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.append([entry(f"e{i}") for i in range(1, 5)])
            await log.hold("reader", 1)
            harness.clock.now += 4000
            await harness.prune(log)
            assert (await log.status()).events == 3
            await log.hold("reader", 2)
            await harness.prune(log)
            assert (await log.status()).events == 2
            harness.clock.now += 8 * 86_400
            await harness.prune(log)
            assert (await log.status()).events == 0
            await log.append([entry("e5")])
            await log.hold("reader", 4)
            await log.hold("reader", None)
            harness.clock.now += 4000
            await harness.prune(log)
            assert (await log.status()).events == 0

    asyncio.run(play())


# --- who may have it open --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("all", "all"),
        ("all", "ingest"),
        ("ingest", "all"),
        ("deliver", "all"),
        ("ingest", "ingest"),
        ("deliver", "deliver"),
        ("ingest+", "ingest"),
        ("ingest", "ingest+"),
    ],
)
def test_roles_that_exclude_each_other_name_the_process(harness: Harness, first: str, second: str) -> None:
    async def play() -> None:
        shared = second.endswith("+")
        with pytest.raises(LogLocked, match=rf"in use by process {child.pid} \(role {first.rstrip('+')}\)"):
            await harness.open(second.rstrip("+"), shared_ingest=shared)  # type: ignore[arg-type]  # a role
        child.kill()
        async with harness.opened() as log:
            await log.append([entry("e1")])

    with harness.child("hold", first) as child:
        assert child.say() == "open"
        asyncio.run(play())


def test_roles_that_share_a_log(harness: Harness) -> None:
    async def play() -> None:
        async with (
            harness.opened("ingest", shared_ingest=True) as front,
            harness.opened("ingest", shared_ingest=True) as other,
            harness.opened("deliver") as back,
            harness.opened("inspect") as looking,
        ):
            await back.register(TARGETS)
            await asyncio.gather(*(log.append([entry(f"e{i}")]) for i in range(20) for log in (front, other)))
            records, place = await back.read("crm", 0, 100, PLENTY)
            await back.settle("crm", Settlement(cursor=place, delivered=len(records)))
            assert (await balance(looking))["crm"]["delivered"] == 40
            for log in (back, looking):
                with pytest.raises(LogError, match="stores no events"):
                    await log.append([entry("no")])

    asyncio.run(play())
