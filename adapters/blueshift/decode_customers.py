"""Bytes -> profile updates, for Blueshift's customer endpoints, and reads of a customer.

Sources, read 2026-11-21: developer.blueshift.com/reference/post_api-v1-customers, /post_api-v1-customers-bulk; the
fields of the customer object from the OpenAPI documents behind them.
"""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from gateway.adapter import Decoded, Rejected, Request, json_bytes
from gateway.event import Profile

from .decode_event import read_customer
from .errors import answer, bad_request, blank, not_found, too_large
from .limits import CUSTOMER_ROWS
from .times import write_time
from .wire import is_blank, parse_object

CUSTOMERS: Final = "customers"
CUSTOMERS_BULK: Final = "customers_bulk"

_NO_IDENTIFIER: Final = {"status": 400, "error_data": {"user_identifier_missing": ["No valid identifier found"]}}

_STANDARD: Final = (
    "email", "customer_id", "firstname", "lastname", "gender", "phone_number", "joined_at",
)  # fmt: skip
"""Keys of a row that stand in the customer object under their own name."""

_NO_ATTRIBUTES: Final = frozenset({*_STANDARD, "uuid", "subscription_groups", "device_ids", "device_tokens"})

_CONTROL_BUCKETS: Final = 100
"""A customer is put into one of the buckets 1 to 100 (OpenAPI, ``bsft_control_bucket``, read 2026-11-21)."""


def decode_customer(request: Request) -> Decoded:
    """Return the profile update of ``POST /api/v1/customers``, answered with the customer as it now is."""
    row = parse_object(request)
    if not _is_identified(row):
        raise blank(request, "customer_id")
    event = read_customer(row, request, CUSTOMERS)
    customer = _customer(request.people.mint(event.profile), row, request)
    return Decoded((event,), answer(request, 200, json_bytes({"customer": customer})))


def decode_customers(request: Request) -> Decoded:
    """Return the profile updates of ``POST /api/v1/customers/bulk``; the answer lists failed rows alone."""
    rows = _rows(request)
    if len(rows) > CUSTOMER_ROWS.value:
        raise too_large(request)
    failed = [row for row in rows if not _is_identified(row)]
    events = [read_customer(row, request, CUSTOMERS_BULK) for row in rows if _is_identified(row)]
    body = json_bytes({"customers": failed, "errors": [_NO_IDENTIFIER] * len(failed)})
    return Decoded(events, answer(request, 200, body))


def _rows(request: Request) -> list[Any]:
    try:
        rows = parse_object(request).get("customers")
    except Rejected:
        raise bad_request(request) from None
    if not isinstance(rows, list):
        raise bad_request(request)
    return rows


def _is_identified(row: Any) -> bool:
    return isinstance(row, dict) and any(_is_identifier(row.get(key)) for key in ("email", "customer_id"))


def _is_identifier(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and not is_blank(value)


# --- reads -----------------------------------------------------------------------------------------------


def search_customer(request: Request) -> Decoded:
    """Answer ``GET /api/v1/customers?email=``: the schema lists both ``users`` and ``user``."""
    query = dict(parse_qsl(request.query, errors="replace"))
    wanted = Profile(email=query.get("email") or None, user_id=query.get("customer_id") or None)
    found = request.people.find(wanted) if wanted.email or wanted.user_id else None
    if found is None:
        raise not_found(request)
    user = _known(found, request)
    return Decoded((), answer(request, 200, json_bytes({"users": [user], "user": user})))


def get_customer(request: Request) -> Decoded:
    """Answer ``GET /api/v1/customers/{uuid}``."""
    own = request.params["uuid"]
    if request.people.get(own) is None:
        raise not_found(request)
    return Decoded((), answer(request, 200, json_bytes({"user": _known(own, request)})))


def _known(own: str, request: Request) -> dict[str, Any]:
    profile = request.people.get(own) or Profile()
    named = {"email": profile.email, "customer_id": profile.user_id, "phone_number": profile.phone}
    return _customer(own, {key: value for key, value in named.items() if value}, request)


def _customer(own: str, row: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """Return the customer object: what the row says, and the state of a customer who has done nothing yet."""
    now = write_time(request.received_at)
    return {
        "uuid": own,
        **_mail(row.get("email")),
        **{key: row[key] for key in _STANDARD if not is_blank(row.get(key))},
        "created_at": now,
        "joined_at": now if is_blank(row.get("joined_at")) else row["joined_at"],
        "updated_at": now,
        "lifetime_orders": 0,
        "lifetime_revenue": 0,
        "lifetime_visits": 0,
        "lifetime_sends": 0,
        "promotions": {},
        "bsft_control_bucket": str(1 + _number(own) % _CONTROL_BUCKETS),
        "custom_attributes": {key: value for key, value in row.items() if key not in _NO_ATTRIBUTES},
        "devices": [],
    }


def _mail(email: Any) -> dict[str, Any]:
    """Return what Blueshift says of an address; that the hash is MD5 is our reading of its length."""
    if not isinstance(email, str) or is_blank(email):
        return {}
    digest = hashlib.md5(email.encode(), usedforsecurity=False).hexdigest()
    domain = email.rpartition("@")[2]
    return {"email_domain": domain, "email_hash": digest, "email_hard_bounced": False, "email_spam_reported": "false"}


def _number(seed: str) -> int:
    return int.from_bytes(hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def mint(seed: str) -> str:
    """Return a customer's ``uuid``, of version 4 as Blueshift's are: always the same one for a seed."""
    return str(uuid.UUID(bytes=hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()[:16], version=4))
