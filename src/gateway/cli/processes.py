"""Starts other gateway commands as processes, and waits until they serve."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gateway.errors import GatewayError

START_S = 20.0
STOP_S = 15.0


@dataclass(frozen=True)
class Process:
    """A running command and the addresses it bound."""

    popen: subprocess.Popen[bytes]
    ready: dict[str, str]

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        self.popen.terminate()
        try:
            self.popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def start(arguments: list[str], ready_file: Path, log_file: Path) -> Process:
    """Run ``gateway ARGUMENTS --ready-file …`` and return once it serves.

    Raises:
        GatewayError: it ended, or did not serve in time; the message holds the end of its log.
    """
    command = [sys.executable, "-m", "gateway", *arguments, "--ready-file", str(ready_file)]
    with log_file.open("wb") as log:
        popen = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603  our own command
    deadline = time.monotonic() + START_S
    while not ready_file.exists():
        if popen.poll() is not None or time.monotonic() > deadline:
            popen.kill()
            popen.wait()
            tail = log_file.read_text(errors="replace")[-2000:]
            raise GatewayError(f"gateway {arguments[0]} did not start:\n{tail}")
        time.sleep(0.02)
    addresses: dict[str, Any] = msgspec.json.decode(ready_file.read_bytes())
    return Process(popen, addresses)
