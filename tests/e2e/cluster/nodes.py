"""Three gateways, three servers, targets and clients, and wires between them: what faults are done to."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx

from gateway import registry
from gateway.cli.processes import Process
from gateway.testing.faults import FaultyVendor, Served
from gateway.testing.limits import Limits, Sliding, alignments
from tests.e2e.cluster.brokers import NUMBER, Brokers
from tests.e2e.cluster.ground import Ground, Wire
from tests.e2e.cluster.load import Load
from tests.e2e.crash_rounds import add_wide, number_of, remove_wide, unlimited
from tests.e2e.harness import KEYS, World, kill, until

NODES: Final = ("one", "two", "three")
ALL_EVENTS: Final = ("well", "other")
"""The targets that get everything, as fast as it comes."""
ORDERS: Final = "narrow"
"""The target that gets orders, within narrow limits."""
WINDOWS: Final = ({"requests": 5, "seconds": 1}, {"requests": 9, "seconds": 3})
STREAM: Final = "faults"
TOKEN: Final = "for-tests-alone"
SNAPSHOT_MESSAGES: Final = 300
"""So few that a node that is away for some seconds comes back to a stream that begins after its view."""
DEVICES: Final = 9
CALM_S: Final = 60.0
"""How long recovering may take, on a machine that is busy with other things as well."""


class Cluster:
    """All of it, running."""

    def __init__(self, here: World, seed: int, ground: Ground) -> None:
        self.here = here
        self.ground = ground
        self.brokers = Brokers(here.folder / "brokers", ground)
        ends = [(name, server.port) for name, server in zip(self.brokers.names, self.brokers.servers, strict=True)]
        self.to_brokers = {node: [ground.wire(node, *end) for end in ends] for node in NODES}
        self.limits = [
            Limits([*alignments(w["requests"], w["seconds"]), Sliding(w["requests"], w["seconds"])], enforce=False)
            for w in WINDOWS
        ]
        add_wide(here)
        klaviyo = unlimited(registry.adapter("klaviyo"))
        self.vendors = {
            name: FaultyVendor(klaviyo, [KEYS["klaviyo"]], key=number_of, keep_bodies=False)
            for name in (*ALL_EVENTS, ORDERS)
        }
        self.vendors[ORDERS].limits = self.limits
        self._served = {name: Served(vendor) for name, vendor in self.vendors.items()}
        self._out = {name: ground.out(served.url) for name, served in self._served.items()}
        self.nodes: dict[str, Process] = {}
        self._urls: dict[str, str] = {}
        self.load = Load(self._urls, NODES, DEVICES, seed)

    def start(self) -> None:
        """Start all; returns when every node has its share."""
        self.brokers.start()
        for node in NODES:
            self.start_node(node)
        until(lambda: sum(len(self.owned(node)) for node in NODES) == len(self.vendors), CALM_S)
        self.load.start()

    def end(self) -> None:
        """End all."""
        if self.load.is_alive():
            self.load.stop()
        for process in self.nodes.values():
            process.popen.terminate()
        for process in self.nodes.values():
            process.stop()
        for served in self._served.values():
            served.end()
        remove_wide()
        self.brokers.kill()
        self.ground.end()

    # --- nodes -------------------------------------------------------------------------------------------

    def start_node(self, node: str) -> None:
        """Start a gateway, with the view that it had."""
        config = str(self._configured(node))
        with self.ground.inside(node):
            self.nodes[node] = self.here.command("serve", "-c", config, name=node)
        self._urls[node] = self.nodes[node].ready["listen"]

    def _configured(self, node: str) -> Any:
        targets: dict[str, dict[str, Any]] = {
            name: {
                "vendor": "wide",
                "base_url": self._out[name],
                "credentials": {**KEYS["klaviyo"], "company_id": name},
                "limits": {"windows": list(WINDOWS)} if name == ORDERS else {},
            }
            for name in self.vendors
        }
        jetstream = {
            "servers": [f"nats://{wire.address}" for wire in self.to_brokers[node]],
            "stream": STREAM,
            "view": f"{node}/view",
            "replicas": NUMBER,
            "snapshot_messages": SNAPSHOT_MESSAGES,
        }
        routes = [
            {"name": "orders", "match": {"name": "Order Completed"}, "to": [ORDERS]},
            {"name": "all", "to": list(ALL_EVENTS)},
        ]
        quiet = {"format": "json", "level": "warning"}
        host = self.ground.host(node)
        written = self.here.configure(
            targets,
            listen={"host": host, "port": 0},
            admin={"host": host, "port": 0, "token": TOKEN},
            log={"jetstream": jetstream},
            routes=routes,
            logging=quiet,
        )
        path = written.with_name(f"{node}.yaml")
        written.rename(path)
        return path

    def kill_node(self, node: str) -> None:
        """End a gateway as a power cut would."""
        kill(self.nodes[node])

    def signal_node(self, node: str, number: signal.Signals) -> None:
        """Send a gateway's process a signal."""
        os.kill(self.nodes[node].popen.pid, number)

    def wires_of(self, broker: int) -> list[Wire]:
        """Return all wires at a server: to other servers and to nodes."""
        return [*self.brokers.around(broker), *(self.to_brokers[node][broker] for node in NODES)]

    def leader(self) -> int:
        """Return which server leads the stream."""
        return self.brokers.leader(STREAM)

    def first(self) -> int:
        """Return the first message that the stream still holds."""
        return self.brokers.first(STREAM)

    # --- what nodes say ----------------------------------------------------------------------------------

    def _asked(self, node: str, path: str) -> httpx.Response:
        url, headers = f"{self.nodes[node].ready['admin']}{path}", {"Authorization": f"Bearer {TOKEN}"}
        return httpx.get(url, headers=headers, trust_env=False, timeout=20)

    def ready(self, node: str) -> bool:
        """Tell whether a node says that it can accept."""
        return self._asked(node, "/readyz").status_code == 200

    def status(self, node: str) -> dict[str, Any]:
        """Return what a node's admin listener says."""
        answer: dict[str, Any] = self._asked(node, "/status").json()
        return answer

    def owned(self, node: str) -> set[str]:
        """Return the targets to which a node delivers."""
        return {state["target"] for state in self.status(node)["targets"] if state["state"] != "stopped"}

    def counts(self, node: str) -> dict[str, Mapping[str, Any]]:
        """Return the log's counts by target as one node tells them."""
        return {target["target"]: target for target in self.status(node)["log"]["targets"]}


@contextmanager
def running(here: World, seed: int, ground: Ground) -> Iterator[Cluster]:
    """Yield a cluster under load, and end it."""
    made = Cluster(here, seed, ground)
    try:
        made.start()
        yield made
    finally:
        made.end()
