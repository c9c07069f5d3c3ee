"""The tokens that logins give: signed by us, checked without remembering any.

A JSON Web Token (RFC 7519) with HMAC-SHA256 (RFC 7515, RFC 7518 section 3.2), read 2026-11-21. The signing key is
derived from the account's API key: who changes the key takes all its tokens back. Synerise signs its own with a key
pair; its clients take a token as it is.
"""

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal

import msgspec
from msgspec import Struct

Realm = Literal["workspace", "client"]
"""Who a token is for: a server of the workspace, or one profile's device."""

_PURPOSE: Final = b"synerise access token 1"
_HEADER: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()


class Claims(Struct, frozen=True, omit_defaults=True):
    """What a token says. Times are Unix seconds."""

    realm: Realm
    iat: int
    exp: int
    uuid: str | None = None
    """The profile a device speaks for, where its login named one."""
    customId: str | None = None  # noqa: N815  the claim's name


_decoder: Final = msgspec.json.Decoder(Claims)


def sign(secret: str, claims: Claims) -> str:
    """Return a token."""
    text = f"{_HEADER}.{_to_base64(msgspec.json.encode(claims))}"
    return f"{text}.{_to_base64(_signature(secret, text))}"


def is_signed(secret: str, token: str) -> bool:
    """Tell whether a token was signed with the key of this secret; in constant time."""
    text, _, signature = token.rpartition(".")
    wanted = _to_base64(_signature(secret, text))
    return hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "surrogatepass"))


def read(token: str) -> Claims | None:
    """Return what a token says, None when it is none of ours. Not checked: `is_signed` is."""
    parts = token.split(".")
    if len(parts) != 3 or parts[0] != _HEADER:
        return None
    try:
        return _decoder.decode(base64.urlsafe_b64decode(parts[1] + "=="))
    except ValueError:
        return None


def is_expired(claims: Claims, now: datetime) -> bool:
    """Tell whether a token's time is over."""
    return claims.exp <= now.timestamp()


def _signature(secret: str, text: str) -> bytes:
    return hmac.digest(_key(secret), text.encode("utf-8", "surrogatepass"), "sha256")


@lru_cache(maxsize=64)
def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), _PURPOSE, "sha256")


def _to_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def derived_code(account: Mapping[str, str]) -> str:
    """Return the tracker key of an account that has none configured: a UUID made of its API key."""
    digest = hmac.digest(_key(account.get("api_key", "")), b"tracker", "sha256").hex()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
