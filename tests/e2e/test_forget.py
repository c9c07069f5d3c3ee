"""`gateway forget`: only what is configured no more, and then nothing is left of it."""

import json

import httpx
import msgspec

from tests.e2e.harness import KLAVIYO_HEADERS, World, free_port, klaviyo_event, until

NOWHERE = "http://127.0.0.1:9"


def send(here: World, number: int) -> None:
    assert here.gateway is not None
    url = f"{here.gateway.ready['listen']}/klaviyo/api/events"
    answer = httpx.post(url, content=json.dumps(klaviyo_event(number)), headers=KLAVIYO_HEADERS, trust_env=False)
    assert answer.status_code == 202


def test_a_target_that_never_comes_back(here: World) -> None:
    here.configure({"old": {"vendor": "klaviyo", "base_url": NOWHERE}})
    here.serve()
    for number in range(3):
        send(here, number)
    until(lambda: here.status()["old"]["queued"] == 3)
    configured = here.cli("forget", "old")
    assert (configured.returncode, "is configured" in configured.stderr) == (2, True)
    assert here.gateway is not None
    here.gateway.stop()

    here.configure({})
    unknown = here.cli("forget", "odl")
    assert (unknown.returncode, "did you mean 'old'?" in unknown.stderr) == (2, True)
    (listed,) = msgspec.json.decode(here.cli("forget", "--json").stdout)
    assert (listed["target"], listed["queued"]) == ("old", 3)
    here.serve()
    done = here.cli("forget", "old")
    assert (done.returncode, "forgotten" in done.stdout) == (0, True), done.stderr
    assert here.status() == {}
    assert "every target" in here.cli("forget").stdout
    send(here, 4)


def test_not_while_the_running_gateway_delivers_to_it(here: World) -> None:
    admin = {"port": free_port()}
    here.configure({"old": {"vendor": "klaviyo", "base_url": NOWHERE}}, admin=admin)
    here.serve()
    here.configure({}, admin=admin)
    refused = here.cli("forget", "old")
    assert (refused.returncode, "gateway reload" in refused.stderr) == (1, True), refused.stderr
    assert here.cli("reload").returncode == 0
    until(lambda: here.cli("forget", "old").returncode == 0)
    assert here.status() == {}
