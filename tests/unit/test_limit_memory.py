"""What limiters know survives a restart; what cannot be read or written costs nothing else."""

import asyncio
from pathlib import Path
from unittest import mock

from gateway.delivery import LimiterState
from gateway.limit_memory import LimitMemory
from gateway.telemetry import make_logger

LOGGER = make_logger("json", "error")
STATES = {"account": LimiterState(at=1.0, clean=True, slots={"events": [(2.0, 3)]})}


def test_what_was_written_is_recalled(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db.limits"
    assert LimitMemory(path, LOGGER).recall() == {}
    asyncio.run(LimitMemory(path, LOGGER).finish(STATES))
    assert LimitMemory(path, LOGGER).recall() == STATES


def test_it_is_written_while_running(tmp_path: Path) -> None:
    memory = LimitMemory(tmp_path / "limits", LOGGER)
    deliverer = mock.Mock(snapshot=lambda: STATES)

    async def run() -> None:
        memory.follow(deliverer)
        await asyncio.sleep(0)
        assert memory.recall() == STATES
        await memory.finish({})

    asyncio.run(run())
    assert memory.recall() == {}


def test_a_broken_file_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "limits"
    path.write_text('{"account": {"at"')
    assert LimitMemory(path, LOGGER).recall() == {}


def test_a_full_disk_does_not_stop_delivery(tmp_path: Path) -> None:
    asyncio.run(LimitMemory(tmp_path / "nowhere" / "limits", LOGGER).finish(STATES))
