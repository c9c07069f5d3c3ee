"""Klaviyo's vocabulary, its tables, its revisions and its profile ids: what both directions share."""

import hashlib
import re
from functools import lru_cache
from typing import Final

from gateway.adapter import load_vocabulary
from gateway.event import ConsentChange

SLUG: Final = "klaviyo"
KX: Final = "klaviyo_kx"
"""Under this name `Profile.vendor_ids` holds the encrypted web-tracking id (`_kx`, `$exchange_id`)."""

VOCABULARY: Final = load_vocabulary(SLUG)

PROFILE: Final = VOCABULARY.table("profile")
LOCATION: Final = VOCABULARY.table("location")
TRAITS: Final = VOCABULARY.table("traits")
"""Keys among a profile's custom properties, when it comes with an event."""
IDENTIFY_TRAITS: Final = VOCABULARY.table("traits", "device")
"""The same when it comes by itself; an event has the device among its own properties."""
FLAT: Final = VOCABULARY.table("flat")
LEGACY: Final = VOCABULARY.table("legacy", "flat")

WRAPPED_KEY: Final = {path: key for table in (PROFILE, LOCATION) for path, key in table.paths()}
"""Canonical path -> key in the wrapped shape."""
FLAT_PLACE: Final = {
    key: ("location", WRAPPED_KEY[path]) if path not in dict(PROFILE.paths()) else (WRAPPED_KEY[path],)
    for path, key in FLAT.paths()
}
"""A flat key -> its place among the wrapped attributes."""

# --- metrics ---------------------------------------------------------------------------------------------

DEVICE: Final = VOCABULARY.table("device")
"""Where an event has the device, among its own properties."""
NAME_KEY: Final = {"page": "Page Name", "screen": "Screen Name"}
"""Where the name of a page or a screen goes, which is no metric's name."""

CONSENT: Final = {
    "Subscribed to Email Marketing": ConsentChange(granted=True, channel="email"),
    "Unsubscribed from Email Marketing": ConsentChange(granted=False, channel="email"),
    "Subscribed to SMS Marketing": ConsentChange(granted=True, channel="sms"),
    "Unsubscribed from SMS Marketing": ConsentChange(granted=False, channel="sms"),
}
"""Metrics whose name says a permission (https://developers.klaviyo.com/en/docs/working_with_system_webhooks)."""
CONSENT_METRIC: Final = {
    (VOCABULARY.decode(metric).name, change.granted, change.channel): metric for metric, change in CONSENT.items()
}
"""Canonical name, granted, channel -> metric."""

# --- revisions -------------------------------------------------------------------------------------------

REVISIONS: Final = (
    *("2022-10-17", "2023-01-24", "2023-02-22", "2023-06-15", "2023-07-15", "2023-08-15", "2023-09-15"),
    *("2023-10-15", "2023-12-15", "2024-02-15", "2024-05-15", "2024-06-15", "2024-07-15", "2024-10-15"),
    *("2025-01-15", "2025-04-15", "2025-07-15", "2025-10-15", "2026-01-15", "2026-04-15", "2026-07-15"),
)
"""Branches of https://github.com/klaviyo/openapi, read 2026-11-21."""
NEWEST: Final = REVISIONS[-1]
LAST_FLAT: Final = "2023-06-15"

_REVISION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z0-9-]+)?")


@lru_cache(maxsize=256)
def floor_revision(asked: str) -> str | None:
    """Return the newest known revision not later than the one asked for; None when there is none."""
    if not _REVISION.fullmatch(asked):
        return None
    return max((known for known in REVISIONS if known <= asked[:10]), default=None)


# --- profile ids -----------------------------------------------------------------------------------------

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ID: Final = re.compile(f"01[{_CROCKFORD}]{{24}}")
_MINTED: Final = "01GATEWAY"
"""Stands where a ULID has its time, so that an id made up here is never taken for one that Klaviyo made."""


def mint(seed: str) -> str:
    """Return the profile id that stands for a seed: 26 characters, like the vendor's own."""
    number = int.from_bytes(hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest())
    tail = "".join(_CROCKFORD[number >> 5 * place & 31] for place in range(26 - len(_MINTED)))
    return _MINTED + tail


def is_profile_id(text: str) -> bool:
    """Tell whether the text has the form of Klaviyo's profile ids."""
    return _ID.fullmatch(text) is not None


def is_minted(profile_id: str) -> bool:
    """Tell whether the id was made up by `mint`: Klaviyo itself has never seen it."""
    return profile_id.startswith(_MINTED)
