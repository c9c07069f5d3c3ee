"""The whole way of an event, through real processes and sockets."""

import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from gateway.cli.processes import start
from gateway.errors import GatewayError
from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, kill, klaviyo_event, received, until


def send(url: str, numbers: range) -> list[int]:
    """Send Klaviyo events; return the numbers that were answered with success."""
    done = []
    with httpx.Client(trust_env=False, timeout=10) as client:
        for number in numbers:
            try:
                answer = client.post(f"{url}/klaviyo/api/events", json=klaviyo_event(number), headers=KLAVIYO_HEADERS)
            except httpx.HTTPError:
                break
            if answer.status_code == 202:
                done.append(number)
    return done


def numbers_at(url: str) -> Counter[int]:
    """Return how often each numbered event reached a stand-in."""
    return Counter(event["properties"]["number"] for event in received(url, 10_000)["last"])


def test_klaviyo_in_blueshift_out(here: World) -> None:
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    gateway = here.serve()
    order = {
        "OrderId": "SO-1",
        "Items": [{"SKU": "TM-11", "ProductID": "TM", "Quantity": 2, "ItemPrice": 18.5, "Engraving": "N"}],
    }
    body = klaviyo_event(1, "Placed Order", properties=order, value=37.0, value_currency="USD")
    answer = httpx.post(
        f"{gateway.ready['listen']}/klaviyo/api/events", json=body, headers=KLAVIYO_HEADERS, trust_env=False
    )
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["ratelimit-limit"] == "3500"
    counts = here.settled(1)["crm"]
    assert (counts["delivered"], counts["missing"]) == (1, 0)
    event = received(crm)["last"][0]
    assert (event["name"], event["profile"]) == ("Order Completed", {"email": "p1@example.com"})
    assert event["commerce"]["order_id"] == "SO-1"
    assert event["commerce"]["total"] == "37.0"
    assert event["commerce"]["items"][0]["sku"] == "TM-11"
    assert event["occurred_at"] == "2026-11-21T09:30:00Z"


def test_blueshift_in_klaviyo_out(here: World) -> None:
    mail = here.standin("klaviyo")
    here.configure({"mail": {"vendor": "klaviyo", "base_url": mail}})
    url = f"{here.serve().ready['listen']}/blueshift/api/v1"
    events = [{"event": "view", "email": f"p{n}@example.com", "product_id": "T", "number": n} for n in range(40)]
    event_key = (KEYS["blueshift"]["event_api_key"], "")
    with httpx.Client(trust_env=False, auth=event_key) as client:
        bulk = client.post(f"{url}/bulkevents", json={"events": events})
        assert (bulk.status_code, bulk.content) == (200, b'{"status":"ok","count":40}')
        one = client.post(f"{url}/event", json={"event": "identify", "email": "p1@example.com", "firstname": "Nora"})
        assert (one.status_code, one.content) == (200, b'{"status":"OK"}')
    assert here.settled(41)["mail"]["delivered"] == 41
    got = received(mail)
    assert got["by_name"] == {"Product Viewed": 40, "Identify": 1}
    bulk_calls = [row for row in got["requests"] if "bulk" in row["endpoint"]]
    assert bulk_calls, "from 24 waiting events on the bulk endpoint pays"


def test_a_person_without_email_reaches_blueshift_as_an_event_and_others_as_customers(here: World) -> None:
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    url = f"{here.serve().ready['listen']}/klaviyo/api/profile-import"
    phones = [f"+1500555010{number}" for number in range(5)]
    people = [{"phone_number": phone} for phone in phones] + [{"email": f"p{n}@example.com"} for n in range(10)]
    with httpx.Client(trust_env=False, headers=KLAVIYO_HEADERS) as client:
        for attributes in people:
            body = {"data": {"type": "profile", "attributes": {**attributes, "first_name": "Nora"}}}
            assert client.post(url, json=body).status_code == 201
    counts = here.settled(15)["crm"]
    assert (counts["delivered"], counts["dead"], counts["missing"]) == (15, 0, 0)
    customers: set[str] = set()
    events: set[str] = set()
    for event in received(crm)["last"]:
        assert event["kind"] == "identify"
        found = customers if "customers" in event["source"]["endpoint"] else events
        found.add(event["profile"].get("email") or event["profile"]["phone"])
    assert events == set(phones)
    assert customers == {f"p{number}@example.com" for number in range(10)}


