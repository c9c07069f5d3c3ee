"""Other values to put in a leaf's place: near enough to be taken for the same thing, different enough to be seen."""

from collections.abc import Iterator
from typing import Any, Final

_DIGITS: Final = "0123456789"
_TEXTS: Final = 4
"""Places of a text that are tried."""


def others(value: Any) -> Iterator[Any]:
    """Yield values to try, the likeliest first."""
    if isinstance(value, bool):
        yield not value
        yield None
    elif isinstance(value, (int, float)):
        yield from _numbers(value)
    elif isinstance(value, str):
        yield from _texts(value)
    elif value is None:
        yield from ("x", 1, True, {"x": "x"}, "2020-02-02T02:02:02Z")
    else:
        yield from (["x"], [{"x": "x"}]) if isinstance(value, list) else ({"x": "x"},)
        yield None


def _numbers(value: float) -> Iterator[Any]:
    yield value + 1
    yield value - 1 if value else value + 2
    yield value * 2 if value else 7
    yield "x"


def _texts(text: str) -> Iterator[Any]:
    """Yield the text with one letter or digit exchanged for its neighbour, at the end, in the middle, at the start."""
    places = [at for at, letter in enumerate(text) if letter.isascii() and letter.isalnum()]
    words = text.split("@")[0] if "@" in text else text
    near = [at for at in places if at < len(words)] or places
    digits = [at for at in places if text[at] in _DIGITS]
    tried: list[int] = []
    for at in (*near[-1:], *digits[-1:], *near[:1], *near[len(near) // 2 :][:1], *digits[len(digits) // 2 :][:1]):
        if at not in tried and len(tried) < _TEXTS:
            tried.append(at)
            yield text[:at] + _next(text[at]) + text[at + 1 :]
    yield f"{text}x"
    if not text.strip():
        yield from ("x@example.com", "7")
    yield 7
    yield None


def _next(letter: str) -> str:
    """Return another letter of the same class."""
    for last, first in (("9", "0"), ("z", "a"), ("Z", "A"), ("f", "a"), ("F", "A")):
        if letter == last:
            return first
    return chr(ord(letter) + 1)
