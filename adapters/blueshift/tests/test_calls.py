"""How Blueshift is called, and what its answers mean."""

import base64
import json
from itertools import product
from typing import Any

import pytest

from adapters.blueshift import ADAPTER
from adapters.blueshift.tests.support import EVENT_KEY, SETTINGS, USER_KEY, foreign, outbound, send
from gateway import event as canonical
from gateway.adapter import Answer, EncodeError, Rule, Verdict
from gateway.event import Kind, Profile


def test_keys_go_out_as_basic_with_an_empty_password() -> None:
    account = {"event_api_key": EVENT_KEY, "user_api_key": USER_KEY}
    for entry in ADAPTER.outbound:
        headers = entry.headers(account)
        key = USER_KEY if "customers" in entry.name else EVENT_KEY
        assert headers["Authorization"] == "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        assert headers["Content-Type"] == "application/json"


def test_customers_carry_identify_where_there_is_a_user_key() -> None:
    table = [(entry.name, sorted(entry.kinds), entry.needs, entry.pays_from) for entry in ADAPTER.outbound]
    assert table == [
        ("customers_bulk", ["identify"], ("user_api_key",), 2),
        ("customers", ["identify"], ("user_api_key",), 1),
        ("bulkevents", sorted(canonical.KINDS), ("event_api_key",), 2),
        ("event", sorted(canonical.KINDS), ("event_api_key",), 1),
    ]


@pytest.mark.parametrize(
    ("kind", "profile", "expected"),
    [
        ("identify", Profile(email="a@example.com"), ["customers_bulk", "customers", "bulkevents", "event"]),
        ("identify", Profile(user_id="u"), ["customers_bulk", "customers", "bulkevents", "event"]),
        ("identify", Profile(phone="+15005550142"), ["bulkevents", "event"]),
        ("identify", Profile(device_id="d", anonymous_id="a", push_tokens=("t",)), ["bulkevents", "event"]),
        ("identify", Profile(email="", user_id=""), ["bulkevents", "event"]),
        ("track", Profile(email="a@example.com", user_id="u"), ["bulkevents", "event"]),
    ],
)
def test_a_person_without_email_and_user_id_goes_as_an_event(kind: Kind, profile: Profile, expected: list[str]) -> None:
    event = foreign(kind=kind, name="Identify", profile=profile)
    assert [entry.name for entry in ADAPTER.outbound if entry.carries(event, SETTINGS)] == expected


@pytest.mark.parametrize("name", ["customers", "customers_bulk"])
def test_the_customer_endpoints_take_what_a_row_can_be_made_of(name: str) -> None:
    values = (None, "", "x")
    for email, user_id in product(values, values):
        event = foreign(kind="identify", name="Identify", profile=Profile(email=email, user_id=user_id, phone="p"))
        if outbound(name).carries(event, SETTINGS):
            assert send(name, event)
        else:
            with pytest.raises(EncodeError):
                send(name, event)


def test_every_call_has_a_rate() -> None:
    windows = {entry.name: [(w.count, w.seconds, w.unit) for w in entry.windows] for entry in ADAPTER.outbound}
    assert windows == {
        "customers_bulk": [(5, 1, "requests"), (250, 1, "events")],
        "customers": [(50, 1, "requests")],
        "bulkevents": [(5, 1, "requests"), (150, 1, "events")],
        "event": [(50, 1, "requests")],
    }


def verdict(name: str, status: int, body: bytes = b"") -> Verdict | None:
    """Return what the first fitting rule says."""
    entry = outbound(name)
    answer = Answer(status, {}, body)
    code = entry.error_code(answer) if entry.error_code else None
    return next((rule.verdict for rule in entry.rules if _fits(rule, status, code)), None)


def _fits(rule: Rule, status: int, code: str | None) -> bool:
    in_range = status in rule.status if isinstance(rule.status, range) else status == rule.status
    return in_range and rule.code in (None, code)


