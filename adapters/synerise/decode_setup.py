"""What clients ask before they send: tokens, permissions, a tracker key, the time.

Sources, read 2026-11-21: help.synerise.com/developers/api/api-authorization/profile-login; github.com/Synerise/php-sdk
lib/V4/Auth and lib/Uauth; hub.synerise.com/api-reference/postman/authorization.json (the profile's refresh);
github.com/vtex-apps/synerise-api node/clients/synerise.ts; github.com/Synerise/magento2-integration Model/Workspace.php
and lib/api-client (permissions, tracker); github.com/Synerise/synerise-for-woocommerce EventsApi (time).
"""

import hashlib
from typing import Any, Final

import msgspec

from gateway.adapter import Decoded, Request

from . import tokens
from .auth import API_KEY, PROFILE_KEY, TRACKER
from .errors import answer, invalid, problem, timestamp
from .limits import IN_NAMES, TOKEN_TEXT
from .options import SOURCE_DEFAULTS
from .tokens import Claims, Realm
from .wire import parse_object, parse_rows

_MOST: Final = IN_NAMES.value
_LONGEST: Final = TOKEN_TEXT.value


def log_in_workspace(request: Request) -> Decoded:
    """Give a token for a workspace; who asks has presented its API key."""
    return _given(request, _claims(request, "workspace"), API_KEY)


def refresh_workspace(request: Request) -> Decoded:
    """Give a new token for one that is still good."""
    return _given(request, _claims(request, "workspace"), API_KEY)


class _Device(msgspec.Struct):
    uuid: Any = None
    customId: Any = None  # noqa: N815  the vendor's name


_device: Final = msgspec.json.Decoder(_Device)


def log_in_profile(request: Request) -> Decoded:
    """Give a token for a profile's device. Passwords and conditions are not checked: no profile is kept here."""
    try:
        asked = _device.decode(request.body)
    except (ValueError, RecursionError):
        raise invalid(request, [problem("", "must be an object")]) from None
    return _given(request, _claims(request, "client", asked.uuid, asked.customId), _profile_key(request))


def refresh_profile(request: Request) -> Decoded:
    """Give a new token for a profile's one that is still good, with what stands in it."""
    old = tokens.read((request.header(b"authorization") or "").partition(" ")[2].strip())
    claims = _claims(request, "client", *((old.uuid, old.customId) if old else ()))
    told = {
        "token": _sign(request, claims, _profile_key(request)),
        "expiration": claims.exp,
        "created": claims.iat * 1000,
        "origin": "SYNERISE",
        "customId": claims.customId,
        "realm": claims.realm,
    }
    return Decoded((), answer(200, told))


def _claims(request: Request, realm: Realm, uuid: Any = None, custom_id: Any = None) -> Claims:
    now = int(request.received_at.timestamp())
    lifetime = (request.options or SOURCE_DEFAULTS).token_lifetime_seconds
    return Claims(realm=realm, iat=now, exp=now + lifetime, uuid=_text(uuid), customId=_text(custom_id))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST else None


def _profile_key(request: Request) -> str:
    return PROFILE_KEY if request.account.get(PROFILE_KEY) else API_KEY


def _given(request: Request, claims: Claims, key: str) -> Decoded:
    return Decoded((), answer(200, {"token": _sign(request, claims, key)}))


def _sign(request: Request, claims: Claims, key: str) -> str:
    return tokens.sign(request.account.get(key, ""), claims)


def check_permissions(request: Request) -> Decoded:
    """Say yes to every permission that is asked about."""
    names = parse_rows(request)
    if len(names) > _MOST or not all(isinstance(name, str) for name in names):
        raise invalid(request, [problem("", f"must be a list of {_MOST} permissions or fewer")])
    told = {"businessProfileName": request.source, "permissions": dict.fromkeys(names, True)}
    return Decoded((), answer(200, told))


def get_tracker(request: Request) -> Decoded:
    """Give the tracker key: the configured one, else one made of the API key. It is the same for every domain."""
    domain = parse_object(request).get("domain")
    if not isinstance(domain, str) or not domain:
        raise invalid(request, [problem("domain", "must not be empty", domain)])
    code = request.account.get(TRACKER) or tokens.derived_code(request.account)
    number = int.from_bytes(hashlib.sha256(domain.encode("utf-8", "surrogatepass")).digest()[:4], "big") >> 1
    created = int(request.received_at.timestamp() * 1000)
    return Decoded((), answer(200, {"id": number, "code": code, "domain": domain, "created": created}))


def tell_time(request: Request) -> Decoded:
    """Tell the time, by which mobile SDKs set their clocks."""
    return Decoded((), answer(200, {"serverTime": timestamp(request.received_at)}))
