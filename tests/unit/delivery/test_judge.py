"""What answers mean when no rule says it, and how long they ask us to wait."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapter import Answer, Encoded, Verdict
from gateway.delivery.judge import LONGEST_PAUSE, Judge, pause_of, quota_pause
from tests.unit.delivery.vendor_adapter import outbound

NOW = 1_795_000_000.0


def answer(status: int = 429, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, body)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DONE),
        (202, Verdict.DONE),
        (207, Verdict.DONE),
        (301, Verdict.REJECT),
        (307, Verdict.REJECT),
        (400, Verdict.REJECT),
        (401, Verdict.HOLD),
        (403, Verdict.HOLD),
        (404, Verdict.REJECT),
        (408, Verdict.THROTTLE),
        (413, Verdict.SPLIT),
        (421, Verdict.THROTTLE),
        (425, Verdict.THROTTLE),
        (429, Verdict.THROTTLE),
        (500, Verdict.RETRY),
        (503, Verdict.RETRY),
        (599, Verdict.RETRY),
    ],
)
def test_the_status_decides_when_no_rule_does(status: int, verdict: Verdict) -> None:
    assert Judge(outbound()).verdict(answer(status, b"{not json")).verdict is verdict


def test_the_first_rule_that_fits_wins() -> None:
    judge = Judge(outbound())
    assert judge.verdict(answer(409, b'{"code": "duplicate"}')) == (
        Verdict.DONE,
        "HTTP 409 duplicate: stored by an earlier try",
    )
    assert judge.verdict(answer(409, b'{"code": "else"}')).verdict is Verdict.REJECT
    assert judge.verdict(answer(420)) == (Verdict.THROTTLE, "HTTP 420: calm down")


@given(status=st.integers(100, 999), body=st.binary(max_size=60))
def test_any_answer_has_a_verdict(status: int, body: bytes) -> None:
    judge = Judge(outbound())
    request = Encoded(events=(0, 1), body=b"")
    assert isinstance(judge.verdict(answer(status, body)).verdict, Verdict)
    assert set(judge.guilty(answer(status, body), request)) <= {0, 1}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("1.5", 1.5),
        ("0", 0),
        ("120, 60", 120),
        ("99999999999", LONGEST_PAUSE),
        ("Wed, 18 Nov 2026 11:07:20 GMT", 40),
        ("Wed, 18 Nov 2020 11:07:20 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("²", None),
        ("nan", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert pause_of(answer(headers={"retry-after": text}), NOW) == seconds


def test_no_header_no_pause() -> None:
    assert pause_of(answer(), NOW) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit-remaining": "0", "ratelimit-reset": "12"}, 12),
        ({"ratelimit-remaining": "0;w=60", "ratelimit-reset": "12;w=60"}, 12),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 30)}, 30),
        ({"ratelimit-remaining": "3", "ratelimit-reset": "12"}, None),
        ({"ratelimit-remaining": "0"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_a_used_up_quota_says_when_it_is_filled_again(headers: dict[str, str], seconds: float | None) -> None:
    assert quota_pause(answer(202, headers=headers), NOW) == seconds
