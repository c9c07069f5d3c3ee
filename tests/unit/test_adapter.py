"""The helpers that adapters are given."""

import hmac
import re
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway import adapter as port
from gateway.adapter import (
    Reply,
    Request,
    chunk,
    derive_uuid,
    json_bytes,
    losses_below,
    matches_any,
    nesting_bound,
    nests_deeper,
    non_space,
    parse_time,
    parse_unix,
    reply,
)
from gateway.event import leaf_paths
from tests import strategies
from tests.contract.adapter_cases import everyone, request

EXPORTED = {
    "Adapter", "Answer", "Auth", "CredentialName", "Decoded", "EncodeError", "Encoded", "Event", "Inbound", "Lifted",
    "Limit",
    "Login", "Loss",
    "Once", "Outbound", "People", "Quota", "Refusal", "RefusalKind", "Rejected", "Reply", "Request", "Rule",
    "Settings", "Shape", "ToldElsewhere", "Verdict", "Vocabulary", "Window", "chunk",
    "default_options", "derive_uuid", "json_bytes", "load_vocabulary", "losses_below", "losses_of",
    "matches_any", "nesting_bound", "nests_deeper", "non_space", "parse_time", "parse_unix", "reply",
}  # fmt: skip


def test_the_ports_names_are_a_promise() -> None:
    """Third parties import these; taking one away breaks them."""
    assert set(port.__all__) == EXPORTED
    assert sorted(port.__all__) == list(port.__all__)
    assert all(hasattr(port, name) for name in port.__all__)


# --- losses ----------------------------------------------------------------------------------------------


@given(strategies.json_values)
def test_every_leaf_of_what_is_dropped_is_lost_once(tree: Any) -> None:
    told = losses_below(tree, "residue.acme", "Only acme knows it.", 3)
    assert [loss.path for loss in told] == leaf_paths(tree, "residue.acme")
    assert {(loss.event, loss.outcome, loss.reason) for loss in told} == {(3, "dropped", "Only acme knows it.")}


@pytest.mark.parametrize("names", [30, 100])
@pytest.mark.parametrize("letters", [1, 2_000])
def test_losses_below_many_or_long_names_are_told_as_well(names: int, letters: int) -> None:
    tree = {f"{index:x>{letters}}": index for index in range(names)}
    for _ in range(2):
        assert [loss.path for loss in losses_below(tree, "a", "why")] == leaf_paths(tree, "a")


# --- text ------------------------------------------------------------------------------------------------


def test_no_space_is_what_a_pattern_takes_for_none() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    assert re.findall(non_space(), every) == re.findall(r"\S", every)
    assert re.findall(non_space(r"a\]"), every) == re.findall(r"[^\sa\]]", every)


@given(strategies.json_values)
def test_json_is_nested_no_deeper_than_its_bound(tree: Any) -> None:
    assert _depth(tree) <= nesting_bound(json_bytes(tree))


@given(strategies.json_values, st.integers(0, 6))
def test_json_nests_deeper_than_any_level_above_its_own(tree: Any, depth: int) -> None:
    assert nests_deeper(tree, depth) == (_depth(tree) > depth)


def _depth(tree: Any) -> int:
    if not isinstance(tree, (dict, list)):
        return 0
    return 1 + max((_depth(inner) for inner in (tree.values() if isinstance(tree, dict) else tree)), default=0)


# --- chunk -----------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=30), max_size=30), st.integers(1, 8), st.integers(1, 90), st.integers(0, 20))
def test_chunks_are_within_the_limits_and_lose_nothing(
    parts: list[bytes], max_events: int, max_body: int, frame: int
) -> None:
    ranges = chunk(parts, max_events=max_events, max_body=max_body, frame=frame)
    assert [index for found in ranges for index in found] == list(range(len(parts)))
    for found in ranges:
        size = frame + sum(len(parts[index]) + 1 for index in found)
        assert 0 < len(found) <= max_events
        assert size <= max_body or len(found) == 1


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=30), st.integers(1, 8), st.integers(1, 90))
def test_chunks_are_as_few_as_order_allows(parts: list[bytes], max_events: int, max_body: int) -> None:
    ranges = chunk(parts, max_events=max_events, max_body=max_body, frame=2)
    for one, other in pairwise(ranges):
        joined = 2 + sum(len(parts[index]) + 1 for index in (*one, other.start))
        assert len(one) == max_events or joined > max_body


