"""Who is asking: a token, Basic, a tracker key in the query, or the API key in a login's body; and what we send.

Sources, read 2026-11-21: help.synerise.com/developers/api/api-authorization/profile-login (login, Bearer);
github.com/Synerise/php-sdk ``BasicAuthenticationProvider`` (``guid:apiKey``);
hub.synerise.com/developers/api/recommendations/events (``?token=``).
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

import msgspec

from gateway.adapter import Answer, Auth, Login, Rejected, Request, json_bytes, matches_any

from . import tokens
from .errors import expired, forbidden, unauthorized, unreadable

API_KEY: Final = "api_key"
PROFILE_KEY: Final = "profile_key"
GUID: Final = "workspace_guid"
TRACKER: Final = "tracker_key"

API_VERSION: Final = "4.4"
LOGIN_PATH: Final = "/uauth/v2/auth/login/profile"

_SIGNERS: Final[dict[str, tuple[str, ...]]] = {"workspace": (API_KEY,), "client": (PROFILE_KEY, API_KEY)}
"""The keys whose holder may have been given a token, by realm."""


def present(request: Request) -> str:
    """Return the token or the pair that a client presented, with its scheme before it.

    Raises:
        Rejected: there is none, it is of no known form, or its time is over.
    """
    scheme, _, given = (request.header(b"authorization") or "").strip().partition(" ")
    given = given.strip()
    match scheme.lower():
        case "bearer" if given:
            return f"Bearer {_in_time(given, request)}"
        case "basic" if given:
            return f"Basic {_pair(given, request)}"
    raise unauthorized(request)


def present_workspace(request: Request) -> str:
    """Return the same, of a workspace: the token of a profile is not enough here."""
    presented = present(request)
    if presented.startswith("Bearer ") and (claims := tokens.read(presented[7:])) and claims.realm != "workspace":
        raise forbidden(request)
    return presented


def present_or_tracker(request: Request) -> str:
    """Return the same, or the tracker key in the query."""
    if request.header(b"authorization") is not None:
        return present(request)
    try:
        found = parse_qs(request.query, max_num_fields=100).get("token")
    except ValueError:
        found = None
    if not found:
        raise unauthorized(request)
    return f"Tracker {found[-1]}"


def _in_time(token: str, request: Request) -> str:
    claims = tokens.read(token)
    if claims is not None and tokens.is_expired(claims, request.received_at):
        raise Rejected(expired(request))
    return token


def _pair(given: str, request: Request) -> str:
    try:
        return base64.b64decode(given, validate=True).decode()
    except (binascii.Error, ValueError):
        raise unauthorized(request) from None


def _is_token(presented: str, account: Mapping[str, str]) -> bool:
    token = presented.removeprefix("Bearer ")
    claims = tokens.read(token)
    if claims is None:
        return False
    hits = [tokens.is_signed(account[name], token) for name in _SIGNERS[claims.realm] if account.get(name)]
    return any(hits)


def _is_pair(presented: str, account: Mapping[str, str]) -> bool:
    guid, key = account.get(GUID), account.get(API_KEY)
    return bool(guid and key) and _same(presented, f"Basic {guid}:{key}")


def _is_tracker(presented: str, account: Mapping[str, str]) -> bool:
    code = account.get(TRACKER) or (account.get(API_KEY) and tokens.derived_code(account))
    return bool(code) and _same(presented, f"Tracker {code}")


def _same(presented: str, wanted: str) -> bool:
    return hmac.compare_digest(presented.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass"))


def matches(presented: str, account: Mapping[str, str]) -> bool:
    """Tell whether a token or a pair is of the account."""
    return any([_is_pair(presented, account), presented.startswith("Bearer ") and _is_token(presented, account)])


def matches_or_tracker(presented: str, account: Mapping[str, str]) -> bool:
    """Tell the same, or whether a tracker key is of the account."""
    return any([_is_tracker(presented, account), matches(presented, account)])


class _LoginBody(msgspec.Struct):
    apiKey: str  # noqa: N815  the vendor's name


_login: Final = msgspec.json.Decoder(_LoginBody)


def present_key(request: Request) -> str:
    """Return the API key in the body of a login.

    Raises:
        Rejected: there is none.
    """
    try:
        key = _login.decode(request.body).apiKey
    except (ValueError, RecursionError):
        raise unreadable(request) from None
    if not key:
        raise unauthorized(request)
    return key


ANY: Final = Auth(present, matches)
WORKSPACE: Final = Auth(present_workspace, matches)
OR_TRACKER: Final = Auth(present_or_tracker, matches_or_tracker)
LOGIN: Final = Auth(present_key, matches_any(API_KEY))
PROFILE_LOGIN: Final = Auth(present_key, matches_any(PROFILE_KEY, API_KEY))


# --- out -------------------------------------------------------------------------------------------------


_PLAIN: Final = {"Content-Type": "application/json", "Accept": "application/json", "Api-Version": API_VERSION}


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return all headers of a call; the core puts the token of `WORKSPACE_LOGIN` among the credentials."""
    return {**_PLAIN, "Authorization": f"Bearer {credentials['token']}"}


def _login_headers(_: Mapping[str, str]) -> dict[str, str]:
    return dict(_PLAIN)


def _login_body(credentials: Mapping[str, str]) -> bytes:
    return json_bytes({"apiKey": credentials[API_KEY]})


class _LoginAnswer(msgspec.Struct):
    token: str


def _token(answer: Answer) -> str | None:
    try:
        return msgspec.json.decode(answer.body, type=_LoginAnswer).token or None
    except (ValueError, RecursionError):
        return None


WORKSPACE_LOGIN: Final = Login(method="POST", path=LOGIN_PATH, headers=_login_headers, body=_login_body, token=_token)
"""The token carries no end: it is used until a 401."""
