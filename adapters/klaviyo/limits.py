"""Klaviyo's numbers, each with unit, source and the day it was read.

Sources:
    ERRORS   https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling
    SPEC     https://github.com/klaviyo/openapi, openapi/stable.json of the revision named beside the number
    EVENTS   https://developers.klaviyo.com/en/reference/events_api_overview

Where a source says "KB" or "MB" without telling which, clients are held to the binary reading (1,024) and what we
send keeps to the decimal one (1,000), so that neither reading is ever exceeded.
"""

from typing import Final

from gateway.adapter import Limit, Window

READ: Final = "2026-11-21"

ERRORS: Final = "https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling"
SPEC: Final = "https://github.com/klaviyo/openapi (branch 2026-07-15, openapi/stable.json)"
EVENTS: Final = "https://developers.klaviyo.com/en/reference/events_api_overview"
TRACK: Final = "https://developers.klaviyo.com/en/v1-2/reference/track-post"
DATES: Final = "https://developers.klaviyo.com/en/docs/datetimes_"
SEGMENT: Final = "https://github.com/segmentio/action-destinations (destinations/klaviyo)"
E164: Final = "https://www.itu.int/rec/T-REC-E.164 (the form that SPEC asks of phone_number)"


def _limit(value: int, unit: str, source: str) -> Limit:
    return Limit(value=value, unit=unit, source=source, read=READ)


# --- sizes -----------------------------------------------------------------------------------------------

BODY: Final = _limit(5 * 1024 * 1024, "bytes, decompressed", ERRORS)
BODY_SENT: Final = _limit(5_000_000 - 1, "bytes", ERRORS)
PROFILE_BODY: Final = _limit(100 * 1024, "bytes", SPEC)
PROFILE_BODY_SENT: Final = _limit(100_000 - 1, "bytes", SPEC)
LEGACY_BODY: Final = _limit(1024 * 1024, "bytes", TRACK)
READ_BODY: Final = _limit(64 * 1024, "bytes; a read has no body, this only bounds a careless client", ERRORS)

BULK_EVENTS: Final = _limit(1_000, "events per request", SPEC)
BULK_PROFILES: Final = _limit(10_000, "profiles per request", SPEC)
BULK_PAYS_FROM: Final = _limit(24, "events: 3,500 single requests a minute against 150 bulk ones", ERRORS)

# --- values ----------------------------------------------------------------------------------------------

METRIC_NAME: Final = _limit(127, "characters; the text says fewer than 128", SPEC)
PROPERTIES: Final = _limit(400, "properties per event", ERRORS)
STRING: Final = _limit(100 * 1024, "bytes per string", ERRORS)
STRING_SENT: Final = _limit(100_000, "bytes per string", ERRORS)
PROFILE_STRINGS: Final = _limit(100 * 1024, "bytes, all strings of one profile", SPEC)
ARRAY: Final = _limit(4_000, "elements per array", ERRORS)
NESTING: Final = _limit(10, "levels of objects and arrays below properties", ERRORS)
KEPT_NESTING: Final = _limit(40, "levels of unknown members; our choice, against absurd input", ERRORS)
EARLIEST: Final = _limit(1990, "year, the first that is accepted", SPEC)
AHEAD: Final = _limit(366, "days ahead of now: one year, the longest there is", EVENTS)
MONEY_TEXT: Final = _limit(64, "characters of a number; our choice, against absurd input", ERRORS)
EXTERNAL_ID: Final = _limit(255, "characters", SEGMENT)
PHONE_DIGITS: Final = _limit(15, "digits after the plus", E164)
PHONE_DIGITS_LEAST: Final = _limit(7, "digits after the plus; our choice, no source names a lower bound", E164)

# --- rates -----------------------------------------------------------------------------------------------


def _tier(burst: int, steady: int) -> tuple[Window, ...]:
    return (
        Window(count=burst, seconds=1, source=ERRORS, read=READ),
        Window(count=steady, seconds=60, source=ERRORS, read=READ),
    )


XS: Final = _tier(1, 15)
M: Final = _tier(10, 150)
L: Final = _tier(75, 750)
"""As of revision 2026-04-08; 700 a minute before."""
L_SENT: Final = _tier(75, 700)
"""The lower of the two figures, since an account may still have it."""
XL: Final = _tier(350, 3500)
