"""What real clients ask before or beside sending: accounts, profiles, lists, metrics; and the browser's preflight.

Sources, read 2026-11-21:
    https://developers.klaviyo.com/en/docs/filtering_: ``equals(email,"…")``, ``any(id,["…"])``, joined by commas
    https://github.com/segmentio/action-destinations (accounts), magento2-klaviyo and commercetools (profiles by filter)

The gateway knows identifiers and ids, nothing else: lists and metrics are empty, profiles show who they are.
"""

import re
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from adapters.klaviyo.errors import CORS, JSON_API, Invalid, answering, not_found
from adapters.klaviyo.names import KX
from adapters.klaviyo.resources import account, collection, profile_resource
from adapters.klaviyo.wire import UNREADABLE, Json
from gateway.adapter import Decoded, Reply, Request, json_bytes
from gateway.event import Profile

_TERM: Final = re.compile(r"(equals|any)\(\s*([a-z_]+)\s*,\s*(\[[^\]]*\]|\"(?:[^\"\\]|\\.)*\"|'[^']*')\s*\)")
_FIELDS: Final = {"email": "email", "phone_number": "phone", "external_id": "user_id", "anonymous_id": "anonymous_id"}
_NOBODY: Final = Profile()
_UNKNOWN_COMPANY: Final = "000000"
_VARY: Final = (b"Vary", b"Access-Control-Request-Headers")
_TOKENS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1000}")
_METHODS: Final = (b"Access-Control-Allow-Methods", b"POST, OPTIONS")
_MAX_AGE: Final = (b"Access-Control-Max-Age", b"86400")


def _ok(body: Json) -> Decoded:
    return Decoded((), Reply(200, (JSON_API,), json_bytes(body)))


def accounts(request: Request) -> Decoded:
    """Answer with the one account that the key belongs to."""
    company = request.account.get("company_id", _UNKNOWN_COMPANY)
    return _ok(collection("/api/accounts/", [account(company)]))


def nothing(request: Request) -> Decoded:
    """Answer with no lists, or no metrics."""
    return _ok(collection(request.path, []))


def profile(request: Request) -> Decoded:
    """Answer with a profile by its id."""
    profile_id = request.params["id"]
    known = request.people.get(profile_id)
    if known is None:
        raise not_found(request, f"A profile with id {profile_id} does not exist.")
    return _ok({"data": profile_resource(profile_id, known, request.received_at)})


@answering
def profiles(request: Request) -> Decoded:
    """Answer with the profiles that a filter finds; without one, with none: the directory cannot be listed."""
    try:
        text = parse_qs(request.query).get("filter", [""])[0]
    except ValueError:
        text = ""
    ids = _found(request, text) if text else []
    known = [(profile_id, request.people.get(profile_id)) for profile_id in ids]
    rows = [profile_resource(profile_id, who, request.received_at) for profile_id, who in known if who is not None]
    return _ok(collection("/api/profiles/", rows))


def _found(request: Request, text: str) -> list[str]:
    """Return the ids that every term agrees on, or any of them under ``or(…)``."""
    terms = [_term(request, field, values) for _, field, values in _TERM.findall(text)]
    if not terms:
        raise Invalid("/data", 'The filter is not understood. Use equals(field,"value") or any(field,["value"]).')
    if text.startswith("or("):
        return list(dict.fromkeys(found for term in terms for found in term))
    return [found for found in terms[0] if all(found in term for term in terms[1:])]


def _term(request: Request, field: str, values: str) -> list[str]:
    found = [_find(request, field, value) for value in _texts(values)]
    return list(dict.fromkeys(profile_id for profile_id in found if profile_id is not None))


def _texts(values: str) -> list[str]:
    try:
        given: Any = msgspec.json.decode(values.replace("'", '"').encode("utf-8", "surrogatepass"))
    except UNREADABLE:
        given = None
    texts = given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in texts):
        raise Invalid("/data", "A filter's value must be text in quotes.")
    return texts


def _find(request: Request, field: str, value: str) -> str | None:
    if field == "id":
        return value
    if field == "_kx":
        return request.people.find(Profile(vendor_ids={KX: value}))
    if field not in _FIELDS:
        raise Invalid("/data", f"Profiles cannot be filtered by {field}.")
    return request.people.find(msgspec.structs.replace(_NOBODY, **{_FIELDS[field]: value}))


def preflight(request: Request) -> Decoded:
    """Answer a browser that asks whether it may send; it may, from anywhere, with any header."""
    wanted = request.header(b"access-control-request-headers") or ""
    allowed = wanted if _TOKENS.fullmatch(wanted) else "*"
    headers = (*CORS, _METHODS, (b"Access-Control-Allow-Headers", allowed.encode()), _MAX_AGE, _VARY)
    return Decoded((), Reply(204, headers))
