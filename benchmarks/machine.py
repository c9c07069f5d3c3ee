"""What the figures were measured on, and how processes are run and measured."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
START_S = 60.0
"""How long a process may take to start, on a machine that is busy with other things."""


def describe() -> str:
    """Return one line about the machine."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {len(CORES)} cores, {memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}"
    )


@contextmanager
def serving(
    command: list[str], core: int | None = SERVER_CORE
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    """Run a command that takes a ready file as its last argument, pinned to one core; None: to none."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        popen = subprocess.Popen(
            [sys.executable, *command, str(ready)],
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(keep_to, core),
        )
        try:
            deadline = time.monotonic() + START_S
            while not ready.exists():
                if popen.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command} did not start")
                time.sleep(0.02)
            yield popen, json.loads(ready.read_text())
        finally:
            popen.terminate()
            popen.wait(20)


def keep_to(core: int | None) -> None:
    """Pin this process to one core; None: to none."""
    os.sched_setaffinity(0, CORES if core is None else {core})


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Have processes that are started meanwhile keep to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Return the processes that one has started itself."""
    found = []
    for process in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(process.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(process.parent.name))
    return found


def move(pid: int, core: int) -> None:
    """Pin a process, as it is now, to one core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def memory_mb(pid: int) -> float:
    """Return a process's resident memory in MB."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


def load(
    url: str,
    path: str,
    connections: int,
    seconds: float,
    rate: float | None = None,
    core: int | None = LOAD_CORE,
) -> dict[str, Any]:
    """Run the load generator on its own core, None: on any, and return what it counted."""
    host, port = url.removeprefix("http://").split(":")
    command = [sys.executable, "-m", "benchmarks.load", host, port, path, str(connections), str(seconds)]
    done = subprocess.run(
        command + ([str(rate)] if rate else []),
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=partial(keep_to, core),
    )
    counted: dict[str, Any] = json.loads(done.stdout)
    if counted["wrong"]:
        raise RuntimeError(f"{counted['wrong']} answers were not 202")
    return counted


def middle(values: list[float]) -> float:
    """Return the median."""
    return median(values)
