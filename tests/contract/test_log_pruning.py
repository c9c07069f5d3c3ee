"""Every promise of `gateway.log.port` about what may go and what stays, over every engine."""

import asyncio
from pathlib import Path

import pytest

from gateway.errors import LogError
from gateway.log.port import Settlement
from gateway.log.sqlite import Retention
from tests.contract.log_harness import (
    ENGINES,
    TO_NONE,
    Harness,
    balance,
    bodies,
    entry,
    letter,
    parked,
    places,
)

TARGETS = ["crm", "mail"]
PLENTY = 1 << 20


@pytest.fixture(params=ENGINES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    return ENGINES[request.param](tmp_path)


# --- pruning ---------------------------------------------------------------------------------------------

AN_HOUR = Retention(seconds=3600)


def test_what_all_have_passed_goes_when_it_is_old(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3")])
            p = await places(log)
            await log.settle("crm", Settlement(cursor=p[3], delivered=3))
            await log.settle("mail", Settlement(cursor=p[2], delivered=2))
            await harness.prune(log)
            assert (await log.status()).events == 3
            harness.clock.now += 4000
            await log.append([entry("young", TO_NONE)])
            await harness.prune(log)
            assert [body for _, body in await log.scan(0, 10, PLENTY)] == [b"e3", b"young"]
            await log.settle("mail", Settlement(cursor=(await log.status()).head, delivered=1))
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
            p = await places(log)
            await log.settle("mail", Settlement(cursor=p[1500], delivered=1500))
            await harness.prune(log)
            assert (await log.status()).events == 1500
            await log.settle("crm", Settlement(cursor=p[1495], delivered=1495))
            await harness.prune(log)
            assert (await log.status()).bytes == 1000
            assert len(await bodies(log, "crm", await log.cursor("crm"))) == 5
            await balance(log)

    asyncio.run(play())


def test_places_are_never_given_twice(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.append([entry("e1"), entry("e2")])
            last = (await places(log))[2]
            harness.clock.now += 4000
            await harness.prune(log)
            assert (await log.status()).events == 0
            assert (await log.status()).head == last
        async with harness.opened() as log:
            assert await log.cursor("crm") == last
            await log.append([entry("e3")])
            ((seq, _),) = await log.scan(0, 10, PLENTY)
            assert seq > last
            assert await bodies(log, "crm", last) == ["e3"]

    asyncio.run(play())


def test_parked_events_and_dead_letters_outlive_pruning(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.register(TARGETS)
            await log.append([entry("e1"), entry("e2"), entry("e3")])
            p = await places(log)
            dead = letter(p[2], body=b"e2")
            await log.settle("crm", Settlement(cursor=p[3], delivered=1, park=[parked(p[1])], dead=[dead]))
            await log.settle("mail", Settlement(cursor=p[3], delivered=2, park=[parked(p[1], "bob")]))
            harness.clock.now += 4000
            await harness.prune(log)
            assert [body for _, body in await log.scan(0, 10, PLENTY)] == [b"e1"]
            await log.retry_dead([found.id for found in await log.dead_letters()])
            lane = await log.parked("crm", "ann", 10)
            assert [record.body for _, record in lane] == [b"e1", b"e2"]
            await log.settle("crm", Settlement(park=[parked(p[2], due_at=7.0)]))
            assert [record.body for _, record in await log.parked("crm", "ann", 10)] == [b"e1", b"e2"]
            await log.settle("crm", Settlement(delivered=1, unpark=[p[1]], dead=[]))
            assert (await log.status()).events == 1
            await log.settle("mail", Settlement(delivered=1, unpark=[p[1]]))
            assert (await log.status()).events == (await log.status()).bytes == 0
            await log.settle("crm", Settlement(unpark=[p[2]], dead=[dead]))
            counts = await balance(log)
            assert (counts["crm"]["dead"], counts["crm"]["queued"], counts["mail"]["delivered"]) == (1, 0, 3)

    asyncio.run(play())


def test_a_target_with_nothing_to_do_holds_nothing_back(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.register([*TARGETS, "gone"])
            await log.append([entry("e1"), entry("e2")])
            end = (await log.status()).head
            for target in TARGETS:
                await log.settle(target, Settlement(cursor=end, delivered=2))
            harness.clock.now += 4000
            await harness.prune(log)
            assert (await log.status()).events == 0
            assert (await balance(log))["gone"]["dropped"] == 2

    asyncio.run(play())


def test_a_hold_keeps_what_is_after_it_until_it_moves_or_is_forgotten(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.append([entry(f"e{i}") for i in range(1, 5)])
            p = await places(log)
            await log.hold("reader", p[1])
            harness.clock.now += 4000
            await harness.prune(log)
            assert (await log.status()).events == 3
            await log.hold("reader", p[2])
            await harness.prune(log)
            assert (await log.status()).events == 2
            harness.clock.now += 8 * 86_400
            await harness.prune(log)
            assert (await log.status()).events == 0
            await log.append([entry("e5")])
            await log.hold("reader", p[4])
            await log.hold("reader", None)
            harness.clock.now += 4000
            await harness.prune(log)
            assert (await log.status()).events == 0

    asyncio.run(play())


# --- targets that are gone -------------------------------------------------------------------------------


def test_nothing_is_kept_for_a_target_that_is_forgotten(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.register(TARGETS)
            await log.append([entry(f"e{number}") for number in range(6)])
            seqs = [record.seq for record in (await log.read("crm", 0, 10, PLENTY))[0]]
            await log.settle("mail", Settlement(cursor=seqs[-1], delivered=6))
            await log.settle(
                "crm", Settlement(cursor=seqs[2], delivered=1, park=[parked(seqs[1])], dead=[letter(seqs[2])])
            )
            harness.clock.now += 4000
            await harness.prune(log)
            assert [body for _, body in await log.scan(0, 10, PLENTY)] == [b"e1", b"e3", b"e4", b"e5"]
            await log.forget("crm")
            assert list(await balance(log)) == ["mail"]
            assert (await log.dead_letters(target="crm"), await log.parked_lanes("crm")) == ([], {})
            await harness.prune(log)
            assert await log.scan(0, 10, PLENTY) == []
            assert (await log.status()).bytes == 0

    asyncio.run(play())


def test_the_name_of_a_forgotten_target_can_be_used_again(harness: Harness) -> None:
    async def play() -> None:
        async with harness.opened(retention=AN_HOUR) as log:
            await log.register(TARGETS)
            await log.append([entry("before")])
            await log.forget("crm")
            with pytest.raises(LogError, match="no target 'crm'"):
                await log.forget("crm")
            await log.register(TARGETS)
            await log.append([entry("after")])
            assert await bodies(log, "crm", await log.cursor("crm")) == ["after"]
            counts = (await balance(log))["crm"]
            assert (counts["accepted"], counts["queued"]) == (1, 1)

    asyncio.run(play())