def test_fan_out_and_a_repeated_event(here: World) -> None:
    crm, mail = here.standin("blueshift"), here.standin("klaviyo")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}, "mail": {"vendor": "klaviyo", "base_url": mail}})
    url = here.serve().ready["listen"]
    assert send(url, range(10)) == list(range(10))
    assert send(url, range(5)) == list(range(5))
    for counts in here.settled(15).values():
        assert (counts["accepted"], counts["delivered"], counts["duplicate"], counts["missing"]) == (15, 10, 5, 0)
    assert numbers_at(crm) == numbers_at(mail) == Counter(range(10))


def test_a_dead_target_costs_the_other_nothing_and_gets_all_when_it_is_back(here: World) -> None:
    crm, mail = here.standin("blueshift"), here.standin("klaviyo")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}, "mail": {"vendor": "klaviyo", "base_url": mail}})
    url = here.serve().ready["listen"]
    dead = next(process for process in here.started if process.ready.get("url") == crm)
    dead.stop()
    send(url, range(20))
    until(lambda: here.status()["mail"]["delivered"] == 20)
    waiting = here.status()["crm"]
    assert (waiting["queued"], waiting["delivered"], waiting["missing"]) == (20, 0, 0)
    port = crm.rsplit(":", 1)[1]
    credentials = [f"--credential={name}={value}" for name, value in KEYS["blueshift"].items()]
    here.command("sandbox", "blueshift", "--port", port, *credentials, name="again")
    assert here.settled(20)["crm"]["delivered"] == 20
    assert set(numbers_at(crm)) == set(range(20))


def test_after_kill_nothing_answered_with_success_is_missing(here: World) -> None:
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    accepted: list[int] = []
    for round_ in range(4):
        gateway = here.serve()
        accepted += send(gateway.ready["listen"], range(round_ * 100, round_ * 100 + 30 + 7 * round_))
        kill(gateway)
    here.serve()
    counts = here.settled(len(accepted))["crm"]
    assert counts["missing"] == 0
    assert set(accepted) <= set(numbers_at(crm))


def test_after_sigterm_nothing_is_sent_twice(here: World) -> None:
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    accepted: list[int] = []
    for round_ in range(3):
        gateway = here.serve()
        accepted += send(gateway.ready["listen"], range(round_ * 100, round_ * 100 + 40))
        gateway.popen.terminate()
        assert gateway.popen.wait(20) == 0
    here.serve()
    here.settled(len(accepted))
    assert numbers_at(crm) == Counter(accepted)


def test_ingest_and_deliver_are_two_halves_of_one_gateway(here: World) -> None:
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    deliver = here.serve("--role", "deliver")
    ingest = here.serve("--role", "ingest")
    assert "listen" not in deliver.ready
    assert send(ingest.ready["listen"], range(10)) == list(range(10))
    assert here.settled(10)["crm"]["delivered"] == 10


def test_order_holds_for_each_person(here: World) -> None:
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    send(here.serve().ready["listen"], range(60))
    here.settled(60)
    by_person: dict[str, list[int]] = {}
    for event in received(crm)["last"]:
        by_person.setdefault(event["profile"]["email"], []).append(event["properties"]["number"])
    assert len(by_person) == 7
    assert all(numbers == sorted(numbers) for numbers in by_person.values())


