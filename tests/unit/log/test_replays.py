"""History out of the log again: exactly what was asked for, once, whatever is killed; the sum holds at every step."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.errors import LogError
from gateway.ids import uuid7
from gateway.log.port import DEFAULT_SHARE, HISTORY, Settlement
from gateway.log.replays import WAITING, Again, Replay, Step
from gateway.log.sqlite import Retention, SqliteLog
from tests.contract.log_harness import TO_CRM, TO_NONE, Clock, balance, entry, letter, parked

Story = Callable[[SqliteLog, Clock], Awaitable[None]]


def play(path: Path, story: Story, **more: object) -> None:
    async def run() -> None:
        clock = Clock()
        log = await SqliteLog.open(path / "log.db", role="all", clock=clock, retention=Retention(60, 1))
        try:
            await log.register(["crm", "mail"])
            await story(log, clock)
            await balance(log)
        finally:
            await log.close()

    asyncio.run(run())


async def delivered(log: SqliteLog, count: int) -> None:
    """Have so many events accepted and delivered."""
    await log.append([entry(f"e{number}") for number in range(1, count + 1)])
    for target in ("crm", "mail"):
        await log.settle(target, Settlement(cursor=count, delivered=count))


def step(job: Replay, place: int, *seqs: int, lane: str = "ann") -> Step:
    return Step(job.id, job.place, place, place - job.place, [Again(seq, lane, "all") for seq in seqs], {"no": 1})


def test_chosen_events_wait_and_count_as_accepted_again(tmp_path: Path) -> None:
    async def story(log: SqliteLog, clock: Clock) -> None:
        await delivered(log, 5)
        job = await log.begin_replay("crm", "asked", 0.5, (1, 5))
        assert (job.state, job.place, job.last, job.share) == ("running", 1, 5, 0.5)
        job = await log.replay(step(job, 4, 2, 4))
        assert (job.state, job.place, job.looked, job.sent, job.waiting) == ("running", 4, 3, 2, 2)
        job = await log.replay(step(job, 5, 5, lane="bob"))
        assert (job.state, job.sent, job.passed, job.waiting) == ("waiting", 3, {"no": 2}, 3)
        assert await log.parked_lanes("crm") == {f"{HISTORY}ann": clock.now, f"{HISTORY}bob": clock.now}
        rows = await log.parked("crm", f"{HISTORY}ann", 10)
        assert [(row.seq, record.body, record.rule) for row, record in rows] == [(2, b"e2", "all"), (4, b"e4", "all")]
        counts = await balance(log)
        assert (counts["crm"]["accepted"], counts["crm"]["queued"], counts["mail"]["accepted"]) == (8, 3, 5)
        await log.settle("crm", Settlement(delivered=3, unpark=[2, 4, 5]))
        assert (await balance(log))["crm"]["delivered"] == 8
        assert [target.again for target in (await log.status()).targets] == [3, 0]
        assert [one.waiting for one in await log.replays()] == [0]
        assert (await log.finish_replay(job.id)).state == "done"
        assert not await log.cancel_replay(job.id)

    play(tmp_path, story)


def test_a_step_is_taken_once(tmp_path: Path) -> None:
    async def story(log: SqliteLog, clock: Clock) -> None:
        await delivered(log, 5)
        job = await log.begin_replay("crm", "asked", 0.5, (0, 5))
        await log.replay(step(job, 3, 1))
        with pytest.raises(LogError, match="somebody else"):
            await log.replay(step(job, 3, 1))
        assert (await balance(log))["crm"]["queued"] == 1
        (now,) = await log.replays("crm")
        assert await log.cancel_replay(now.id)
        assert not await log.cancel_replay(now.id)
        with pytest.raises(LogError, match="cancelled"):
            await log.replay(step(now, 5, 4))
        with pytest.raises(LogError, match="no replay 99"):
            await log.replay(Step(99, 0, 1, 1, [], {}))
        with pytest.raises(LogError, match="no target 'web'"):
            await log.begin_replay("web", "asked", 0.5, (0, 5))

    play(tmp_path, story)


def test_what_waits_for_its_first_time_is_not_sent_twice(tmp_path: Path) -> None:
    async def story(log: SqliteLog, clock: Clock) -> None:
        await log.append([entry("e1"), entry("e2"), entry("e3", TO_NONE), entry("e4", TO_CRM)])
        await log.settle("crm", Settlement(cursor=2, delivered=1, park=[parked(1, due_at=9e9)]))
        job = await log.begin_replay("crm", "asked", 0.5, (0, 4))
        job = await log.replay(step(job, 4, 1, 2, 3, 4))
        assert (job.sent, job.passed) == (2, {WAITING: 2, "no": 1})
        lanes = await log.parked_lanes("crm")
        assert lanes == {"ann": 9e9, f"{HISTORY}ann": clock.now}
        rows = await log.parked("crm", f"{HISTORY}ann", 10)
        assert [row.seq for row, _ in rows] == [2, 3]

    play(tmp_path, story)


def test_what_a_replay_has_yet_to_look_at_is_not_pruned(tmp_path: Path) -> None:
    async def story(log: SqliteLog, clock: Clock) -> None:
        await delivered(log, 6)
        job = await log.begin_replay("crm", "asked", 0.5, (2, 6))
        clock.now += 1000
        await log.prune()
        assert [seq for seq, _ in await log.scan(0, 10, 1000)] == [3, 4, 5, 6]
        job = await log.replay(step(job, 5, 3))
        await log.prune()
        assert [seq for seq, _ in await log.scan(0, 10, 1000)] == [3, 6]
        job = await log.replay(step(job, 6, 6))
        await log.prune()
        assert [seq for seq, _ in await log.scan(0, 10, 1000)] == [3, 6]
        await log.settle("crm", Settlement(delivered=2, unpark=[3, 6]))
        assert (await log.status()).events == 0

    play(tmp_path, story)


def test_places_are_found_by_time_and_by_id(tmp_path: Path) -> None:
    async def story(log: SqliteLog, clock: Clock) -> None:
        times, ids = [], []
        for number in range(40):
            clock.now += 1 + number % 3
            if number % 7:
                times.append(int(clock.now * 1000))
                ids.append(
                    f"{int(clock.now * 1000) - 5:012x}"[:8]
                    + "-"
                    + f"{int(clock.now * 1000) - 5:012x}"[8:]
                    + uuid7()[13:]
                )
                await log.append([entry(ids[-1])])
        for place, (at, event_id) in enumerate(zip(times, ids, strict=True)):
            assert await log.place_before(at) == place
            assert await log.place_before(at + 1) == place + 1
            assert await log.place_of_event(event_id) == place + 1
        assert await log.place_before(0) == 0
        assert await log.place_before(10**15) == len(times)
        assert await log.place_of_event(uuid7()) is None
        assert await log.place_of_event("x" * 36) is None

    play(tmp_path, story)


def test_the_share_is_that_of_the_job_gone_on_with_last(tmp_path: Path) -> None:
    async def story(log: SqliteLog, clock: Clock) -> None:
        assert await log.replay_share("crm") == DEFAULT_SHARE
        await delivered(log, 3)
        one = await log.begin_replay("crm", "one", 0.5, (0, 3))
        clock.now += 1
        await log.begin_replay("crm", "two", 0.1, (0, 3))
        assert await log.replay_share("crm") == 0.1
        clock.now += 1
        assert (await log.set_replay_share(one.id, 0.9)).share == 0.9
        assert await log.replay_share("crm") == 0.9
        assert await log.replay_share("mail") == DEFAULT_SHARE

    play(tmp_path, story)


def test_a_span_of_nothing_has_been_looked_at(tmp_path: Path) -> None:
    async def story(log: SqliteLog, clock: Clock) -> None:
        job = await log.begin_replay("crm", "asked", 0.5, (3, 0))
        assert (job.state, job.first, job.last) == ("waiting", 3, 3)

    play(tmp_path, story)


def test_a_replayed_event_that_dies_is_retried_as_history(tmp_path: Path) -> None:
    async def story(log: SqliteLog, clock: Clock) -> None:
        await delivered(log, 2)
        job = await log.begin_replay("crm", "asked", 0.5, (0, 2))
        await log.replay(step(job, 2, 1))
        await log.settle("crm", Settlement(unpark=[1], dead=[letter(1, lane=f"{HISTORY}ann")]))
        (found,) = await log.dead_letters()
        assert await log.retry_dead([found.id], {found.id: "another"}) == 1
        ((_, record),) = await log.parked("crm", f"{HISTORY}ann", 5)
        assert record.rule == "another"

    play(tmp_path, story)
