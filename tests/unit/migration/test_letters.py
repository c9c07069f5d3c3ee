"""Dead letters as lines: whole, without secrets, and the same again."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import UsageError
from gateway.event import Event, Origin, dump
from gateway.log.port import DeadLetter
from gateway.migration import from_lines, to_line

KEY = 'k"ey-\\0123'


def event(**more: Any) -> Event:
    source = Origin(name="shop", vendor="made_up", endpoint="in")
    received = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    return Event(id="e1", kind="track", name="Order Completed", received_at=received, source=source, **more)


def letter(body: bytes, **more: Any) -> DeadLetter:
    given: dict[str, Any] = {
        "target": "crm", "seq": 7, "event_id": "e1", "rule": "all", "body": body, "reason": "refused", "attempts": 2,
        "died_at": datetime(2026, 11, 21, 12, tzinfo=UTC), "lane": "ann",
    }  # fmt: skip
    return DeadLetter(**{**given, **more})


def back(line: bytes) -> DeadLetter:
    (found,) = from_lines([line], "letters.jsonl")
    return found


texts = st.none() | st.binary(max_size=30) | st.text(max_size=30).map(str.encode)


@settings(max_examples=200)
@given(request=texts, answer=texts, properties=st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3))
def test_a_letter_comes_back_as_it_was(request: bytes | None, answer: bytes | None, properties: dict[str, str]) -> None:
    one = letter(dump(event(properties=properties)), request=request, answer=answer, status=400, endpoint="events")
    line = to_line(one, ["a-secret-that-is-nowhere"])
    assert line.count(b"\n") == 1
    assert back(line) == one


@given(body=st.binary(max_size=60), reason=st.text(max_size=20))
def test_a_letter_without_an_event_comes_back_too(body: bytes, reason: str) -> None:
    one = letter(body, event_id="", reason=reason)
    assert back(to_line(one, [KEY])) == one


def test_secrets_are_nowhere_in_a_letter_without_an_event() -> None:
    assert back(to_line(letter(f"no event, but {KEY}".encode(), event_id=""), [KEY])).body == b"no event, but ***"


def test_secrets_are_nowhere_in_a_line() -> None:
    escaped = msgspec.json.encode(KEY)
    one = letter(
        dump(event(properties={"told": [f"my key is {KEY}"], "plain": "x"})),
        request=b'{"key": %s, "plain": 1}' % escaped,
        answer=f"the key {KEY} is wrong".encode() + b"\xff",
        reason=f"refused {KEY}",
    )
    line = to_line(one, [KEY, "x"])
    found = back(line)
    for text in (line, found.request or b"", found.answer or b"", found.body):
        assert KEY.encode() not in text
        assert escaped[1:-1] not in text
    assert found.request == b'{"key": "***", "plain": 1}'
    assert msgspec.json.decode(found.body)["properties"] == {"told": ["my key is ***"], "plain": "x"}
    assert found.reason == "refused ***"


GOOD = to_line(letter(dump(event())), [])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "line 2: no dead letter"),
        (b"[]", "line 2: no dead letter"),
        (b"\xff", "line 2: no dead letter"),
        (GOOD.replace(b'"target":"crm",', b""), "`target`"),
        (GOOD.replace(b'"dead_letter":1', b'"dead_letter":2'), "its form is 2, and this gateway knows 1"),
        (GOOD.replace(b'"target"', b'"tarjet"'), "tarjet"),
        (GOOD.replace(b'"event_id":"e1"', b'"event_id":"e2"'), "its event is e1, not e2"),
        (GOOD.replace(b'"kind":"track"', b'"kind":"fax"'), "fax"),
        (GOOD.replace(b'"event":', b'"event_bytes":null,"answer":null,"request":'), "no dead letter"),
        (GOOD.replace(b"12:00:00Z", b"12:00:00"), "no time zone"),
        (b'{"dead_letter":1,"target":' + b"[" * 100_000, "no dead letter"),
    ],
)
def test_a_wrong_line_is_named(line: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=r"letters\.jsonl, line 2: no dead letter") as caught:
        list(from_lines([GOOD, line], "letters.jsonl"))
    assert said in str(caught.value)


def test_empty_lines_are_left_out() -> None:
    assert len(list(from_lines([b"\n", GOOD, b"  \n", b""], "letters.jsonl"))) == 1