def test_a_rejected_event_becomes_a_dead_letter_that_a_person_can_repair(here: World) -> None:
    """The stand-in refuses the key, the target is held, nothing is burned; a bad event alone dies."""
    mail = here.standin("klaviyo")
    here.configure({"mail": {"vendor": "klaviyo", "base_url": mail}})
    url = here.serve().ready["listen"]
    nobody = {"event": "view", "product_id": "T", "customer": "none"}
    auth = (KEYS["blueshift"]["event_api_key"], "")
    httpx.post(f"{url}/blueshift/api/v1/bulkevents", json={"events": [nobody]}, auth=auth, trust_env=False)
    send(url, range(3))
    counts = here.settled(4)["mail"]
    assert (counts["delivered"], counts["dead"], counts["missing"]) == (3, 1, 0)
    listed = here.cli("dead", "list", "--json")
    letters = json.loads(listed.stdout)
    assert len(letters) == 1
    assert "identifier" in letters[0]["reason"].lower()
    letter = str(letters[0]["id"])
    shown = here.cli("dead", "show", letter)
    assert shown.returncode == 0
    assert "Product Viewed" in shown.stdout
    assert here.cli("dead", "retry", letter).stdout == "1 put back\n"
    until(lambda: here.status()["mail"]["dead"] == 1)
    again = json.loads(here.cli("dead", "list", "--json").stdout)[0]["id"]
    assert here.cli("dead", "drop", str(again), "--reason", "test data").stdout == "1 dropped\n"
    counts = here.status()["mail"]
    assert (counts["dead"], counts["dropped"], counts["missing"]) == (0, 1, 0)


def test_a_held_target_burns_nothing(here: World) -> None:
    crm = here.standin("blueshift")
    wrong = {"event_api_key": "wrong", "user_api_key": "wrong"}
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm, "credentials": wrong}})
    gateway = here.serve()
    send(gateway.ready["listen"], range(5))
    admin = gateway.ready["admin"]

    def held() -> bool:
        states = httpx.get(f"{admin}/status", trust_env=False).json()["targets"]
        return bool(states[0]["state"] == "held")

    until(held)
    counts = here.status()["crm"]
    assert (counts["queued"], counts["dead"], counts["missing"]) == (5, 0, 0)
    gateway.stop()
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    here.serve()
    assert here.settled(5)["crm"]["delivered"] == 5


def test_a_second_gateway_on_the_same_log_is_refused(here: World) -> None:
    here.configure({})
    first = here.serve()
    done = here.cli("serve", "-c", "gateway.yaml")
    assert done.returncode == 2
    assert str(first.popen.pid) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_limits_of_the_stand_in_are_never_met(here: World) -> None:
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    send(here.serve().ready["listen"], range(400))
    here.settled(400)
    assert not [row for row in received(crm, 0)["requests"] if row["status"] != 200]


def test_the_log_has_one_line_per_request_and_attempt_and_no_secrets(here: World) -> None:
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    send(here.serve().ready["listen"], range(3))
    here.settled(3)
    text = here.log_text()
    assert text.count('"event":"request"') >= 3
    assert '"event":"attempt"' in text
    for secrets in KEYS.values():
        for name, secret in secrets.items():
            assert name == "company_id" or secret not in text
    assert "@example.com" not in text


def test_the_admin_listener(here: World) -> None:
    here.configure({}, admin={"port": 0, "token": "adm1n-token"})
    gateway = here.serve()
    url = gateway.ready["admin"]
    with httpx.Client(trust_env=False, base_url=url) as client:
        assert client.get("/healthz").text == "ok\n"
        assert client.get("/readyz").text == "ready\n"
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
        metrics = client.get("/metrics", headers={"Authorization": "Bearer adm1n-token"})
        assert metrics.status_code == 200
        assert "gateway_log_events 0.0" in metrics.text
    listen = gateway.ready["listen"]
    assert httpx.get(f"{listen}/metrics", trust_env=False).status_code == 404


def test_a_port_in_use_is_one_clear_line(here: World, tmp_path: Path) -> None:
    port = here.standin("blueshift").rsplit(":", 1)[1]
    here.configure({}, listen={"port": int(port)})
    done = here.cli("serve")
    assert (done.returncode, done.stderr) == (
        1,
        f"gateway: cannot listen on 127.0.0.1:{port}: address already in use\n",
    )


def test_a_process_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="no such file"):
        start(["serve", "-c", str(tmp_path / "none.yaml")], tmp_path / "r", tmp_path / "l")
