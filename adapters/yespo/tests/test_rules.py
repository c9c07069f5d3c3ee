"""What Yespo's answers mean."""

import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.yespo.tests.support import MAY, answer, foreign, outbound, send, verdict
from gateway.adapter import Answer, Encoded, Verdict
from gateway.event import Commerce, Profile

ALL = ("event_v2", "past_events_v2", "orders", "contact", "contacts")


@pytest.mark.parametrize("name", ALL)
def test_the_statuses_that_all_share(name: str) -> None:
    said = {status: verdict(name, answer(status=status)) for status in (200, 400, 401, 403, 404, 405, 415, 429, 500)}
    assert list(said.values()) == [
        Verdict.DONE,
        Verdict.REJECT,
        Verdict.HOLD,
        Verdict.HOLD,
        Verdict.HOLD,
        Verdict.HOLD,
        Verdict.REJECT,
        Verdict.THROTTLE,
        Verdict.RETRY,
    ]


def test_a_repeated_event_was_stored_and_a_repeated_contact_waits() -> None:
    body = {"status": 409, "message": "Duplicated request"}
    assert {verdict(name, answer(body, 409)) for name in ("event_v2", "past_events_v2")} == {Verdict.DONE}
    assert {verdict(name, answer(body, 409)) for name in ("contact", "contacts", "orders")} == {Verdict.RETRY}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "body", [{"status": 400, "message": "no"}, {"errorMessage": "no"}, {"error": "no"}, {"errors": [1]}]
)
def test_a_success_with_an_error_in_it_is_none(name: str, body: Any) -> None:
    assert verdict(name, answer(body)) is Verdict.REJECT


@pytest.mark.parametrize("name", ALL)
def test_a_web_page_is_no_answer_of_yespo(name: str) -> None:
    assert verdict(name, answer(b"<!doctype html>")) is Verdict.HOLD


@pytest.mark.parametrize("name", ALL)
def test_an_empty_success_is_one(name: str) -> None:
    for body in (b"", b" \n", b"{}", b'{"id":5}', b'"text"'):
        assert verdict(name, answer(body)) is Verdict.DONE


# --- past events -----------------------------------------------------------------------------------------


def guilty(name: str, body: Any, encoded: Encoded) -> dict[int, str]:
    named = outbound(name).guilty
    assert named is not None
    return dict(named(answer(body), encoded))


def past(count: int) -> Encoded:
    return send("past_events_v2", *[foreign(occurred_at=MAY)] * count)[0]


def results(*statuses: str) -> dict[str, Any]:
    return {"results": [{"status": status} for status in statuses], "successCount": 1, "errorCount": 1}


def test_past_events_are_blamed_one_by_one() -> None:
    body = results("ACCEPTED", "EVENT_SEGMENTATION_DISABLED", "SERVER_ERROR")
    assert verdict("past_events_v2", answer(body)) is Verdict.DONE
    assert guilty("past_events_v2", body, past(3)) == {
        1: "Yespo says EVENT_SEGMENTATION_DISABLED",
        2: "Yespo says SERVER_ERROR",
    }


def test_a_fault_that_met_all_past_events_passes() -> None:
    assert verdict("past_events_v2", answer(results("SERVER_ERROR", "SERVER_ERROR"))) is Verdict.RETRY


def test_results_of_another_number_blame_all_if_one_failed() -> None:
    assert guilty("past_events_v2", results("ACCEPTED"), past(2)) == {}
    assert set(guilty("past_events_v2", results("ACCEPTED", "X"), past(3))) == {0, 1, 2}
    assert verdict("past_events_v2", answer({"errorCount": 3})) is Verdict.REJECT


# --- orders and contacts ---------------------------------------------------------------------------------


def orders(*ids: str) -> Encoded:
    events = [
        foreign(name="Order Completed", commerce=Commerce(order_id=one, total=Decimal(1), currency="EUR"))
        for one in ids
    ]
    return send("orders", *events)[0]


def test_failed_orders_are_blamed_by_their_id() -> None:
    one = {"order": {"externalOrderId": "2"}, "error": "no money"}
    two = {"order": {"externalOrderId": "3"}}
    encoded = orders("1", "2", "3")
    for failed, expected in ((one, {1: "Yespo says: no money"}), ([one, two], {1, 2})):
        body = {"failedOrders": failed}
        assert verdict("orders", answer(body)) is Verdict.DONE
        named = guilty("orders", body, encoded)
        assert named == expected if isinstance(expected, dict) else set(named) == expected


def test_a_failed_order_that_cannot_be_told_may_be_any() -> None:
    assert set(guilty("orders", {"failedOrders": {"order": {"externalOrderId": "9"}}}, orders("1", "2"))) == {0, 1}
    assert verdict("orders", answer({"failedOrders": ["what"]})) is Verdict.REJECT
    assert verdict("orders", answer(b'{"failedOrders": [{"ord')) is Verdict.REJECT


def test_failed_contacts_are_blamed_by_id_and_channels() -> None:
    events = [foreign(kind="identify", name="Identify", profile=Profile(email=f"a{n}@example.com")) for n in range(3)]
    (encoded,) = send("contacts", *events)
    row = json.loads(encoded.body)["contacts"][1]
    for failed in ({"contact": row, "error": "no"}, {**row, "error": "no"}, [{**row, "error": "no"}]):
        body = {"asyncSessionId": "x", "failedContacts": failed}
        assert verdict("contacts", answer(body)) is Verdict.DONE
        assert guilty("contacts", body, encoded) == {1: "Yespo says: no"}


def test_an_answer_nobody_expects_names_nobody() -> None:
    encoded = orders("1")
    for body in (b"", b"[", b"[1]", b'{"failedOrders": null}', b'{"failedOrders": []}'):
        named = outbound("orders").guilty
        assert named is not None
        assert named(Answer(200, {}, body), encoded) == {}
