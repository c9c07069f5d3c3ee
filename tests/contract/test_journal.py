"""What only the journal promises: views that are made anew, a stream that stays short, servers that come and go."""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from gateway.errors import LogError, LogLocked, LogUnavailable
from gateway.log.jetstream import follower, snapshots
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.jetstream.settings import JetStreamSettings
from gateway.log.jetstream.view import Corrupt
from gateway.log.port import Settlement
from gateway.log.prune import Retention
from tests.contract import nats_server
from tests.contract.log_harness import (
    TO_BOTH,
    TO_CRM,
    TO_NONE,
    JetStreamHarness,
    balance,
    bodies,
    content,
    entry,
    key,
    letter,
    parked,
    places,
    until,
)

TARGETS = ["crm", "mail"]


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
async def node(harness: JetStreamHarness, number: int, **settings: Any) -> AsyncIterator[JetStreamLog]:
    """Have one node open, with a view of its own."""
    of_stream = {name: settings.pop(name) for name in list(settings) if name in JetStreamSettings.__struct_fields__}
    role = settings.pop("role", "all")
    log = await JetStreamLog.open(
        harness.settings(number, **of_stream), role=role, **{"clock": harness.clock, **settings}
    )
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def client() -> AsyncIterator[Client]:
    """Have a connection that is no gateway's."""
    made = await nats.connect(nats_server.shared().url)
    try:
        yield made
    finally:
        await made.close()


async def first_of(harness: JetStreamHarness) -> int:
    """Return the stream's first message."""
    async with client() as other:
        return int((await other.jetstream().stream_info(harness.stream)).state.first_seq)


async def filled(log: JetStreamLog, name: str, count: int = 30) -> None:
    """Append, settle, park and bury."""
    await log.register(TARGETS)
    for number in range(count):
        await log.append([entry(f"{name}.{number}", (TO_BOTH, TO_CRM, TO_NONE)[number % 3], key(f"{number % 7}"))])
    records, place = await log.read("crm", await log.cursor("crm"), 4, 1 << 20)
    if len(records) == 4:
        a, b, c, d = (record.seq for record in records)
        await log.settle("crm", Settlement(cursor=place, delivered=1, park=[parked(b)], dead=[letter(c), letter(d)]))
        await log.retry_dead([found.id for found in await log.dead_letters(target="crm")][:1])
        assert a < b


# --- views made anew -------------------------------------------------------------------------------------


def test_a_new_node_begins_with_the_newest_snapshot_and_has_what_the_others_have(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 0) as one:
            await filled(one, "a")
            assert await one.snapshot() is not None
            assert await first_of(harness) == 1
            await filled(one, "b")
            second = await one.snapshot()
            assert second is not None
            assert await first_of(harness) > 30
            await filled(one, "c")
            third = await one.snapshot()
            assert third is not None
            assert await first_of(harness) == second + 1
            await filled(one, "d")
            async with node(harness, 1) as two:
                assert await balance(two) == await balance(one)
                await filled(two, "e")
                await one.catch_up()
                assert await balance(two) == await balance(one)
        assert content(harness, 0) == content(harness, 1)

    play(story)


def test_a_view_that_is_behind_what_the_stream_has_is_made_anew(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 1) as two:
            await filled(two, "early", 3)
        async with node(harness, 0) as one:
            for name in "abc":
                await filled(one, name)
                await one.snapshot()
        async with node(harness, 1) as two:
            assert (await two.status()).events > 3
        assert content(harness, 0) == content(harness, 1)

    play(story)


def test_a_corrupt_view_is_made_anew(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 0) as one:
            await filled(one, "a")
        before = content(harness, 0)
        harness.settings().view.write_bytes(b"these are not the bytes you are looking for" * 300)
        async with node(harness, 0) as one:
            assert content(harness, 0) == before
            await one.snapshot()
        harness.settings().view.write_bytes(b"SQLite format 3\0" + b"nor these" * 1000)
        async with node(harness, 0) as one:
            await one.append([entry("goes on")])
            assert (await bodies(one, "crm"))[-1] == "goes on"

    play(story)


