"""The journal on three real servers: what is acknowledged survives whatever one is killed."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.log.jetstream.log import JetStreamLog
from gateway.log.port import Settlement
from tests.contract.log_harness import CLUSTER, Child, ClusterHarness, balance, bodies, content, entry, until
from tests.contract.nats_server import Cluster, Server

ENOUGH = 100
"""Events that have to be stored before the next thing happens."""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "servers")
    monkeypatch.setenv(CLUSTER, " ".join(made.urls))
    made.start()
    try:
        yield made
    finally:
        made.kill()


class Load:
    """What one node of this process stores and delivers while things are killed."""

    def __init__(self, log: JetStreamLog) -> None:
        self.stored: list[str] = []
        self.slowest_s = 0.0
        self.over = False
        self._log = log

    async def send(self, sender: int) -> None:
        number = 0
        while not self.over:
            name = f"here {sender}.{number}"
            before = time.monotonic()
            await self._log.append([entry(name)])
            self.slowest_s = max(self.slowest_s, time.monotonic() - before)
            self.stored.append(name)
            number += 1
            await asyncio.sleep(0.002)

    async def deliver(self) -> int:
        """Settle all there is for one target, some at a time; return how many."""
        place, delivered = await self._log.cursor("crm"), 0
        while True:
            records, place = await self._log.read("crm", place, 50, 1 << 20)
            if not records and self.over:
                return delivered
            await self._log.settle("crm", Settlement(cursor=place, delivered=len(records)))
            delivered += len(records)
            await asyncio.sleep(0.01)


async def leader_of(log: JetStreamLog, cluster: Cluster) -> tuple[Server, Server]:
    """Return the server that leads the stream, and one that follows."""
    while True:
        info = await log._connection.jetstream.stream_info(log._settings.stream)
        if info.cluster is not None and info.cluster.leader:
            leader = next(server for server in cluster.servers if server.name == info.cluster.leader)
            return leader, next(server for server in cluster.servers if server is not leader)
        await asyncio.sleep(0.1)


async def outage(server: Server, what: str, load: Load) -> None:
    """Kill a server under load, wait until the two others store events, and have it back."""
    load.slowest_s, before, killed_at = 0.0, len(load.stored), time.monotonic()
    server.kill()
    await until(lambda: len(load.stored) >= before + ENOUGH)
    print(f"{what} ({server.name}) killed: the slowest event waited {load.slowest_s:.2f} s, {ENOUGH} were stored"
          f" after {time.monotonic() - killed_at:.2f} s")  # fmt: skip
    await asyncio.to_thread(server.start)


def listen(child: Child, heard: list[Any]) -> None:
    """Take down what a child has stored until it is killed."""
    for said in child.each():
        heard.append(said)  # noqa: PERF402  # looked at meanwhile


def test_what_is_acknowledged_survives_every_kill(cluster: Cluster, tmp_path: Path) -> None:
    harness = ClusterHarness(tmp_path)
    heard: list[Any] = []

    async def story() -> None:
        async with harness.opened() as log:
            await played(log)

    async def played(log: Any) -> None:
        load = Load(log)
        await log.register(["crm", "mail"])
        senders = asyncio.gather(*(load.send(sender) for sender in range(4)))
        delivering = asyncio.create_task(load.deliver())
        for word in ("leader", "follower", "node"):
            with harness.child("append", "all", "2", "3") as child:
                before = len(heard)
                hearing = asyncio.create_task(asyncio.to_thread(listen, child, heard))
                await until(lambda before=before: len(heard) >= before + ENOUGH)  # type: ignore[misc]  # bound on purpose
                leader, follower = await leader_of(log, cluster)
                if word == "leader":
                    await outage(leader, "the stream's leader", load)
                elif word == "follower":
                    await outage(follower, "a follower", load)
                child.kill_now()
                await hearing
                print(f"a gateway's process killed: it had {2 * (len(heard) - before)} events acknowledged")
        load.over = True
        await senders
        delivered = await delivering
        await check(log, load, delivered)

    async def check(log: JetStreamLog, load: Load, delivered: int) -> None:
        await log.catch_up()
        found = await bodies(log, "mail")
        acknowledged = {name for names in heard for name in names} | set(load.stored)
        assert acknowledged <= set(found)
        assert len(found) == len(set(found))
        for sender in range(4):
            mine = [name for name in found if name.startswith(f"here {sender}.")]
            assert mine == [f"here {sender}.{number}" for number in range(len(mine))]
        counts = await balance(log)
        assert (counts["crm"]["delivered"], counts["crm"]["queued"]) == (delivered, 0)
        other = await JetStreamLog.open(harness.settings(1), role="all", clock=harness.clock)
        try:
            await other.catch_up()
            assert await other.status() == await log.status()
        finally:
            await other.close()
        print(f"{len(acknowledged)} acknowledged, {len(found)} stored, {counts['crm']['duplicate']} duplicates,"
              f" {delivered} delivered; none lost, none twice, views alike")  # fmt: skip

    async def timed() -> None:
        async with asyncio.timeout(90):
            await story()

    asyncio.run(timed())
    assert content(harness, 0) == content(harness, 1)
    assert os.environ[CLUSTER]
