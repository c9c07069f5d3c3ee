"""History sent to one target again, with a gateway and without one, killed in the middle, beside new events."""

import json
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from typing import Any

import httpx
import pytest

from tests.e2e.harness import KLAVIYO_HEADERS, World, kill, klaviyo_event, received, until

ROUTES: list[dict[str, Any]] = [
    {
        "name": "orders",
        "match": {"name": "Order Completed"},
        "to": [{"target": "crm", "set": {"properties.by": "orders"}}],
    },
    {"name": "rest", "to": "crm"},
]


def configure(here: World, crm: str, routes: list[dict[str, Any]], **more: Any) -> None:
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm, **more}}, routes=routes)


def send(here: World, numbers: range, name: str = "Viewed Product") -> None:
    assert here.gateway is not None
    with httpx.Client(trust_env=False, timeout=10, headers=KLAVIYO_HEADERS) as client:
        for number in numbers:
            url = f"{here.gateway.ready['listen']}/klaviyo/api/events"
            assert client.post(url, json=klaviyo_event(number, name)).status_code == 202


def counts_at(crm: str) -> Counter[int]:
    """Return how often each number reached the target."""
    return Counter(event["properties"]["number"] for event in received(crm, 10_000)["last"])


def _has(crm: str, number: int) -> bool:
    return number in counts_at(crm)


