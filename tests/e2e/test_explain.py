"""``gateway explain``: what would become of one request, and why."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONFIG = """
log: {sqlite: gateway.db}
sources:
  shop: {vendor: klaviyo, path: /klaviyo, credentials: [{private_key: pk_of_the_shop}]}
  app: {vendor: blueshift, credentials: [{event_api_key: key_of_the_app}]}
  second: {vendor: blueshift, credentials: [{event_api_key: key_of_the_second}]}
targets:
  crm: {vendor: blueshift, credentials: {event_api_key: event-key-9, user_api_key: user-key-9}}
  mail: {vendor: klaviyo, credentials: {private_key: pk_of_the_mail}}
  idle: {vendor: klaviyo, credentials: {private_key: pk_of_the_idle}}
routes:
  - {name: tests, match: {name: "Test *"}, drop: not production}
  - {name: big, where: event.commerce.total > 100.0, to: [crm]}
  - name: orders
    match: {source: app, name: "Order *"}
    require: {channel: email}
    to:
      - target: mail
        name: Bought
        drop: [profile.phone]
        set: {properties.store: eu-1, properties.key: key_of_the_app}
  - {name: rest, otherwise: true, to: crm}
  - {name: late, match: {kind: track}, to: mail}
"""
REQUEST = {
    "method": "POST",
    "path": "/api/v1/event",
    "headers": {"Authorization": "Basic YQ==", "Content-Type": "application/json"},
    "body": {"event": "purchase", "email": "ann@example.com", "phone_number": "+420777123456", "revenue": 12.5},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    (tmp_path / "request.json").write_text(json.dumps(REQUEST))
    return tmp_path


def explain(folder: Path, *arguments: str, stdin: Any = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "explain", *arguments]
    given = None if stdin is None else json.dumps(stdin)
    return subprocess.run(command, input=given, capture_output=True, text=True, cwd=folder, timeout=60, check=False)


def test_each_rule_says_why_and_each_target_what_changes_and_goes_out(folder: Path) -> None:
    done = explain(folder, "--file", "request.json", "--source", "app")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.strip() for line in done.stdout.splitlines()]
    for line in (
        "Event 1: track 'Order Completed'",
        "tests   no: the name 'Order Completed' is not 'Test *'",
        "big     no: the condition is not true",
        "where event.commerce.total > 100.0: not true",
        "commerce.total is 12.5",
        "orders  sends it to mail",
        "rest    no: only for events that no rule before took; 'orders' did",
        "late    no: earlier rules hold for all its targets",
        "To crm: nothing, because no rule sends it there",
        "To mail, by the rule 'orders'",
        "POST /api/events",
        "note: the permission for email that 'orders' asks for counts as given here",
    ):
        assert line in lines, f"{line}\n{done.stdout}"
    changes = [line.split() for line in lines if "->" in line]
    assert ["name", '"Order', 'Completed"', "->", '"Bought"'] in changes
    assert ["properties.store", "nothing", "->", '"eu-1"'] in changes


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_no_secret_is_shown(folder: Path, flags: list[str]) -> None:
    done = explain(folder, "--file", "request.json", "--source", "app", *flags)
    assert done.returncode == 0
    for secret in ("pk_of_the", "key_of_the", "event-key-9", "user-key-9"):
        assert secret not in done.stdout
    assert "***" in done.stdout


def test_json_holds_all_of_it(folder: Path) -> None:
    told = json.loads(explain(folder, "--file", "request.json", "--source", "app", "--json").stdout)
    assert (told["source"], told["accepted"], told["reply"]["status"]) == ("app", True, 200)
    (event,) = told["events"]
    assert event["event"]["name"] == "Order Completed"
    assert [(rule["rule"], rule["outcome"]) for rule in event["rules"]] == [
        ("tests", "passes"), ("big", "passes"), ("orders", "sends"), ("rest", "passes"), ("late", "passes"),
    ]  # fmt: skip
    assert event["rules"][1]["where"]["true"] is False
    targets = {target["target"]: target for target in event["targets"]}
    assert [targets[name]["goes"] for name in ("crm", "mail", "idle")] == [False, True, False]
    assert {"path": "name", "before": "Order Completed", "after": "Bought"} in targets["mail"]["changes"]
    assert targets["mail"]["requests"][0]["body"]["data"]
    assert targets["crm"]["why"] == "no rule sends it there"


@pytest.mark.parametrize(
    ("path", "arguments", "source"),
    [
        ("/api/v1/event", ["--source", "second"], "second"),
        ("/second/api/v1/event", [], "second"),
        ("/second/api/v1/event", ["--source", "second"], "second"),
    ],
)
def test_the_source_is_named_or_found_by_where_it_is_mounted(
    folder: Path, path: str, arguments: list[str], source: str
) -> None:
    done = explain(folder, "--file", "-", "--json", *arguments, stdin={**REQUEST, "path": path})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["source"] == source


@pytest.mark.parametrize(
    ("request_", "arguments", "said"),
    [
        (REQUEST, [], "several sources take POST /api/v1/event; say which one is meant with --source: app, second"),
        ({"path": "/x"}, [], "no source takes POST /x; say which one is meant with --source: shop, app, second"),
        (REQUEST, ["--source", "ap"], "no source is called 'ap'; did you mean 'app'?"),
        ([1], [], "<stdin>: not a JSON object: "),
        ({}, [], '<stdin>: expected {"method", "path", "headers", "body"}'),
    ],
)
def test_wrong_usage_is_one_clear_message_and_code_2(
    folder: Path, request_: Any, arguments: list[str], said: str
) -> None:
    done = explain(folder, "--file", "-", *arguments, stdin=request_)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("change", "status"), [({"headers": {}}, 401), ({"path": "/nowhere"}, 404), ({"body": "{"}, 400)]
)
def test_a_request_that_would_be_refused_shows_the_answer_and_ends_with_1(
    folder: Path, change: dict[str, Any], status: int
) -> None:
    done = explain(folder, "--file", "-", "--source", "app", stdin={**REQUEST, **change})
    assert done.returncode == 1
    assert done.stdout.startswith(f"The source 'app' (Blueshift) refuses it with {status}.\n")
