"""What Blueshift's answers mean for the events we sent.

Sources, read 2026-11-21: developer.blueshift.com/reference/api-errors (which statuses to retry) and the responses
declared by each operation. 404 and 409 are passing conflicts on the customer endpoints alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.adapter import Answer, Encoded, Rule, Verdict

FAILED: Final = "failed_rows"
PASSING: Final = "passing_failures"
MIXED: Final = "mixed_failures"
UNREADABLE: Final = "unreadable"

_PASSING_STATUS: Final = frozenset({404, 409, 429, 500, 502, 503, 504})

_COMMON: Final = (
    Rule(400, None, Verdict.REJECT, "Blueshift cannot read it, or a required field is blank"),
    Rule(401, None, Verdict.HOLD, "the key is wrong, or of the wrong class (event or user key)"),
    Rule(403, None, Verdict.HOLD, "the key may not do this"),
    Rule(408, None, Verdict.RETRY, "Blueshift gave up waiting for the request"),
    Rule(413, None, Verdict.SPLIT, "too many rows or bytes in one call"),
    Rule(422, None, Verdict.REJECT, "validation failed"),
    Rule(429, None, Verdict.THROTTLE, "rate limit exceeded; the answer does not say for how long"),
    Rule(range(500, 600), None, Verdict.RETRY, "a fault on Blueshift's side"),
)

EVENTS: Final = (
    Rule(range(200, 300), None, Verdict.DONE, "accepted; the event endpoints answer nothing more precise"),
    Rule(404, None, Verdict.HOLD, "no such path: base_url is not Blueshift's API, or of the other region"),
    Rule(409, None, Verdict.REJECT, "not declared for events"),
    *_COMMON,
)

_CONFLICTS: Final = (
    Rule(404, None, Verdict.RETRY, "a passing conflict, says the reference of the customer endpoints"),
    Rule(409, None, Verdict.RETRY, "a passing conflict"),
)

CUSTOMERS: Final = (
    Rule(range(200, 300), None, Verdict.DONE, "stored"),
    *_CONFLICTS,
    *_COMMON,
)

CUSTOMERS_BULK: Final = (
    Rule(200, FAILED, Verdict.REJECT, "the answer lists the rows that were not stored"),
    Rule(200, PASSING, Verdict.RETRY, "rows failed for a passing reason; storing the others again changes nothing"),
    Rule(200, MIXED, Verdict.SPLIT, "some rows failed for good and some in passing"),
    Rule(200, UNREADABLE, Verdict.SPLIT, "a list of failures too long to read; halves have shorter ones"),
    Rule(range(200, 300), None, Verdict.DONE, "all rows stored"),
    *_CONFLICTS,
    *_COMMON,
)


class _Failures(msgspec.Struct):
    customers: list[Any] = []
    errors: list[Any] = []


_failures: Final = msgspec.json.Decoder(_Failures)


def bulk_code(answer: Answer) -> str | None:
    """Return what kind of failures the bulk customer endpoint's 200 lists, None for none."""
    if answer.status != 200 or not answer.body.strip():
        return None
    try:
        failures = _failures.decode(answer.body)
    except (ValueError, RecursionError):
        return UNREADABLE
    if not failures.customers and not failures.errors:
        return None
    passing = [_status(error) in _PASSING_STATUS for error in failures.errors]
    if not any(passing):
        return FAILED
    return PASSING if all(passing) and len(passing) >= len(failures.customers) else MIXED


def _status(error: Any) -> Any:
    return error.get("status") if isinstance(error, dict) else None


def guilty_rows(answer: Answer, encoded: Encoded) -> Mapping[int, str]:
    """Return which rows of a bulk customer call failed, and why.

    A failed row is echoed as it was sent, in no promised order; it is found by comparing, first as a whole, then by
    its identifiers. Where one cannot be found nothing is returned, so that no failed row counts as stored.
    """
    if bulk_code(answer) not in (FAILED, PASSING):
        return {}
    failures = _failures.decode(answer.body)
    sent = msgspec.json.decode(encoded.body)["customers"]
    found: dict[int, str] = {}
    for place, row in enumerate(failures.customers):
        position = _position(row, sent, found)
        if position is None:
            return {}
        found[position] = _reason(failures.errors, place)
    return found if len(failures.errors) <= len(found) else {}


def _position(row: Any, sent: Sequence[Any], taken: Mapping[int, str]) -> int | None:
    free = [index for index in range(len(sent)) if index not in taken]
    same = [index for index in free if sent[index] == row]
    if same:
        return same[0]
    alike = [index for index in free if _who(sent[index]) == _who(row) is not None]
    return alike[0] if len(alike) == 1 else None


def _who(row: Any) -> tuple[str, str] | None:
    if not isinstance(row, dict) or not (row.get("customer_id") or row.get("email")):
        return None
    return str(row.get("customer_id")), str(row.get("email"))


def _reason(errors: Sequence[Any], place: int) -> str:
    error = errors[place] if place < len(errors) else None
    data = error.get("error_data") if isinstance(error, dict) else None
    if not isinstance(data, dict) or not data:
        return "Blueshift did not store the row and gave no reason"
    return "; ".join(f"{name}: {_text(value)}" for name, value in data.items())


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
