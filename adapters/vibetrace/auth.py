"""Who a client is, on each of the three surfaces, and what we send.

Sources, read 2026-11-21: help.vtcdn.net/kb/api-overview (the bare key, without a scheme);
help.vtcdn.net/kb/how-to-send-events-through-the-api (the collector asks for nothing but the account in its path);
github.com/vibetrace/api (``Basic API_KEY:API_SECRET``).
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Final

from gateway.adapter import Auth, Request, matches_any

from .answers import unauthorized

API_KEY: Final = "api_key"
API_SECRET: Final = "api_secret"  # noqa: S105  the name of a credential
APP_ID: Final = "app_id"
ACCOUNT_ID: Final = "account_id"


def _present_key(request: Request) -> str:
    """Return the key of ``Authorization``, which stands there bare; ``Bearer`` before it is forgiven."""
    given = (request.header(b"authorization") or "").strip()
    scheme, _, rest = given.partition(" ")
    key = rest.strip() if rest and scheme.lower() == "bearer" else given
    if not key:
        raise unauthorized()
    return key


def _present_basic(request: Request) -> str:
    """Return ``API_KEY:API_SECRET``; both look like Base64 themselves and hold no colon."""
    scheme, _, token = (request.header(b"authorization") or "").strip().partition(" ")
    if scheme.lower() != "basic":
        raise unauthorized()
    try:
        return base64.b64decode(token.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise unauthorized() from None


def _matches_basic(presented: str, account: Mapping[str, str]) -> bool:
    """Tell whether it is the pair of an account that has an app."""
    if not (API_KEY in account and API_SECRET in account and APP_ID in account):
        return False
    own = f"{account[API_KEY]}:{account[API_SECRET]}"
    return hmac.compare_digest(presented.encode("utf-8", "surrogatepass"), own.encode("utf-8", "surrogatepass"))


def _present_account(request: Request) -> str:
    """Return the account in the path: all that the collector asks for, so only listed ones may write."""
    return request.params["account_id"]


KEY: Final = Auth(_present_key, matches_any(API_KEY))
BASIC: Final = Auth(_present_basic, _matches_basic)
ACCOUNT: Final = Auth(_present_account, matches_any(ACCOUNT_ID))


def account_of(account: Mapping[str, str]) -> str:
    """Return what tells one account from the others of a source; a credential, so for hashing only."""
    return account.get(ACCOUNT_ID) or account.get(APP_ID) or account.get(API_KEY) or ""


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return all headers of a call; the key stands bare."""
    return {
        "Authorization": credentials[API_KEY],
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
