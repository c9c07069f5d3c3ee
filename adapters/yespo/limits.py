"""Every number of Yespo's contract, and those we chose where Yespo is silent."""

from typing import Final

from gateway.adapter import Limit, Window

READ: Final = "2026-11-21"

_EVENT: Final = "https://docs.yespo.io/docs/how-use-v1event-api-resource"
_CHECKS: Final = "https://docs.yespo.io/docs/validating-event-parameters"
_PAST: Final = "https://docs.yespo.io/docs/how-send-past-events"
_ORDERS: Final = "https://docs.yespo.io/docs/orders-automation"
_CONTACTS: Final = "https://docs.yespo.io/docs/api-methods-adding-contacts"
_RATES: Final = "https://docs.yespo.io/reference/rate-limits"
_DELETE: Final = "https://docs.esputnik.com/reference/removehistoryorders"
_SEARCH: Final = "https://docs.yespo.io/reference/searchcontacts-1"
_OURS: Final = "our choice: Yespo publishes none"


def _limit(value: int, unit: str, source: str) -> Limit:
    return Limit(value=value, unit=unit, source=source, read=READ)


# --- one event ---

TYPE_LENGTH: Final = _limit(100, "characters of an eventTypeKey", _CHECKS)
KEY_LENGTH: Final = _limit(300, "characters of a keyValue or of a contact's identifier", _CHECKS)
NAME_LENGTH: Final = _limit(100, "characters of a parameter's name", _CHECKS)
EVENT_BODY: Final = _limit(20_480, f"bytes; {_EVENT} says 20 kilobytes, the larger reading", _EVENT)
EVENT_BODY_SENT: Final = _limit(20_000, "bytes; the smaller reading", _EVENT)
PERSON_NAME: Final = _limit(60, "characters of a first or last name; other pages say 40", _EVENT)
PERSON_NAME_DIGITS: Final = _limit(3, "digits in a first or last name", "https://docs.yespo.io/docs/adding-new-users")
PHONE_DIGITS: Final = _limit(15, "digits of a phone number, at most", "https://www.itu.int/rec/T-REC-E.164")
PHONE_DIGITS_LEAST: Final = _limit(7, "digits of a phone number, at least", f"{_OURS}, a careful lower bound")

# --- many ---

PAST_EVENTS: Final = _limit(500, "events per request", _PAST)
PAST_DEPTH: Final = _limit(730, "days back that a past event may lie: two years", _PAST)
PAST_BODY: Final = _limit(10_240_000, "bytes: 500 events of 20,480", f"{_OURS}, the product of two published numbers")
PAST_BODY_SENT: Final = _limit(5_000_000, "bytes", f"{_OURS}, half of what the numbers for one event allow")
PAST_AFTER: Final = _limit(3_600, "seconds after which an event is sent as a past one", "our choice: an hour is late")
ORDERS: Final = _limit(1_000, "orders per request", _ORDERS)
ORDERS_BODY: Final = _limit(10_240_000, "bytes", f"{_OURS}, as for past events")
ORDERS_BODY_SENT: Final = _limit(5_000_000, "bytes", f"{_OURS}, as for past events")
CONTACTS: Final = _limit(3_000, "contacts per request", _CONTACTS)
CONTACTS_BODY: Final = _limit(10_240_000, "bytes", f"{_OURS}, as for past events")
CONTACTS_BODY_SENT: Final = _limit(5_000_000, "bytes", f"{_OURS}, as for past events")
CONTACT_BODY: Final = _limit(1_048_576, "bytes", _OURS)
CONTACT_BODY_SENT: Final = _limit(1_000_000, "bytes", _OURS)
CONTACTS_PAY_FROM: Final = _limit(20, "contacts waiting: bulk is asynchronous and tells failures late", _OURS)
ORDERS_APART: Final = _limit(24, "hours between from and to when orders are deleted", _DELETE)
SEARCH_ROWS: Final = _limit(500, "contacts that a search returns", _SEARCH)
SEARCH_FIELDS: Final = _limit(50, "query keys of a search", _OURS)

# --- care ---

READ_BODY: Final = _limit(65_536, "bytes; a read has no body, this only bounds a careless client", _OURS)
DEPTH: Final = _limit(40, "levels of JSON nesting", f"{_OURS}, against absurd input")
TOKEN_LIFE: Final = _limit(172_800, "seconds", "https://docs.yespo.io/docs/authorization-using-oauth-2 (OAuth tokens)")

# --- rates ---


def _rate(count: int, shared: str | None = None) -> tuple[Window, ...]:
    return (Window(count=count, seconds=1, source=_RATES, read=READ, shared=shared),)


EVENT_V1_RATE: Final = _rate(350)
EVENT_V2_RATE: Final = _rate(350)
PAST_RATE: Final = _rate(100, "past_events")
"""v1 and v2 together."""
PAST_DELETE_RATE: Final = _rate(5)
SEARCH_RATE: Final = _rate(50)
OTHER_RATE: Final = _rate(200, "everything_else")
"""Contacts, orders and all the rest together."""
