"""YAML as people write it: the 1.2 core schema, with places, and nothing that blows up."""

from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.yamlfile import MAX_DEPTH, Document, parse, read


def _value(text: str) -> Any:
    document = parse(text, "f.yaml")
    assert document.problems == []
    return document.value


def _error(text: str) -> tuple[int, int, str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f.yaml")
    (problem,) = caught.value.problems
    return problem.line, problem.column, problem.message


SCALARS: Final = [
    ("null", None),
    ("Null", None),
    ("~", None),
    ("", None),
    ("true", True),
    ("FALSE", False),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("12", 12),
    ("+12", 12),
    ("-0", 0),
    ("012", 12),
    ("0o17", 15),
    ("0x1F", 31),
    ("0b1", "0b1"),
    ("1_000", "1_000"),
    ("12:30", "12:30"),
    ("1.50", 1.5),
    (".5", 0.5),
    ("1.", 1.0),
    ("1e3", 1000.0),
    ("-1.5E-3", -0.0015),
    (".", "."),
    (".inf", ".inf"),
    (".nan", ".nan"),
    ("2026-11-21", "2026-11-21"),
    ("=", "="),
    ("'12'", "12"),
    ('"true"', "true"),
    ("! 12", "12"),
    ("!!str 12", "12"),
    ("!!int 12", 12),
    ("!!float 12.5", 12.5),
    ("!!null ''", None),
    ("|\n  12\n", "12\n"),
]


@pytest.mark.parametrize(("text", "expected"), SCALARS)
def test_scalars_are_those_of_the_core_schema(text: str, expected: Any) -> None:
    value = _value(f"a: {text}")["a"]
    assert value == expected
    assert type(value) is type(expected)


def test_keys_are_text() -> None:
    assert _value("1: a\ntrue: b\n~: c\nno: d") == {"1": "a", "true": "b", "~": "c", "no": "d"}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_is_nothing(text: str) -> None:
    assert _value(text) is None


def test_every_value_has_its_place() -> None:
    document = parse("a:\n  - x: 1\n    'y y': [2, {z: 3}]\nb: 4\n", "f.yaml")
    assert document.value == {"a": [{"x": 1, "y y": [2, {"z": 3}]}], "b": 4}
    assert document.places[("a", 0, "x")] == (2, 8)
    assert document.places[("a", 0, "y y", 1, "z")] == (3, 20)
    assert document.keys[("a", 0, "y y", 1, "z")] == (3, 17)
    assert document.keys[("b",)] == (4, 1)


def test_a_problem_points_at_its_place_or_the_nearest_above() -> None:
    document = parse("a:\n  x: 1\n", "f.yaml")
    assert str(document.problem(("a", "x"), "bad")) == "f.yaml:2:6: bad\n      x: 1\n         ^"
    assert str(document.problem(("a", "x"), "bad", at_key=True)) == "f.yaml:2:3: bad\n      x: 1\n      ^"
    assert (document.problem(("a", "y", "z"), "bad").line, document.problem(("q",), "bad").line) == (2, 1)


REPORTED: Final = [
    ("a: 1\nb: 2\na: 3\n", (3, 1), "the key 'a' stands here twice"),
    ("[{a: 1, a: 2}]", (1, 9), "the key 'a' stands here twice"),
    ("? [a]\n: 1\n", (1, 3), "a key must be plain text"),
    ("? {a: 1}\n: 1\n", (1, 3), "a key must be plain text"),
    ("a: !!int x", (1, 4), "'x' is no 'int'"),
    ("a: !!bool maybe", (1, 4), "'maybe' is no 'bool'"),
    ("a: !secret x", (1, 4), "'x' is no '!secret'"),
    ("a: !!python/object:os.system {}", (1, 4), "'tag:yaml.org,2002:python/object:os.system'"),
    ("a: !!set {b}", (1, 4), "'tag:yaml.org,2002:set'"),
    ("a: 1e999", (1, 4), "out of range"),
    ("a: " + "9" * 5000, (1, 4), "out of range"),
]


@pytest.mark.parametrize(("text", "place", "message"), REPORTED, ids=[message for _, _, message in REPORTED])
def test_what_is_yaml_but_not_ours_is_reported(text: str, place: tuple[int, int], message: str) -> None:
    (problem,) = parse(text, "f.yaml").problems
    assert (problem.line, problem.column) == place
    assert message in problem.message


REFUSED: Final = [
    ("a: [1\n", 2, "is not YAML"),
    ("a:\n\tb: 1\n", 2, "is not YAML"),
    ("a: b: c", 1, "is not YAML"),
    ("a: \x00", 0, "is not YAML"),
    ("a: 'x", 1, "is not YAML"),
    ("a: *nobody", 1, "there is no anchor 'nobody' above"),
    ("a: 1\n---\nb: 2\n", 2, "one file is one document"),
    ("a: \ud800", 0, "surrogate"),
    ("a: &a [*a]", 1, "too large or too deep"),
    ("a: &a\n  b: *a", 1, "too large or too deep"),
    ("[" * 100_000, 1, "too large or too deep"),
    ("- " * 100_000, 1, "too large or too deep"),
    ("{a: " * 100_000, 1, "too large or too deep"),
]


@pytest.mark.parametrize(("text", "line", "message"), REFUSED, ids=[text[:12] for text, _, _ in REFUSED])
def test_what_is_no_yaml_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    found = _error(text)
    assert message in found[2]
    assert found[0] == line


def test_aliases_stand_for_what_they_name() -> None:
    assert _value("a: &x {b: [1]}\nc: *x\nd: [*x, *x]") == {"a": {"b": [1]}, "c": {"b": [1]}, "d": [{"b": [1]}] * 2}


def test_aliases_cannot_explode() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    assert _error(bomb)[2] == "is too large or too deep"


def test_what_is_just_deep_enough_is_read() -> None:
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f.yaml").problems == []


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: Jürgen".encode("latin-1"))
    for path, message in [
        (tmp_path / "none.yaml", "no such file"),
        (tmp_path, "cannot be read"),
        (latin, "is not UTF-8 (byte 7)"),
    ]:
        with pytest.raises(ConfigError, match=message.replace("(", r"\(").replace(")", r"\)")) as caught:
            read(path)
        assert caught.value.problems[0].file == str(path)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path).value == {"a": 1}


_pieces = st.sampled_from(
    [
        "a",
        ": ",
        "- ",
        "\n",
        "  ",
        "\t",
        "[",
        "]",
        "{",
        "}",
        "&x ",
        "*x",
        "!",
        "!!int ",
        "|",
        ">",
        "'",
        '"',
        "#",
        "? ",
        "1",
        "---\n",
        "%",
        "\u2028",
        "\r",
        "\x85",
        "é",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_pieces, max_size=25).map("".join) | st.text(max_size=40))
def test_any_text_is_a_document_or_a_config_error(text: str) -> None:
    try:
        document = parse(text, "f.yaml")
    except ConfigError as error:
        assert all(str(problem).startswith("f.yaml") for problem in error.problems)  # noqa: PT017 - either is right
    else:
        assert isinstance(document, Document)
        assert all(str(problem) for problem in document.problems)
