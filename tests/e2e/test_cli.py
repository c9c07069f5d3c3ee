"""Commands: what they print, where, and how they end."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
PAYLOADS = sorted((ROOT / "adapters").glob("*/tests/payloads/*.json"))


def gateway(*arguments: str, stdin: str | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)


def translated(path: Path, goal: str) -> tuple[int, dict[str, Any]]:
    done = gateway("translate", "--from", path.parts[-4], "--to", goal, "--json", str(path))
    assert done.stderr == ""
    return done.returncode, msgspec.json.decode(done.stdout)


@pytest.mark.parametrize("goal", ["klaviyo", "blueshift"])
@pytest.mark.parametrize("vendor", ["klaviyo", "blueshift"])
def test_translate_prints_the_documented_object(vendor: str, goal: str) -> None:
    name = {"klaviyo": "placed_order", "blueshift": "purchase"}[vendor]
    path = next(p for p in PAYLOADS if p.parts[-4] == vendor and name in p.stem and not p.stem.endswith(".event"))
    code, result = translated(path, goal)
    assert code == 0
    assert set(result) == {"events", "requests", "ledger", "reply"}
    assert result["events"][0]["name"] == "Order Completed"
    request = result["requests"][0]
    assert set(request) == {"target_vendor", "endpoint", "method", "path", "headers", "body", "event_ids"}
    assert request["event_ids"] == [result["events"][0]["id"]]
    assert "***" in request["headers"]["Authorization"]
    assert all(set(row) == {"event", "path", "outcome", "to", "reason"} for row in result["ledger"])
    assert {row["outcome"] for row in result["ledger"]} <= {"carried", "renamed", "coerced", "dropped"}
    assert all(row["reason"] for row in result["ledger"] if row["outcome"] != "carried")


def test_translate_masks_what_the_request_held() -> None:
    path = next(p for p in PAYLOADS if p.parts[-4] == "klaviyo" and p.stem.startswith("create_event_wrapped"))
    done = gateway("translate", "--from", "klaviyo", "--to", "klaviyo", str(path))
    assert "pk_0123456789" not in done.stdout


def test_translate_of_a_refused_request_shows_the_answer_and_ends_with_1() -> None:
    given = {"method": "POST", "path": "/api/v1/event", "headers": {}, "body": {"event": "x", "email": "a@example.com"}}
    done = gateway("translate", "--from", "blueshift", "--to", "klaviyo", "--json", "-", stdin=json.dumps(given))
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert result["events"] == result["requests"] == []
    assert (result["reply"]["status"], result["reply"]["body"]) == (401, {"message": "Not authorized"})


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["translate", "--from", "klavio", "--to", "blueshift", "-"], "{}", "did you mean 'klaviyo'?"),
        (["translate", "--from", "klaviyo", "--to", "blueshift", "-"], "[1", "not a JSON object"),
        (["translate", "--from", "klaviyo", "--to", "blueshift", "-"], "{}", 'expected {"method", "path"'),
        (["translate", "--from", "klaviyo", "-"], "{}", "Missing option '--to'"),
        (["adapters", "acme"], None, "no adapter is called 'acme'"),
        (["check", "-c", "/nonexistent/gateway.yaml"], None, "no such file"),
        (["sandbox", "blueshift", "--credential", "event_api_kye=x"], None, "did you mean 'event_api_key'?"),
        (["sandbox", "blueshift", "--port", "99999"], None, "99999 is not in the range"),
        (["nonsense"], None, "No such command 'nonsense'"),
    ],
)
def test_wrong_usage_is_one_clear_message_on_stderr_and_code_2(
    arguments: list[str], stdin: str | None, said: str
) -> None:
    done = gateway(*arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["no.such.host.invalid", "x" * 300, "203.0.113.1"])
def test_an_address_that_is_not_here_is_one_clear_line_and_code_1(host: str) -> None:
    done = gateway("sandbox", "blueshift", "--host", host)
    assert done.returncode == 1
    assert done.stderr.startswith(f"gateway: cannot listen on {host}:0: ")
    assert len(done.stderr.splitlines()) == 1


CHECKED = """
log: {sqlite: gateway.db}
sources: {shop: {vendor: blueshift, credentials: [{event_api_key: event-key-1}]}}
targets: {mail: {vendor: klaviyo, credentials: {private_key: pk_12345678}}}
routes: [{name: all, to: mail}]
"""


def test_check_tells_what_each_route_can_lose(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(CHECKED)
    shown = gateway("check", cwd=tmp_path)
    assert shown.returncode == 0
    assert "all, shop to mail, not at all: " in shown.stdout
    (told,) = json.loads(gateway("check", "--json", cwd=tmp_path).stdout)["losses"]
    assert (told["rule"], told["source"], told["target"]) == ("all", "shop", "mail")
    assert told["fully"] > 50
    assert all(one["reason"] for one in told["partly"] + told["not_at_all"])


def test_check_tells_everything_wrong_and_ends_with_2() -> None:
    case = ROOT / "tests/unit/config_cases/unknown_keys.yaml"
    done = gateway("check", "-c", str(case))
    assert done.returncode == 2
    assert f"{case}:1:1: unknown key 'lisen'; did you mean 'listen'?" in done.stderr


def test_adapters_lists_both_vendors() -> None:
    listed = json.loads(gateway("adapters", "--json").stdout)
    assert {"blueshift", "klaviyo"} <= {entry["vendor"] for entry in listed}
    shown = gateway("adapters", "klaviyo").stdout
    assert "/api/event-bulk-create-jobs" in shown


def test_demo_once_shows_that_everything_arrived() -> None:
    done = gateway("demo", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every event arrived at every target." in done.stdout
