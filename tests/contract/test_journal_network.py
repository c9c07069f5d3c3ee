"""The journal on a bad network: connections that nobody ends, servers that stand alone, answers that do not come."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import LogUnavailable
from gateway.log.jetstream import connection, log
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.port import Settlement
from tests.contract import nats_server
from tests.contract.log_harness import JetStreamHarness, balance, bodies, entry, places, until
from tests.e2e.cluster.brokers import Brokers
from tests.e2e.cluster.ground import Loopback
from tests.e2e.cluster.links import Link, Network


@pytest.fixture
def harness(tmp_path: Path) -> JetStreamHarness:
    return JetStreamHarness(tmp_path)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a node not wait so long for an answer before it tries another server."""
    monkeypatch.setattr(connection, "MOVE_S", 1.0)


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.end()


@asynccontextmanager
async def node(
    harness: JetStreamHarness, *links: Link, role: Any = "all", **settings: Any
) -> AsyncIterator[JetStreamLog]:
    """Have a node open that reaches the server over links alone, if any are given."""
    if links:
        settings["servers"] = tuple(f"nats://127.0.0.1:{link.port}" for link in links)
    one = await JetStreamLog.open(harness.settings(0, **settings), role=role)
    try:
        yield one
    finally:
        await one.close()


@asynccontextmanager
async def other(harness: JetStreamHarness) -> AsyncIterator[JetStreamLog]:
    """Have another node open, which is not cut off."""
    one = await JetStreamLog.open(harness.settings(1), role="all")
    try:
        yield one
    finally:
        await one.close()


def test_a_connection_that_nobody_ends_is_left_for_another(harness: JetStreamHarness, network: Network) -> None:
    """What was under way is more than the sockets hold, so that it can neither be sent nor be taken back."""
    links = [network.link(nats_server.shared().port) for _ in range(2)]

    async def story() -> None:
        async with asyncio.timeout(50), node(harness, *links, message_bytes=8 << 20, publish_s=20.0) as one:
            await one.append([entry("first")])
            network.cut(links[_used(one, links)])
            await asyncio.gather(*(one.append([entry(f"e{n}", body=bytes(4 << 20))]) for n in range(3)))
            await one.append([entry("last")])
            assert [len(body) for body in (await bodies(one, "crm"))[1:-1]] == [4 << 20] * 3

    asyncio.run(story())


def test_nobody_waits_behind_a_message_whose_fate_is_not_known(harness: JetStreamHarness, network: Network) -> None:
    link = network.link(nats_server.shared().port)

    async def story() -> None:
        async with asyncio.timeout(50), node(harness, link) as one:
            await one.register(["crm"])
            await one.append([entry("e1")])
            _, place = await places(one)
            network.cut(link)
            settling = asyncio.ensure_future(one.settle("crm", Settlement(cursor=place, delivered=1)))
            for name in ("at once", "later", "later still"):
                async with asyncio.timeout(8):
                    with pytest.raises(LogUnavailable):
                        await one.append([entry(name)])
            assert not settling.done()
            network.heal()
            await settling
            await one.append([entry("e2")])
            assert (await balance(one))["crm"]["delivered"] == 1

    asyncio.run(story())


def test_a_sender_begins_after_what_is_still_being_settled(harness: JetStreamHarness, network: Network) -> None:
    """Also when nobody waits for it any more, as when a lease was lost and is won again: nothing counts twice."""
    link = network.link(nats_server.shared().port)

    async def story() -> None:
        async with asyncio.timeout(50), node(harness, link) as one:
            await one.register(["crm"])
            await one.append([entry("e1")])
            _, place = await places(one)
            network.slow(link, delay_s=0.4, bytes_per_s=1_000_000)
            settling = asyncio.ensure_future(one.settle("crm", Settlement(cursor=place, delivered=1)))
            await asyncio.sleep(0.2)
            settling.cancel()
            assert await one.cursor("crm") == place
            network.heal()

    asyncio.run(story())


