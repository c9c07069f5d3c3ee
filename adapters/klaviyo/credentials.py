"""How clients of Klaviyo prove who they are, and how we do.

Sources, read 2026-11-21:
    https://developers.klaviyo.com/en/docs/authenticate_
    https://github.com/klaviyo/klaviyo-api-ruby/issues/19: the answer to a wrong scheme
    https://github.com/klaviyo/php-klaviyo/issues/36: a wrong legacy token is answered like a right one
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from adapters.klaviyo.decode_legacy import token
from adapters.klaviyo.errors import Invalid, bad_request, unauthenticated
from adapters.klaviyo.names import NEWEST
from gateway.adapter import Auth, CredentialName, Request, matches_any

_SCHEME: Final = "klaviyo-api-key"
_JSON_API: Final = "application/vnd.api+json"

PRIVATE_KEY: Final = CredentialName("private_key", "pk_…, from Settings > API keys; or an OAuth access token")
COMPANY_ID: Final = CredentialName("company_id", "the six-character public key, also called site id", secret=False)


def _private(request: Request) -> str:
    """Return the key under ``Klaviyo-API-Key``, or an OAuth token; a private key under Bearer is a wrong scheme."""
    scheme, _, key = (request.header(b"authorization") or "").strip().partition(" ")
    key = key.strip()
    bearer = scheme.lower() == "bearer" and not key.startswith("pk_")
    if not key or not (bearer or scheme.lower() == _SCHEME):
        raise unauthenticated(request)
    return key


def _company(request: Request) -> str:
    given = parse_qs(request.query, max_num_fields=None).get("company_id", [""])[0]
    if not given:
        raise bad_request(request, [Invalid("/data", "The query parameter company_id is required.")])
    return given


KEY: Final = Auth(_private, matches_any("private_key"))
COMPANY: Final = Auth(_company, matches_any("company_id"))
TOKEN: Final = Auth(token, matches_any("company_id"))


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of every request we send."""
    return {
        "Authorization": f"Klaviyo-API-Key {credentials['private_key']}",
        "revision": NEWEST,
        "Content-Type": _JSON_API,
        "Accept": _JSON_API,
    }
