"""The form of deploy/ for several nodes, started: servers, gateways and balancer with the very files that are there.

Names and ports are of this machine, which has neither Docker's names nor those of Kubernetes; the servers' own file is
as it is.
"""

import http.client
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest

from gateway import registry
from gateway.testing.faults import FaultyVendor, served
from tests.contract.nats_server import BINARY
from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, klaviyo_event, until
from tests.unit.deploy.files import DEPLOY
from tests.unit.deploy.places import DEAD_END, VALUES, Place, accept, free_port, lay_out, started
from tests.unit.deploy.test_cluster_manifests import COMPOSE, DELIVER, INGEST, NATS, NODES, SERVERS, container

CLUSTER: Final = DEPLOY / "cluster"


class Servers:
    """The three servers of compose.yaml."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ports = {name: (free_port(), free_port(), free_port()) for name in SERVERS}
        """Of clients, of routes, of the monitor."""
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/nats-server").symlink_to(BINARY)
        for name in ("nats_password", "nats_route_password"):
            (folder / name).write_text(f"{VALUES.get(name, '17route')}\n")

    def start(self, name: str) -> None:
        """Run a server's own command with its own configuration; what its command line can say differs."""
        service = COMPOSE["services"][name]
        client, route, monitor = self.ports[name]
        (script,) = service["command"]
        script = script.replace("$$", "$").replace("/run/secrets/nats", str(self._folder))
        script = script.replace("/etc/nats/nats-server.conf", str(CLUSTER / "nats-server.conf"))
        for server in SERVERS:
            script = script.replace(f"{server}.nats:6222", f"127.0.0.1:{self.ports[server][1]}")
        environ = {
            **service["environment"],
            "NATS_STORE": str(self._folder / name),
            "NATS_ROUTE_LISTEN": f'"127.0.0.1:{route}"',
            "PATH": f"{self._folder / 'bin'}:/usr/bin:/bin",
        }
        script = f"{script.rstrip()} --addr 127.0.0.1 --port {client} --http_port {monitor}"
        with (self._folder / f"{name}.log").open("ab") as log:
            popen = subprocess.Popen([*service["entrypoint"], script], env=environ, stdout=log, stderr=log)
        self.running[name] = popen

    def asked(self, name: str, path: str) -> httpx.Response | None:
        """Ask a server's monitor."""
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.ports[name][2]}{path}", trust_env=False, timeout=5)
        return None

    def well(self, name: str, path: str = "/healthz") -> bool:
        """Tell whether a server's health is as its probe wants it."""
        assert self.running[name].poll() is None, (self._folder / f"{name}.log").read_text()
        answer = self.asked(name, path)
        return answer is not None and answer.status_code == http.client.OK

    def kill(self, name: str) -> None:
        """End a server as a power cut of its machine would."""
        self.running[name].kill()
        self.running[name].wait()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    made = Servers(tmp_path_factory.mktemp("servers"))
    for name in SERVERS:
        made.start(name)
    try:
        yield made
    finally:
        for name in made.running:
            made.kill(name)


def node(name: str, folder: Path, image: dict[str, str], servers: Servers, url: str | None = None) -> Place:
    """Lay out the example configuration for one node."""
    target = DEAD_END if url is None else {"vendor: blueshift": f"vendor: blueshift\n    base_url: {url}"}
    own = {f"{server}.nats:4222": f"127.0.0.1:{servers.ports[server][0]}" for server in SERVERS}
    return lay_out(folder / name, image, CLUSTER / "config", {**target, **own})


def target(place: Place) -> dict[str, Any]:
    """Return what a node says of the only target."""
    found: list[dict[str, Any]] = place.get("/status", "token").json()["log"]["targets"]
    return found[0]


def measured(place: Place, name: str) -> float:
    (value,) = re.findall(rf"^{name} (\S+)$", place.get("/metrics", "token").text, re.MULTILINE) or ["nan"]
    return float(value)


def test_the_servers_are_a_cluster_that_syncs(servers: Servers) -> None:
    until(lambda: all(servers.well(name) for name in SERVERS))
    for name in SERVERS:
        for probe in ("/healthz?js-enabled-only=true", "/healthz?js-server-only=true"):
            assert servers.well(name, probe)
        answer = servers.asked(name, "/jsz")
        assert answer is not None
        assert answer.json()["config"]["sync_always"] is True
        assert len(answer.json()["meta_cluster"]["replicas"] or [1, 2]) == 2
        routes = servers.asked(name, "/routez")
        assert routes is not None
        assert len({route["remote_name"] for route in routes.json()["routes"]}) == 2


