"""Moments as people write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UsageError
from gateway.migration import moment

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-21", "2026-11-21T00:00:00+00:00"),
        ("2026-11-21T09:30", "2026-11-21T09:30:00+00:00"),
        ("2026-11-21T09:30:00.5Z", "2026-11-21T09:30:00.500000+00:00"),
        ("2026-11-21T09:30+02:00", "2026-11-21T07:30:00+00:00"),
        ("90s", "2026-11-21T11:58:30+00:00"),
        ("2h", "2026-11-21T10:00:00+00:00"),
        ("7d", "2026-11-14T12:00:00+00:00"),
    ],
)
def test_what_is_meant(text: str, meant: str) -> None:
    assert moment(text, NOW).isoformat() == meant


@given(
    st.text() | st.from_regex(r"\d{1,8}[smhdw]", fullmatch=True) | st.sampled_from(["yesterday", "0001-01-01", "²h"])
)
def test_anything_else_is_one_clear_message(text: str) -> None:
    try:
        assert moment(text, NOW).tzinfo is UTC
    except UsageError as error:
        assert "is no moment" in str(error)  # noqa: PT017  # either is right
