"""Rules with `require` where several nodes share a stream: what one node was told, another goes by."""

import httpx

from gateway import registry
from gateway.testing.faults import FaultyVendor, Served
from tests.contract import nats_server
from tests.e2e.crash_rounds import number_of, unlimited
from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, klaviyo_event, until


def test_a_permission_taken_back_at_one_node_stops_what_another_delivers(here: World) -> None:
    vendor = FaultyVendor(unlimited(registry.adapter("klaviyo")), [KEYS["klaviyo"]], key=number_of)
    served = Served(vendor)
    jetstream = {"servers": [nats_server.shared().url], "stream": f"require-{here.folder.name}"}
    routes = [{"name": "asking", "match": {"name": "Product Viewed"}, "to": "crm", "require": {"channel": "email"}}]
    target = {"vendor": "klaviyo", "base_url": served.url}
    nodes = {}
    for role in ("ingest", "deliver"):
        log = {"jetstream": {**jetstream, "view": f"{role}.view"}}
        path = here.configure({"crm": target}, log=log, routes=routes)
        path.rename(path.with_name(f"{role}.yaml"))
        nodes[role] = here.command("serve", "-c", str(path.with_name(f"{role}.yaml")), "--role", role, name=role)
    url = f"{nodes['ingest'].ready['listen']}/klaviyo/api/events"

    def send(number: int, name: str = "Viewed Product") -> None:
        """Have Ann do something, a minute after what she did before."""
        body = klaviyo_event(number, name, time=f"2026-11-21T09:{number:02}:00+00:00")
        body["data"]["attributes"]["profile"]["data"]["attributes"]["email"] = "ann@example.com"
        answer = httpx.post(url, json=body, headers=KLAVIYO_HEADERS, trust_env=False, timeout=30)
        assert answer.status_code == 202, answer.text

    def counts() -> tuple[int, int]:
        answer = httpx.get(f"{nodes['deliver'].ready['admin']}/status", trust_env=False, timeout=30).json()
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