def test_the_example_configuration_is_right(image: dict[str, str], servers: Servers, tmp_path: Path) -> None:
    done = node("a", tmp_path, image, servers).run("gateway", "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stranger_is_not_let_in(servers: Servers) -> None:
    """Neither to the clients' port nor, as a server of its own, to the others'."""
    until(lambda: servers.well("nats-0"))
    for port in servers.ports["nats-0"][:2]:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
            connection.makefile("rwb") as file,
        ):
            assert file.readline().startswith(b"INFO ")
            file.write(b'CONNECT {"verbose":true,"user":"gateway","pass":"guessed"}\r\nPING\r\n')
            file.flush()
            assert b"Authorization Violation" in file.readline()


def test_an_event_goes_through_and_one_server_may_fail(image: dict[str, str], servers: Servers, tmp_path: Path) -> None:
    """Accepted by a node that accepts, delivered by one that delivers, with the arguments of the manifests."""
    until(lambda: all(servers.well(name) for name in SERVERS))
    vendor = FaultyVendor(registry.adapter("blueshift"), [KEYS["blueshift"]])
    with ExitStack() as stack:
        url = stack.enter_context(served(vendor))
        ingest, deliver = (node(name, tmp_path, image, servers, url) for name in ("ingest", "deliver"))
        stack.enter_context(started(deliver, container(DELIVER)["args"]))
        stack.enter_context(started(ingest, container(INGEST)["args"]))
        balanced = stack.enter_context(balancer(tmp_path, ingest.ports[0], free_port()))
        accept(ingest, 1)
        until(lambda: target(deliver)["delivered"] == 1)
        done = ingest.run("gateway", "status", "--json")
        assert (done.returncode, msgspec.json.decode(done.stdout)["targets"][0]["delivered"]) == (0, 1), done.stderr
        until(lambda: measured(deliver, "gateway_journal_bytes") > 0)
        assert measured(deliver, "gateway_journal_lagging_servers") == 0

        for number in range(2, 8):
            assert send(balanced, number) == http.client.ACCEPTED
        servers.kill("nats-1")
        until(lambda: send(f"http://127.0.0.1:{ingest.ports[0]}", 8) == http.client.ACCEPTED)
        until(lambda: measured(deliver, "gateway_journal_lagging_servers") == 1)
        until(lambda: target(deliver)["delivered"] >= 8)
        assert target(deliver)["queued"] == 0
    servers.start("nats-1")
    until(lambda: servers.well("nats-1"))


def test_a_server_that_is_told_to_stop_hands_over_and_ends(servers: Servers) -> None:
    """By the manifest's own command, with another process number; Compose sends the same signal."""
    until(lambda: all(servers.well(name) for name in SERVERS))
    popen = servers.running["nats-2"]
    program, *options = container(NATS)["lifecycle"]["preStop"]["exec"]["command"]
    command = [BINARY, *(option.replace("=1", f"={popen.pid}") for option in options)]
    assert (program, subprocess.run(command, check=False).returncode) == ("nats-server", 0)
    assert popen.wait(60) == 0
    assert {COMPOSE["services"][name]["stop_signal"] for name in SERVERS} == {"SIGUSR2"}


def send(url: str, number: int) -> int:
    """Send an event as the shop does; returns the status."""
    answer = httpx.post(
        f"{url}/shop/api/events", json=klaviyo_event(number), headers=KLAVIYO_HEADERS, trust_env=False, timeout=30
    )
    return answer.status_code


@contextmanager
def balancer(folder: Path, *ports: int) -> Iterator[str]:
    """Run nginx with the balancer's configuration, where there is one; else go to the first node."""
    if shutil.which("nginx") is None:
        yield f"http://127.0.0.1:{ports[0]}"
        return
    own = free_port()
    text = (CLUSTER / "balancer.conf").read_text().replace("listen 8080;", f"listen 127.0.0.1:{own};")
    for name, port in zip(NODES, ports, strict=True):
        text = text.replace(f"{name}:8080", f"127.0.0.1:{port}")
    base = folder / "nginx"
    base.mkdir()
    places = "".join(
        f"{kind}_temp_path {base}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (base / "nginx.conf").write_text(
        f"daemon off;\npid {base}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{places}{text}}}\n"
    )
    with subprocess.Popen(["nginx", "-p", base, "-c", base / "nginx.conf", "-e", base / "errors"]) as popen:
        try:
            until(lambda: _answers(f"http://127.0.0.1:{own}"))
            yield f"http://127.0.0.1:{own}"
        finally:
            popen.send_signal(signal.SIGTERM)


def _answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return bool(httpx.get(url, trust_env=False).status_code)
    return False
