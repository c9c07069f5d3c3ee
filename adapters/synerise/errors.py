"""Synerise's answers: empty successes and the shapes of an error.

Shapes, read 2026-11-21:

A. ``{"timestamp", "status", "error", "message", "path", "errors"?}``    every refusal on ``/v4`` and ``/sauth``
   (github.com/Synerise/php-sdk lib/V4/Models/HTTP400.php; its ``errors[]`` are ``{"code", "field", "message",
   "rejectedValue"}``, Error.php)
B. ``{"path", "timestamp", "errorCode", "status", "message", "traceId"}``    ``/uauth``
   (github.com/Synerise/synerise-for-woocommerce lib/api-data-management, InlineResponse401)
C. an array of ``errors[]`` items    207 of ``/v4/clients/batch`` (github.com/Synerise/magento2-integration
   lib/api-client DefaultApi)

No page gives the wording of ``message`` or the numbers of ``code``: they are ours. ``Token expired.`` is not: the
Magento plugin compares it to log in again (SyneriseApi/Sender/AbstractSender.php isTokenExpired).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import to_builtins

from gateway.adapter import Refusal, RefusalKind, Rejected, Reply, Request, json_bytes

from .limits import IN_ECHO, IN_ERRORS

_JSON: Final = (b"Content-Type", b"application/json")
_ECHO: Final = IN_ECHO.value
_MOST: Final = IN_ERRORS.value

ACCEPTED: Final = Reply(202)
"""Queued; the body must be empty: a third-party Python client reads any other as an error."""

EXPIRED: Final = "Token expired."

CODE: Final = 100
"""Of every entry of ``errors[]``. Ours: no page lists them."""

Problem = dict[str, Any]
"""One entry of ``errors[]``."""


def problem(field: str, message: str, value: Any = None) -> Problem:
    """Return one entry of ``errors[]``; of what was refused it repeats a scalar, cut."""
    if isinstance(value, (dict, list)):
        value = None
    elif value is not None:
        value = str(value)[:_ECHO]
    return {"code": CODE, "field": field, "message": message, "rejectedValue": value}


def timestamp(moment: datetime) -> str:
    """Return a time as Synerise writes it in answers: milliseconds and Z."""
    text: str = to_builtins(moment)
    return f"{text[:19]}.{moment.microsecond // 1000:03d}Z"


def answer(status: int, body: Any, *headers: tuple[bytes, bytes]) -> Reply:
    """Return a JSON answer."""
    return Reply(status, (_JSON, *headers), json_bytes(body))


_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def failure(
    request: Request,
    status: int,
    message: str,
    *headers: tuple[bytes, bytes],
    error: str | None = None,
    errors: Sequence[Problem] = (),
) -> Reply:
    """Return a refusal in the shape of its path."""
    told = {"timestamp": timestamp(request.received_at), "status": status, "message": message, "path": request.path}
    if request.path.startswith("/uauth"):
        return answer(status, {**told, "errorCode": str(status), "traceId": request.id}, *headers)
    body: dict[str, Any] = {**told, "error": error or _TITLES[status]}
    if request.path.startswith("/sauth"):
        body["traceId"] = request.id
    if errors:
        body["errors"] = errors[:_MOST]
    return answer(status, body, *headers)


def invalid(request: Request, errors: Sequence[Problem]) -> Rejected:
    """Return the refusal of a body that says something impossible."""
    return Rejected(failure(request, 400, "Validation failed", errors=errors))


def unreadable(request: Request) -> Rejected:
    """Return the refusal of a body that is no JSON, or not of the form the endpoint wants."""
    return Rejected(failure(request, 400, "Malformed JSON request"))


def unauthorized(request: Request) -> Rejected:
    """Return the refusal of a missing credential."""
    return Rejected(failure(request, 401, "Unauthorized"))


def expired(request: Request) -> Reply:
    """Return the answer to a token that is no longer good."""
    return failure(request, 401, EXPIRED, error=EXPIRED)


def forbidden(request: Request) -> Rejected:
    """Return the refusal of a profile's token where only a workspace may write."""
    return Rejected(failure(request, 403, "Access denied"))


def not_found(request: Request) -> Rejected:
    """Return the refusal for a profile nobody knows."""
    return Rejected(failure(request, 404, "Not found"))


def wrong_type(request: Request) -> Rejected:
    """Return the refusal of a body that does not say it is JSON."""
    return Rejected(failure(request, 415, "Content type not supported"))


_STATUS: Final = {
    RefusalKind.BAD_CREDENTIAL: (401, "Unauthorized"),
    RefusalKind.NOT_FOUND: (404, "No such path"),
    RefusalKind.METHOD_NOT_ALLOWED: (405, "Method not allowed"),
    RefusalKind.TOO_LARGE: (413, "Request body too large"),
    RefusalKind.BAD_ENCODING: (415, "Content encoding not supported"),
    RefusalKind.THROTTLED: (429, "Too many requests"),
    RefusalKind.UNAVAILABLE: (503, "Service unavailable"),
    RefusalKind.INTERNAL: (500, "Internal server error"),
}


def refuse(refusal: Refusal, request: Request) -> Reply:
    """Return Synerise's answer to each refusal.

    A token that we did not make, or made with a key that is no longer configured, is told to be expired: the vendor's
    plugins then log in again at once, where they would otherwise wait or give up.
    """
    if refusal.kind is RefusalKind.BAD_CREDENTIAL and has_token(request):
        return expired(request)
    status, text = _STATUS[refusal.kind]
    return failure(request, status, text, *_headers(refusal))


def _headers(refusal: Refusal) -> list[tuple[bytes, bytes]]:
    if refusal.allowed:
        return [(b"Allow", ", ".join(refusal.allowed).encode())]
    return [(b"Retry-After", str(refusal.retry_after).encode())] if refusal.retry_after else []


def has_token(request: Request) -> bool:
    """Tell whether the request carries something in the form of a JSON Web Token (RFC 7519)."""
    given = request.header(b"authorization")
    return given is not None and given[:7].lower() == "bearer " and given.count(".") == 2