def test_a_view_that_turns_out_corrupt_is_made_anew_while_it_is_read(
    harness: JetStreamHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with node(harness, 0) as one, node(harness, 1) as two:
            await filled(one, "a")
            await one.snapshot()
            apply = two._view.apply

            def garbage(*_: Any) -> Any:
                monkeypatch.setattr(two._view, "apply", apply)
                raise Corrupt("database disk image is malformed")

            monkeypatch.setattr(two._view, "apply", garbage)
            await filled(one, "b")
            await two.catch_up()
            assert two.fault is None
            assert await balance(two) == await balance(one)
            await two.append([entry("of two")])
            assert (await bodies(two, "crm"))[-1] == "of two"

    play(story)


def test_what_is_left_of_a_snapshot_that_was_never_whole_is_removed(
    harness: JetStreamHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = f"{harness.stream}-snapshots"
    left = f"$O.{bucket}.C.interrupted"

    async def chunks(jetstream: JetStreamContext) -> list[str]:
        info = await jetstream.stream_info(f"OBJ_{bucket}", subjects_filter=f"$O.{bucket}.C.>")
        return list(info.state.subjects or ())

    async def story() -> None:
        async with node(harness, 0) as one, client() as other:
            jetstream = other.jetstream()
            await one.append([entry("e1")])
            await one.snapshot()
            await jetstream.publish(left, bytes(100_000))
            await one.snapshot()
            assert left in await chunks(jetstream), "its maker may still be at it"
            monkeypatch.setattr(snapshots, "OLD_S", 0.0)
            await one.append([entry("e2")])
            await one.snapshot()
            found = await chunks(jetstream)
            assert left not in found
            assert len(found) == 2
        async with node(harness, 1) as new:
            assert await bodies(new, "crm") == ["e1", "e2"]

    play(story)


def test_a_snapshot_is_made_soon_after_its_maker_was_killed_and_not_while_he_is_at_it(
    harness: JetStreamHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "CLAIM_S", 1.0)
    monkeypatch.setattr(snapshots, "RENEW_S", 0.2)
    pack = snapshots._pack

    def slow(path: Path, into: Path, tell: snapshots.Tell) -> None:
        time.sleep(2.5)
        pack(path, into, tell)

    async def story() -> None:
        async with node(harness, 0) as one, node(harness, 1) as two:
            await one.append([entry("e1")])
            await (await one._snapshots._claims()).create("snapshot", b"of one that is killed")
            assert await two.snapshot() is None
            made = None
            for _ in range(100):
                made = made or await two.snapshot()
                await asyncio.sleep(0 if made else 0.1)
            assert made is not None
            monkeypatch.setattr(snapshots, "_pack", slow)
            making = asyncio.create_task(one.snapshot())
            await asyncio.sleep(2.0)
            assert await two.snapshot() is None
            assert (await making or 0) >= made

    play(story)


def test_without_a_snapshot_of_what_is_gone_a_log_is_not_opened(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 0) as one:
            await filled(one, "a")
        async with client() as other:
            await other.jetstream().purge_stream(harness.stream, seq=5)
        with pytest.raises(LogError, match="begins at message 5"):
            async with node(harness, 1):
                pass

    play(story)


def test_two_nodes_at_once_come_to_the_same(harness: JetStreamHarness) -> None:
    async def busy(log: JetStreamLog, name: str) -> None:
        for turn in range(4):
            await asyncio.gather(*(log.append([entry(f"{name}{turn}{n}", key=key(f"{n}"))]) for n in range(20)))
            place = await log.cursor("crm")
            records, _ = await log.read("crm", place, 3, 1 << 20)
            for record in records:
                await asyncio.gather(
                    log.settle("crm", Settlement(cursor=record.seq, delivered=1)),
                    log.settle("crm", Settlement(park=[parked(record.seq + 1)])),
                    return_exceptions=True,
                )
            await log.prune()
            harness.clock.now += 20

    async def story() -> None:
        keep = Retention(seconds=30)
        async with node(harness, 0, retention=keep) as one, node(harness, 1, retention=keep) as two:
            await one.register(TARGETS)
            await asyncio.gather(busy(one, "a"), busy(two, "b"))
            await asyncio.gather(one.catch_up(), two.catch_up())
            assert (await one.status()) == (await two.status())
        assert content(harness, 0) == content(harness, 1)

    play(story)


def test_looking_into_a_log_in_use_works_on_a_copy_that_goes_with_it(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 0) as one:
            await filled(one, "a")
            before = set(harness.settings().view.parent.iterdir())
            async with node(harness, 0, role="inspect") as looking:
                assert await balance(looking) == await balance(one)
                ids = [found.id for found in await looking.dead_letters()]
                assert await looking.drop_dead(ids, "old") == len(ids) > 0
                await one.catch_up()
                assert await one.dead_letters() == []
            assert set(harness.settings().view.parent.iterdir()) == before
            with pytest.raises(LogLocked, match="in use by process"):
                await JetStreamLog.open(harness.settings(), role="all")

    play(story)


def test_a_view_does_much_at_once_while_nobody_waits_and_what_is_asked_for_at_once(
    harness: JetStreamHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with node(harness, 0) as one, node(harness, 1) as two:
            await one.register(["crm"])
            monkeypatch.setattr(follower, "REST_S", 3600.0)
            await one.append([entry("begins to rest")])
            await one.head()
            before, sent = one._view.commits, one.commits
            for number in range(20):
                await one.append([entry(f"e{number}")])
            assert (one.commits - sent, one._view.commits - before) == (20, 0)
            assert len(await bodies(one, "crm")) == 21
            await one.settle("crm", Settlement(cursor=await one.head(), delivered=21))
            await two.catch_up()
            assert (await balance(two))["crm"]["delivered"] == 21
            assert one._view.commits - before <= 4

    play(story)


# --- messages --------------------------------------------------------------------------------------------


def test_a_message_that_the_stream_holds_twice_is_done_once(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 0) as one, client() as other:
            await one.register(["crm"])
            await one.append([entry("e1")])
            await one.settle("crm", Settlement(cursor=(await one.status()).head, delivered=1))
            before = await one.status()
            for number in range(1, 4):
                held = await other.jetstream().get_msg(harness.stream, number)
                await other.jetstream().publish(f"{harness.stream}.journal", held.data or b"")
            await one.catch_up()
            assert await one.status() == before
            await one.append([entry("e2")])
            assert len(await bodies(one, "crm")) == 2

    play(story)


def test_an_append_larger_than_a_message_stays_in_order(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 0, message_bytes=100_000) as one:
            await one.append([entry("before")])
            await asyncio.gather(
                one.append([entry(f"e{n}", body=bytes([n]) * 30_000) for n in range(20)]),
                one.append([entry(f"f{n}") for n in range(10_000)]),
                one.append([entry("after")]),
            )
            stored = [body for _, body in await one.scan(0, 20_000, 1 << 30)]
            assert stored[1:21] == [bytes([n]) * 30_000 for n in range(20)]
            assert stored[21:] == [f"f{n}".encode() for n in range(10_000)] + [b"after"]
            with pytest.raises(LogError, match="has 98976 at most"):
                await one.append([entry("huge", body=bytes(100_000))])
            assert one.fault is None

    play(story)


def test_what_is_no_message_of_a_gateway_stops_the_views_and_is_told(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 0) as one, client() as other:
            await other.jetstream().publish(f"{harness.stream}.journal", b"hello")
            await until(lambda: "none of a gateway" in (one.fault or ""))

    play(story)


# --- servers ---------------------------------------------------------------------------------------------


def test_events_survive_a_server_that_is_killed_and_comes_back(harness: JetStreamHarness) -> None:
    async def story() -> None:
        stored: list[str] = []

        async def send(log: JetStreamLog, sender: int) -> None:
            for number in range(60):
                await log.append([entry(f"{sender}.{number}")])
                stored.append(f"{sender}.{number}")
                await asyncio.sleep(0.01)

        async with node(harness, 0, publish_s=20.0) as one, node(harness, 1) as two:
            senders = asyncio.gather(*(send(one, sender) for sender in range(3)))
            for _ in range(2):
                await asyncio.sleep(0.2)
                nats_server.shared().kill()
                await asyncio.to_thread(nats_server.shared().start)
            await senders
            await two.catch_up()
            found = await bodies(two, "crm")
            assert sorted(found) == sorted(stored)
            for sender in range(3):
                assert [n for n in found if n.startswith(f"{sender}.")] == [f"{sender}.{n}" for n in range(60)]

    play(story)


def test_an_operation_whose_fate_is_not_known_is_waited_for_and_done_once(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 0) as one:
            await one.register(["crm"])
            await one.append([entry("e1")])
            _, place = await places(one)
            server = nats_server.shared()
            server.send(signal.SIGSTOP)
            try:
                settling = asyncio.ensure_future(one.settle("crm", Settlement(cursor=place, delivered=1)))
                with pytest.raises(LogUnavailable):
                    await one.append([entry("e2")])
                await until(lambda: one.fault is not None)
                assert not settling.done()
            finally:
                server.send(signal.SIGCONT)
            await settling
            await until(lambda: one.fault is None)
            assert (await balance(one))["crm"]["delivered"] == 1

    play(story)


def test_a_full_stream_is_told_and_snapshots_make_room(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 0, max_bytes=300_000) as one:
            await one.append([entry("first")])
            await one.snapshot()
            appends = [one.append([entry(f"e{number}", body=bytes(70_000))]) for number in range(5)]
            outcomes = await asyncio.gather(*appends, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {LogUnavailable}
            for _ in range(4):
                await one.append([entry("small", body=bytes(70_000))])
            with pytest.raises(LogUnavailable, match="maximum bytes"):
                await one.append([entry("too much", body=bytes(70_000))])
            assert one.fault
            assert await one._snapshots.due()
            await one.snapshot()
            await until(lambda: one.fault is None)
            await one.append([entry("last")])
            assert (await bodies(one, "crm"))[0] == "first"

    play(story)


def test_a_stream_may_grow_and_not_change_otherwise(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with node(harness, 0, max_bytes=1 << 20):
            pass
        async with node(harness, 0, max_bytes=2 << 20), client() as other:
            assert (await other.jetstream().stream_info(harness.stream)).config.max_bytes == 2 << 20
        with pytest.raises(LogError, match="max_bytes is 2097152 and should be 1048576"):
            async with node(harness, 0, max_bytes=1 << 20):
                pass

    play(story)


@pytest.mark.parametrize(
    "secrets",
    [
        {"servers": ("nats://anna:hunter2@127.0.0.1:1",)},
        {"servers": ("nats://hunter2@127.0.0.1:1",)},
        {"servers": ("nats://127.0.0.1:1",), "user": "anna", "password": "hunter2"},
        {"servers": ("nats://127.0.0.1:1",), "token": "hunter2"},
        {"servers": ("nats://anna:hunter2@127.0.0.1:notaport",)},
    ],
)
def test_no_error_and_no_settings_show_a_secret(harness: JetStreamHarness, secrets: dict[str, Any]) -> None:
    settings = harness.settings(connect_s=1.0, **secrets)

    async def story() -> None:
        with pytest.raises(LogError, match="cannot reach") as caught:
            await JetStreamLog.open(settings, role="all")
        assert "hunter2" not in str(caught.value)
        assert "anna" not in str(caught.value)

    play(story)
    assert "hunter2" not in repr(settings)


def test_a_server_that_asks_who_is_there_lets_in_who_may(harness: JetStreamHarness, tmp_path: Path) -> None:
    asks = "authorization { user: anna, password: hunter2 }\n"
    server = nats_server.Server(tmp_path / "asking", more=asks).start()

    async def story() -> None:
        async with node(harness, 0, servers=(server.url,), user="anna", password="hunter2") as one:
            await one.append([entry("e1")])
        for wrong in ({}, {"user": "anna", "password": "hunter3"}):
            with pytest.raises(LogError, match="cannot reach") as caught:
                async with node(harness, 0, servers=(server.url,), connect_s=1.0, **wrong):
                    pass
            assert "hunter" not in str(caught.value)
            assert re.search("Authorization Violation|closed the connection at log-in", str(caught.value))

    try:
        play(story)
    finally:
        server.kill()


def test_views_and_connections_are_let_go_of_when_opening_fails(harness: JetStreamHarness) -> None:
    async def story() -> None:
        with pytest.raises(LogError, match="stream's name"):
            async with node(harness, 0, stream="not a name"):
                pass
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(node(harness, 0))
            with pytest.raises(LogLocked):
                await stack.enter_async_context(node(harness, 0))
        async with node(harness, 0):
            pass

    play(story)
