"""The journal on three real servers: what is acknowledged survives whatever one is killed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.cluster_run import ClusterRun
from tests.contract.log_harness import CLUSTER, ClusterHarness
from tests.contract.nats_server import Cluster


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "servers")
    monkeypatch.setenv(CLUSTER, " ".join(made.urls))
    made.start()
    try:
        yield made
    finally:
        made.kill()


def test_what_is_acknowledged_survives_every_kill(cluster: Cluster, tmp_path: Path) -> None:
    async def play() -> None:
        async with asyncio.timeout(90):
            await ClusterRun(cluster, ClusterHarness(tmp_path)).run(["leader", "follower", "node"])

    asyncio.run(play())
