"""What an expression is to those who use it: its type, what it reads, what it gives."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import expressions
from gateway.event import Commerce, Item, Profile
from gateway.expressions import Expression, ExpressionError
from tests.strategies import json_values, money
from tests.unit.expressions.events import BARE, ORDER, event


def value(text: str, about: Any = ORDER) -> Any:
    return expressions.compile(text)(about)


def holds(text: str, about: Any = ORDER) -> bool:
    found = expressions.compile(text, wants="bool")(about)
    assert type(found) is bool
    return found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("event.name == 'a'", "bool"),
        ("event.name", "string"),
        ("event.profile.email", "wrapper(string)"),
        ("event.commerce.total", "wrapper(decimal)"),
        ("event.commerce.total * 2", "decimal"),
        ("size(event.name)", "int"),
        ("2u", "uint"),
        ("2.5", "double"),
        ("event.received_at", "timestamp"),
        ("event.occurred_at", "wrapper(timestamp)"),
        ("event.properties.x", "dyn"),
        ("event.properties", "map(string, dyn)"),
        ("event.residue", "map(string, map(string, dyn))"),
        ("event.profile.vendor_ids.acme", "string"),
        ("event.profile.push_tokens", "list(string)"),
        ("event.commerce.items.map(i, i.price)", "list(wrapper(decimal))"),
        ("event.consent[0].granted", "bool"),
        ("[1, 2.5]", "list(dyn)"),
        ("[[], [1]]", "list(list(int))"),
        ("true ? null : 1", "wrapper(int)"),
        ("null", "null_type"),
        ("{'a': 1}", "map(string, int)"),
    ],
)
def test_the_type(text: str, kind: str) -> None:
    assert expressions.compile(text).type == kind


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("true", set()),
        ("event.commerce.total >= 10 && has(event.profile.email)", {"commerce.total", "profile.email"}),
        ("event.properties.store.id == 1", {"properties.store.id"}),
        ("event.properties['two words'] == 1", {"properties.two words"}),
        ("event.commerce.items[0].sku == 'a'", {"commerce.items[].sku"}),
        ("event.commerce.items.exists(i, i.sku == 'a')", {"commerce.items", "commerce.items[].sku"}),
        ("event.properties.list.exists(i, i.id == 1)", {"properties.list", "properties.list[].id"}),
        ("event.properties[event.name] == 1", {"properties", "name"}),
        ("event.commerce.items[event.properties.n].sku == 'a'", {"commerce.items[].sku", "properties.n"}),
        ("event.name.startsWith('a') || event.kind in ['page']", {"name", "kind"}),
        ("'a' in event.properties", {"properties"}),
    ],
)
def test_what_it_reads(text: str, reads: set[str]) -> None:
    assert expressions.compile(text, wants="bool").reads == reads


def test_it_says_what_it_is() -> None:
    expression = expressions.compile("event.name == 'a'", wants="bool")
    assert isinstance(expression, Expression)
    assert (expression.text, expression.wants) == ("event.name == 'a'", "bool")
    assert repr(expression) == """Expression("event.name == 'a'", 'bool')"""
    assert expression.run(ORDER) is expression(ORDER) is False


def test_it_changes_nothing() -> None:
    before = repr(ORDER)
    assert value("event.properties.tags + ['c']") == ["a", "b", 1, "c"]
    assert value("event.properties.tags.map(t, [t])") == [["a"], ["b"], [1]]
    assert repr(ORDER) == before
    with pytest.raises((AttributeError, FrozenInstanceError)):
        expressions.compile("true").other = 1  # type: ignore[attr-defined]


def test_the_same_text_gives_the_same_results() -> None:
    text = "event.commerce.items.filter(i, i.price > 1).map(i, i.sku) == ['A-1'] && event.properties.points in [1, 3]"
    first, second = (expressions.compile(text, wants="bool") for _ in range(2))
    assert [first(ORDER), second(ORDER), first(BARE), second(BARE), first(ORDER)] == [True, True, False, False, True]
    assert (first.reads, first.type) == (second.reads, second.type)


# --- money -----------------------------------------------------------------------------------------------


def test_money_is_what_is_written() -> None:
    """10.1 is no double; a sum of doubles would be 0.30000000000000004."""
    assert holds("event.commerce.items[0].price == 10.1")
    assert holds("10.1 == event.commerce.items[0].price && event.commerce.items[0].price in [1, 10.1]")
    assert value("event.commerce.total * 0.1 + event.commerce.total") == Decimal("13.310")
    assert holds("event.commerce.tax + 0.1 + 0.2 == 0.3")


@given(money, st.integers(-(10**9), 10**9), st.sampled_from(["<", "<=", "==", "!=", ">", ">="]))
def test_money_compares_exactly_with_literals(amount: Decimal, cents: int, sign: str) -> None:
    """Whether the other number is written out, a double of the event, or a decimal of it."""
    other = Decimal(cents).scaleb(-2)
    order = {"<": amount < other, "<=": amount <= other, "==": amount == other}
    order |= {"!=": amount != other, ">": amount > other, ">=": amount >= other}
    about = event(commerce=Commerce(total=amount, tax=other), properties={"other": float(other)})
    for form in (f"{other:.2f}", "event.properties.other", "event.commerce.tax", f"double('{other}')"):
        assert holds(f"event.commerce.total {sign} {form}", about) is order[sign]
        assert holds(f"!(event.commerce.total {sign} {form})", about) is not order[sign]


@pytest.mark.parametrize(
    ("total", "text", "expected"),
    [
        ("12.9", "int(event.commerce.total)", 12),
        ("-12.9", "int(event.commerce.total)", -12),
        ("1E+999999", "int(event.commerce.total)", None),
        ("1E+999999", "uint(event.commerce.total)", None),
        ("1E+999999", "double(event.commerce.total)", None),
        ("1E+999999", "string(event.commerce.total)", "1E+999999"),
        ("1E+999999", "event.commerce.total * event.commerce.total", None),
        ("NaN", "event.commerce.total > 1", None),
        ("NaN", "event.commerce.total == 1", False),
        ("NaN", "int(event.commerce.total)", None),
        ("NaN", "event.commerce.total + 1", None),
        ("Infinity", "int(event.commerce.total)", None),
        ("12.10", "string(event.commerce.total)", "12.10"),
        ("12.10", "-event.commerce.total", Decimal("-12.10")),
        ("12.10", "event.commerce.total / 0", None),
        ("1", "event.commerce.total / 3", Decimal("0.3333333333333333333333333333")),
        ("12.10", "event.commerce.total - event.properties.missing", None),
        ("12.10", "double(event.commerce.total)", 12.1),
    ],
)
def test_arithmetic_of_money(total: str, text: str, expected: Any) -> None:
    found = value(text, event(commerce=Commerce(total=Decimal(total))))
    assert (type(found), found) == (type(expected), expected)


# --- what is not there -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "event.commerce.total == null",
        "event.commerce.total != 10",
        "!has(event.commerce)",
        "!has(event.commerce.items)",
        "size(event.commerce.items) == 0",
        "!has(event.context)",
        "!has(event.profile)",
        "!has(event.context.device)",
        "!has(event.context.device.type)",
        "event.context.device.type == null",
        "event.profile.location.latitude == null",
        "has(event.source) && has(event.id)",
        "event.profile.vendor_ids == {}",
        "event.commerce.items.all(i, i.price > 1)",
        "!('a' in event.properties)",
        "!(event.profile.email in ['a'])",
        "!(event.commerce.coupon in event.properties) || true",
        "event.properties.a == 1 ? false : true || true",
    ],
)
def test_of_an_event_with_nothing_in_it(text: str) -> None:
    if "? false" in text:
        assert not holds(text, BARE)
    else:
        assert holds(text, BARE)


@pytest.mark.parametrize(
    "text",
    [
        "event.properties.nothing.x",
        "event.properties.store.x",
        "event.properties.points.x",
        "event.properties.tags.x",
        "event.properties.address['zip']",
        "event.properties.address.codes[2]",
        "event.properties.address.codes[-1]",
        "event.properties.address.codes[0.5]",
        "event.properties.tags['a']",
        "event.commerce.items[2].sku",
        "event.commerce.items[2].price * 2",
        "event.commerce.items[2].categories",
        "event.profile.vendor_ids.other",
        "event.residue.other.flag",
        "event.profile.traits.tier + 1",
        "event.properties.vip + 1",
        "event.properties.points + 1.0",
        "event.properties.tags.all(t, t < 'z')",
        "event.properties.store.exists(c, true)",
        "event.properties.address.exists(c, true)",
        "event.properties.tags.map(t, t + 'x')",
        "event.properties.store in event.properties.points",
        "event.properties.nothing in event.properties.address",
        "has(event.properties.store.x)",
        "size(event.properties.points)",
        "event.properties.points.startsWith('a')",
        "event.properties.points.matches('a')",
        "timestamp(event.properties.store)",
        "timestamp(event.properties.zero / 0)",
        "event.properties.points.getHours()",
        "event.properties.store ? 1 : 2",
        "-event.properties.store",
        "event.occurred_at + duration(event.properties.store)",
        "[event.properties.missing]",
        "{'a': event.properties.missing}",
        "event.properties.missing in [1]",
        "event.properties.missing == event.properties.missing",
        "event.properties.missing == null",
        "event.commerce.items.all(i, i.properties.gift)",
    ],
)
def test_what_has_no_value(text: str) -> None:
    assert value(text) is None
    try:
        condition = expressions.compile(text, wants="bool")
    except ExpressionError:
        return
    assert condition(ORDER) is False
    assert holds(f"!({text})") is False
    assert holds(f"({text}) || true") is True
    assert holds(f"!(({text}) && false)") is True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.properties.one == 1 && !(event.properties.vip == 1)", True),
        ("event.properties.zero == 0 && !(event.properties.vip == 0)", True),
        ("1 in [event.properties.vip]", False),
        ("event.properties.vip == true && event.properties.vip in [true]", True),
        ("event.properties.tags == ['a', 'b', 1.0]", True),
        ("event.properties.tags != ['a', 'b', true]", True),
        ("event.properties.address == {'codes': [1, 2], 'city': 'Kyiv'}", True),
        ("event.properties.nothing == null && event.properties.store != null", True),
        ("event.properties.empty == '' && has(event.properties.empty)", True),
        ("timestamp(event.properties.when) < event.received_at", True),
        ("event.received_at - timestamp(event.properties.when) > duration('24h')", True),
        ("event.occurred_at == timestamp('2026-11-21T12:00:00Z')", True),
        ("event.kind in ['track', 'page'] && event.source.vendor == 'acme'", True),
        ("event.profile.vendor_ids['acme'] == 'a-1'", True),
        ("event.residue.acme.flag", True),
        ("event.consent.exists(c, c.channel == 'email' && c.granted)", True),
        ("event.consent.all(c, c.granted)", False),
        ("event.commerce.items.exists(i, i.categories.exists(c, c == 'sale'))", True),
        ("event.commerce.items.exists(i, i.properties.gift)", True),
        ("event.commerce.items.exists_one(i, has(i.properties.gift))", True),
        ("event.commerce.items.map(i, i.quantity)[1] == 2", True),
        ("event.context.page.path.matches('^/(cart|checkout)$')", True),
        ("event.properties.tags.filter(t, t == 'a' || t == 1).size() == 2", True),
        ("event.properties.points / 2 == 1 && event.properties.weight / 2.0 == 5.25", True),
        ("string(event.properties.points) + event.properties.store == '3eu-1'", True),
    ],
)
def test_of_an_event_with_much_in_it(text: str, expected: bool) -> None:
    assert holds(text) is expected
    assert holds(f"!({text})") is not expected
    assert value(text) is expected


def test_results_are_lists_and_texts_that_json_can_say() -> None:
    assert value("event.profile.push_tokens") == ["t-1", "t-2"]
    assert value("event.commerce.items.map(i, i.sku)") == ["A-1", "B-2"]
    assert value("double('NaN')") is None
    assert value("1.0 / 0.0") is None
    assert value("event.occurred_at") == datetime(2026, 11, 21, 12, tzinfo=UTC)


@given(json_values, json_values)
def test_any_value_of_a_free_part_is_taken(one: Any, other: Any) -> None:
    """Nothing raises, whatever stands there; the net that would catch it is for what nobody has foreseen."""
    about = event(properties={"a": one, "b": other}, commerce=Commerce(items=(Item(properties={"a": one}),)))
    for text in (
        "event.properties.a == event.properties.b",
        "event.properties.a < event.properties.b || event.properties.a in event.properties.b",
        "size(event.properties.a) > 1 || event.properties.a.x == 1 || event.properties.a[0] == 1",
        "string(event.properties.a) == 'a' || int(event.properties.a) == 1 || bool(event.properties.b)",
        "event.properties.a + event.properties.b == 1 || event.properties.a * 2 > 1 || -event.properties.a < 0",
        "event.properties.a.exists(m, m == event.properties.b) || event.properties.a in ['a', 'b']",
        "timestamp(event.properties.a) < event.received_at || duration(event.properties.b) > duration('1s')",
        "event.properties.a.startsWith('a') || event.properties.a.matches('^a') || event.properties.a.trim() == ''",
        "event.commerce.items.exists(i, has(i.properties.a) && i.properties.a == event.properties.b)",
        "event.properties.a > 1 || event.properties.a >= 2.5 || event.properties.a < 'x'",
    ):
        assert type(expressions.compile(text, wants="bool")(about)) is bool


def test_equality_is_no_order_of_its_sides() -> None:
    about = event(profile=Profile(email="a"), properties={"x": "a", "n": 1})
    for left, right in (("event.profile.email", "'a'"), ("event.properties.x", "'a'"), ("event.properties.n", "1")):
        assert holds(f"{left} == {right} && {right} == {left}", about)
        assert not holds(f"{left} != {right} || {right} != {left}", about)
