"""``gateway check``: examples beside the rules, and what they leave out."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

CONFIG = """
log: {sqlite: gateway.db}
sources:
  shop: {vendor: klaviyo, credentials: [{private_key: pk_of_the_shop}]}
  app: {vendor: blueshift, credentials: [{event_api_key: key_of_the_app}]}
targets:
  crm: {vendor: blueshift, credentials: {event_api_key: event-key-9, user_api_key: user-key-9}}
  mail: {vendor: klaviyo, credentials: {private_key: pk_of_the_mail}}
routes: [routes.yaml]
"""
ROUTES = """
- name: orders
  match: {source: shop, name: "Order *"}
  to:
    - {target: crm, name: purchase, drop: [profile.phone]}
  examples:
    - name: an order is a purchase
      given: {name: Order Completed, profile: {email: a@example.com, phone: "+420777123456"}, commerce: {total: 12.10}}
      sends:
        crm: {name: purchase, commerce: {total: TOTAL}, profile: {phone: null}, request: {event: purchase}}
        mail: null
- name: late
  match: {source: shop, name: Order Completed}
  to: crm
- name: views
  match: {source: shop, name: Viewed Product}
  to: crm
"""


def gateway(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    (tmp_path / "routes.yaml").write_text(ROUTES.replace("TOTAL", "12.1"))
    return tmp_path


def test_examples_that_are_as_expected_are_counted(folder: Path) -> None:
    done = gateway(folder, "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "gateway.yaml: right" in done.stdout
    assert done.stdout.endswith("\nExamples: 1 run, all as expected\n")


def test_an_example_that_differs_is_told_with_its_path_and_ends_with_1(folder: Path) -> None:
    (folder / "routes.yaml").write_text(ROUTES.replace("TOTAL", "13"))
    done = gateway(folder, "check", "--junit", "report.xml")
    assert done.returncode == 1
    assert "orders, an order is a purchase (routes.yaml:7): differs" in done.stdout
    assert "crm, by the rule 'orders'" in done.stdout
    assert "commerce.total  expected 13  found 12.1" in done.stdout
    assert "Examples: 1 run, 1 differs" in done.stdout
    (case,) = ET.parse(folder / "report.xml").getroot().iter("testcase")
    assert case.attrib["name"] == "an order is a purchase"
    assert [failure.attrib["message"] for failure in case] == ["crm: commerce.total: expected 13, found 12.1"]


def test_json_holds_the_results_and_the_coverage(folder: Path) -> None:
    (folder / "routes.yaml").write_text(ROUTES.replace("TOTAL", "13"))
    done = gateway(folder, "check", "--json", "--coverage")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["ok"], told["examples"]["run"], told["examples"]["differ"]) == (False, 1, 1)
    (result,) = told["examples"]["results"]
    assert (result["ok"], result["rule"], result["line"], result["reached"]) == (False, "orders", 7, ["orders"])
    assert [one["path"] for one in result["differences"]] == ["commerce.total"]
    odd = told["coverage"].pop("odd_names")
    assert told["coverage"] == {
        "rules_without_example": ["late", "views"],
        "unreachable_rules": [{"rule": "late", "by": ["orders"]}],
        "targets_without_rule": ["mail"],
        "sources_without_rule": ["app"],
    }
    assert [(one["name"], one["comes_in_as"]) for one in odd] == [("Viewed Product", "Product Viewed")]


def test_coverage_for_people(folder: Path) -> None:
    done = gateway(folder, "check", "--coverage")
    assert done.returncode == 0
    assert "  Rules that no example reaches:\n    late\n    views\n" in done.stdout
    assert "    late: 'orders' holds before it for all its events\n" in done.stdout
    assert "  Targets that no rule reaches:\n    mail\n" in done.stdout
    assert "  Sources that no rule is for:\n    app\n" in done.stdout
    assert "    views: 'Viewed Product' is a vendor's own; such events come in as 'Product Viewed'\n" in done.stdout


def test_a_wrong_example_is_a_wrong_configuration(folder: Path) -> None:
    (folder / "routes.yaml").write_text(ROUTES.replace("mail: null", "mial: null"))
    done = gateway(folder, "check", "--junit", "report.xml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "routes.yaml:11:9: no target is called 'mial'; did you mean 'mail'?" in done.stderr
    assert not (folder / "report.xml").exists()


def test_a_missing_file_is_told_with_its_place_and_without_secrets(folder: Path) -> None:
    rule = "{name: r, to: crm, examples: [{given: {file: none.json}, sends: {crm: null}}]}"
    one_line = " ".join(CONFIG.split()).replace("log:", "{log:").replace("routes: [routes.yaml]", f"routes: [{rule}]}}")
    for key in ("sources:", "targets:", "routes:"):
        one_line = one_line.replace(f" {key}", f", {key}")
    one_line = one_line.replace("sources: shop:", "sources: {shop:").replace("targets: crm:", "targets: {crm:")
    one_line = one_line.replace(" app:", ", app:").replace(" mail:", ", mail:")
    one_line = one_line.replace(", targets", "}, targets").replace(", routes", "}, routes")
    (folder / "gateway.yaml").write_text(one_line)
    done = gateway(folder, "check")
    assert done.returncode == 2
    assert "'none.json' cannot be read: No such file or directory" in done.stderr
    assert "pk_of_the" not in done.stderr
    assert "event-key-9" not in done.stderr


def test_a_report_that_cannot_be_written_is_one_line_and_code_2(folder: Path) -> None:
    done = gateway(folder, "check", "--junit", "nowhere/report.xml")
    assert done.returncode == 2
    assert done.stderr == "gateway: nowhere/report.xml cannot be written: No such file or directory\n"
