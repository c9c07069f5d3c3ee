"""What Synerise's answers mean for the events we sent.

Sources, read 2026-11-21: github.com/Synerise/php-sdk lib/V4 (the answers each operation declares);
github.com/Synerise/magento2-integration SyneriseApi (207 of profiles and of transactions).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.adapter import Answer, Encoded, Rule, Verdict

NOTHING: Final = "nothing_failed"

_REFUSED: Final = (
    Rule(400, None, Verdict.REJECT, "Synerise cannot read it, or a field is wrong"),
    Rule(401, None, Verdict.RENEW, "the token is spent"),
    Rule(403, None, Verdict.HOLD, "the API key lacks the permission for this call, or the address is not allowed"),
    Rule(404, None, Verdict.HOLD, "no such path: base_url is not Synerise's API, or of another region"),
    Rule(415, None, Verdict.HOLD, "what answers does not take JSON: base_url is not Synerise's API"),
    Rule(423, None, Verdict.HOLD, "the workspace is locked"),
)

EVENTS: Final = (Rule(range(200, 300), None, Verdict.DONE, "queued; what is checked later is not told"), *_REFUSED)

BATCHES: Final = (
    Rule(207, NOTHING, Verdict.DONE, "queued; the list of errors is empty"),
    Rule(207, None, Verdict.REJECT, "some were not taken; sending the others again changes nothing"),
    *EVENTS,
)


def error_code(answer: Answer) -> str | None:
    """Return whether a 207 lists no errors; there are no codes to tell other answers apart."""
    return NOTHING if answer.status == 207 and _parsed(answer) == [] else None


def _parsed(answer: Answer) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except (ValueError, RecursionError):
        return None


def _errors(answer: Answer) -> list[dict[str, Any]]:
    """Return the errors of a 207, which is their array, or of a 400, which holds one."""
    found = _parsed(answer)
    if isinstance(found, dict):
        found = found.get("errors")
    return [error for error in found if isinstance(error, dict)] if isinstance(found, list) else []


_PLACE: Final = re.compile(r"\[(\d{1,4})\]")


def guilty(answer: Answer, encoded: Encoded) -> Mapping[int, str]:
    """Return which items a refusal names, and why: by a place before the field, else by the value it repeats.

    No page says how an item is named. Where an error cannot be laid to one item nothing is returned, so that the
    core finds the guilty one by halves and none of the others is blamed.
    """
    if answer.status not in (207, 400):
        return {}
    errors = _errors(answer)
    sent = msgspec.json.decode(encoded.body) if errors else []
    found: dict[int, str] = {}
    for error in errors:
        position = _position(error, sent)
        if position is None or position >= len(encoded.events):
            return {}
        found.setdefault(position, _reason(error))
    return found


def _position(error: Mapping[str, Any], sent: Any) -> int | None:
    field = error.get("field")
    if not isinstance(field, str) or not isinstance(sent, list):
        return None
    place = _PLACE.match(field)
    if place is not None:
        return int(place[1])
    value = error.get("rejectedValue")
    if value is None:
        return None
    same = [at for at, row in enumerate(sent) if isinstance(row, dict) and _holds(row, field, value)]
    return same[0] if len(same) == 1 else None


def _holds(row: Mapping[str, Any], field: str, value: Any) -> bool:
    return field in row and str(row[field]) == str(value)


def _reason(error: Mapping[str, Any]) -> str:
    """Return field and message: the value that was refused may be somebody's address."""
    return f"{error['field']}: {error.get('message') or 'refused'}"
