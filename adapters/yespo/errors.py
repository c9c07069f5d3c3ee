"""Yespo's answers: the empty success, its errors, and the refusals of the core.

Sources, read 2026-11-21: github.com/busfor/esputnik test/vcr_cassettes (an accepted event is 200 with no body and no
content type); github.com/Yespo-CDP/yespo-woocommerce (reads a numeric ``status`` of an error); docs.yespo.io (the
statuses). The other members of an error are our choice.
"""

from typing import Any, Final

from gateway.adapter import Refusal, RefusalKind, Rejected, Reply, json_bytes

_JSON: Final = (b"Content-Type", b"application/json;charset=UTF-8")
_TEXT: Final = (b"Content-Type", b"text/plain;charset=UTF-8")

ACCEPTED: Final = Reply(200)
"""Of an event, and of all else that Yespo has nothing to say about."""


def answer(body: Any, status: int = 200) -> Reply:
    """Return a JSON answer."""
    return Reply(status, (_JSON,), json_bytes(body))


def text(body: str, status: int = 200) -> Reply:
    """Return a plain text, which Yespo labels as JSON and we do not."""
    return Reply(status, (_TEXT,), body.encode())


def invalid(message: str, status: int = 400, **more: Any) -> Rejected:
    """Return the refusal of a request that breaks a rule; the message must not repeat what was sent."""
    return Rejected(answer({"status": status, "message": message, **more}, status))


def unsupported() -> Rejected:
    """Return the refusal of a body that is no JSON by its content type."""
    return invalid("Unsupported Media Type", 415)


def unauthorized() -> Rejected:
    """Return the refusal of a credential that is missing or cannot be read."""
    return Rejected(_unauthorized())


def not_found(what: str) -> Rejected:
    """Return the refusal for what nobody knows; plugins look for these two words."""
    return invalid(f"{what} not found", 404)


def _unauthorized() -> Reply:
    return answer({"status": 401, "error": "Unauthorized", "message": "Unauthorized"}, 401)


_MESSAGES: Final = {
    RefusalKind.NOT_FOUND: (404, "Not Found"),
    RefusalKind.METHOD_NOT_ALLOWED: (405, "Method Not Allowed"),
    RefusalKind.TOO_LARGE: (400, "The request is too large"),
    RefusalKind.BAD_ENCODING: (415, "Unsupported Media Type"),
    RefusalKind.THROTTLED: (429, "Too Many Requests"),
    RefusalKind.UNAVAILABLE: (503, "Service Unavailable"),
    RefusalKind.INTERNAL: (500, "Internal Server Error"),
}


def refuse(refusal: Refusal, request: Any) -> Reply:  # noqa: ARG001 - the port's form; all paths answer alike
    """Return Yespo's answer to each refusal."""
    if refusal.kind is RefusalKind.BAD_CREDENTIAL:
        return _unauthorized()
    status, message = _MESSAGES[refusal.kind]
    headers = [_JSON]
    if refusal.retry_after:
        headers.append((b"Retry-After", str(refusal.retry_after).encode()))
    if refusal.allowed:
        headers.append((b"Allow", ", ".join(refusal.allowed).encode()))
    return Reply(status, tuple(headers), json_bytes({"status": status, "message": message}))
