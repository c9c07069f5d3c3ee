"""Vibetrace's answers: one envelope for success, one for errors, and the collector's script.

Sources, read 2026-11-21: help.vtcdn.net/kb/how-to-send-events-via-api (200 with a sentence in ``results.email``, 400
without events); help.vtcdn.net/kb/api-overview (the envelopes); github.com/vibetrace/api (201 and 403 of the first
API). The wording of every other error is ours: see "Choices of ours" in the README.
"""

import string
from typing import Any, Final

from gateway.adapter import Refusal, RefusalKind, Rejected, Reply, Request, json_bytes

from .limits import CALLBACK

_JSON: Final = (b"Content-Type", b"application/json; charset=utf-8")
_SCRIPT: Final = (b"Content-Type", b"application/javascript")
_NO_SNIFF: Final = (b"X-Content-Type-Options", b"nosniff")
_CALLBACK: Final = frozenset(string.ascii_letters + string.digits + "_.$")
_OK: Final = b'{"status":"ok"}'


def answer(status: int, value: Any) -> Reply:
    """Return a JSON answer."""
    return Reply(status, (_JSON,), json_bytes(value))


def _error(status: int, message: str, description: str) -> Reply:
    return answer(status, {"errors": [{"message": message, "description": description}]})


EVENT_CREATED: Final = answer(
    200, {"results": {"message": "Event created", "email": "Event was created for the specified user"}}
)
"""To the letter: ``email`` holds a sentence."""
USER_CREATED: Final = answer(200, {"results": {"message": "User created"}})
LEGACY_CREATED: Final = Reply(201)
COLLECTED: Final = Reply(200, ((b"Content-Type", b"application/json"), _NO_SNIFF), _OK)


def collected(callback: str | None) -> Reply:
    """Return the collector's answer: a script where a callback was named that may stand in one."""
    if not callback or len(callback) > CALLBACK.value or not _CALLBACK.issuperset(callback):
        return COLLECTED
    return Reply(200, (_SCRIPT, _NO_SNIFF), b"%b(%b)" % (callback.encode("ascii"), _OK))


def missing_event() -> Rejected:
    """Return the refusal of a request without events, or with one that has no fields."""
    return Rejected(_MISSING_EVENT)


def missing_name() -> Rejected:
    """Return the refusal of a custom event without a name."""
    return Rejected(_MISSING_NAME)


def missing_user() -> Rejected:
    """Return the refusal of a request that does not say whose event it is."""
    return Rejected(_MISSING_USER)


def unknown_user(status: int = 400) -> Rejected:
    """Return the refusal for a user nobody knows."""
    return Rejected(_error(status, "User not found", "The specified user does not exist"))


def unreadable() -> Rejected:
    """Return the refusal of what is no JSON, no object, or nested too deep."""
    return Rejected(_UNREADABLE)


def too_many() -> Rejected:
    """Return the refusal of more events than one call may have."""
    return Rejected(_TOO_MANY)


def unauthorized() -> Rejected:
    """Return the refusal of a missing or malformed key."""
    return Rejected(_UNAUTHORIZED)


def other_app() -> Rejected:
    """Return the first API's refusal of an app that is not the key's."""
    return Rejected(_OTHER_APP)


_MISSING_EVENT: Final = _error(400, "Missing event information", "Please send event information along with user")
_MISSING_NAME: Final = _error(400, "Missing event information", "Please send event_name along with a generic event")
_MISSING_USER: Final = _error(400, "Missing user information", "Please send user email or _id along with event")
_UNREADABLE: Final = _error(400, "Bad request", "The request is not valid JSON of the documented form")
_TOO_MANY: Final = _error(400, "Bad request", "Too many events in one request")
_UNAUTHORIZED: Final = _error(401, "Unauthorized", "Invalid API key")
_OTHER_APP: Final = _error(403, "Forbidden", "The application does not belong to this API key")
_OTHER_ACCOUNT: Final = _error(403, "Forbidden", "Unknown account")

_REFUSALS: Final = {
    RefusalKind.BAD_CREDENTIAL: _UNAUTHORIZED,
    RefusalKind.NOT_FOUND: _error(404, "Not found", "The requested resource does not exist"),
    RefusalKind.METHOD_NOT_ALLOWED: _error(405, "Method not allowed", "The resource does not know this method"),
    RefusalKind.TOO_LARGE: _error(413, "Request too large", "Please send a smaller request"),
    RefusalKind.BAD_ENCODING: _error(415, "Unsupported encoding", "Please send the request uncompressed"),
    RefusalKind.THROTTLED: _error(429, "Too many requests", "Please try again later"),
    RefusalKind.UNAVAILABLE: _error(503, "Service unavailable", "Please try again later"),
    RefusalKind.INTERNAL: _error(500, "Internal error", "The request could not be processed"),
}


def refuse(refusal: Refusal, request: Request) -> Reply:
    """Return the answer to a refusal of the core's."""
    if refusal.kind is RefusalKind.BAD_CREDENTIAL and request.path.startswith("/event/"):
        return _OTHER_ACCOUNT
    said = _REFUSALS[refusal.kind]
    if refusal.retry_after:
        return Reply(said.status, (*said.headers, (b"Retry-After", str(refusal.retry_after).encode())), said.body)
    if refusal.allowed:
        return Reply(said.status, (*said.headers, (b"Allow", ", ".join(refusal.allowed).encode())), said.body)
    return said
