"""Several nodes on a stream: what one was told of people and their permissions, the others go by."""

from typing import Any

import httpx

from gateway import registry
from gateway.cli.processes import Process
from gateway.testing.faults import FaultyVendor, Served
from tests.contract import nats_server
from tests.e2e.crash_rounds import number_of, unlimited
from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, klaviyo_event, until


def start(here: World, name: str, role: str, target: dict[str, str], **more: Any) -> Process:
    """Start a node with a view of its own."""
    stream = {"servers": [nats_server.shared().url], "stream": f"known-{here.folder.name}", "view": f"{name}.view"}
    path = here.configure({"crm": target}, log={"jetstream": stream}, **more)
    path = path.rename(path.with_name(f"{name}.yaml"))
    return here.command("serve", "-c", str(path), "--role", role, name=name)


def test_a_person_made_at_one_node_is_no_new_one_at_another(here: World) -> None:
    """Klaviyo answers 201 to the first, and 409 with the same id to the second."""
    target = {"vendor": "klaviyo", "base_url": "http://127.0.0.1:9"}
    nodes = [start(here, name, "ingest", target) for name in ("one", "two")]

    def create(node: Process, number: int) -> httpx.Response:
        body = {"data": {"type": "profile", "attributes": {"email": f"p{number}@example.com"}}}
        url = f"{node.ready['listen']}/klaviyo/api/profiles"
        return httpx.post(url, json=body, headers=KLAVIYO_HEADERS, trust_env=False, timeout=30)

    for number in range(10):
        first, second = nodes[number % 2], nodes[1 - number % 2]
        made = create(first, number)
        assert made.status_code == 201, made.text
        again = create(second, number)
        assert again.status_code == 409, again.text
        assert again.json()["errors"][0]["meta"]["duplicate_profile_id"] == made.json()["data"]["id"]


def test_a_permission_taken_back_at_one_node_stops_what_another_delivers(here: World) -> None:
    vendor = FaultyVendor(unlimited(registry.adapter("klaviyo")), [KEYS["klaviyo"]], key=number_of)
    served = Served(vendor)
    routes = [{"name": "asking", "match": {"name": "Product Viewed"}, "to": "crm", "require": {"channel": "email"}}]
    target = {"vendor": "klaviyo", "base_url": served.url}
    ingest, deliver = (start(here, role, role, target, routes=routes) for role in ("ingest", "deliver"))
    url = f"{ingest.ready['listen']}/klaviyo/api/events"

    def send(number: int, name: str = "Viewed Product") -> None:
        """Have Ann do something, a minute after what she did before."""
        body = klaviyo_event(number, name, time=f"2026-11-21T09:{number:02}:00+00:00")
        body["data"]["attributes"]["profile"]["data"]["attributes"]["email"] = "ann@example.com"
        answer = httpx.post(url, json=body, headers=KLAVIYO_HEADERS, trust_env=False, timeout=30)
        assert answer.status_code == 202, answer.text

    def counts() -> tuple[int, int]:
        answer = httpx.get(f"{deliver.ready['admin']}/status", trust_env=False, timeout=30).json()
        (crm,) = answer["log"]["targets"]
        return crm["delivered"], sum(n for rule, n in crm["dropped_by"].items() if "no permission" in rule)

    wanted = []
    for begun in range(0, 32, 4):
        send(begun, "Subscribed to Email Marketing")
        send(begun + 1)
        wanted.append(str(begun + 1))
        until(lambda: counts()[0] == len(wanted))
        send(begun + 2, "Unsubscribed from Email Marketing")
        send(begun + 3)
        until(lambda: sum(counts()) == 2 * len(wanted))
        assert counts() == (len(wanted), len(wanted))
    assert sorted(vendor.keys()) == sorted(wanted)
    served.end()
