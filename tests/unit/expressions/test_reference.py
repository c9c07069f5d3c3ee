"""Expressions made at random, over events made at random: ours and CEL's own implementation agree.

Where we differ on purpose (``docs/expressions.md``, "Differences from CEL"), an expression is given to the reference in
the words that mean the same there.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from gateway.event import Commerce, Event, Item, Profile
from gateway.expressions import ExpressionError
from gateway.expressions.checker import check
from gateway.expressions.parser import parse
from gateway.expressions.writer import write
from tests.strategies import money
from tests.unit.expressions.events import event
from tests.unit.expressions.reference import comparable, evaluate


class Pair(NamedTuple):
    """An expression, and what the reference is asked."""

    ours: str
    theirs: str


Pairs = SearchStrategy[Pair]


def said(*texts: str) -> Pairs:
    return st.sampled_from([Pair(text, text) for text in texts])


def joined(form: str, *parts: Pairs) -> Pairs:
    """Return expressions of a form, in which {0}, {1}, … stand for parts."""
    return st.tuples(*parts).map(
        lambda pairs: Pair(form.format(*(p.ours for p in pairs)), form.format(*(p.theirs for p in pairs)))
    )


def any_of(*strategies: Pairs) -> Pairs:
    return st.one_of(*strategies)


ABSENT_KEYS = ("missing", "nothing", "number", "ratio", "text", "flag", "list", "object")

numbers = said("0", "1", "2", "-3", "7", "9223372036854775807", "-9223372036854775808", "0x10")
ratios = said("0.0", "1.0", "2.5", "-0.5", "1e300", ".25")
amounts = said("event.commerce.total", "event.commerce.tax", "event.commerce.items[0].price")
texts = said(
    "''", "'a'", "'ab'", "'Ω'", "event.name", "event.profile.email", "event.profile.phone", r"'a\n'", "r'a\\n'"
)
anythings = said(
    *(f"event.properties.{key}" for key in ABSENT_KEYS),
    "event.properties.object.text", "event.properties.missing.text", "event.properties.list[0]",
    "event.properties['text']", "event.properties.list[event.properties.number]", "event.profile.traits.number",
)  # fmt: skip
presences = st.sampled_from(
    [Pair(f"has(event.{p})", f"(event.{p} != null)") for p in ("profile.email", "profile.phone", "commerce.total")]
    + [
        Pair(f"has(event.{p})", f"(has(event.{p}) && event.{p} != null)")
        for p in (*(f"properties.{key}" for key in ABSENT_KEYS), "properties.object.text", "properties.missing.text")
    ]
)


def ints(depth: int) -> Pairs:
    if depth == 0:
        return numbers
    inner = ints(depth - 1)
    return any_of(
        numbers,
        *(joined(f"({{0}} {sign} {{1}})", inner, inner | anythings) for sign in "+-*/%"),
        joined("-({0})", inner | anythings),
        joined("size({0})", strings(depth - 1) | anythings | lists(depth - 1)),
        joined("int({0})", doubles(depth - 1) | inner | said("event.properties.amount")),
        joined("({0} ? {1} : {2})", conditions(depth - 1), inner, inner),
    )


def doubles(depth: int) -> Pairs:
    if depth == 0:
        return ratios
    inner = doubles(depth - 1)
    return any_of(
        ratios,
        *(joined(f"({{0}} {sign} {{1}})", inner, inner | anythings) for sign in "+-*/"),
        joined("double({0})", ints(depth - 1) | said("event.properties.amount")),
        joined("-({0})", inner),
    )


def strings(depth: int) -> Pairs:
    if depth == 0:
        return texts
    inner = strings(depth - 1)
    return any_of(
        texts,
        joined("({0} + {1})", inner, inner | anythings),
        joined("string({0})", ints(depth - 1) | conditions(depth - 1)),
        joined("({0} ? {1} : {2})", conditions(depth - 1), inner, inner),
    )


def lists(depth: int) -> Pairs:
    inner = values(depth - 1) if depth else any_of(numbers, texts)
    return any_of(
        said("event.properties.list", "event.profile.push_tokens", "[]"),
        joined("[{0}]", inner),
        joined("[{0}, {1}]", inner, inner),
        joined("[{0}].map(m, [m, {1}])", inner, inner),
        joined("event.commerce.items.map(i, i.sku)"),
        joined("[1, 2, 3].map(m, m > 1, m * {0})", ints(0) | anythings),
        joined("{0}.filter(m, m == {1})", said("event.properties.list"), inner),
    )


def values(depth: int) -> Pairs:
    return any_of(
        anythings, ints(depth), doubles(depth), strings(depth), conditions(depth), said("null"),
        *([lists(depth - 1)] if depth else []),
    )  # fmt: skip


def conditions(depth: int) -> Pairs:
    simple = any_of(
        said("true", "false"),
        presences,
        *(joined(f"({{0}} {sign} {{1}})", any_of(amounts, numbers, anythings), any_of(numbers, ratios, amounts))
          for sign in ("<", "<=", ">", ">=", "==", "!=")),
    )  # fmt: skip
    if depth == 0:
        return simple
    inner = conditions(depth - 1)
    value = values(depth - 1)
    member = any_of(anythings, strings(0), numbers)
    tested = joined("m == {0}", value) | joined("m < {0}", value) | joined("(m == 1 || {0})", inner)
    return any_of(
        simple,
        anythings,
        joined("({0} && {1})", inner, inner | anythings),
        joined("({0} || {1})", inner, inner | anythings),
        joined("({0} && {1} && {2})", inner, inner, inner),
        joined("!({0})", inner),
        joined("({0} ? {1} : {2})", inner | anythings, inner, inner),
        *(joined(f"({{0}} {sign} {{1}})", value, value) for sign in ("<", "<=", ">", ">=", "==", "!=")),
        joined("({0} in {1})", member, lists(0) | anythings),
        joined("({0} in ['a', 'ab'])", member),
        joined("({0} in event.properties)", strings(0)),
        *(joined(f"{{0}}.{name}({{1}})", strings(depth - 1) | anythings, strings(0) | anythings)
          for name in ("startsWith", "endsWith", "contains")),
        *(joined(f"{{0}}.{macro}(m, {{1}})", lists(0), tested) for macro in ("all", "exists", "exists_one")),
        joined("event.commerce.items.exists(i, i.price > {0})", numbers | anythings),
        joined("event.commerce.items.all(i, i.sku == {0} || {1})", strings(0), inner),
    )  # fmt: skip


scalars = st.none() | st.booleans() | st.sampled_from([0, 1, 2, 3, -1, 0.0, 1.0, 2.5, "", "a", "ab", 10**12])
properties = st.fixed_dictionaries(
    {},
    optional={
        "nothing": st.none(),
        "number": st.integers(-3, 3) | scalars,
        "ratio": st.sampled_from([0.5, 1.0, 2.5]) | scalars,
        "text": st.sampled_from(["", "a", "ab"]) | scalars,
        "amount": st.sampled_from([None, 1, -2.5, 1e30, "7", "x", "1.5", "-0", "1_0", "", [], 2**62]),
        "flag": st.booleans() | scalars,
        "list": st.lists(scalars | st.lists(scalars, max_size=2), max_size=3) | scalars,
        "object": st.fixed_dictionaries({}, optional={"text": scalars}) | scalars,
    },
)
maybe_text = st.none() | st.sampled_from(["a", "ab", "a@example.com"])
items = st.builds(Item, sku=maybe_text, price=st.none() | money)
events: SearchStrategy[Event] = st.builds(
    event,
    name=st.sampled_from(["a", "Order Completed"]),
    profile=st.builds(Profile, email=maybe_text, phone=maybe_text, push_tokens=st.sampled_from([(), ("a", "b")])),
    commerce=st.none() | st.builds(Commerce, total=st.none() | money, items=st.lists(items, max_size=2).map(tuple)),
    properties=properties,
)


def ours(text: str, wants: str) -> Callable[[Event], Any]:
    """Return the function of an expression; one that does not catch what nobody has foreseen."""
    return write(check(parse(text), wants), wants, guarded=False)


MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(values(2), events)
@example(Pair("event.properties.flag && false", "event.properties.flag && false"), event())
def test_values_are_those_of_the_reference(pair: Pair, given_event: Event) -> None:
    try:
        run = ours(pair.ours, "any")
    except ExpressionError:
        return
    assert_same(comparable(run(given_event)), evaluate(pair.theirs, given_event))


@MANY
@given(conditions(3), events)
def test_conditions_are_those_of_the_reference(pair: Pair, given_event: Event) -> None:
    try:
        run = ours(pair.ours, "bool")
    except ExpressionError:
        return
    result = run(given_event)
    assert type(result) is bool
    assert result == (evaluate(pair.theirs, given_event) is True)


def assert_same(mine: Any, theirs: Any) -> None:
    assert (type(mine), mine) == (type(theirs), theirs)
