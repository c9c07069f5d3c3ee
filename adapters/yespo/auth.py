"""Credentials: the key as the password of HTTP Basic, and the bearer token that is given for it.

Sources, read 2026-11-21: docs.yespo.io/reference/api-keys (any user, the key is the password);
github.com/karlaxnieves/support-git-delete-yespo reference/yespo.json (``POST /v1/auth/token``). How Yespo makes its
tokens is not published: ours are JSON Web Tokens (RFC 7519) signed with the key, so that nothing has to be stored.

A token carries its purpose, since that of a contact is handed to browsers and must open nothing.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.adapter import Auth, Request, json_bytes

from .errors import unauthorized
from .limits import TOKEN_LIFE

API_KEY: Final = "api_key"
_BEARER: Final = "Bearer "
"""What `present` puts before a token, so that a password can never pass for one."""

ACCESS: Final = "access"
CONTACT: Final = "contact"


class _Claims(msgspec.Struct, forbid_unknown_fields=True):
    """What a token says."""

    aud: str
    """Its purpose."""
    exp: int
    """Unix seconds."""
    sub: str = ""
    jti: str = ""


_claims: Final = msgspec.json.Decoder(_Claims)


# --- tokens ----------------------------------------------------------------------------------------------


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _data(text: str) -> bytes:
    """Return what base64url text holds.

    Raises:
        ValueError: it is none.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


_HEADER: Final = _text(b'{"alg":"HS256","typ":"JWT"}')


def issue(request: Request, purpose: str, subject: str = "") -> str:
    """Return a new token of the account that asked; it lives as long as one that Yespo gives by OAuth."""
    expires = int(request.received_at.timestamp()) + TOKEN_LIFE.value
    claims = {"aud": purpose, "exp": expires, "jti": request.id} | ({"sub": subject} if subject else {})
    signed = f"{_HEADER}.{_text(json_bytes(claims))}"
    return f"{signed}.{_signature(signed, request.account.get(API_KEY, ''))}"


def _signature(signed: str, key: str) -> str:
    digest = hmac.new(key.encode("utf-8", "surrogatepass"), signed.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return _text(digest.digest())


def _read(token: str) -> _Claims | None:
    """Return what a token claims, whoever signed it."""
    header, _, rest = token.partition(".")
    payload, dot, _ = rest.partition(".")
    if header != _HEADER or not dot:
        return None
    try:
        return _claims.decode(_data(payload))
    except (ValueError, binascii.Error, RecursionError):
        return None


# --- presented -------------------------------------------------------------------------------------------


def present_key(request: Request) -> str:
    """Return the password of HTTP Basic; the user before it may be anything.

    Raises:
        Rejected: there is none.
    """
    scheme, _, given = (request.header(b"authorization") or "").strip().partition(" ")
    key = _password(given.strip()) if scheme.lower() == "basic" else None
    if not key or key.startswith(_BEARER):
        raise unauthorized()
    return key


def present_either(request: Request) -> str:
    """Return the password of HTTP Basic, or a bearer token that has not expired.

    Raises:
        Rejected: there is neither.
    """
    scheme, _, given = (request.header(b"authorization") or "").strip().partition(" ")
    if scheme.lower() != "bearer":
        return present_key(request)
    token = given.strip()
    claims = _read(token)
    if claims is None or claims.aud != ACCESS or claims.exp <= request.received_at.timestamp():
        raise unauthorized()
    return _BEARER + token


def _password(given: str) -> str | None:
    try:
        text = base64.b64decode(given + "=" * (-len(given) % 4), validate=True).decode()
    except (ValueError, binascii.Error):
        return None
    return text.partition(":")[2]


def matches(presented: str, account: Mapping[str, str]) -> bool:
    """Tell, in constant time, whether a key is that of an account, or a token was signed with it."""
    key = account.get(API_KEY) or ""
    if presented.startswith(_BEARER):
        signed, _, signature = presented.removeprefix(_BEARER).rpartition(".")
        return _same(signature, _signature(signed, key)) and bool(key)
    return _same(presented, key) and bool(key)


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


KEY: Final = Auth(present_key, matches)
EITHER: Final = Auth(present_either, matches)
"""Of events and past events, the only methods for which Yespo documents a bearer token."""


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return all headers of a call."""
    token = base64.b64encode(f"user:{credentials[API_KEY]}".encode()).decode()
    return {
        "Authorization": f"Basic {token}",
        "Content-Type": "application/json; charset=UTF-8",
        "Accept": "application/json",
    }
