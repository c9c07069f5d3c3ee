"""Literals of an expression: what numbers and texts in it stand for.

The lexis is that of the specification (github.com/google/cel-spec, doc/langdef.md, "Syntax" and "String and Bytes
Values", read 2026-11-21).
"""

import re
from typing import Final

from gateway.expressions.errors import ExpressionError

_ESCAPES: Final = {
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_ESCAPE: Final = re.compile(
    r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL
)
_OCTAL: Final = 4
_SURROGATES: Final = range(0xD800, 0xE000)
_LAST: Final = 0x10FFFF


def number(text: str) -> int:
    """Return a whole number, decimal or hexadecimal."""
    return int(text, 16) if text[:2] in ("0x", "0X") else int(text)


def string(text: str, start: int) -> str:
    """Return the text that a literal, quotes and all, stands for.

    Args:
        start: its offset in the expression.

    Raises:
        ExpressionError: an escape is unknown, or names no character.
    """
    if text[0] in "rR":
        quote = _quote(text[1:])
        return text[1 + quote : -quote]
    quote = _quote(text)
    body = text[quote:-quote]
    return _ESCAPE.sub(lambda escape: _character(escape, start + quote), body)


def _quote(text: str) -> int:
    """Return the length of the quotes."""
    return 3 if text[:3] in ('"""', "'''") else 1


def _character(escape: re.Match[str], start: int) -> str:
    if (plain := escape[5]) is not None:
        if plain in _ESCAPES:
            return _ESCAPES[plain]
        message = f"unknown escape '{escape[0]}'; write the backslash twice, or an r before the text"
        raise ExpressionError(message, start + escape.start(), len(escape[0]))
    group = escape.lastindex or 0
    code = int(escape[group], 8 if group == _OCTAL else 16)
    if code in _SURROGATES or code > _LAST:
        raise ExpressionError(f"no character has the code {code:X}", start + escape.start(), len(escape[0]))
    return chr(code)
