"""Every example of ``docs/expressions.md`` is run."""

import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from gateway import expressions
from gateway.event import load
from gateway.expressions import ExpressionError
from gateway.expressions.functions import FUNCTIONS, MACROS
from gateway.expressions.times import GETTERS

PAGE: Final = (Path(__file__).parents[3] / "docs/expressions.md").read_text("utf-8")
EVENT: Final = load(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1].encode())  # type: ignore[index]

_TABLE: Final = re.compile(r"^\| (value of|condition|refused) \| .*\n\|---\|---\|\n((?:\|.*\n)+)", re.MULTILINE)
_ROW: Final = re.compile(r"\| `(.*)` \| (.*) \|")


def rows(kind: str) -> list[tuple[str, str]]:
    """Return the first two columns of the tables that begin so."""
    lines = [line for table in _TABLE.finditer(PAGE) if table[1] == kind for line in table[2].splitlines()]
    found = [_ROW.fullmatch(line) for line in lines]
    assert all(found), lines
    return [(row[1].replace(r"\|", "|"), row[2]) for row in found if row]


def plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


@pytest.mark.parametrize(("text", "value"), rows("value of"))
def test_values(text: str, value: str) -> None:
    found = expressions.compile(text)(EVENT)
    if value == "nothing":
        assert found is None
    else:
        expected = msgspec.json.decode(value.strip("`"))
        assert (type(plain(found)), plain(found)) == (type(expected), expected)


@pytest.mark.parametrize(("text", "holds"), rows("condition"))
def test_conditions(text: str, holds: str) -> None:
    assert expressions.compile(text, wants="bool")(EVENT) is {"yes": True, "no": False}[holds]


@pytest.mark.parametrize(("text", "because"), rows("refused"))
def test_refusals(text: str, because: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expressions.compile(text, wants="bool")
    assert caught.value.message == because


def test_the_page_has_every_function() -> None:
    assert [name for name in (*FUNCTIONS, *MACROS, *GETTERS, "matches", "has") if name not in PAGE] == []
