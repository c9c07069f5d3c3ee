"""What Vibetrace's answers mean for the events we sent.

Source, read 2026-11-21: help.vtcdn.net/kb/how-to-send-events-via-api (200, 400, "the user must exist"). No page says
with which status and words an unknown user is refused: it is told by words that mean so, on 400 and 404 alike.
"""

from typing import Any, Final

import msgspec

from gateway.adapter import Answer, Rule, Verdict

UNKNOWN_USER: Final = "unknown_user"
USER_EXISTS: Final = "user_exists"

_UNKNOWN: Final = ("not found", "not exist", "unknown", "no such", "doesn't exist")
_EXISTS: Final = ("already", "exists", "duplicate")

EVENT: Final = (
    Rule(400, UNKNOWN_USER, Verdict.PREPARE, "the user has to be created first"),
    Rule(404, UNKNOWN_USER, Verdict.PREPARE, "the user has to be created first"),
    Rule(400, None, Verdict.REJECT, "Vibetrace cannot read the event"),
)

USER: Final = (
    Rule(400, USER_EXISTS, Verdict.DONE, "the user is there already"),
    Rule(409, None, Verdict.DONE, "the user is there already"),
    Rule(400, None, Verdict.REJECT, "Vibetrace cannot read the user"),
)


class _Errors(msgspec.Struct):
    errors: list[Any] = []


_errors: Final = msgspec.json.Decoder(_Errors)


def event_code(answer: Answer) -> str | None:
    """Return `UNKNOWN_USER` where an answer says that the user does not exist."""
    text = _text(answer)
    return UNKNOWN_USER if "user" in text and any(words in text for words in _UNKNOWN) else None


def user_code(answer: Answer) -> str | None:
    """Return `USER_EXISTS` where an answer says that there is such a user already."""
    text = _text(answer)
    denied = any(words in text for words in _UNKNOWN)
    return USER_EXISTS if not denied and any(words in text for words in _EXISTS) else None


def _text(answer: Answer) -> str:
    """Return what the errors of an answer say, in lower case."""
    try:
        errors = _errors.decode(answer.body).errors
    except (ValueError, RecursionError):
        return ""
    said = [error.get(key) for error in errors if isinstance(error, dict) for key in ("message", "description")]
    return " ".join(text for text in said if isinstance(text, str)).lower()
