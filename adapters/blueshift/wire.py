"""Blueshift's payloads: their keys by what they are for, and JSON in.

One flat object stands for one event or one customer. Sources, read 2026-11-21:
developer.blueshift.com/reference/post_api-v1-event and its siblings; Blueshift Android SDK c9af96d
(``BlueshiftAttributesApp.java``, ``BlueshiftAttributesUser.java``) and iOS SDK 1fb7344 (``BlueShift.m``);
help.blueshift.com 115002745373 (event verification).
"""

from functools import lru_cache
from typing import Any, Final

import msgspec

from gateway.adapter import Rejected, Request, Vocabulary, load_vocabulary, nesting_bound, nests_deeper

from .errors import unparsable
from .limits import IN_DEPTH

SLUG: Final = "blueshift"

VOCABULARY: Final[Vocabulary] = load_vocabulary(SLUG)

IDENTIFY_TABLE: Final = VOCABULARY.table("identity", "person", "device", "page")
CUSTOMER_TABLE: Final = VOCABULARY.table("identity", "person")
LOWER_TABLE: Final = VOCABULARY.table("identity", "person", "device", "page", "order")
LINE_TABLE: Final = VOCABULARY.table("line")
FLAT_TABLE: Final = VOCABULARY.table("flat")

PATH_KEYS: Final = dict(LOWER_TABLE.paths())
"""Canonical path -> key."""

OTHER_SPELLINGS: Final = (
    "device_idfa", "anonymousId", "anonymous_id", "phone", "first_name", "firstName", "last_name", "lastName",
)  # fmt: skip
"""Second spellings of keys that say who somebody is, which are nobody when blank."""

UNNAMED: Final = "unnamed"
"""The name of an event in a bulk call that has none."""

IDENTIFIERS: Final = (
    "customer_id", "email", "device_id", "cookie", "phone_number", "phone", "group_id", "uuid", "user_uuid",
    "anonymousId", "anonymous_id", "user_id", "userId", "device_token", "device_tokens", "device_idfa", "device_idfv",
)  # fmt: skip
"""Keys of which a single event must have one. Documented are the first four and group_id; the others are
what real senders identify people by."""

TECHNICAL: Final = frozenset({
    "enable_push", "enable_inapp", "limit_ad_tracking", "firebase_instance_id", "device_idfv", "bundle_identifier",
    "verification_key", "event_signature",
})  # fmt: skip
"""Keys that mean something to Blueshift alone; so does everything that begins with ``_bsft`` or ``bsft_``."""

TOKEN_KEYS: Final = ("device_token", "device_tokens")

CONTROL: Final = frozenset({
    "event", "timestamp", "event_uuid", "uuid", "customer_id", "email", "cookie", "device_id", "phone_number",
    *TOKEN_KEYS, "subscription_groups", "subscription_group_id", "subscription_group_subscribed",
    "unsubscribed", "unsubscribed_push", "unsubscribed_inapp", "unsubscribed_sms", "opted_in",
    "verification_key", "event_signature",
})  # fmt: skip
"""Keys that steer Blueshift. Another vendor's free attribute of such a name is given a prefix."""

_DEPTH: Final = IN_DEPTH.value

_objects: Final = msgspec.json.Decoder(dict[str, Any])


_READ_BY: Final = {
    "event": VOCABULARY.decode(UNNAMED).table,
    "alias": VOCABULARY.decode("alias").table,
    "identify": IDENTIFY_TABLE,
    "customer": CUSTOMER_TABLE,
    "flat": FLAT_TABLE,
    "line": LINE_TABLE,
}


LONGEST_KEY: Final = 64
"""Characters; no table has a longer key."""


def meaning(table: str, key: str) -> str | None:
    """Return the canonical path that one of the tables reads a key as, None when the key is free there."""
    return _meaning(table, key) if len(key) <= LONGEST_KEY else None


@lru_cache(maxsize=4_096)
def _meaning(table: str, key: str) -> str | None:
    """Cached for keys that a table could hold: a client's longer ones must not fill the memory."""
    for probe in ("1", "2026-11-21"):
        for part, fields in _READ_BY[table].lift({key: probe}).parts.items():
            return f"{part}.{next(iter(fields))}"
    return None


def is_private(key: str) -> bool:
    """Tell whether a key means something to Blueshift alone."""
    return key in TECHNICAL or ("bsft" in key and key.startswith(("_bsft", "bsft_")))


def is_blank(value: Any) -> bool:
    """Tell whether a value counts as absent."""
    return not value.strip() if isinstance(value, str) else value is None


def parse_object(request: Request) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises:
        Rejected: it is none, or is nested deeper than `IN_DEPTH`.
    """
    body = request.body
    try:
        value = _objects.decode(body)
    except RecursionError:
        raise _too_deep(request) from None
    except ValueError as error:
        raise unparsable(request, error) from None
    if nesting_bound(body) > _DEPTH and nests_deeper(value, _DEPTH):
        raise _too_deep(request)
    return value


def parse_value(text: str) -> Any:
    """Return the JSON value in a text, or the text itself when it is none or nested too deep."""
    try:
        value = msgspec.json.decode(text.encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return text
    return text if nests_deeper(value, _DEPTH) else value


def _too_deep(request: Request) -> Rejected:
    return unparsable(request, "nested too deep")
