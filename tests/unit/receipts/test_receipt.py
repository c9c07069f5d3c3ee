"""What is kept of an attempt: cut, without secrets, and found by its events."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapter import Answer, Verdict
from gateway.ids import uuid7
from gateway.receipts.kept import position
from gateway.receipts.receipt import (
    ANSWER_BYTES,
    WHOLE_BYTES,
    Brief,
    Ended,
    ids_of,
    kept_attempt,
    kept_end,
    key_of,
    keys_of,
)
from tests.unit.receipts.making import SECRET, attempt


def test_a_request_that_was_taken() -> None:
    ids = (uuid7(), uuid7())
    assert msgspec.structs.asdict(kept_attempt(1_700_000_000.5, attempt(*ids), 100)) == {
        "at": 1_700_000_000_500,
        "target": "crm",
        "endpoint": "events",
        "status": 202,
        "verdict": "done",
        "why": "HTTP 202",
        "attempt": 1,
        "us": 250_000,
        "events": keys_of(ids),
        "method": "POST",
        "path": "/api/events",
        "request_bytes": 7,
        "request": b'{"a":1}',
        "headers": b'{"x-request-id":"r-1"}',
        "answer_bytes": 2,
        "answer": b"ok",
    }


def test_of_a_failure_more_is_kept_but_no_cookies() -> None:
    answer = Answer(500, {"date": "today", "set-cookie": "session=1"}, b"x" * (ANSWER_BYTES + 1))
    failed = attempt(uuid7(), verdict=Verdict.RETRY, body=b"b" * 5_000, answer=answer)
    kept = kept_attempt(0.0, failed, 100)
    assert (kept.headers, kept.request_bytes, len(kept.request or b"")) == (b'{"date":"today"}', 5_000, 5_000)
    assert (kept.answer_bytes, len(kept.answer or b"")) == (ANSWER_BYTES + 1, ANSWER_BYTES)
    huge = attempt(uuid7(), verdict=Verdict.REJECT, body=b"b" * (WHOLE_BYTES + 9_000))
    assert len(kept_attempt(0.0, huge, 100).request or b"") == WHOLE_BYTES


def test_nothing_sent_no_answer_and_no_texts() -> None:
    unsent = kept_attempt(0.0, attempt(uuid7(), body=None, verdict=Verdict.HOLD), 100)
    assert (unsent.request, unsent.request_bytes, unsent.path) == (None, None, "/api/events")
    silent = kept_attempt(0.0, attempt(uuid7(), answer=None, status=None, verdict=Verdict.RETRY), 100)
    assert (silent.answer, silent.answer_bytes, silent.headers) == (None, None, None)
    brief = kept_attempt(0.0, Brief.of(attempt(uuid7())), 100)
    assert (brief.method, brief.path, brief.request, brief.answer) == ("POST", None, None, None)


def test_an_end_without_a_request() -> None:
    number = uuid7()
    kept = kept_end(1.0, Ended("crm", number, "dropped", "no permission"))
    assert (kept.verdict, kept.why, kept.method, kept.events) == (
        *("dropped", "no permission", None),
        key_of(number),
    )


def test_secrets_are_nowhere() -> None:
    text = SECRET.decode()
    answer = Answer(400, {"x-echo": text}, b"you said " + SECRET)
    told = attempt(uuid7(), verdict=Verdict.REJECT, path=f"/api?key={text}", body=b'"' + SECRET + b'"', answer=answer)
    assert SECRET not in msgspec.msgpack.encode(kept_attempt(0.0, told, 100))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(0, 40), st.integers(0, 400))
def test_a_cut_never_leaves_the_beginning_of_a_secret(before: int, secrets: int, after: int) -> None:
    limit = 100
    body = b"." * before + SECRET * secrets + b"." * after + SECRET * 2_000
    kept = kept_attempt(0.0, attempt(uuid7(), body=body), limit).request
    assert kept is not None
    assert len(kept) <= limit
    assert b"pk" not in kept
    assert set(kept) <= set(b".*")


@given(st.lists(st.one_of(st.uuids().map(str), st.text(max_size=40)), max_size=6))
def test_every_event_of_a_request_is_found(ids: list[str]) -> None:
    keys = keys_of(ids)
    assert len(keys) == 16 * len(ids)
    for id_ in ids:
        found = position(keys, key_of(id_))
        assert found is not None
        assert key_of(ids[found - 1]) == key_of(id_)


def test_uuids_come_back() -> None:
    ids = [uuid7() for _ in range(3)]
    assert ids_of(keys_of(ids)) == ids


@pytest.mark.parametrize("ids", [("x" * 35, "y" * 37), ("0" * 36,), ("",)])
def test_ids_of_another_form_have_keys_of_their_own(ids: tuple[str, ...]) -> None:
    assert keys_of(ids) == b"".join(map(key_of, ids))
