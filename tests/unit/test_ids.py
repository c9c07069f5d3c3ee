"""Ids are unique, of their documented form, and an event's are in time order."""

import time
import uuid
from unittest import mock

from gateway.ids import request_id, uuid7


def test_event_ids_are_uuid7_in_order_even_within_a_millisecond() -> None:
    ids = [uuid7() for _ in range(20_000)]
    assert ids == sorted(set(ids))
    parsed = uuid.UUID(ids[-1])
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert abs((parsed.int >> 80) - time.time_ns() // 1_000_000) < 60_000


def test_a_clock_that_goes_back_does_not_break_the_order() -> None:
    before = uuid7()
    with mock.patch("time.time_ns", return_value=time.time_ns() - 10**12):
        assert uuid7() > before


def test_request_ids_are_uuid4_in_form_and_unique() -> None:
    ids = {request_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert {uuid.UUID(number).version for number in ids} == {4}