# --- ids, times, numbers ---------------------------------------------------------------------------------


def test_a_derived_uuid_is_the_same_everywhere_and_always() -> None:
    assert derive_uuid("a", "b") == "d4d84464-6704-59d6-aec2-42f570bcd6a0"


@given(st.lists(st.text("ab\x00é", max_size=3), min_size=1, max_size=3))
def test_a_derived_uuid_is_one(parts: list[str]) -> None:
    assert uuid.UUID(derive_uuid(*parts)).version == 5
    assert derive_uuid(*parts) != derive_uuid(*parts, "more")


TIMES = [
    ("2026-03-04T17:22:09Z", datetime(2026, 3, 4, 17, 22, 9, tzinfo=UTC)),
    ("2026-03-04 17:22:09", datetime(2026, 3, 4, 17, 22, 9, tzinfo=UTC)),
    ("2026-03-04T17:22:09+0000", datetime(2026, 3, 4, 17, 22, 9, tzinfo=UTC)),
    ("2026-03-04T17:22:09.481+01:00", datetime(2026, 3, 4, 16, 22, 9, 481000, tzinfo=UTC)),
    ("20260304T172209Z", datetime(2026, 3, 4, 17, 22, 9, tzinfo=UTC)),
    ("2026-03-04", datetime(2026, 3, 4, tzinfo=UTC)),
    ("0001-01-01T00:00:00+14:00", None),
    ("9999-12-31T23:59:59-14:00", None),
    ("04/03/2026", None),
    ("1772644929", None),
    ("yesterday", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_times_are_read_in_every_iso_spelling(text: str, expected: datetime | None) -> None:
    assert parse_time(text) == expected


@given(strategies.times, st.integers(-14, 14))
def test_a_time_is_read_back_whatever_its_offset(moment: datetime, hours: int) -> None:
    assume(1 < moment.year < 9999)
    local = moment.astimezone(timezone(timedelta(hours=hours)))
    assert parse_time(local.isoformat()) == moment
    assert parse_time(local.isoformat(" ")) == moment


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = parse_time(text)
    assert found is None or found.utcoffset() == timedelta(0)


@given(st.floats() | st.integers())
def test_any_number_is_a_moment_or_none(seconds: float) -> None:
    found = parse_unix(seconds)
    assert found is None or found.tzinfo is UTC


def test_unix_seconds_are_utc() -> None:
    assert parse_unix(1772644929.5) == datetime(2026, 3, 4, 17, 22, 9, 500000, tzinfo=UTC)


def test_money_is_written_as_a_number_with_its_digits() -> None:
    assert json_bytes({"total": Decimal("12.10")}) == b'{"total":12.10}'


# --- requests, answers, credentials ----------------------------------------------------------------------


def _request(headers: dict[str, str]) -> Request:
    return request(everyone()["acme"], {"method": "GET", "path": "/", "headers": headers})


def test_headers_are_found_by_their_lower_case_name() -> None:
    asked = _request({"X-Acme-Key": "k", "Accept": "*/*"})
    assert asked.header(b"accept") == "*/*"
    assert asked.header(b"nothing") is None


def test_an_answer_is_made_of_text() -> None:
    made = reply(202, "tā", "text/plain", {"Retry-After": "1"})
    assert made == Reply(202, ((b"Content-Type", b"text/plain"), (b"Retry-After", b"1")), "tā".encode())
    assert reply(204) == Reply(204)


@pytest.mark.parametrize(
    ("presented", "expected"),
    [("k1", True), ("k2", True), ("k3", False), ("", False), ("k", False), ("k1 ", False), ("\ud800", False)],
)
def test_a_matcher_takes_any_of_its_credentials(presented: str, expected: bool) -> None:
    account = {"key": "k1", "other_key": "k2", "unrelated": "k3"}
    assert matches_any("key", "other_key", "missing")(presented, account) is expected


@given(st.text(max_size=5))
def test_no_text_breaks_a_matcher(presented: str) -> None:
    assert matches_any("key")(presented, {"key": "secret"}) is False


def test_all_credentials_are_compared_in_constant_time() -> None:
    """A hit ends nothing early: how long it takes does not tell which credential was near."""
    compare: Callable[..., bool] = hmac.compare_digest
    with mock.patch.object(hmac, "compare_digest", side_effect=compare) as compared:
        assert matches_any("a", "b", "c")("1", {"a": "1", "b": "2", "c": "3"})
    assert compared.call_count == 3
