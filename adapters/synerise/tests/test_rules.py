"""What answers mean for the events that were sent."""

import json
from typing import Any

import pytest

from adapters.synerise import ADAPTER
from adapters.synerise.tests.support import outbound, post, refusal
from gateway.adapter import Answer, Encoded, Verdict
from gateway.delivery.judge import Judge

SENT = Encoded(
    events=(7, 8, 9),
    body=json.dumps([{"email": "a@example.com"}, {"email": "bad"}, {"email": "bad", "phone": "x"}]).encode(),
)


def answer(status: int, body: Any = None) -> Answer:
    return Answer(status, {}, b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize("name", [out.name for out in ADAPTER.outbound])
@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (202, Verdict.DONE),
        (200, Verdict.DONE),
        (400, Verdict.REJECT),
        (401, Verdict.RENEW),
        (403, Verdict.HOLD),
        (404, Verdict.HOLD),
        (413, Verdict.SPLIT),
        (415, Verdict.HOLD),
        (423, Verdict.HOLD),
        (429, Verdict.THROTTLE),
        (500, Verdict.RETRY),
        (503, Verdict.RETRY),
    ],
)
def test_what_a_status_means(name: str, status: int, verdict: Verdict) -> None:
    assert Judge(outbound(name)).verdict(answer(status)).verdict is verdict


@pytest.mark.parametrize("name", ["clients_batch", "transactions_batch"])
def test_a_207_is_a_refusal_unless_it_lists_nothing(name: str) -> None:
    judge = Judge(outbound(name))
    assert judge.verdict(answer(207, [])).verdict is Verdict.DONE
    bodies: list[Any] = [None, b"?", [{"code": 100}], {"errors": []}]
    for body in bodies:
        assert judge.verdict(answer(207, body)).verdict is Verdict.REJECT


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([{"field": "phone", "rejectedValue": "x", "message": "Invalid phone"}], {2: "phone: Invalid phone"}),
        ([{"field": "[1].email", "rejectedValue": "bad"}], {1: "[1].email: refused"}),
        ({"errors": [{"field": "[0].label", "message": "m"}, {"field": "[0].time"}]}, {0: "[0].label: m"}),
        ([{"field": "email", "rejectedValue": "bad"}], {}),
        ([{"field": "phone", "rejectedValue": "x"}, {"field": "email", "rejectedValue": "bad"}], {}),
        ([{"field": "[3].email"}], {}),
        ([{"message": "something"}], {}),
        ([], {}),
        (None, {}),
        ("text", {}),
    ],
)
def test_who_is_guilty(body: Any, named: dict[int, str]) -> None:
    """By place, else by a value that only one item has; nobody where one error cannot be laid to anybody."""
    guilty = outbound("clients_batch").guilty
    assert guilty is not None
    assert guilty(answer(207, body), SENT) == named
    assert guilty(answer(400, body), SENT) == named
    assert guilty(answer(202, body), SENT) == {}


def test_a_reason_repeats_no_address() -> None:
    guilty = outbound("clients_batch").guilty
    assert guilty is not None
    told = guilty(answer(207, [{"field": "email", "rejectedValue": "a@example.com", "message": "no"}]), SENT)
    assert told == {0: "email: no"}


def test_our_own_answers_name_the_guilty() -> None:
    rows = [{"email": "ana@example.com"}, {"email": "not-an-email"}]
    reply = post("clients/batch", rows).reply
    guilty = outbound("clients_batch").guilty
    assert guilty is not None
    sent = Encoded(events=(0, 1), body=json.dumps(rows).encode())
    assert guilty(Answer(reply.status, {}, reply.body), sent) == {1: "email: Invalid email"}
    items = [{"type": "custom", "action": "a", "label": "a", "client": {"customId": "1"}}, {"type": "custom"}]
    reply = refusal("POST", "/v4/events/batch", items)
    sent = Encoded(events=(0, 1), body=json.dumps(items).encode())
    assert set(guilty(Answer(reply.status, {}, reply.body), sent)) == {1}
