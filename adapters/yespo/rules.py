"""What Yespo's answers mean for the events we sent.

Sources, read 2026-11-21: docs.yespo.io/reference/getting-started-with-your-api (statuses);
docs.yespo.io/docs/how-send-past-events (a status per event); docs.yespo.io/docs/orders-automation and
/api-methods-adding-contacts (a 200 lists what failed); github.com/Yespo-CDP/yespo-shopify (one failure is an object,
several are a list; a repeated contact is a 409 that says ``Duplicated request``).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.adapter import Answer, Encoded, Rule, Verdict

from .wire import Json

FAILED: Final = "failed"
UNREADABLE: Final = "unreadable"
PASSING: Final = "passing"
FOREIGN: Final = "foreign"

_ACCEPTED: Final = "ACCEPTED"
_PASSING: Final = "SERVER_ERROR"

_COMMON: Final = (
    Rule(range(200, 300), FOREIGN, Verdict.HOLD, "a web page answered: base_url is not Yespo's API"),
    Rule(range(200, 300), FAILED, Verdict.REJECT, "the status is a success, and the body an error"),
    Rule(400, None, Verdict.REJECT, "Yespo cannot read it, or it breaks a rule of the event's type"),
    Rule(401, None, Verdict.HOLD, "the key is wrong, or was not used for 90 days"),
    Rule(403, None, Verdict.HOLD, "the key has not the right to this method"),
    Rule(404, None, Verdict.HOLD, "no such path: base_url is not Yespo's API"),
    Rule(405, None, Verdict.HOLD, "no such method: base_url is not Yespo's API"),
    Rule(413, None, Verdict.SPLIT, "too much at once"),
    Rule(415, None, Verdict.REJECT, "Yespo does not take the media type"),
    Rule(429, None, Verdict.THROTTLE, "more requests a second than the account may send"),
    Rule(range(500, 600), None, Verdict.RETRY, "a fault on Yespo's side"),
)

EVENTS: Final = (
    Rule(409, None, Verdict.DONE, "a repeated request: an earlier try was stored"),
    *_COMMON,
)

PAST: Final = (
    Rule(range(200, 300), PASSING, Verdict.RETRY, "nothing was stored, for a fault on Yespo's side"),
    Rule(409, None, Verdict.DONE, "a repeated request: an earlier try was stored"),
    *_COMMON,
)

_UPSERTS: Final = (
    Rule(range(200, 300), UNREADABLE, Verdict.REJECT, "the list of failures cannot be read; one alone will tell"),
    Rule(409, None, Verdict.RETRY, "the contact was changed less than a minute ago"),
    *_COMMON,
)

ORDERS: Final = _UPSERTS
CONTACTS: Final = _UPSERTS
CONTACT: Final = _UPSERTS[1:]


# --- bodies ----------------------------------------------------------------------------------------------


def _object(answer: Answer) -> Json | None:
    """Return the JSON object that a success came with, None for any other body."""
    try:
        value = msgspec.json.decode(answer.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_page(answer: Answer) -> bool:
    return answer.body.lstrip()[:1] == b"<"


def _says_error(body: Json) -> bool:
    """Tell whether an object is an error in spite of the status it came with."""
    status = body.get("status")
    if isinstance(status, int) and not isinstance(status, bool) and status >= 400:
        return True
    return any(body.get(name) for name in ("error", "errors", "errorMessage", "errorCode"))


def event_code(answer: Answer) -> str | None:
    """Return what is wrong with a success: a live event's has no body."""
    if not 200 <= answer.status < 300 or not answer.body.strip():
        return None
    if _is_page(answer):
        return FOREIGN
    body = _object(answer)
    return FAILED if body is not None and _says_error(body) else None


# --- past events -----------------------------------------------------------------------------------------


def past_code(answer: Answer) -> str | None:
    """Return what is wrong with a success as a whole."""
    code = event_code(answer)
    if code is not None or not 200 <= answer.status < 300:
        return code
    statuses = _statuses(answer)
    if statuses and all(status == _PASSING for status in statuses):
        return PASSING
    body = _object(answer)
    if statuses is None and body is not None and body.get("errorCount"):
        return FAILED
    return None


