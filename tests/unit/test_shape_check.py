"""Every problem of a value against a Struct, in words for people."""

from typing import Literal

import pytest
from msgspec import Struct

from gateway import yamlfile
from gateway.shape_check import problems


class Inner(Struct):
    name: str
    size: int = 0


class Outer(Struct):
    mode: Literal["on", "off"]
    inner: Inner | None = None
    several: list[str | Inner] = []
    named: dict[str, Inner] = {}
    number: float = 0


def told(text: str) -> list[str]:
    document = yamlfile.parse(text, "f.yaml")
    return [f"{p.line}:{p.column} {p.message}" for p in problems(document, document.value, Outer)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{mode: on}", []),
        ("{mode: on, inner: {name: x}, several: [a, {name: b}], named: {k: {name: c}}, number: 1}", []),
        ("[]", ["1:1 expected a mapping, found a list"]),
        ("{mode: up}", ["1:8 expected 'on' or 'off', found 'up'"]),
        ("{mod: on}", ["1:2 unknown key 'mod'; did you mean 'mode'?", "1:1 the key 'mode' is missing"]),
        (
            "{mode: on, inner: {nam: x}}",
            ["1:20 unknown key 'nam'; did you mean 'name'?", "1:19 the key 'name' is missing"],
        ),
        ("{mode: on, several: [a, {name: b, size: x}]}", ["1:41 expected a whole number, found 'x'"]),
        ("{mode: on, several: x}", ["1:21 expected a list (of text or a mapping), found 'x'"]),
        ("{mode: on, named: {k: {name: [1]}}}", ["1:30 expected text, found a list"]),
        ("{mode: on, number: many}", ["1:20 expected a number, found 'many'"]),
        ("{mode: on, inner: null}", []),
        ("{mode: null}", ["1:8 expected 'on' or 'off', found nothing"]),
    ],
)
def test_problems(text: str, expected: list[str]) -> None:
    assert told(text) == expected
