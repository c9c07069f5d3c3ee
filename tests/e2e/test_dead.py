"""Dead letters through real processes: found, understood, repaired, carried away and brought back."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, klaviyo_event, received, until

REFUSING: list[dict[str, Any]] = [
    {"name": "orders", "match": {"name": "Order Completed"}, "to": [{"target": "crm", "on_loss": "refuse"}]},
    {"name": "rest", "to": "crm"},
]
TAKING: list[dict[str, Any]] = [{"name": "all", "to": "crm"}]


def order(number: int) -> dict[str, Any]:
    """Return an order with a property for which Blueshift has no key left."""
    properties = {"OrderId": f"SO-{number}", "number": number, "property_event": "a", "event": "b"}
    return klaviyo_event(number, "Placed Order", properties=properties, value=37.0, value_currency="USD")


def with_letters(here: World) -> str:
    """Run a gateway until three orders are dead letters and one other event is delivered; return the stand-in."""
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}}, routes=REFUSING)
    gateway = here.serve()
    for body in (order(1), order(2), order(3), klaviyo_event(4)):
        url = f"{gateway.ready['listen']}/klaviyo/api/events"
        assert httpx.post(url, json=body, headers=KLAVIYO_HEADERS, trust_env=False).status_code == 202
    until(lambda: counted(here)["dead"] == 3)
    return crm


def counted(here: World) -> dict[str, Any]:
    """Return the target's counts, as the running gateway tells them."""
    assert here.gateway is not None
    told = httpx.get(f"{here.gateway.ready['admin']}/status", timeout=10, trust_env=False).json()
    target: dict[str, Any] = told["log"]["targets"][0]
    return target


def listed(here: World, *options: str) -> list[int]:
    done = here.cli("dead", "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    return [letter["id"] for letter in json.loads(done.stdout)]


def test_letters_are_found_shown_and_retried_through_another_mapping(here: World) -> None:
    crm = with_letters(here)
    assert listed(here) == [3, 2, 1]
    assert listed(here, "--target", "crm", "--name", "Order *", "--since", "1h", "--limit", "2") == [3, 2]
    assert listed(here, "--reason", "*refuse*") == [3, 2, 1]
    assert listed(here, "--reason", "refuse") == listed(here, "--name", "Product *") == []
    assert listed(here, "--since", "2100-01-01") == []
    assert "'soon' is no moment" in here.cli("dead", "list", "--since", "soon").stderr

    shown = here.cli("dead", "show", "1")
    assert "It would die again: the rule refuses to lose" in shown.stdout
    told = json.loads(here.cli("dead", "show", "1", "--json").stdout)
    assert told["again"]["requests"]
    assert told["again"]["ledger"], "the ledger of what would be lost"
    assert all(set(row) >= {"path", "outcome", "reason"} for row in told["again"]["ledger"])

    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}}, routes=TAKING)
    again = json.loads(here.cli("dead", "show", "1", "--json").stdout)["again"]
    assert (again["rule"], again["trouble"]) == ("all", "")
    assert here.gateway is not None
    here.gateway.stop()
    here.serve()
    assert here.cli("dead", "drop", "3", "--reason", "test data").stdout == "1 dropped\n"
    done = here.cli("dead", "retry", "--all", "--target", "crm", "--reason", "*refuse*", "--json")
    assert json.loads(done.stdout) == {"put_back": 2, "left": {}}
    until(lambda: counted(here)["delivered"] == 3)
    counts = here.status()["crm"]
    assert (counts["dead"], counts["dropped"], counts["missing"]) == (0, 1, 0)
    assert sorted(event["properties"]["number"] for event in received(crm)["last"]) == [1, 2, 4]


def test_letters_that_no_rule_sends_stay(here: World) -> None:
    with_letters(here)
    here.configure({"crm": {"vendor": "blueshift"}}, routes=[{"name": "nothing", "drop": "not now"}])
    done = here.cli("dead", "retry", "1")
    assert done.stdout == "0 put back\n"
    assert "1 stays: the rule 'orders' is gone, and no rule sends the event there now" in done.stderr
    assert here.cli("dead", "retry", "1", "99").returncode == 1
    assert here.cli("dead", "retry").returncode == here.cli("dead", "retry", "1", "--all").returncode == 2


def test_letters_are_carried_away_and_brought_back_once(here: World) -> None:
    crm = with_letters(here)
    done = here.cli("dead", "export", "--target", "crm", "letters.jsonl")
    assert done.stderr == "3 exported\n"
    text = (here.folder / "letters.jsonl").read_text()
    assert all(key not in text for account in KEYS.values() for name, key in account.items() if name != "company_id")
    assert here.cli("dead", "export").stdout == text
    assert [json.loads(line)["event"]["properties"]["number"] for line in text.splitlines()] == [3, 2, 1]
    assert here.cli("dead", "import", "letters.jsonl").stdout == "0 imported, 3 known before\n"
    here.cli("dead", "drop", "--all", "--reason", "moved")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}}, routes=TAKING)
    assert here.gateway is not None
    here.gateway.stop()
    here.serve()
    done = here.cli("dead", "import", "--retry", "letters.jsonl")
    assert done.stdout == "3 imported, 0 known before, 3 put back into their lanes\n"
    until(lambda: counted(here)["delivered"] == 4)
    done = here.cli("dead", "import", "--retry", "--json", "letters.jsonl")
    assert json.loads(done.stdout) == {"imported": 0, "known": 3, "put_back": 0, "left": {}}
    counts = here.status()["crm"]
    assert (counts["accepted"], counts["again"], counts["dropped"], counts["missing"]) == (7, 3, 3, 0)
    assert received(crm)["events"] == 4


def test_letters_move_to_another_gateway(here: World, tmp_path: Path) -> None:
    with_letters(here)
    text = here.cli("dead", "export").stdout
    other = World(tmp_path / "other")
    other.folder.mkdir()
    crm = here.standin("blueshift")
    other.configure({"crm": {"vendor": "blueshift", "base_url": crm}}, routes=TAKING)
    (other.folder / "letters.jsonl").write_text(text)
    assert "there is no log" in other.cli("dead", "import", "letters.jsonl").stderr
    other.serve()
    here.started += other.started
    assert other.cli("dead", "import", "letters.jsonl").stdout == "3 imported, 0 known before\n"
    counts = other.status()["crm"]
    assert (counts["accepted"], counts["dead"], counts["missing"]) == (3, 3, 0)
    assert other.cli("dead", "retry", "--all").stdout == "3 put back\n"
    until(lambda: counted(other)["delivered"] == 3)
    numbers = [event["properties"]["number"] for event in received(crm)["last"]]
    assert sorted(numbers) == [1, 2, 3]


def test_a_file_that_is_wrong_changes_nothing(here: World) -> None:
    with_letters(here)
    text = here.cli("dead", "export").stdout
    here.cli("dead", "drop", "--all", "--reason", "moved")
    for broken, said in (
        (text + "{}\n", "line 4: no dead letter"),
        (text.replace("crm", "cmr", 1), "did you mean 'crm'"),
    ):
        (here.folder / "letters.jsonl").write_text(broken)
        done = here.cli("dead", "import", "letters.jsonl")
        assert done.returncode == 2
        assert said in done.stderr
    assert here.status()["crm"]["dead"] == 0
