"""Where an expected value and a found one differ."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rehearsal.comparing import Unlike, changes, differences

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}),
        ({"a": Decimal("12.10")}, {"a": 12.1}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": None}, {}),
        ({"a": None}, {"a": {}}),
        ({"a": []}, {"a": [1]}),
        ({"a": [{"b": 1}]}, {"a": ({"b": 1, "c": 2}, {"b": 3})}),
        ({"a": NOON}, {"a": NOON.astimezone(timezone(timedelta(hours=2)))}),
    ],
)
def test_only_what_is_named_is_compared(expected: Any, found: Any) -> None:
    assert list(differences(expected, found)) == []


@pytest.mark.parametrize(
    ("expected", "found", "unlike"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, Unlike("a.b", 1, 2)),
        ({"a": {"b": 1}}, {}, Unlike("a.b", 1, None)),
        ({"a": None}, {"a": {"b": 1}}, Unlike("a", None, {"b": 1})),
        ({"a": [1, 2]}, {"a": [1]}, Unlike("a[1]", 2, None)),
        ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}, Unlike("a[0].b", "x", "y")),
        ({"a": {"b": 1}}, {"a": "text"}, Unlike("a", {"b": 1}, "text")),
        ({"a": True}, {"a": 1}, Unlike("a", True, 1)),
        ({"a": "1"}, {"a": 1}, Unlike("a", "1", 1)),
    ],
)
def test_a_difference_has_its_path(expected: Any, found: Any, unlike: Unlike) -> None:
    assert list(differences(expected, found)) == [unlike]


@pytest.mark.parametrize(
    ("expected", "found", "path"),
    [({}, {"a": 1}, "a"), ({"a": [1]}, {"a": [1, 2]}, "a[1]"), ({"a": {}}, {"a": {"b": 1}}, "a.b")],
)
def test_whole_means_that_nothing_else_is_there(expected: Any, found: Any, path: str) -> None:
    assert [unlike.path for unlike in differences(expected, found, whole=True)] == [path]


_leaves = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=2))
_values = st.dictionaries(
    st.text("ab", min_size=1, max_size=2),
    st.recursive(
        _leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3)
    ),
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(_values, _values)
def test_what_is_the_same_differs_nowhere(one: Any, other: Any) -> None:
    assert list(differences(one, one)) == list(differences(one, one, whole=True)) == list(changes(one, one)) == []
    if list(differences(one, other)):
        assert list(differences(one, other, whole=True))


def test_changes_are_leaves_in_the_order_of_what_was() -> None:
    before, after = {"a": {"x": 1, "y": 2}, "b": [1]}, {"c": "new", "a": {"y": 3, "x": 1}}
    assert list(changes(before, after)) == [Unlike("a.y", 2, 3), Unlike("b[0]", 1, None), Unlike("c", None, "new")]
