"""Several gateways on one JetStream stream: they share the work, and take over from each other."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from gateway import registry
from gateway.cli.processes import Process
from gateway.testing.faults import FaultyVendor, Served
from gateway.testing.limits import Limits, Sliding, alignments
from tests.contract import nats_server
from tests.e2e.crash_rounds import add_wide, number_of, remove_wide, unlimited
from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, kill, klaviyo_event, until

TARGETS = ("a", "b", "c", "d")


class Cluster:
    """Nodes with views of their own, a stand-in for each target, and what was accepted."""

    def __init__(self, here: World, name: str) -> None:
        self.here = here
        self.vendors: dict[str, FaultyVendor] = {}
        self.served: list[Served] = []
        self.nodes: dict[str, Process] = {}
        self.accepted: set[int] = set()
        self.limits: dict[str, Any] = {}
        self._name = name
        add_wide(here)
        for target in TARGETS:
            klaviyo = unlimited(registry.adapter("klaviyo"))
            self.vendors[target] = FaultyVendor(klaviyo, [KEYS["klaviyo"]], key=number_of, keep_bodies=False)
            self.served.append(Served(self.vendors[target]))

    def start(self, node: str, *options: str) -> Process:
        """Start a node."""
        targets = {
            target: {
                "vendor": "wide",
                "base_url": served.url,
                "credentials": {**KEYS["klaviyo"], "company_id": target},
                "limits": self.limits.get(target, {}),
            }
            for target, served in zip(TARGETS, self.served, strict=True)
        }
        jetstream = {"servers": [nats_server.shared().url], "stream": self._name, "view": f"{node}/view"}
        written = self.here.configure(targets, log={"jetstream": jetstream})
        path = written.with_name(f"{node}.yaml")
        written.rename(path)
        self.nodes[node] = self.here.command("serve", "-c", str(path), *options, name=node)
        return self.nodes[node]

    def send(self, node: str, *numbers: int) -> None:
        """Have a node accept events."""
        for number in numbers:
            answer = httpx.post(
                f"{self.nodes[node].ready['listen']}/klaviyo/api/events",
                content=json.dumps(klaviyo_event(number)),
                headers=KLAVIYO_HEADERS,
                trust_env=False,
                timeout=30,
            )
            if answer.status_code == 202:
                self.accepted.add(number)

    def status(self, node: str) -> dict[str, Any]:
        """Return what a node's admin listener says."""
        answer: dict[str, Any] = httpx.get(
            f"{self.nodes[node].ready['admin']}/status", trust_env=False, timeout=30
        ).json()
        return answer

    def owned(self, node: str) -> set[str]:
        """Return the targets to which a node delivers."""
        return {state["target"] for state in self.status(node)["targets"] if state["state"] != "stopped"}

    def settled(self, node: str) -> None:
        """Wait until nothing waits, and hold the sum."""

        def done() -> bool:
            targets = self.status(node)["log"]["targets"]
            return len(targets) == len(TARGETS) and all(
                target["accepted"] >= len(self.accepted) and not target["queued"] for target in targets
            )

        until(done, 60)
        for target in self.status(node)["log"]["targets"]:
            away = sum(target[state] for state in ("delivered", "dropped", "duplicate", "dead"))
            assert target["accepted"] == away, target
        for target, vendor in self.vendors.items():
            assert vendor.lost(map(str, self.accepted)) == set(), target
            assert vendor.out_of_order() == [], target

    def end(self) -> None:
        for served in self.served:
            served.end()
        remove_wide()


@pytest.fixture
def cluster(here: World, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    made = Cluster(here, f"e2e-{abs(hash(request.node.nodeid)) % 10**9}")
    yield made
    made.end()


def test_three_nodes_share_the_targets_and_take_over_from_each_other(cluster: Cluster) -> None:
    for node in ("one", "two", "three"):
        cluster.start(node)
    nodes = list(cluster.nodes)
    until(lambda: sum(len(cluster.owned(node)) for node in nodes) == 4 and all(map(cluster.owned, nodes)), 30)
    assert sorted(len(cluster.owned(node)) for node in nodes) == [1, 1, 2]
    for number in range(60):
        cluster.send(nodes[number % 3], number)
    cluster.settled("one")
    twice = Counter(times for vendor in cluster.vendors.values() for times in vendor.keys().values())
    assert set(twice) == {1}

    kill(cluster.nodes["two"])
    for number in range(60, 120):
        cluster.send("one" if number % 2 else "three", number)
    cluster.settled("three")
    until(lambda: cluster.owned("one") | cluster.owned("three") == set(TARGETS), 30)

    cluster.nodes["three"].stop()
    cluster.send("one", *range(120, 140))
    cluster.settled("one")
    assert cluster.owned("one") == set(TARGETS)


def test_commands_and_workers_on_a_stream(cluster: Cluster) -> None:
    cluster.start("one", "--workers", "2")
    until(lambda: cluster.owned("one") == set(TARGETS), 30)
    cluster.send("one", *range(30))
    cluster.settled("one")
    config = "one.yaml"
    status = cluster.here.cli("status", "-c", config, "--json")
    assert status.returncode == 0, status.stderr
    counts = msgspec.json.decode(status.stdout)["targets"]
    assert [(target["accepted"], target["missing"]) for target in counts] == [(30, 0)] * 4
    explained = cluster.here.cli("explain", "event-7", "-c", config)
    assert (explained.returncode, "delivered" in explained.stdout) == (0, True), explained.stdout + explained.stderr
    assert cluster.here.cli("dead", "list", "-c", config).returncode == 0
    replayed = cluster.here.cli("replay", "--target", "a", "--from", "1h", "-c", config)
    assert replayed.returncode == 0, replayed.stderr
    assert set(cluster.vendors["a"].keys().values()) == {2}


STEADY = 5
WINDOWS = [{"requests": STEADY, "seconds": 1}, {"requests": 20, "seconds": 6}]


def test_one_rate_budget_for_all_nodes_also_when_its_owner_dies(cluster: Cluster) -> None:
    """Three nodes accept for one target with a burst and a steady window; whoever owns it is killed twice."""
    limits = [Limits([*alignments(w["requests"], w["seconds"]), Sliding(w["requests"], w["seconds"])]) for w in WINDOWS]
    cluster.vendors["a"].limits = limits
    cluster.limits["a"] = {"windows": WINDOWS}
    nodes = ("one", "two", "three")
    for node in nodes:
        cluster.start(node)
    until(lambda: sum(len(cluster.owned(node)) for node in nodes) == 4, 30)
    number = 0
    for _ in range(2):
        for _ in range(40):
            cluster.send(nodes[number % 3], number)
            number += 1
        owner = until(lambda: next((node for node in nodes if "a" in cluster.owned(node)), None))
        kill(cluster.nodes[owner])
        cluster.start(owner)
    cluster.settled("one")
    assert [one.violations for one in limits] == [0, 0]
    assert cluster.vendors["a"].statuses.keys() == {202}
