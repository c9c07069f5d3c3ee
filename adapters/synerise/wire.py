"""Synerise's payloads: actions, endpoints' types, keys with a meaning of their own; and JSON in.

Sources, read 2026-11-21: hub.synerise.com/developers/api/events/sending-events (envelope, types); github.com/Synerise/
php-sdk lib/V4/Events (the action each endpoint sets, and its required params); synerise-for-woocommerce
lib/api-data-management (the endpoints of 2022 that are gone from newer clients).
"""

import re
from typing import Any, Final, NamedTuple

import msgspec

from gateway.adapter import Request, Vocabulary, load_vocabulary, nesting_bound, nests_deeper

from .errors import not_found, unreadable, wrong_type
from .limits import IN_DEPTH

SLUG: Final = "synerise"

VOCABULARY: Final[Vocabulary] = load_vocabulary(SLUG)

CLIENT_TABLE: Final = VOCABULARY.table("client")
ATTRIBUTE_TABLE: Final = VOCABULARY.table("attributes")

CUSTOM: Final = "custom"
CHARGE: Final = "transaction.charge"
ORIGINAL_TIME: Final = "snr-original-time"
"""Where Synerise keeps a time that it replaced (help.synerise.com/docs/assets/events/default-events)."""


class Dedicated(NamedTuple):
    """An endpoint for one action."""

    action: str
    required: tuple[str, ...] = ()
    """Params without which it refuses; money is checked by its form."""
    written: bool = True
    """Whether we send it; those that are gone, and those whose ``type`` text no page tells, go as custom."""


DEDICATED: Final[dict[str, Dedicated]] = {
    "added-to-cart": Dedicated("product.addToCart", ("sku", "finalUnitPrice", "quantity")),
    "removed-from-cart": Dedicated("product.removeFromCart", ("sku", "finalUnitPrice", "quantity")),
    "added-to-favorites": Dedicated("product.addToFavorite"),
    "product-view": Dedicated("product.view"),
    "logged-in": Dedicated("client.login"),
    "logged-out": Dedicated("client.logout"),
    "registered": Dedicated("client.register"),
    "searched": Dedicated("client.search"),
    "shared": Dedicated("client.shared"),
    "hit-timer": Dedicated("client.hitTimer"),
    "visited-screen": Dedicated("screen.view"),
    "application-started": Dedicated("client.applicationStarted", ("applicationName", "version")),
    "appeared-in-location": Dedicated("client.location", ("lat", "lon")),
    "assigned-to-company": Dedicated("client.assignToCompany", ("companyId",)),
    "cancelled-transaction": Dedicated("transaction.cancel"),
    "push/viewed": Dedicated("push.view", written=False),
    "push/clicked": Dedicated("push.click", written=False),
    "push/cancelled": Dedicated("push.cancel", written=False),
    "push/received": Dedicated("push.receiveInBackground", written=False),
    "item-search-click": Dedicated("item.search.click", ("correlationId", "item", "position", "searchType")),
    "recommendation-click": Dedicated("recommendation.click", written=False),
    "recommendation-seen": Dedicated("recommendation.seen", written=False),
    "completed-transaction": Dedicated(CHARGE, written=False),
}
"""By the last part of the path, which is also the ``type`` in a batch."""

TYPES: Final[dict[str, Dedicated]] = DEDICATED | {
    kind.replace("/", mark): entry for kind, entry in DEDICATED.items() for mark in "-." if "/" in kind
}
"""By ``type`` in a batch: of the push family no page tells the text, so three spellings are taken."""

TYPE_OF: Final = {entry.action: kind for kind, entry in DEDICATED.items() if entry.written}
"""Action -> the type we write."""

NUMERIC: Final = frozenset({"quantity", "lat", "lon", "companyId", "position"})
SEARCH_TYPES: Final = frozenset({"full-text-search", "autocomplete"})

RESERVED: Final = frozenset({"modifiedBy", "apiKey", "eventUUID", "ip", "time", "businessProfileId"})
"""Params that Synerise ignores or overwrites (hub.synerise.com/docs/assets/events/event-reference)."""

