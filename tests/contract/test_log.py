"""Every promise of `gateway.log.port` about storing, reading and opening, over every engine."""

import asyncio
from pathlib import Path

import pytest

from gateway.errors import LogError, LogLocked, LogUnavailable
from gateway.log.port import Log, Settlement
from tests.contract.log_harness import (
    ENGINES,
    TO_BOTH,
    TO_CRM,
    TO_NONE,
    Child,
    Harness,
    balance,
    bodies,
    entry,
    key,
    places,
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
            _, place = await places(log)
            async with getattr(harness, trouble)(log):
                big = [entry(f"e{i}", body=bytes(5000), key=key(str(i))) for i in range(20)]
                outcomes = await asyncio.gather(log.append(big), log.append(big[:1]), return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [LogUnavailable] * 2
                assert log.fault
                if trouble == "read_only":
                    with pytest.raises(LogUnavailable):
                        await log.settle("crm", Settlement(cursor=place, delivered=1))
                assert await bodies(log, "crm") == ["before"]
            await log.append(big)
            await until(lambda: log.fault is None)
            await log.settle("crm", Settlement(cursor=place, delivered=1))
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
            await harness.caught_up(log)
            assert await bodies(log, "crm") == ["a", "b"]
        async with harness.opened() as log:
            calls.clear()
            log.on_append(lambda: calls.append(None))
            await log.append([entry("c")])
            await until(lambda: bool(calls))

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
@pytest.mark.parametrize("harness", [name for name, one in ENGINES.items() if one.one_for_each_role], indirect=True)
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
            await harness.caught_up(back)
            records, place = await back.read("crm", 0, 100, PLENTY)
            await back.settle("crm", Settlement(cursor=place, delivered=len(records)))
            await harness.caught_up(looking)
            assert (await balance(looking))["crm"]["delivered"] == 40
            for log in (back, looking):
                with pytest.raises(LogError, match="stores no events"):
                    await log.append([entry("no")])

    asyncio.run(play())


def test_two_that_store_and_one_that_delivers_lose_and_double_nothing(harness: Harness) -> None:
    async def deliver(log: Log, enough: asyncio.Event) -> list[str]:
        found: list[str] = []
        place = await log.cursor("crm")
        while not enough.is_set() or place < (await log.status()).head:
            records, place = await log.read("crm", place, 50, PLENTY)
            found += [record.body.decode() for record in records]
            await log.settle("crm", Settlement(cursor=place, delivered=len(records)))
        return found

    def listen(child: Child) -> list[list[str]]:
        return [child.say() for _ in range(60)] + child.kill_and_hear()

    async def play() -> None:
        async with harness.opened("deliver") as log:
            await log.register(TARGETS)
            enough = asyncio.Event()
            delivering = asyncio.create_task(deliver(log, enough))
            with (
                harness.child("append", "ingest+", "2", "3") as one,
                harness.child("append", "ingest+", "3", "2") as two,
            ):
                said = await asyncio.gather(asyncio.to_thread(listen, one), asyncio.to_thread(listen, two))
            await harness.caught_up(log)
            enough.set()
            found = await delivering
            assert {name for names in said[0] + said[1] for name in names} <= set(found)
            assert len(found) == len(set(found)) == (await log.status()).events
            counts = (await balance(log))["crm"]
            assert (counts["delivered"], counts["queued"]) == (len(found), 0)

    asyncio.run(play())