def _statuses(answer: Answer) -> list[Any] | None:
    body = _object(answer) or {}
    results = body.get("results")
    if not isinstance(results, list):
        return None
    return [row.get("status") if isinstance(row, dict) else None for row in results]


def guilty_past(answer: Answer, encoded: Encoded) -> Mapping[int, str]:
    """Return which past events were not stored, and why; results stand in the order of the request."""
    statuses = _statuses(answer)
    if statuses is None:
        return {}
    if len(statuses) != len(encoded.events):
        return _all(encoded, "Yespo answered for another number of events") if _any_failed(statuses) else {}
    return {at: f"Yespo says {status}" for at, status in enumerate(statuses) if status != _ACCEPTED}


def _any_failed(statuses: Sequence[Any]) -> bool:
    return any(status != _ACCEPTED for status in statuses)


def _all(encoded: Encoded, why: str) -> dict[int, str]:
    return dict.fromkeys(range(len(encoded.events)), why)


# --- orders and contacts ---------------------------------------------------------------------------------


def _failures(answer: Answer, name: str) -> list[Any] | None:
    """Return the failures that a success lists: an object for one, a list for several; None when it says none."""
    body = _object(answer)
    given = None if body is None else body.get(name)
    if not given:
        return None
    return given if isinstance(given, list) else [given]


def orders_code(answer: Answer) -> str | None:
    """Return what is wrong with a success as a whole; failed orders that can be told are named instead."""
    return _upsert_code(answer, "failedOrders", "order")


def contacts_code(answer: Answer) -> str | None:
    """Return what is wrong with a success as a whole; failed contacts that can be told are named instead."""
    return _upsert_code(answer, "failedContacts", "contact")


def _upsert_code(answer: Answer, name: str, inner: str) -> str | None:
    if not 200 <= answer.status < 300:
        return None
    failures = _failures(answer, name)
    if failures is None:
        cut = answer.body.strip()[:1] == b"{" and _object(answer) is None
        return UNREADABLE if cut else event_code(answer)
    return None if all(_sent(row, inner) for row in failures) else UNREADABLE


def _sent(row: Any, inner: str) -> Json:
    """Return what a failure repeats of the request: an object of its own, or the failure itself."""
    if not isinstance(row, dict):
        return {}
    held = row.get(inner, row)
    return held if isinstance(held, dict) else {}


def _reason(row: Any) -> str:
    error = row.get("error") if isinstance(row, dict) else None
    return f"Yespo says: {error}" if isinstance(error, str) and error else "Yespo did not store it and gave no reason"


def guilty_orders(answer: Answer, encoded: Encoded) -> Mapping[int, str]:
    """Return which orders failed, and why: found by their id."""
    return _guilty(answer, encoded, ("failedOrders", "order", "orders"), _order_id)


def guilty_contacts(answer: Answer, encoded: Encoded) -> Mapping[int, str]:
    """Return which contacts failed, and why: found by external id, else by channels."""
    return _guilty(answer, encoded, ("failedContacts", "contact", "contacts"), _contact_id)


def _order_id(order: Json) -> Any:
    return str(order.get("externalOrderId"))


def _contact_id(contact: Json) -> Any:
    channels = contact.get("channels")
    rows = channels if isinstance(channels, list) else []
    return (
        str(contact.get("externalCustomerId")),
        frozenset((str(row.get("type")), str(row.get("value"))) for row in rows if isinstance(row, dict)),
    )


def _guilty(answer: Answer, encoded: Encoded, names: tuple[str, str, str], who: Any) -> Mapping[int, str]:
    """Return the positions of what failed; where one cannot be told, all that may be it: none counts as stored."""
    failures = _failures(answer, names[0])
    if failures is None:
        return {}
    sent = [who(row) for row in msgspec.json.decode(encoded.body)[names[2]]]
    found: dict[int, str] = {}
    for row in failures:
        key = who(_sent(row, names[1]))
        alike = [at for at, one in enumerate(sent) if one == key]
        if not alike:
            return _all(encoded, "Yespo did not store all of the request, and cannot be asked which")
        found.update(dict.fromkeys(alike, _reason(row)))
    return found
