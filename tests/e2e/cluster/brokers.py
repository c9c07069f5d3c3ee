"""Three NATS servers that reach each other, and are reached, over links that can be cut."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from tests.contract.nats_server import Server, free_port
from tests.e2e.cluster.links import Link, Network
from tests.e2e.harness import until

NUMBER: Final = 3
NOWHERE: Final = "127.0.0.1:1"
"""What servers tell each other to connect to, so that they have nothing but their links."""


class Brokers:
    """The servers, and the links between them: each server connects to those of lower numbers."""

    def __init__(self, folder: Path, network: Network) -> None:
        ports = [free_port() for _ in range(NUMBER)]
        self._between = {
            frozenset((one, other)): network.link(ports[other]) for one in range(NUMBER) for other in range(one)
        }
        self._monitors = [free_port() for _ in range(NUMBER)]
        self.servers = [
            Server(folder / f"broker-{number}", f"broker-{number}", more=self._config(number, ports[number]))
            for number in range(NUMBER)
        ]

    def _config(self, number: int, port: int) -> str:
        lower = [self._between[frozenset((number, other))].port for other in range(number)]
        routes = ", ".join(f"nats://127.0.0.1:{known}" for known in lower or [port])  # the first has but itself
        return (
            f"http: 127.0.0.1:{self._monitors[number]}\n"
            f"cluster {{ name: three, listen: 127.0.0.1:{port}, advertise: '{NOWHERE}', no_advertise: true,"
            f" routes: [{routes}] }}\n"
        )

    def start(self) -> None:
        """Start all."""
        for server in self.servers:
            server.start()

    def kill(self) -> None:
        """End all."""
        for server in self.servers:
            server.kill()

    def around(self, number: int) -> list[Link]:
        """Return the links between a server and the others."""
        return [link for ends, link in self._between.items() if number in ends]

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
        found: list[Mapping[str, Any]] = until(lambda: [t for port in self._monitors if (t := _asked(port, stream))])
        return found


def _leader(told: Mapping[str, Any]) -> str | None:
    name: str | None = told.get("cluster", {}).get("leader")
    return name


def _asked(port: int, stream: str) -> Mapping[str, Any] | None:
    url = f"http://127.0.0.1:{port}/jsz?streams=true"
    try:
        told = httpx.get(url, trust_env=False, timeout=2).json()
    except (httpx.HTTPError, ValueError):
        return None
    streams: list[Mapping[str, Any]] = [
        one for account in told.get("account_details", ()) for one in account.get("stream_detail", ())
    ]
    return next((one for one in streams if one["name"] == stream), None)
