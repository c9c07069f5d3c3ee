"""The credential in the four spellings that real senders use, and the one that we send.

Sources, read 2026-11-21: developer.blueshift.com/reference/authorization-1 (``Basic base64("KEY:")``);
rudder-transformer ``src/v0/destinations/blueshift`` (no colon); Blueshift iOS SDK 1fb7344,
``BlueShiftRequestOperationManager.m`` (no ``Basic``); blueshift-js 1398936 ``util.js`` and the classic Segment
integration (the key in the query).
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from gateway.adapter import Auth, Request, matches_any

from .errors import unauthorized

EVENT_KEY: Final = "event_api_key"
USER_KEY: Final = "user_api_key"

_QUERY_KEYS: Final = ("apiKey", "x")


def present(request: Request) -> str:
    """Return the key a client presented, in a header or in the query.

    Raises:
        Rejected: there is none, or it cannot be read.
    """
    given = request.header(b"authorization")
    key = _from_header(given) if given is not None else _from_query(request.query)
    if not key:
        raise unauthorized(request)
    return key


def is_bare(request: Request) -> bool:
    """Tell whether the header has no ``Basic`` before its Base64, as only the iOS SDK sends it."""
    given = request.header(b"authorization")
    return given is not None and " " not in given.strip()


def _from_header(given: str) -> str | None:
    scheme, _, token = given.strip().rpartition(" ")
    if scheme.strip().lower() not in ("", "basic"):
        return None
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.b64decode(padded, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return text.partition(":")[0]


def _from_query(query: str) -> str | None:
    try:
        pairs = dict(parse_qsl(query))
    except ValueError:
        return None
    return next((pairs[name] for name in _QUERY_KEYS if name in pairs), None)


def _headers(key: str) -> dict[str, str]:
    token = base64.b64encode(f"{key}:".encode()).decode()
    return {"Authorization": f"Basic {token}", "Content-Type": "application/json", "Accept": "application/json"}


def event_headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return all headers of a call to the event endpoints."""
    return _headers(credentials[EVENT_KEY])


def user_headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return all headers of a call to the customer endpoints."""
    return _headers(credentials[USER_KEY])


EITHER: Final = Auth(present, matches_any(EVENT_KEY, USER_KEY))
"""Of the event endpoints: Blueshift's pages name one class of key in one place and the other in another."""

USER: Final = Auth(present, matches_any(USER_KEY))