def test_what_was_settled_while_the_view_was_left_behind_is_settled_once(
    harness: JetStreamHarness, network: Network
) -> None:
    """The message that did it is gone from the stream before this node's view comes to it."""
    link = network.link(nats_server.shared().port)

    async def story() -> None:
        async with asyncio.timeout(50), node(harness, link) as one, other(harness) as two:
            await one.register(["crm"])
            await one.append([entry("e1")])
            _, place = await places(one)
            network.cut(link, there=False)
            settling = asyncio.ensure_future(one.settle("crm", Settlement(cursor=place, delivered=1)))
            while (await balance(two))["crm"]["delivered"] == 0:
                await asyncio.sleep(0.05)
                await two.catch_up()
            for name in ("e2", "e3"):
                await two.append([entry(name)])
                await two.snapshot()
            await until(lambda: not one._connection.up)
            network.heal()
            await settling
            await one.append([entry("e4")])
            assert (await balance(one))["crm"]["delivered"] == 1
            assert (await balance(one))["crm"]["queued"] == 3

    asyncio.run(story())


def test_a_node_that_was_cut_off_is_well_again_under_a_load_of_small_events(
    harness: JetStreamHarness, network: Network
) -> None:
    """What could not be stored was larger than all that comes after it."""
    link = network.link(nats_server.shared().port)

    async def story() -> None:
        async with asyncio.timeout(50), node(harness, link) as one:
            network.cut(link)
            with pytest.raises(LogUnavailable):
                await one.append([entry("large", body=bytes(100_000))])
            assert one.fault is not None
            network.heal()
            await _sends_until_well(one)

    asyncio.run(story())


def test_a_full_stream_with_room_again_is_told_under_a_load_of_small_events(harness: JetStreamHarness) -> None:
    async def story() -> None:
        async with asyncio.timeout(50), node(harness) as one:
            await one.append([entry("first")])
            async with harness.full(one):
                with pytest.raises(LogUnavailable, match="maximum bytes"):
                    await one.append([entry("large", body=bytes(100_000))])
            assert one.fault is not None
            await _sends_until_well(one)

    asyncio.run(story())


async def _sends_until_well(one: JetStreamLog) -> None:
    """Store small events, at shorter times than the publisher waits for before it tries by itself."""
    for number in range(100):
        with suppress(LogUnavailable):
            await one.append([entry(f"small {number}")])
        if one.fault is None:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(one.fault)


def test_a_node_without_servers_says_so_though_it_stores_nothing(harness: JetStreamHarness, network: Network) -> None:
    link = network.link(nats_server.shared().port)

    async def story() -> None:
        async with asyncio.timeout(50), node(harness, link, role="ingest") as one:
            async with harness.read_only(one):
                await until(lambda: one.fault is not None)
            await until(lambda: one.fault is None)
            network.cut(link, there=False)
            await until(lambda: one.fault is not None)
            network.heal()
            await until(lambda: one.fault is None)
            await one.append([entry("e1")])
            assert await bodies(one, "crm") == ["e1"]

    asyncio.run(story())


def test_a_server_that_stands_alone_is_left_for_another(
    harness: JetStreamHarness, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers all that is asked of it itself, and nothing for the log; no matter whether anything is stored."""
    monkeypatch.setattr(log, "SNAPSHOT_EVERY_S", 0.5)
    ground = Loopback()
    brokers = Brokers(tmp_path / "brokers", ground)
    links = [network.link(server.port) for server in brokers.servers]

    async def story() -> None:
        async with node(harness, *links, replicas=3, connect_s=20.0, publish_s=20.0) as one:
            await one.append([entry("e1")])
        leader = brokers.leader(harness.stream)
        followers = [number for number in range(3) if number != leader]
        to_followers = [links[number] for number in followers]
        async with node(harness, *to_followers, role="ingest", replicas=3, connect_s=20.0, publish_s=30.0) as one:
            for name in ("idle", "busy"):
                used = _used(one, to_followers)
                ground.cut(*brokers.around(followers[used]))
                if name == "idle":
                    await until(partial(_left, one, to_followers, used))
                await one.append([entry(name)])
                assert _used(one, to_followers) != used
                ground.heal()
            assert await bodies(one, "crm") == ["e1", "idle", "busy"]

    brokers.start()
    try:
        asyncio.run(story())
    finally:
        brokers.kill()
        ground.end()


def _left(one: JetStreamLog, links: list[Link], used: int) -> bool:
    return _used(one, links) != used


def _used(one: JetStreamLog, links: list[Link]) -> int:
    """Return over which link a node reaches the servers."""
    server = one._connection.client._current_server
    assert server is not None
    return [link.port for link in links].index(server.uri.port or 0)
