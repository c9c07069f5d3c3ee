"""What an expression cannot do, however it is written and whatever the event."""

import builtins
import gc
import sys
import types
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import expressions
from gateway.event import Commerce, Event, Item
from gateway.expressions import ExpressionError, Wants
from gateway.expressions.checker import check
from gateway.expressions.loops import CHARACTERS_PER_TURN, MOST_TURNS
from gateway.expressions.parser import LONGEST, parse
from gateway.expressions.tree import DEEPEST, MOST_NODES
from gateway.expressions.values import LONGEST_TEXT
from gateway.expressions.writer import write
from tests.unit.expressions.events import BARE, ORDER, event


def refused(text: str, wants: Wants = "any") -> str:
    with pytest.raises(ExpressionError) as caught:
        expressions.compile(text, wants=wants)
    within(caught.value, text)
    return caught.value.message


def within(error: ExpressionError, text: str) -> None:
    assert 0 <= error.offset <= error.offset + error.length <= len(text)


# --- nothing else is reached -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["__import__", "open", "eval", "exec", "type", "len", "getattr", "print", "Work", "c0"]
)
def test_no_name_of_python_is_known(name: str) -> None:
    assert "unknown name" in refused(name)
    assert "unknown function" in refused(f"{name}('os')")


@pytest.mark.parametrize(
    "text",
    [
        "event.__class__",
        "event.__struct_fields__",
        "event.name.__class__",
        "event.profile.__init__",
        "event.commerce.items.__len__",
        "event.received_at.__reduce__",
        "event.name.format('a')",
        "event.name.encode()",
        "event.properties.get('a')",
        "event.commerce.items[0].__dict__",
        "event.commerce.total.__class__",
        "(1).__class__",
        "'a'.join(['b'])",
    ],
)
def test_no_attribute_of_python_is_reached(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("key", ["__class__", "__init__", "get", "keys", "__builtins__"])
def test_in_a_free_part_such_names_are_keys(key: str) -> None:
    for text in (f"event.properties.{key}", f"event.properties.store.{key}", f"event.properties['{key}']"):
        assert expressions.compile(text)(ORDER) is None
    assert expressions.compile(f"event.properties.{key}")(event(properties={key: 1})) == 1


def functions_of(run: Any) -> types.FunctionType:
    assert isinstance(run, types.FunctionType)
    return run


@pytest.mark.parametrize(
    "text",
    ["event.name == 'a'", "event.commerce.items.exists(i, i.sku == 'x')", "event.name.matches('a+')", "1 + size('a')"],
)
def test_the_function_sees_nothing_that_is_built_in(text: str) -> None:
    function = functions_of(expressions.compile(text).run)
    assert function.__globals__["__builtins__"] == {}
    assert set(function.__globals__) & set(vars(builtins)) == {"Exception", "type", "len", "str", "dict"}


HOSTILE: Final = [
    "'); import os; ('", "\"\"\"", "{0}", "{body}", "%s", "\\", "'''", "\n", "#", "c0", "__import__('os')",
    "\0", "\u2028",
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_written_never_becomes_text_of_a_program(hostile: str) -> None:
    """As text, as key, as a mapping's key: it is a constant of the function, and its code does not change."""
    written = "".join(f"\\U{ord(char):08x}" for char in hostile)
    for form in ("event.properties['{}']", "event.name == '{}'", "{{'{}': 1}}", "'{}' in event.properties"):
        function, plain = (functions_of(expressions.compile(form.format(t)).run) for t in (written, "plain"))
        assert function.__code__.co_code == plain.__code__.co_code
        assert function.__code__.co_consts == plain.__code__.co_consts
        assert function.__code__.co_names == plain.__code__.co_names
    assert expressions.compile(f"event.properties['{written}']")(event(properties={hostile: "found"})) == "found"


WORDS: Final = [
    "event", ".", "name", "properties", "(", ")", "[", "]", "{", "}", ",", ":", "?", "&&", "||", "!", "-", "+", "==",
    "<", "in", "1", "2.5", "'a'", "null", "true", "size", "has", "exists", "matches", "i", " ", '"', "commerce",
    "items",
    "__class__", "3u",
]  # fmt: skip


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=24).map("".join))
@example("event")
def test_whatever_is_written_is_an_expression_or_an_expression_error(text: str) -> None:
    for wants in ("any", "bool"):
        try:
            expression = expressions.compile(text, wants=wants)
        except ExpressionError as caught:
            within(caught, text)
        else:
            expression(ORDER)
            expression(BARE)


