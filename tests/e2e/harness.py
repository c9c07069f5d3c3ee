"""Real processes on loopback: the gateway, stand-ins for vendors, and a folder of their own for each test."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from gateway.cli.processes import Process, start

KEYS: dict[str, dict[str, str]] = {
    "klaviyo": {"private_key": "pk_0123456789abcdef0123456789abcdef01", "company_id": "AbC123"},
    "blueshift": {"event_api_key": "evk_demo_4f1c9b7a2e", "user_api_key": "usr_demo_9d2e6c41ab"},
    "synerise": {
        "api_key": "5c2b1f6e-0a44-4d1b-9a7e-6f0c2d9b8e11",
        "workspace_guid": "0b9d6a52-3c1e-4f8a-8d27-1e5f4c3b2a10",
        "tracker_key": "trk_demo_81c4",
    },
    "yespo": {"api_key": "yespo_demo_7b31c0"},
    "vibetrace": {
        "api_key": "vt_demo_5d20",
        "account_id": "acc-demo-77",
        "app_id": "app-demo-3",
        "api_secret": "vt_secret_0f9a",
    },
}
PATIENCE_S = 30.0


def until(what: Callable[[], Any], patience: float = PATIENCE_S) -> Any:
    """Return the first true value of `what`; fail when there is none in time."""
    deadline = time.monotonic() + patience
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class World:
    """A folder, the processes in it, and how to speak to them."""

    folder: Path
    started: list[Process] = field(default_factory=list)
    gateway: Process | None = None
    _count: int = 0

    def command(self, *arguments: str, name: str = "") -> Process:
        """Start a gateway command that serves."""
        self._count += 1
        label = f"{name or arguments[0]}-{self._count}"
        process = start(list(arguments), self.folder / f"{label}.json", self.folder / f"{label}.log")
        self.started.append(process)
        return process

    def standin(self, vendor: str, *options: str) -> str:
        """Start a stand-in; return its URL."""
        credentials = [f"--credential={name}={value}" for name, value in KEYS[vendor].items()]
        return self.command("sandbox", vendor, *credentials, *options, name=vendor).ready["url"]

    def configure(self, targets: dict[str, dict[str, Any]], **more: Any) -> Path:
        """Write a gateway.yaml with every vendor as a source and every event for every target."""
        config = {
            "listen": {"port": 0},
            "admin": {"port": 0},
            "log": {"sqlite": "gateway.db"},
            "logging": {"format": "json"},
            "sources": {v: {"vendor": v, "credentials": [KEYS[v]]} for v in KEYS},
            "targets": {name: {"credentials": KEYS.get(t["vendor"]), **t} for name, t in targets.items()},
            "routes": [{"name": "all", "to": list(targets)}],
            **more,
        }
        path = self.folder / "gateway.yaml"
        path.write_bytes(msgspec.yaml.encode(config))
        return path

    def serve(self, *options: str) -> Process:
        """Start the gateway with the written configuration."""
        self.gateway = self.command("serve", "-c", str(self.folder / "gateway.yaml"), *options)
        return self.gateway

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a gateway command to its end."""
        command = [sys.executable, "-m", "gateway", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)

    def status(self) -> dict[str, dict[str, Any]]:
        """Return the counts by target, from the log itself."""
        done = self.cli("status", "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return {target["target"]: target for target in msgspec.json.decode(done.stdout)["targets"]}

    def settled(self, accepted: int) -> dict[str, dict[str, Any]]:
        """Wait until so many events were accepted and none waits; return the counts."""
        assert self.gateway is not None
        url = f"{self.gateway.ready['admin']}/status"

        def done() -> bool:
            targets = httpx.get(url, timeout=10, trust_env=False).json()["log"]["targets"]
            return all(target["accepted"] >= accepted and not target["queued"] for target in targets)

        until(done)
        return self.status()

    def log_text(self) -> str:
        """Return what all processes wrote to their logs."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))


def received(url: str, last: int = 1000) -> dict[str, Any]:
    """Return what a stand-in got."""
    answer: dict[str, Any] = httpx.get(f"{url}/_received?last={last}", timeout=10, trust_env=False).json()
    return answer


def kill(process: Process) -> None:
    """End a process as a power cut would."""
    os.kill(process.popen.pid, signal.SIGKILL)
    process.popen.wait()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Yield a world and end its processes."""
    made = World(folder)
    try:
        yield made
    finally:
        for process in reversed(made.started):
            process.stop()


def klaviyo_event(number: int, name: str = "Viewed Product", **more: Any) -> dict[str, Any]:
    """Return the body of a Klaviyo event."""
    attributes = {
        "metric": {"data": {"type": "metric", "attributes": {"name": name}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": f"p{number % 7}@example.com"}}},
        "properties": {"ProductID": "TM-11", "number": number},
        "time": "2026-11-21T09:30:00+00:00",
        "unique_id": f"event-{number}",
        **more,
    }
    return {"data": {"type": "event", "attributes": attributes}}


KLAVIYO_HEADERS = {
    "Authorization": f"Klaviyo-API-Key {KEYS['klaviyo']['private_key']}",
    "revision": "2026-07-15",
    "Content-Type": "application/vnd.api+json",
}