@pytest.mark.parametrize(
    ("status", "of_events", "of_customers"),
    [
        (200, Verdict.DONE, Verdict.DONE),
        (400, Verdict.REJECT, Verdict.REJECT),
        (401, Verdict.HOLD, Verdict.HOLD),
        (403, Verdict.HOLD, Verdict.HOLD),
        (404, Verdict.HOLD, Verdict.RETRY),
        (409, Verdict.REJECT, Verdict.RETRY),
        (413, Verdict.SPLIT, Verdict.SPLIT),
        (422, Verdict.REJECT, Verdict.REJECT),
        (429, Verdict.THROTTLE, Verdict.THROTTLE),
        (500, Verdict.RETRY, Verdict.RETRY),
        (502, Verdict.RETRY, Verdict.RETRY),
        (503, Verdict.RETRY, Verdict.RETRY),
        (504, Verdict.RETRY, Verdict.RETRY),
    ],
)
def test_what_a_status_means(status: int, of_events: Verdict, of_customers: Verdict) -> None:
    assert {verdict("event", status), verdict("bulkevents", status)} == {of_events}
    assert {verdict("customers", status), verdict("customers_bulk", status)} == {of_customers}


def failure(status: int = 400) -> dict[str, Any]:
    return {"status": status, "error_data": {"user_identifier_missing": ["No valid identifier found"]}}


def listed(customers: list[Any], errors: list[Any]) -> bytes:
    return json.dumps({"customers": customers, "errors": errors}).encode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", Verdict.DONE),
        (listed([], []), Verdict.DONE),
        (b"{}", Verdict.DONE),
        (listed([{"email": "a"}], [failure()]), Verdict.REJECT),
        (listed([{"email": "a"}], []), Verdict.REJECT),
        (listed([{"email": "a"}], [failure(409)]), Verdict.RETRY),
        (listed([{"email": "a"}] * 2, [failure(409), failure(400)]), Verdict.SPLIT),
        (listed([{"email": "a"}] * 2, [failure(503)]), Verdict.SPLIT),
        (listed([{"email": "a"}], [failure()])[:-5], Verdict.SPLIT),
        (b"<html>", Verdict.SPLIT),
        (listed([1], ["x"]), Verdict.REJECT),
    ],
)
def test_a_bulk_200_is_read(body: bytes, expected: Verdict) -> None:
    assert verdict("customers_bulk", 200, body) is expected


PEOPLE = [
    foreign(kind="identify", name="Identify", profile=Profile(user_id="C-1", traits={"n": 1})),
    foreign(kind="identify", name="Identify", profile=Profile(email="b@example.com")),
    foreign(kind="identify", name="Identify", profile=Profile(user_id="C-3", first_name="C")),
    foreign(kind="identify", name="Identify", profile=Profile(user_id="C-3", first_name="D")),
]
ROWS = [{"customer_id": "C-1", "n": 1}, {"email": "b@example.com"}, {"customer_id": "C-3", "firstname": "C"}]
WHY = "user_identifier_missing: No valid identifier found"


@pytest.mark.parametrize(
    ("customers", "errors", "expected"),
    [
        ([ROWS[2]], [failure()], {2: WHY}),
        ([ROWS[2], ROWS[0]], [failure(), {}], {2: WHY, 0: "Blueshift did not store the row and gave no reason"}),
        ([{"email": "b@example.com", "added": None}], [failure()], {1: WHY}),
        ([{"customer_id": "C-3", "changed": 1}], [failure()], {}),
        ([{"customer_id": "C-9"}], [failure()], {}),
        ([], [failure()], {}),
        ([ROWS[0]], [failure(), failure()], {}),
        ([5], [failure()], {}),
        ([], [], {}),
    ],
)
def test_failed_rows_are_found_by_comparing(customers: list[Any], errors: list[Any], expected: dict[int, str]) -> None:
    (encoded,) = send("customers_bulk", *PEOPLE)
    guilty = outbound("customers_bulk").guilty
    assert guilty is not None
    assert guilty(Answer(200, {}, listed(customers, errors)), encoded) == expected


def test_equal_rows_are_each_named_once() -> None:
    (encoded,) = send("customers_bulk", PEOPLE[1], PEOPLE[1], PEOPLE[0])
    guilty = outbound("customers_bulk").guilty
    assert guilty is not None
    assert set(guilty(Answer(200, {}, listed([ROWS[1]] * 2, [failure()] * 2)), encoded)) == {0, 1}
