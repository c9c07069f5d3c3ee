"""From one gateway on SQLite to two on a stream, and back: with a target down, what waits arrives once and in order."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from gateway import registry
from gateway.cli.processes import Process
from gateway.testing.faults import Fault, FaultyVendor, Served, refuses
from tests.contract import nats_server
from tests.e2e.crash_rounds import add_wide, number_of, remove_wide, unlimited
from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, klaviyo_event, until

TARGETS = ("crm", "mail")
DOWN = Fault(refuses(503))
REFUSES_ONE = Fault(refuses(400, b'{"errors": []}'), where=lambda seen: b'event-7"' in seen.body)


class Shop:
    """A shop's gateways, one after the other or two at once, and its two targets, of which one is down at first."""

    def __init__(self, here: World, stream: str) -> None:
        self.here = here
        self.vendors: dict[str, FaultyVendor] = {}
        self.served: list[Served] = []
        for target, fault in zip(TARGETS, (DOWN, REFUSES_ONE), strict=True):
            klaviyo = unlimited(registry.adapter("klaviyo"))
            self.vendors[target] = FaultyVendor(
                klaviyo, [KEYS["klaviyo"]], faults=[fault], key=number_of, keep_bodies=False
            )
            self.served.append(Served(self.vendors[target]))
        add_wide(here)
        jetstream = {"servers": [nats_server.shared().url], "stream": stream}
        self.old = self._configured("old", {"sqlite": "data/gateway.db"})
        self.one = self._configured("one", {"jetstream": {**jetstream, "view": "one/view"}})
        self.two = self._configured("two", {"jetstream": {**jetstream, "view": "two/view"}})

    def _configured(self, name: str, log: dict[str, Any]) -> str:
        targets = {
            target: {"vendor": "wide", "base_url": served.url, "credentials": {**KEYS["klaviyo"], "company_id": target}}
            for target, served in zip(TARGETS, self.served, strict=True)
        }
        written = self.here.configure(targets, log=log)
        written.rename(written.with_name(f"{name}.yaml"))
        return f"{name}.yaml"

    def serve(self, config: str) -> Process:
        """Start a gateway."""
        return self.here.command("serve", "-c", str(self.here.folder / config), name=config)

    def send(self, gateway: Process, *numbers: int) -> None:
        """Have a gateway accept events."""
        for number in numbers:
            answer = httpx.post(
                f"{gateway.ready['listen']}/klaviyo/api/events",
                content=json.dumps(klaviyo_event(number)),
                headers=KLAVIYO_HEADERS,
                trust_env=False,
                timeout=30,
            )
            assert answer.status_code == 202

    def counts(self, gateway: Process) -> dict[str, dict[str, Any]]:
        """Return a running gateway's counts by target."""
        answer = httpx.get(f"{gateway.ready['admin']}/status", trust_env=False, timeout=30).json()
        return {target["target"]: target for target in answer["log"]["targets"]}

    def status(self, config: str) -> dict[str, Any]:
        """Return the counts that a log shows."""
        done = self.here.cli("status", "-c", config, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        shown: dict[str, Any] = msgspec.json.decode(done.stdout)
        assert [target["missing"] for target in shown["targets"]] == [0, 0]
        return shown

    def migrate(self, source: str, to: str, goal: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        return self.here.cli("migrate-log", "-c", source, "--to", to, "--config-to", goal, *options)

    def end(self) -> None:
        remove_wide()
        for served in self.served:
            served.end()


@pytest.fixture
def shop(here: World, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(here, f"shop-{abs(hash(str(tmp_path))) % 10**9}")
    yield made
    made.end()


def test_from_one_machine_to_several_and_back_with_a_target_down(shop: Shop) -> None:
    gateway = shop.serve(shop.old)
    shop.send(gateway, *range(40), *range(5))
    until(lambda: shop.counts(gateway)["mail"]["delivered"] == 39 and shop.counts(gateway)["crm"]["parked"])
    gateway.stop()
    before = shop.status(shop.old)
    assert [(t["queued"], t["duplicate"], t["dead"]) for t in before["targets"]] == [(40, 5, 0), (0, 5, 1)]

    tried = shop.migrate(shop.old, "jetstream", shop.one, "--dry-run")
    assert (tried.returncode, "can be moved" in tried.stdout) == (0, True), tried.stderr
    moved = shop.migrate(shop.old, "jetstream", shop.one, "--json")
    assert moved.returncode == 0, moved.stderr
    told = msgspec.json.decode(moved.stdout)
    assert (told["state"], told["log"]["targets"]) == ("moved", before["targets"])
    assert shop.status(shop.two)["targets"] == before["targets"]
    refused = shop.here.cli("serve", "-c", shop.old)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "gateway.db was moved to stream" in refused.stderr

    nodes = [shop.serve(shop.one), shop.serve(shop.two)]
    for number in (*range(40, 60), 3, 4):
        shop.send(nodes[number % 2], number)
    shop.vendors["crm"].faults = ()
    until(lambda: all(not target["queued"] for target in shop.counts(nodes[0]).values()), 60)
    for node in nodes:
        node.stop()

    back = shop.migrate(shop.one, "sqlite", shop.old)
    assert back.returncode == 0, back.stderr
    gateway = shop.serve(shop.old)
    shop.send(gateway, *range(60, 70), 3, 45)
    until(lambda: all(target["accepted"] == 79 and not target["queued"] for target in shop.counts(gateway).values()))
    gateway.stop()
    after = shop.status(shop.old)
    assert [(t["delivered"], t["duplicate"], t["dead"]) for t in after["targets"]] == [(70, 9, 0), (69, 9, 1)]
    for target, vendor in shop.vendors.items():
        assert set(vendor.keys().values()) == {1}
        assert vendor.lost(map(str, range(70))) == ({"7"} if target == "mail" else set())
        assert vendor.out_of_order() == []