def replayed(here: World, *options: str) -> dict[str, Any]:
    done = here.cli("replay", "--json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def begun(here: World, *options: str) -> "subprocess.Popen[str]":
    """Start a replay and do not wait for it."""
    command = [sys.executable, "-m", "gateway", "replay", *options]
    return subprocess.Popen(command, cwd=here.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_is_asked_for_is_sent_again_by_the_rules_of_now(here: World) -> None:
    crm = here.standin("blueshift", "--no-limits")
    configure(here, crm, [{"name": "all", "to": "crm"}])
    here.serve()
    send(here, range(30))
    send(here, range(30, 40), "Placed Order")
    here.settled(40)
    before = received(crm, 1000)["last"]
    configure(here, crm, ROUTES)
    assert here.gateway is not None
    here.gateway.popen.send_signal(1)
    asked = ("--target", "crm", "--from", "1h", "--source", "klaviyo", "--where", "event.properties.number >= 25.0")
    forecast = replayed(here, *asked, "--dry-run")
    assert (forecast["looked"], forecast["sent"]) == (40, 15)
    assert forecast["by_rule"] == {"rest": 5, "orders": 10}
    job = replayed(here, *asked)
    assert (job["state"], job["sent"], job["waiting"], job["looked"]) == ("done", 15, 0, 40)
    assert job["passed"] == {"the condition is not true": 25}
    again = received(crm, 1000)["last"][len(before) :]
    assert sorted(event["properties"]["number"] for event in again) == list(range(25, 40))
    assert {event["properties"]["number"] for event in again if event["properties"].get("by")} == set(range(30, 40))
    keys = {event["properties"]["number"]: event["dedupe_key"] for event in before}
    assert all(event["dedupe_key"] == keys[event["properties"]["number"]] for event in again)
    counts = here.status()["crm"]
    assert (counts["accepted"], counts["again"], counts["delivered"], counts["missing"]) == (55, 15, 55, 0)
    listed = json.loads(here.cli("replay", "--list", "--json").stdout)
    assert [(one["id"], one["state"], one["asked"]["where"]) for one in listed] == [(1, "done", asked[-1])]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--from", "1h"], "Missing option '--target'"),
        (["--target", "crm"], "Missing option '--from'"),
        (["--target", "cmr", "--from", "1h"], "did you mean 'crm'?"),
        (["--target", "crm", "--from", "soon"], "'soon' is no moment"),
        (["--target", "crm", "--from", "01a1febe-ab1b-7000-aca6-80fc62760b1e"], "the log holds no event"),
        (["--target", "crm", "--from", "1h", "--source", "klavio"], "did you mean 'klaviyo'?"),
        (["--target", "crm", "--from", "1h", "--rule", "order"], "did you mean 'orders'?"),
        (["--target", "crm", "--from", "1h", "--where", "event.nme == 'x'"], "the condition is wrong"),
        (["--target", "crm", "--from", "1h", "--rate", "0"], "not in the range"),
        (["--continue", "9"], "there is no replay 9"),
    ],
)
def test_wrong_usage_begins_nothing(nothing: World, options: list[str], said: str) -> None:
    done = nothing.cli("replay", *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert nothing.cli("replay", "--list", "--json").stdout == "[]\n"


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A log without events and without a gateway."""
    here = World(tmp_path_factory.mktemp("nothing"))
    configure(here, "http://127.0.0.1:9", ROUTES)
    here.serve().stop()
    return here


def test_killed_and_started_again_it_goes_on_where_it_was(here: World) -> None:
    crm = here.standin("blueshift", "--no-limits")
    limits = {"windows": [{"requests": 4, "seconds": 1}]}
    configure(here, crm, ROUTES, limits=limits)
    here.serve()
    send(here, range(250))
    here.settled(250)
    asked = ("--target", "crm", "--from", "1h", "--rate", "0.5")
    replay = begun(here, *asked)
    until(lambda: received(crm)["events"] > 280)
    replay.kill()
    replay.communicate()
    assert here.gateway is not None
    kill(here.gateway)
    here.serve()
    job = replayed(here, *asked)
    assert (job["id"], job["sent"], job["state"]) == (1, 250, "done")
    counts = here.status()["crm"]
    assert (counts["accepted"], counts["delivered"], counts["missing"]) == (500, 500, 0)
    often = Counter(counts_at(crm).values())
    assert set(often) <= {2, 3}, "each once more; what was in flight when the gateway was killed, perhaps twice"
    assert often[3] <= 100


def test_without_a_gateway_it_delivers_by_itself(here: World) -> None:
    crm = here.standin("blueshift", "--no-limits")
    configure(here, crm, ROUTES)
    here.serve()
    send(here, range(40))
    here.settled(40)
    assert here.gateway is not None
    here.gateway.stop()
    ids = [event["id"] for event in json.loads(_log(here))]
    done = here.cli("replay", "--target", "crm", "--from", ids[10], "--to", ids[29], "--rate", "1.0")
    assert done.returncode == 0, done.stderr
    assert "No gateway delivers: crm is delivered to from here" in done.stderr
    assert "20 of 20 events sent to crm" in done.stdout
    assert counts_at(crm) == Counter({n: 2 if 10 <= n < 30 else 1 for n in range(40)})
    assert here.status()["crm"]["missing"] == 0


def _log(here: World) -> str:
    """Return the events of the log, as JSON."""
    code = (
        "import json, sqlite3; print(json.dumps([{'id': row[0]} for row in"
        " sqlite3.connect('gateway.db').execute('SELECT id FROM events ORDER BY seq')]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=here.folder, capture_output=True, text=True, check=True
    ).stdout


def test_a_cancelled_replay_ends(here: World) -> None:
    crm = here.standin("blueshift", "--no-limits")
    configure(here, crm, ROUTES)
    here.serve()
    send(here, range(5))
    here.settled(5)
    here.started[0].stop()
    replay = begun(here, "--target", "crm", "--from", "1h", "--rate", "0.2")
    until(lambda: '"waiting": 5' in here.cli("replay", "--list", "--json").stdout)
    replay.terminate()
    _, errors = replay.communicate(timeout=20)
    assert replay.returncode == 1
    assert "stopped before its end; the same command goes on" in errors
    jobs = json.loads(here.cli("replay", "--list", "--json").stdout)
    assert (jobs[0]["state"], jobs[0]["sent"], jobs[0]["waiting"]) == ("waiting", 5, 5)
    assert here.cli("replay", "--cancel", "1").returncode == 0
    done = here.cli("replay", "--cancel", "1")
    assert (done.returncode, "there is no replay 1 that runs" in done.stderr) == (1, True)
    counts = here.status()["crm"]
    assert (counts["queued"], counts["missing"]) == (5, 0)


def test_new_events_keep_their_pace_beside_history(here: World) -> None:
    """Of 50 requests a second, history takes one; new events do not wait for it."""
    crm = here.standin("blueshift", "--no-limits")
    configure(here, crm, ROUTES, limits={"windows": [{"requests": 50, "seconds": 1}]})
    here.serve()
    send(here, range(200))
    here.settled(200)
    replay = begun(here, "--target", "crm", "--from", "1h", "--rate", "0.02")
    until(lambda: received(crm)["events"] > 200)
    assert here.gateway is not None
    waits = []
    with httpx.Client(trust_env=False, timeout=10, headers=KLAVIYO_HEADERS) as client:
        for number in range(1000, 1025):
            client.post(f"{here.gateway.ready['listen']}/klaviyo/api/events", json=klaviyo_event(number))
            sent_at = time.monotonic()
            until(partial(_has, crm, number))
            waits.append(time.monotonic() - sent_at)
    assert replay.poll() is None, "history is still being sent"
    assert sorted(waits)[len(waits) // 2] < 0.5
    replay.terminate()
    assert "waiting" in replay.communicate(timeout=20)[1]
    assert here.status()["crm"]["missing"] == 0
