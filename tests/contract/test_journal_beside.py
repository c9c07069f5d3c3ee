"""A process that stores beside the one of its machine that keeps the view: it looks on, and does nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import LogError, LogUnavailable
from gateway.event import ConsentChange, Event, Origin, Profile, dump
from gateway.log.jetstream.beside import JetStreamLogBeside
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.port import Entry, Settlement
from tests.contract.log_harness import JetStreamHarness, balance, bodies, entry, key

WORKERS = 3
VENDORS = {"klaviyo": lambda seed: f"01-{seed}"}
SOURCES = {"shop": VENDORS["klaviyo"]}


def met(profile: Profile, *consent: ConsentChange) -> Entry:
    """Return an event of a person, to be stored."""
    origin = Origin(name="shop", vendor="klaviyo", endpoint="profiles")
    at = datetime(2026, 11, 21, tzinfo=UTC)
    event = Event(id="e", kind="identify", name="", received_at=at, source=origin, profile=profile, consent=consent)
    return entry("e", body=dump(event))


@pytest.fixture
def harness(tmp_path: Path) -> JetStreamHarness:
    return JetStreamHarness(tmp_path)


def play(story: Callable[[], Awaitable[None]]) -> None:
    """Run a story; none takes a minute."""

    async def timed() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(timed())


@asynccontextmanager
async def keeping(harness: JetStreamHarness) -> AsyncIterator[JetStreamLog]:
    """Have the log open that keeps the view, with a target."""
    log = await JetStreamLog.open(harness.settings(), role="deliver", clock=harness.clock, minters=VENDORS)
    try:
        await log.register(["crm"])
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def beside(harness: JetStreamHarness) -> AsyncIterator[JetStreamLogBeside]:
    """Have a log open beside it."""
    log = await JetStreamLogBeside.open(harness.settings(), role="ingest", clock=harness.clock, minters=VENDORS)
    try:
        yield log
    finally:
        await log.close()


def test_what_several_store_beside_it_is_in_the_one_view_in_order(harness: JetStreamHarness) -> None:
    async def send(log: JetStreamLog, worker: int) -> None:
        for number in range(30):
            await log.append([entry(f"{worker}.{number}", key=key(f"{worker}.{number // 2}"))])

    async def story() -> None:
        async with keeping(harness) as keeper, beside(harness) as a, beside(harness) as b, beside(harness) as c:
            await asyncio.gather(*(send(log, worker) for worker, log in enumerate((a, b, c))))
            await keeper.catch_up()
            stored = await bodies(keeper, "crm")
            for worker in range(WORKERS):
                mine = [name for name in stored if name.startswith(f"{worker}.")]
                assert mine == [f"{worker}.{number}" for number in range(0, 30, 2)], "keys count in the one view"
            assert (await balance(keeper))["crm"]["queued"] == 45
        assert sorted(path.name for path in harness.settings().view.parent.glob("*.db")) == ["view-0.db"]

    play(story)


def test_it_reads_what_it_has_stored_and_holds_events_for_its_readers(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with keeping(harness) as keeper, beside(harness) as log:
            for number in range(5):
                await log.append([entry(f"e{number}")])
                assert (await bodies(log, "crm"))[-1] == f"e{number}"
            await log.register(["crm", "mail"])
            assert [target.target for target in (await log.status()).targets] == ["crm", "mail"]
            place = await log.head()
            await log.hold("reader", place)
            await keeper.catch_up()
            assert await log.head() == place
            assert log.fault is None

    play(story)


def test_whom_any_process_has_met_is_known_to_those_beside_it(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with keeping(harness), beside(harness) as a, beside(harness) as b:
            known, heard = await a.directory(SOURCES), await a.permissions()
            for number, log in enumerate((b, a, b)):
                person = Profile(user_id=f"person-{number}", email=f"{number}@example.com")
                await log.append([met(person, ConsentChange(channel="email", granted=bool(number)))])
                await known.catch_up()
                await heard.catch_up()
                assert known.people("shop").find(person) == f"01-shop\x1fuser_id\x1fperson-{number}"
                assert heard.last_word(person, "email") is bool(number)
            await known.close()
            await heard.close()

    play(story)


def test_what_returns_something_is_not_its_to_do(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with keeping(harness) as keeper, beside(harness) as log:
            await log.append([entry("e")])
            with pytest.raises(LogError, match="settle_as is not for a process that only stores"):
                await log.settle("crm", Settlement(cursor=await log.head(), delivered=1))
            with pytest.raises(LogError, match="retry is not for"):
                await log.retry_dead([1])
            await keeper.catch_up()
            assert (await balance(keeper))["crm"] == (await balance(log))["crm"]
            assert (await balance(keeper))["crm"]["delivered"] == 0

    play(story)


def test_it_goes_on_with_a_view_that_was_made_anew(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            async with keeping(harness):
                log = await stack.enter_async_context(beside(harness))
                await log.append([entry("first")])
                assert await bodies(log, "crm") == ["first"]
            harness.settings().view.write_bytes(b"these are not the bytes you are looking for" * 300)
            async with keeping(harness) as keeper:
                await log.append([entry("second")])
                assert await bodies(log, "crm") == await bodies(keeper, "crm") == ["first", "second"]

    play(story)


def test_without_a_view_there_is_nothing_to_be_beside(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with keeping(harness):
            pass
        for left in harness.settings().view.parent.iterdir():
            left.unlink()
        with pytest.raises(LogError, match="is kept by no process of this machine"):
            async with beside(harness):
                pass

    play(story)


def test_without_servers_it_says_so_and_nothing_is_lost(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with keeping(harness) as keeper, beside(harness) as log:
            await log.append([entry("before")])
            async with harness.read_only(log):
                with pytest.raises(LogUnavailable):
                    await log.append([entry("meanwhile")])
                assert log.fault is not None
            stored = False
            while not stored:
                try:
                    await log.append([entry("after")])
                    stored = True
                except LogUnavailable:
                    await asyncio.sleep(0.05)
            await keeper.catch_up()
            found = await bodies(keeper, "crm")
            assert found[0] == "before"
            assert found[-1] == "after"

    play(story)