# --- size ------------------------------------------------------------------------------------------------


def test_a_long_expression_is_refused() -> None:
    assert "longer than" in refused("1" + " " * LONGEST)
    assert expressions.compile("1" + " " * (LONGEST - 1))(BARE) == 1
    assert "longer than" in refused("(" * 10**6)


def nested(depth: int) -> Iterator[str]:
    """Yield an expression of that depth for everything that nests."""
    yield "!" * (depth - 1) + "true"
    yield "-" * (depth - 3) + "event.properties.a"
    yield "[" * (depth - 1) + "1" + "]" * (depth - 1)
    yield "{'a': " * (depth - 1) + "1" + "}" * (depth - 1)
    yield "size(" * 1 + "[" * (depth - 2) + "1" + "]" * (depth - 2) + ")"
    yield "true ? 1 : " * (depth - 1) + "2"
    yield "event.properties.a ? 1 : " * (depth - 3) + "event.properties.a"
    yield "(event.properties.a ? true : " * (depth - 3) + "event.properties.a" + ")" * (depth - 3)
    yield "(" * (depth - 3) + "event.properties.a" + " ? true : false)" * (depth - 3)
    yield "event.properties" + ".a" * (depth - 2)
    yield "event.properties" + "[event.name]" * (depth - 2)
    yield "event.properties.a" + " + 1" * (depth - 3)
    yield "1 + (" * (depth - 3) + "event.properties.a" + ")" * (depth - 3)
    yield "(true == " * (depth - 3) + "event.properties.a" + ")" * (depth - 3)
    yield "(true && !" * ((depth - 3) // 2) + "event.properties.a" + ")" * ((depth - 3) // 2)
    yield (
        "(event.properties.b && (event.properties.b || " * ((depth - 3) // 2)
        + "event.properties.a"
        + "))" * ((depth - 3) // 2)
    )
    yield (
        "".join(f"event.properties.a.exists(v{n}, " for n in range(depth - 3))
        + "event.properties.a"
        + ")" * (depth - 3)
    )
    yield "".join(f"event.properties.a.map(v{n}, " for n in range(depth - 3)) + "event.properties.a" + ")" * (depth - 3)
    yield "string(" * (depth - 3) + "event.properties.a" + ")" * (depth - 3)
    yield "event.properties.a" + ".trim()" * (depth - 3)
    yield (
        "event.properties.a.startsWith(string(" * ((depth - 3) // 2) + "event.properties.a" + "))" * ((depth - 3) // 2)
    )
    yield "(event.properties.a in [" * ((depth - 3) // 2) + "event.properties.a" + "])" * ((depth - 3) // 2)


@pytest.mark.parametrize("text", list(nested(DEEPEST)))
def test_everything_nests_as_deep_as_it_may(text: str) -> None:
    """Python itself has a limit on parentheses; none of ours reaches it."""
    step = check(parse(text), "any")
    write(step, "any")(ORDER)
    if step.type.name in ("bool", "dyn"):
        write(step, "bool")(ORDER)


@pytest.mark.parametrize("text", list(nested(DEEPEST + 3)))
def test_what_is_nested_deeper_is_refused(text: str) -> None:
    assert "nested more than" in refused(text)


def test_parentheses_alone_do_not_nest() -> None:
    assert expressions.compile("(" * 1000 + "1" + ")" * 1000)(BARE) == 1
    assert "ends where" in refused("(" * LONGEST)


def test_an_expression_of_too_many_parts_is_refused() -> None:
    assert "more than" in refused(f"[{','.join(['1'] * MOST_NODES)}]")
    assert expressions.compile(f"[{','.join(['1'] * (MOST_NODES - 1))}]")(BARE) == [1] * (MOST_NODES - 1)


def test_the_function_grows_no_faster_than_the_expression() -> None:
    """A condition is written in several ways; none of them holds another twice."""
    text = "event.properties.a"
    sizes = []
    for _ in range(12):
        text = f"!({text} ? event.properties.a == 1 : event.properties.b && event.properties.c)"
        sizes.append(len(functions_of(expressions.compile(text, wants="bool").run).__code__.co_code))
    steps = [later - earlier for earlier, later in pairwise(sizes)]
    assert max(steps) <= 3 * min(steps)


# --- time and memory -------------------------------------------------------------------------------------


def many(count: int, **fields: Any) -> Event:
    return event(commerce=Commerce(items=tuple(Item(sku=str(n), **fields) for n in range(count))))


def test_macros_go_over_so_many_members() -> None:
    flat = expressions.compile("event.commerce.items.all(i, i.sku != 'x')", wants="bool")
    assert flat(many(MOST_TURNS)) is True
    assert flat(many(MOST_TURNS + 1)) is False
    assert expressions.compile("event.commerce.items.map(i, i.sku)")(many(MOST_TURNS + 1)) is None


def test_nested_macros_share_the_bound() -> None:
    square = expressions.compile(
        "event.commerce.items.all(i, event.commerce.items.exists(j, i.sku == j.sku))", wants="bool"
    )
    assert square(many(99)) is True
    assert square(many(100)) is False
    assert square(many(5_000)) is False
    assert square(many(3)) is True


def test_what_a_macro_reads_and_makes_counts() -> None:
    text = "x" * (CHARACTERS_PER_TURN * 1_000)
    about = many(100)
    about = event(commerce=about.commerce, properties={"text": text, "list": ["y"] * 1_000, "short": "x" * 60})
    for form in (
        "!event.properties.text.contains(i.sku + 'y')",
        "!event.properties.text.matches('y')",
        "size(event.properties.text.trim()) > 0",
        "size(event.properties.text.upperAscii()) > 0",
        "!(i.sku in event.properties.list)",
        "size(event.properties.list + [1]) > 1",
    ):
        expression = expressions.compile(f"event.commerce.items.all(i, {form})", wants="bool")
        assert expression(about) is False, form
    small = expressions.compile("event.commerce.items.all(i, !event.properties.short.contains('y'))", wants="bool")
    assert small(about) is True


def test_what_is_added_has_a_bound() -> None:
    twice = "event.properties.a + event.properties.a"
    halves: list[Any] = ["x" * (LONGEST_TEXT // 2), [0] * (LONGEST_TEXT // 2)]
    for half in halves:
        assert len(expressions.compile(twice)(event(properties={"a": half}))) == LONGEST_TEXT
        assert expressions.compile(twice)(event(properties={"a": half + half[:1]})) is None
    doubled = "event.name"
    for turn in range(10):
        doubled = f"[{doubled}].map(x{turn}, x{turn} + x{turn})[0]"
    assert expressions.compile(doubled)(event(name="x" * 100)) is None


def test_a_value_that_is_nested_without_end_is_no_value() -> None:
    one: Any = []
    other: Any = []
    for _ in range(sys.getrecursionlimit() + 10):
        one, other = [one], [other]
    about = event(properties={"a": one, "b": other})
    assert expressions.compile("event.properties.a == event.properties.b")(about) is None
    assert expressions.compile("event.properties.a == event.properties.b", wants="bool")(about) is False
    del one, other, about
    gc.collect()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("int(event.properties.a)", "9" * 100_000),
        ("double(event.properties.a)", "9" * 100_000),
        ("timestamp(event.properties.a)", "2026-01-01T00:00:00." + "0" * 100_000 + "Z"),
        ("string(duration(event.properties.a))", "1h" * 100_000),
        ("event.properties.a + 1", 10**4_000),
        ("event.properties.a * event.properties.a", 10**4_000),
        ("string(event.properties.a)", 10**5_000),
        ("double(event.properties.a)", 10**5_000),
        ("event.commerce.total * event.properties.a", 10**4_000),
        ("timestamp(event.properties.a)", 10**30),
    ],
    ids=lambda given: given if isinstance(given, str) and len(given) < LONGEST_TEXT else "huge",
)
def test_huge_values_have_none(text: str, value: Any) -> None:
    assert expressions.compile(text)(event(properties={"a": value})) is None
