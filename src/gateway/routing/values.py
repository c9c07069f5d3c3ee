"""How single values are hashed, masked and mapped."""

import hashlib
import re
from typing import Any, Final

_NO_DIGITS: Final = re.compile(r"[^0-9]")


def normalised(path: str, text: str) -> str:
    """Return a text as vendors want it before it is hashed.

    E-mail trimmed and in lower case; phone as E.164 (``+`` and digits); anything else trimmed. So ask Meta
    (developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences) and Google
    (developers.google.com/google-ads/api/docs/remarketing/audience-segments/customer-match/get-started) for hashed
    identifiers (read 2026-11-21).
    """
    last = path.rpartition(".")[2]
    if "phone" in last:
        return "+" + _NO_DIGITS.sub("", text)
    return text.strip().lower() if "email" in last or "@" in text else text.strip()


def hashed(path: str, value: Any) -> Any:
    """Return the SHA-256 of a text or number, in hexadecimal; of a list each one's."""
    if isinstance(value, (list, tuple)):
        return type(value)(hashed(path, one) for one in value)
    if value is None or isinstance(value, (dict, bool)):
        return value
    return hashlib.sha256(normalised(path, str(value)).encode()).hexdigest()


def masked(value: Any) -> Any:
    """Return a text that shows its kind and no more: ``a***@example.com``, ``***42``."""
    if isinstance(value, (list, tuple)):
        return type(value)(masked(one) for one in value)
    if value is None or isinstance(value, (dict, bool)):
        return value
    text = str(value)
    name, at, domain = text.partition("@")
    if at and name:
        return f"{name[0]}***@{domain}"
    return f"***{text[-2:]}" if len(text) > _SHORT else "***"


_SHORT: Final = 6
"""Texts up to this length show nothing."""
