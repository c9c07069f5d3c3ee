"""Three NATS servers that reach each other, and are reached, over wires that can be cut."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from tests.contract.nats_server import Server, free_port
from tests.e2e.cluster.ground import Ground, Wire
from tests.e2e.harness import until

NUMBER: Final = 3
NOWHERE: Final = "127.0.0.1:1"
"""What servers tell each other to connect to, so that they have nothing but their wires."""


class Brokers:
    """The servers, and the wires between them: each server connects to those of lower numbers."""

    def __init__(self, folder: Path, ground: Ground) -> None:
        self.names = [f"broker-{number}" for number in range(NUMBER)]
        self._ground = ground
        ports = [free_port() for _ in range(NUMBER)]
        self._between = {
            frozenset((one, other)): ground.wire(self.names[one], self.names[other], ports[other])
            for one in range(NUMBER)
            for other in range(one)
        }
        self._monitors = [free_port() for _ in range(NUMBER)]
        self.servers = [
            Server(folder / name, name, more=self._config(number, ports[number]), listen=ground.listen)
            for number, name in enumerate(self.names)
        ]

    def _config(self, number: int, port: int) -> str:
        lower = [self._between[frozenset((number, other))].address for other in range(number)]
        routes = ", ".join(f"nats://{known}" for known in lower or [f"127.0.0.1:{port}"])  # the first has but itself
        listen = self._ground.listen
        return (
            f"http: {listen}:{self._monitors[number]}\n"
            f"cluster {{ name: three, listen: {listen}:{port}, advertise: '{NOWHERE}', no_advertise: true,"
            f" routes: [{routes}] }}\n"
        )

    def start(self) -> None:
        """Start all."""
        for number in range(NUMBER):
            self.start_one(number)

    def start_one(self, number: int) -> None:
        """Start a server, with the data that it had."""
        with self._ground.inside(self.names[number]):
            self.servers[number].start()

    def kill(self) -> None:
        """End all."""
        for server in self.servers:
            server.kill()

    def around(self, number: int) -> list[Wire]:
        """Return the wires between a server and the others."""
        return [wire for ends, wire in self._between.items() if number in ends]

    def leader(self, stream: str) -> int:
        """Return which server leads a stream, as most servers see it."""
        said: list[str] = until(lambda: [name for told in self._told(stream) if (name := _leader(told))])
        names = [server.name for server in self.servers]
        return names.index(max(said, key=said.count))

    def first(self, stream: str) -> int:
        """Return the first message that a stream still holds."""
        return max(int(told["state"]["first_seq"]) for told in self._told(stream))

    def _told(self, stream: str) -> list[Mapping[str, Any]]:
        """Return what each server that runs tells of a stream; waits for one that does."""
        hosts = [self._ground.host(name) for name in self.names]
        monitors = [f"http://{host}:{port}" for host, port in zip(hosts, self._monitors, strict=True)]
        found: list[Mapping[str, Any]] = until(lambda: [told for url in monitors if (told := _asked(url, stream))])
        return found


def _leader(told: Mapping[str, Any]) -> str | None:
    name: str | None = told.get("cluster", {}).get("leader")
    return name


def _asked(url: str, stream: str) -> Mapping[str, Any] | None:
    try:
        told = httpx.get(f"{url}/jsz?streams=true", trust_env=False, timeout=2).json()
    except (httpx.HTTPError, ValueError):
        return None
    streams: list[Mapping[str, Any]] = [
        one for account in told.get("account_details", ()) for one in account.get("stream_detail", ())
    ]
    return next((one for one in streams if one["name"] == stream), None)
