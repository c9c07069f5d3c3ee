"""Blueshift's answers: the two success bodies and the four shapes of an error.

Shapes, from the OpenAPI documents behind developer.blueshift.com/reference and from its page "api-errors"
(read 2026-11-21):

1. ``{"errors": [{field: text}]}``                 a 400 of the event endpoints
2. ``{"message": text}``                           401, 403, 404, 413, 429 and 5xx
3. ``{"status": "404", "error": text}``            a path that does not exist; with a number, JSON that does not parse
4. ``{"success": false, "error": text}``           a 422; nothing here causes one, `rules` reads it

and the bulk customer endpoint's own ``{"error": "bad_request"}``.
"""

from typing import Any, Final

from gateway.adapter import Refusal, RefusalKind, Rejected, Reply, Request, json_bytes

_JSON: Final = (b"Content-Type", b"application/json")

OK: Final = b'{"status":"OK"}'
"""Of a single event: upper case here, lower case in bulk."""

_BLANK: Final = "can't be blank"
_UNROUTED: Final = b'{"status":"404","error":"Not Found"}'
_BAD_REQUEST: Final = b'{"error":"bad_request"}'


def answer(request: Request, status: int, body: bytes, *more: tuple[bytes, bytes]) -> Reply:
    """Return a JSON answer with the request's id, which Blueshift sends on each."""
    return Reply(status, (_JSON, (b"X-Request-Id", request.id.encode()), *more), body)


def message(request: Request, status: int, text: str, *more: tuple[bytes, bytes]) -> Reply:
    """Return the ``message`` shape."""
    return answer(request, status, json_bytes({"message": text}), *more)


def blank(request: Request, field: str) -> Rejected:
    """Return the refusal for a required field that is missing or blank."""
    return Rejected(answer(request, 400, json_bytes({"errors": [{field: _BLANK}]})))


def unparsable(request: Request, why: Any) -> Rejected:
    """Return the refusal of a body that is no JSON object; the shape is that of the catalog endpoints."""
    return Rejected(answer(request, 400, json_bytes({"status": 400, "error": f"Json Parse error: {why}"})))


def bad_request(request: Request) -> Rejected:
    """Return the bulk customer endpoint's refusal of a malformed request."""
    return Rejected(answer(request, 400, _BAD_REQUEST))


def too_large(request: Request) -> Rejected:
    """Return the refusal of too much at once; Blueshift declares the status without a body."""
    return Rejected(message(request, 413, "Payload Too Large"))


def unauthorized(request: Request) -> Rejected:
    """Return the refusal of a credential that is missing or cannot be read."""
    return Rejected(message(request, 401, "Not authorized"))


def not_found(request: Request) -> Rejected:
    """Return the refusal for a customer nobody knows."""
    return Rejected(message(request, 404, "Not Found"))


_MESSAGES: Final = {
    RefusalKind.BAD_CREDENTIAL: (401, "Not authorized"),
    RefusalKind.TOO_LARGE: (413, "Payload Too Large"),
    RefusalKind.THROTTLED: (429, "Rate limit exceeded"),
    RefusalKind.UNAVAILABLE: (503, "Service Unavailable"),
    RefusalKind.INTERNAL: (500, "Internal Server Error"),
}


def refuse(refusal: Refusal, request: Request) -> Reply:
    """Return Blueshift's answer to each refusal.

    A wrong method is an unrouted path (the vendor routes by both), compressed bytes that cannot be read are JSON
    that does not parse, and only a 503 carries Retry-After: it is the gateway's own state, not Blueshift's.
    """
    if refusal.kind in (RefusalKind.NOT_FOUND, RefusalKind.METHOD_NOT_ALLOWED):
        return answer(request, 404, _UNROUTED)
    if refusal.kind is RefusalKind.BAD_ENCODING:
        return unparsable(request, "unexpected token").reply
    status, text = _MESSAGES[refusal.kind]
    if refusal.kind is RefusalKind.UNAVAILABLE and refusal.retry_after:
        return message(request, status, text, (b"Retry-After", str(refusal.retry_after).encode()))
    return message(request, status, text)
