"""What Synerise accepts: identifiers, e-mail addresses, phone numbers, actions, params of the dedicated endpoints.

Sources, read 2026-11-21: github.com/Synerise/php-sdk lib/V4/Models/Client.php and CreateClientRequestBody.php (the
characters that identifiers cannot have, the patterns); hub.synerise.com/developers/api/events/sending-events (action).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.adapter import non_space

from .errors import Problem, problem
from .limits import ACTION_LENGTH
from .money import is_amount, is_money
from .wire import NUMERIC, SEARCH_TYPES, Dedicated

_FORBIDDEN: Final = re.compile("[\\r\\n\\u2028\\u2029\\u00ad\\ufe00-\\ufe0f\\x00\\U00010000-\\U0010ffff]")
"""Beyond U+FFFF: what the page calls surrogate pairs, emoji among them."""

_WORD: Final = non_space(r'<>()[\]\\.,;:@"') + "++"
_EMAIL: Final = re.compile(
    rf'(?:{_WORD}(?:\.{_WORD})*+|".+")'
    r"@(?:(?:[a-zA-Z\-0-9]++\.)++[a-zA-Z]{2,}+|\[[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\])"
)
"""The vendor's pattern, without what would be tried twice."""
_PHONE: Final = re.compile(r"\+[0-9 \-()/]{6,19}|[0-9 \-()/]{6,20}")
_ACTION: Final = re.compile(r"[a-zA-Z0-9.\-_]+")
_LONGEST: Final = ACTION_LENGTH.value


def is_identifier(text: str) -> bool:
    """Tell whether a text has only characters that identifiers may have."""
    if text.isascii() and text.isprintable():
        return True
    return _FORBIDDEN.search(text) is None


def is_email(text: str) -> bool:
    """Tell whether a text is an e-mail address to Synerise."""
    return is_identifier(text) and _EMAIL.fullmatch(text) is not None


def is_phone(text: str) -> bool:
    """Tell whether a text is a phone number to Synerise."""
    return _PHONE.fullmatch(text) is not None


def is_action(text: str) -> bool:
    """Tell whether a text can be an action."""
    return len(text) <= _LONGEST and _ACTION.fullmatch(text) is not None


def missing(kind: Dedicated, params: Mapping[str, Any], at: str = "") -> Iterator[Problem]:
    """Yield what a dedicated endpoint misses in its params."""
    for key in kind.required:
        value = params.get(key)
        if value is None:
            yield problem(f"{at}params.{key}", "must not be null")
        elif not _fits(key, value):
            yield problem(f"{at}params.{key}", "is invalid", value)


def _fits(key: str, value: Any) -> bool:
    if key == "finalUnitPrice":
        return is_money(value)
    if key in NUMERIC:
        return is_amount(value)
    if key == "searchType":
        return type(value) is str and value in SEARCH_TYPES
    return type(value) is not str or bool(value)
