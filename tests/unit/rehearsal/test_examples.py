"""Examples beside the rules: run, compared, and told where they are written wrongly."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config import load
from gateway.errors import ConfigError
from gateway.rehearsal import Result
from tests.unit.rehearsal.trial import results, written

RULES = """
- name: tests
  match: {name: "Test *"}
  drop: not production
- name: orders
  match: {source: shop, name: "Order *"}
  to:
    - target: crm
      name: purchase
      drop: [profile.phone]
      set: {properties.store: eu-1}
    - mail
  examples:
    - given:
        name: Order Completed
        profile: {email: ann@example.com, phone: "+420777123456"}
        commerce: {total: 12.10, items: [{sku: A}, {sku: B}]}
      %s
- {name: rest, match: {source: app}, otherwise: true, to: mail}
"""


def one(folder: Path, expected: str) -> Result:
    (result,) = results(folder, RULES % expected)
    return result


@pytest.mark.parametrize(
    "expected",
    [
        "sends: {crm: {}}",
        "sends: {crm: {name: purchase}, mail: {name: Order Completed}}",
        "sends: {crm: {profile: {phone: null, email: ann@example.com}, properties: {store: eu-1}}}",
        "sends: {mail: {profile: {phone: '+420777123456'}, commerce: {total: 12.1, items: [{sku: A}]}}}",
        "sends: {mail: {commerce: {total: '12.10', items: [{}, {sku: B}]}, kind: track}}",
        "sends: {crm: {request: {event: purchase, revenue: 12.1, email: ann@example.com, store: eu-1}}}",
        "sends: {crm: {name: purchase, request: {products: [{sku: A}]}}}",
        (
            "exactly: {mail: {kind: track, name: Order Completed, commerce: {total: 12.1, items: [{sku: A}, {sku: B}]},"
            " profile: {email: ann@example.com, phone: '+420777123456'}}}"
        ),
    ],
)
def test_what_is_as_expected_is_right(tmp_path: Path, expected: str) -> None:
    result = one(tmp_path, expected)
    assert result.right, result
    assert result.reached == ["orders"]
    assert (result.rule, result.name, Path(result.file).name, result.line) == ("orders", "example 1", "routes.yaml", 14)


@pytest.mark.parametrize(
    ("expected", "target", "path", "wanted", "found"),
    [
        ("sends: {crm: {name: bought}}", "crm", "name", "bought", "purchase"),
        ("sends: {crm: {profile: {phone: '1'}}}", "crm", "profile.phone", "1", None),
        ("sends: {mail: {profile: {phone: null}}}", "mail", "profile.phone", None, "+420777123456"),
        ("sends: {crm: {commerce: {items: [{sku: A}, {sku: C}]}}}", "crm", "commerce.items[1].sku", "C", "B"),
        ("sends: {crm: {request: {revenue: 13}}}", "crm", "request.revenue", 13, 12.1),
        ("exactly: {mail: {request: {data: 1}}}", "mail", "request.data", 1, dict),
        ("exactly: {crm: {kind: track, name: purchase}}", "crm", "profile", None, dict),
    ],
)
def test_a_difference_tells_path_expected_and_found(
    tmp_path: Path, expected: str, target: str, path: str, wanted: Any, found: Any
) -> None:
    difference = one(tmp_path, expected).differences[0]
    assert (difference.target, difference.path, difference.expected) == (target, path, wanted)
    assert isinstance(difference.found, dict) if found is dict else difference.found == found
    assert difference.rule == "orders"


def test_nothing_expected_and_something_sent_is_a_difference(tmp_path: Path) -> None:
    (difference,) = one(tmp_path, "sends: {crm: null}").differences
    assert (difference.path, difference.expected, difference.found["name"]) == ("", None, "purchase")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("{name: Test 1}", "the rule 'tests' drops it: not production"),
        ("{name: Viewed}", "no rule sends it there"),
        ("{name: Viewed, source: app}", "no rule sends it there"),
    ],
)
def test_something_expected_and_nothing_sent_says_why(tmp_path: Path, given: str, why: str) -> None:
    drop = "  drop: not production\n"
    example = f"  examples: [{{given: {given}, sends: {{crm: EXPECTED}}}}]\n"
    rules = (RULES % "sends: {crm: {}}").replace(drop, drop + example)
    result, _ = results(tmp_path, rules.replace("EXPECTED", "{}"))
    (difference,) = result.differences
    assert (difference.path, difference.expected, difference.found, difference.why) == ("", {}, None, why)
    result, _ = results(tmp_path, rules.replace("EXPECTED", "null"))
    assert result.right


def test_a_changed_event_that_the_vendor_cannot_be_told_is_right_with_a_note(tmp_path: Path) -> None:
    rules = "- {name: r, to: mail, examples: [{given: {name: Viewed}, sends: {mail: {name: Viewed}}}]}"
    (result,) = results(tmp_path, rules)
    assert result.right
    assert "the vendor cannot be told of it" in result.notes[0]
    (result,) = results(tmp_path, rules.replace("{name: Viewed}}}]", "{request: {data: {}}}}}]"))
    assert (result.differences[0].path, result.differences[0].found) == ("request", None)


@pytest.mark.parametrize(
    ("consent", "goes"),
    [
        ("[]", True),
        ("[{channel: email, granted: true}]", True),
        ("[{channel: email, granted: false}]", False),
        ("[{granted: false}]", False),
        ("[{channel: sms, granted: false}]", True),
        ("[{channel: email, granted: false}, {channel: email, granted: true}]", True),
        (
            (
                "[{channel: email, granted: true, at: 2026-01-02T00:00:00Z},"
                " {channel: email, granted: false, at: 2026-01-01T00:00:00Z}]"
            ),
            True,
        ),
        ("[{channel: email, group: news, granted: false}]", False),
        ("[{channel: email, group: news, granted: false}, {channel: email, granted: true}]", True),
    ],
)
def test_a_permission_counts_as_given_unless_the_event_takes_it_back(tmp_path: Path, consent: str, goes: bool) -> None:
    expected = "{name: X}" if goes else "null"
    given = f"{{name: X, profile: {{email: a@example.com}}, consent: {consent}}}"
    example = f"{{given: {given}, sends: {{crm: {expected}}}}}"
    (result,) = results(tmp_path, f"- {{name: r, to: crm, require: {{channel: email}}, examples: [{example}]}}")
    assert result.right, result


def test_a_loss_that_the_rule_refuses_means_that_nothing_goes(tmp_path: Path) -> None:
    given = "{name: X, dedupe_key: k-1, profile: {email: a@example.com}, residue: {other: {x: 1}}}"
    rules = (
        "- {name: r, to: [{target: crm, on_loss: refuse}], examples: [{given: %s, sends: {crm: null}}]}" % given  # noqa: UP031
    )
    (result,) = results(tmp_path, rules)
    assert result.right, result


# --- files with requests ---------------------------------------------------------------------------------


def request(folder: Path, **body: Any) -> None:
    event = {"event": "purchase", "email": "ann@example.com", **body}
    headers = {"Authorization": "Basic YQ=="}
    (folder / "rules").mkdir(exist_ok=True)
    given = {"method": "POST", "path": "/api/v1/event", "headers": headers, "body": event}
    (folder / "rules/request.json").write_text(json.dumps(given))


FILE = "- {name: r, to: mail, examples: [{given: {file: request.json, source: app}, sends: {mail: %s}}]}"


def test_a_file_stands_beside_its_rules_and_is_decoded_by_its_source(tmp_path: Path) -> None:
    request(tmp_path, revenue=7)
    (result,) = results(tmp_path, FILE % "{name: Order Completed, commerce: {revenue: 7}, source: {name: app}}")
    (again,) = results(tmp_path, FILE % "{name: Order Completed, commerce: {total: 7}}")
    assert result.right or again.right


def test_a_request_with_several_events_is_compared_event_by_event(tmp_path: Path) -> None:
    request(tmp_path)
    path = tmp_path / "rules/request.json"
    given = json.loads(path.read_text())
    events = [{"event": name, "email": "ann@example.com"} for name in ("one", "two")]
    path.write_text(json.dumps({**given, "path": "/api/v1/bulkevents", "body": {"events": events}}))
    (result,) = results(tmp_path, FILE % "[{name: one}, {name: two}]")
    assert result.right
    (result,) = results(tmp_path, FILE % "[{name: one}, null]")
    assert [(one.event, one.expected) for one in result.differences] == [(1, None)]
    (result,) = results(tmp_path, FILE % "{name: one}")
    assert [(one.event, one.found) for one in result.differences] == [(1, "two")]
    (result,) = results(tmp_path, FILE % "[{name: one}]")
    assert (result.differences[0].expected, result.differences[0].found) == ("1 events", "2 events")


def test_a_request_that_the_source_refuses_is_a_difference(tmp_path: Path) -> None:
    request(tmp_path)
    path = tmp_path / "rules/request.json"
    path.write_text(path.read_text().replace("Authorization", "Nothing"))
    (result,) = results(tmp_path, FILE % "{}")
    assert not result.right
    assert result.trouble.startswith("the source 'app' refuses the request: 401 ")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: No such file"), ("[1", "not a JSON object"), ("{}", 'expected {"method", "path"')],
)
def test_a_file_that_holds_no_request_is_told_with_its_place(tmp_path: Path, content: str | None, said: str) -> None:
    (tmp_path / "rules").mkdir()
    if content is not None:
        (tmp_path / "rules/request.json").write_text(content)
    with pytest.raises(ConfigError) as caught:
        results(tmp_path, FILE % "{}")
    assert said in str(caught.value)
    assert f"routes.yaml:1:{FILE.index('request.json') + 1}: " in str(caught.value)


# --- examples that are written wrongly -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("example", "place", "said"),
    [
        ("{given: {name: X}, sends: {crn: {}}}", "crn", "no target is called 'crn'; did you mean 'crm'?"),
        ("{given: {name: X}, exactly: {crn: {}}}", "crn", "no target is called 'crn'"),
        ("{given: {name: X}, sends: {crm: {nam: X}}}", "nam:", "unknown key 'nam'; did you mean 'name'?"),
        ("{given: {name: X}, sends: {crm: {reqest: {}}}}", "reqest", "did you mean 'request'?"),
        ("{given: {name: X}, sends: {crm: {profile: 5}}}", "5", "expected a mapping, found 5"),
        ("{given: {name: X}, sends: {crm: {commerce: {total: lots}}}}", "lots", "invalid decimal string"),
        ("{given: {name: X}, sends: {crm: {consent: [{granted: 7}]}}}", "7", "expected true or false, found 7"),
        ("{given: {name: X}, sends: {crm: [{}]}}", "[{}]", "the example gives one event"),
        ("{given: {name: X}, sends: {crm: {}}, exactly: {crm: {}}}", "crm: {}}}", "stands in 'sends' as well"),
        ("{given: {name: X}}", "{given", "an example needs 'sends' or 'exactly'"),
        ("{given: {}, sends: {crm: {}}}", "{}, sends", "the key 'name' is missing"),
        ("{given: {name: X, profile: {emial: a}}, sends: {crm: {}}}", "emial", "did you mean 'email'?"),
        ("{given: {name: X, source: shpo}, sends: {crm: {}}}", "shpo", "no source is called 'shpo'"),
        ("{given: {name: X, source: {name: shpo}}, sends: {crm: {}}}", "shpo", "no source is called 'shpo'"),
        ("{given: {name: X, source: {nam: shop}}, sends: {crm: {}}}", "nam: shop", "unknown key 'nam'"),
        ("{given: {name: X, occurred_at: '2026-01-01T10:00:00'}, sends: {crm: {}}}", "'2026", "a time needs a zone"),
        ("{given: {name: X}, sends: {crm: {occurred_at: '2026-01-01T10:00:00'}}}", "'2026", "a time needs a zone"),
        ("{given: {file: x.json, sorce: app}, sends: {crm: {}}}", "sorce", "did you mean 'source'?"),
        ("{given: {file: x.json, source: apq}, sends: {crm: {}}}", "apq", "no source is called 'apq'"),
    ],
)
def test_what_is_written_wrongly_is_told_with_line_and_column(
    tmp_path: Path, example: str, place: str, said: str
) -> None:
    path = written(tmp_path, f"- name: r\n  to: crm\n  examples:\n    - {example}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    told = [problem for problem in caught.value.problems if said in problem.message]
    assert told, str(caught.value)
    column = 7 + (example.rindex(place) if place.startswith("crm") else example.index(place))
    assert (told[0].line, told[0].column) == (4, column)
