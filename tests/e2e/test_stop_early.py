"""Told to stop before it serves, the gateway stops; also as process 1, for which unhandled signals are ignored."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gateway.log.locks import setup_lock
from tests.e2e.harness import PATIENCE_S, until, world
from tests.e2e.process_one import AS_PROCESS_1, child, may

SERVE = [sys.executable, "-m", "gateway", "serve", "-c", "gateway.yaml"]
WAYS = [
    pytest.param((), id="as-any-process"),
    pytest.param(
        AS_PROCESS_1,
        id="as-process-1",
        marks=pytest.mark.skipif(not may(*AS_PROCESS_1), reason="may not make a namespace of processes"),
    ),
]


@contextmanager
def serving(way: tuple[str, ...], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Yield the process that was started, and the number of the gateway."""
    with (folder / "log").open("wb") as log, subprocess.Popen([*way, *SERVE], cwd=folder, stderr=log) as popen:
        try:
            yield popen, until(lambda: child(popen.pid)) if way else popen.pid
        finally:
            popen.kill()


def has_open(pid: int, name: str) -> bool:
    with suppress(FileNotFoundError):
        return any(str(link.readlink()).endswith(name) for link in Path(f"/proc/{pid}/fd").iterdir())
    return False


@pytest.mark.parametrize("way", WAYS)
def test_while_it_reads_its_configuration(way: tuple[str, ...], tmp_path: Path) -> None:
    """A pipe that nothing comes through stands for a slow disk."""
    pipe = tmp_path / "gateway.yaml"
    os.mkfifo(pipe)
    with serving(way, tmp_path) as (popen, gateway):

        def reads() -> int:
            with suppress(OSError):
                return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            return 0

        writer = until(reads)
        os.kill(gateway, signal.SIGTERM)
        assert popen.wait(PATIENCE_S) == 0
        os.close(writer)


@pytest.mark.parametrize("way", WAYS)
def test_while_it_opens_its_log(way: tuple[str, ...], tmp_path: Path) -> None:
    with world(tmp_path) as here:
        here.configure({"crm": {"vendor": "blueshift", "base_url": "http://127.0.0.1:9"}})
        with serving(way, tmp_path) as (popen, gateway):
            with setup_lock(tmp_path / "gateway.db"):
                until(lambda: has_open(gateway, "gateway.db.setup.lock"))
                os.kill(gateway, signal.SIGTERM)
            assert popen.wait(PATIENCE_S) == 0
    assert '"stopping"' in (tmp_path / "log").read_text()


@pytest.mark.parametrize("way", WAYS)
def test_while_it_serves(way: tuple[str, ...], tmp_path: Path) -> None:
    with world(tmp_path) as here:
        here.configure({"crm": {"vendor": "blueshift", "base_url": "http://127.0.0.1:9"}})
        with serving(way, tmp_path) as (popen, gateway):
            until(lambda: b'"serving"' in (tmp_path / "log").read_bytes())
            os.kill(gateway, signal.SIGTERM)
            assert popen.wait(PATIENCE_S) == 0
    assert not (tmp_path / "gateway.db-wal").exists()