CONSENT: Final = {
    "marketingAgreement.turnOn": True,
    "newsletter.confirmSubscribe": True,
    "marketingAgreement.turnOff": False,
    "newsletter.unsubscribe": False,
}
"""Actions that say a permission for e-mail (hub.synerise.com/docs/assets/events/event-reference/email)."""

LINES: Final = "products"

# --- transactions ---

TRANSACTION_KEYS: Final = ("orderId", "paymentInfo", LINES, "revenue", "value", "discountAmount", "source")
"""Members of a transaction that say what was bought (hub.synerise.com/api-reference/data-management)."""

# --- profiles ---

CLIENT_KEYS: Final = frozenset(key for _, key in CLIENT_TABLE.paths())
RESERVED_ATTRIBUTES: Final = CLIENT_KEYS | {
    "clientId", "anonymous", "agreements", "attributes", "businessProfileId", "time", "ip", "source",
    "newsletter_agreement", "custom_identify", "firstname", "lastname", "displayname", "birthdate", "created",
    "updated", "last_activity_date", "external_avatar_url", "receive_smses", "receive_push_messages",
    "receive_webpush_messages", "receive_btooth_messages", "receive_rfid_messages", "receive_wifi_messages",
    "confirmation_hash", "ownerId", "anonymous_type", "country_id", "club_card_id", "type", "confirmed", "facebookId",
    "status",
}  # fmt: skip
"""Names an attribute cannot have (help.synerise.com/developers/api/clients/profiles); beside ``geo_loc_…``."""


PUSH_TOKENS: Final = "pushTokens"
"""The attribute of ours in which push tokens stand: Synerise takes them by a call of its own."""


def is_reserved_attribute(name: str) -> bool:
    """Tell whether Synerise ignores a custom attribute of this name."""
    return name in RESERVED_ATTRIBUTES or name.startswith("geo_loc_")


# --- JSON in ---------------------------------------------------------------------------------------------

_DEPTH: Final = IN_DEPTH.value
_decoder: Final = msgspec.json.Decoder()


def parse(request: Request) -> Any:
    """Return the body's JSON value.

    Raises:
        Rejected: it is none, says it is something else, or is nested deeper than `IN_DEPTH`.
    """
    check_type(request)
    body = request.body
    try:
        value = _decoder.decode(body)
    except (ValueError, RecursionError):
        raise unreadable(request) from None
    if nesting_bound(body) > _DEPTH and nests_deeper(value, _DEPTH):
        raise unreadable(request)
    return value


def check_type(request: Request) -> None:
    """Refuse a body of a declared type that is not JSON; one without a declaration is taken.

    Raises:
        Rejected: with 415.
    """
    declared = request.header(b"content-type")
    if declared is None or declared == "application/json":
        return
    kind = declared.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise wrong_type(request)


def parse_object(request: Request) -> dict[str, Any]:
    """Return the body's JSON object, without its nulls: Synerise asks to leave empty fields out.

    Raises:
        Rejected: it is none.
    """
    value = parse(request)
    if type(value) is not dict:
        raise unreadable(request)
    return without_nulls(value) if has_null(request.body) else value


has_null: Final = re.compile(b"null").search
"""Tells whether there can be a null in JSON, in half the time of ``in``."""


def parse_rows(request: Request) -> list[Any]:
    """Return the body's JSON array, with its nulls.

    Raises:
        Rejected: it is none.
    """
    value = parse(request)
    if type(value) is not list:
        raise unreadable(request)
    return value


def without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object without the members that are null, at every level; elements of arrays stay."""
    return {key: _cleaned(inner) for key, inner in value.items() if inner is not None}


def _cleaned(value: Any) -> Any:
    if type(value) is dict:
        return without_nulls(value)
    return [_cleaned(inner) for inner in value] if type(value) is list else value


_LONGEST_ID: Final = 20
"""Digits; an id is a 64-bit integer."""


def read_number(text: str, request: Request) -> int:
    """Return the profile's id in a path.

    Raises:
        Rejected: it is none; nobody has it.
    """
    if not (text.isascii() and text.isdigit() and len(text) < _LONGEST_ID):
        raise not_found(request)
    return int(text)
