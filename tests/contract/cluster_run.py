"""The journal on three real servers while things are killed: what the test does shortly and the soak for long."""

import asyncio
import signal
import time
from collections.abc import Sequence
from typing import Any, Final

from gateway.errors import LogError
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.port import Settlement
from tests.contract.log_harness import Child, ClusterHarness, balance, bodies, content, entry, until
from tests.contract.nats_server import Cluster, Server

ENOUGH: Final = 100
"""Events that have to be stored before the next thing happens."""
PAUSE_S: Final = 6.0
TROUBLES: Final = ("leader", "follower", "node", "pause", "snapshot")
"""What can be done to the run; whatever it is, another gateway's process is killed after it."""


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


def listen(child: Child, heard: list[Any]) -> None:
    """Take down what a child has stored until it is killed."""
    for said in child.each():
        heard.append(said)  # noqa: PERF402  # looked at meanwhile


class ClusterRun:
    """Two gateways on three servers: one of this process, and one that is killed again and again."""

    def __init__(self, cluster: Cluster, harness: ClusterHarness) -> None:
        self._cluster = cluster
        self._harness = harness
        self._heard: list[Any] = []

    async def run(self, troubles: Sequence[str]) -> None:
        """Do one thing after the other under load, and hold the run to account; prints what happened."""
        async with self._harness.opened() as log:
            assert isinstance(log, JetStreamLog)
            load = Load(log)
            await log.register(["crm", "mail"])
            senders = asyncio.gather(*(load.send(sender) for sender in range(4)))
            delivering = asyncio.create_task(load.deliver())
            for trouble in troubles:
                await self._round(log, load, trouble)
            load.over = True
            await senders
            await self._check(log, load, await delivering)
        assert content(self._harness, 0) == content(self._harness, 1)

    async def _round(self, log: JetStreamLog, load: Load, trouble: str) -> None:
        heard = self._heard
        with self._harness.child("append", "all", "2", "3") as child:
            before = len(heard)
            hearing = asyncio.create_task(asyncio.to_thread(listen, child, heard))
            await until(lambda: len(heard) >= before + ENOUGH)
            leader, follower = await leader_of(log, self._cluster)
            if trouble == "leader":
                await self._outage(leader, "the stream's leader", load)
            elif trouble == "follower":
                await self._outage(follower, "a follower", load)
            elif trouble == "pause":
                await self._pause(leader, load)
            elif trouble == "snapshot":
                await self._snapshot(log)
            child.kill_now()
            await hearing
            print(f"a gateway's process killed: it had {2 * (len(heard) - before)} events acknowledged")

    async def _outage(self, server: Server, what: str, load: Load) -> None:
        """Kill a server, wait until the two others store events, and have it back."""
        load.slowest_s, before, killed_at = 0.0, len(load.stored), time.monotonic()
        server.kill()
        await until(lambda: len(load.stored) >= before + ENOUGH)
        took = time.monotonic() - killed_at
        print(
            f"{what} ({server.name}) killed: {ENOUGH} events stored {took:.2f} s later, one took {load.slowest_s:.2f} s"
        )
        await asyncio.to_thread(server.start)

    async def _pause(self, server: Server, load: Load) -> None:
        """Have a server stand still, as a machine does that swaps, and come back to what others have gone on with."""
        before = len(load.stored)
        server.send(signal.SIGSTOP)
        await asyncio.sleep(PAUSE_S)
        server.send(signal.SIGCONT)
        await until(lambda: len(load.stored) >= before + ENOUGH)
        print(f"the stream's leader ({server.name}) stood still for {PAUSE_S} s")

    async def _snapshot(self, log: JetStreamLog) -> None:
        """Make one; servers that have just come back may not be ready for it, and then it is made another time."""
        try:
            print(f"a snapshot of all up to message {await log.snapshot()}")
        except LogError as error:
            print(error)

    async def _check(self, log: JetStreamLog, load: Load, delivered: int) -> None:
        await log.catch_up()
        found = await bodies(log, "mail")
        acknowledged = {name for names in self._heard for name in names} | set(load.stored)
        assert acknowledged <= set(found), f"lost: {sorted(acknowledged - set(found))[:10]}"
        assert len(found) == len(set(found)), "an event is stored twice"
        for sender in range(4):
            mine = [name for name in found if name.startswith(f"here {sender}.")]
            assert mine == [f"here {sender}.{number}" for number in range(len(mine))], "out of order"
        counts = await balance(log)
        assert (counts["crm"]["delivered"], counts["crm"]["queued"]) == (delivered, 0)
        other = await JetStreamLog.open(self._harness.settings(1), role="all", clock=self._harness.clock)
        try:
            await other.catch_up()
            assert await other.status() == await log.status()
        finally:
            await other.close()
        print(f"{len(acknowledged)} acknowledged, {len(found)} stored, {counts['crm']['duplicate']} duplicates,"
              f" {delivered} delivered; none lost, none twice, views alike")  # fmt: skip
