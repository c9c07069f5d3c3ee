"""The JSON:API error envelope: always all eight members, since Klaviyo's own clients miss any that is absent.

The iOS SDK drops a body that lacks one of `id status code title detail source`, Segment's connector reads
`source.pointer` unasked, and Android takes `status` for an integer. Texts that no public capture shows are the
defaults of Django REST Framework (rest_framework/exceptions.py), whose letters all the captured ones have.
"""

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final

import msgspec

from gateway.adapter import Decoded, Refusal, RefusalKind, Rejected, Reply, Request, derive_uuid, json_bytes

JSON_API: Final = (b"Content-Type", b"application/vnd.api+json")
CORS: Final = ((b"Access-Control-Allow-Origin", b"*"),)
"""Klaviyo's exact CORS headers are not published; these let any page read the answer."""

RATE_LIMIT_DOCS: Final = "https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling#rate-limits"
MOVED_POINTER: Final = "2024-05-15"
"""From this revision on, authentication and throttling errors point at ``/data``; before, at ``/data/``."""


class Invalid(Exception):
    """One thing wrong with a payload: becomes a 400."""

    def __init__(self, pointer: str, detail: str, code: str = "invalid", title: str = "Invalid input.") -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.detail = detail
        self.code = code
        self.title = title

    def below(self, prefix: str) -> "Invalid":
        """Return the same complaint about an object that stands at `prefix` in the body."""
        return Invalid(prefix + self.pointer, self.detail, self.code, self.title)


def shapeless(pointer: str = "/data") -> Invalid:
    """Return Klaviyo's complaint about a payload whose shape it cannot make out."""
    return Invalid(pointer, "The payload provided in the request is invalid.")


def malformed(why: str) -> Invalid:
    """Return the complaint about a body that is no JSON."""
    return Invalid("/data", f"JSON parse error - {why}", "parse_error", "Malformed request.")


_PLACE: Final = " - at `$"


def from_msgspec(error: msgspec.ValidationError) -> Invalid:
    """Return the complaint of a typed decoder, with its path as a JSON pointer.

    The pointer ends before the first free key, so that a customer's own key never looks like a field of Klaviyo's.
    """
    text = str(error)
    at = text.rfind(_PLACE)
    what, path = (text, "") if at < 0 else (text[:at], text[at + len(_PLACE) : -1])
    pointer = re.sub(r"\[(\d+)\]", r".\1", path.split("[...]", 1)[0]).replace(".", "/")
    if missing := re.fullmatch(r"Object missing required field `(\S+)`", what):
        return Invalid(f"{pointer}/{missing[1]}", "This field is required.")
    return Invalid(pointer or "/data", what.replace("`", "'") + ".")


# --- envelopes -------------------------------------------------------------------------------------------


def error(
    number: str,
    status: int,
    code: str,
    title: str,
    detail: str,
    pointer: str = "/data",
    links: dict[str, Any] | None = None,
    meta: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return one member of ``errors``; `number` is a UUID."""
    return {
        "id": number,
        "status": status,
        "code": code,
        "title": title,
        "detail": detail,
        "source": {"pointer": pointer},
        "links": links or {},
        "meta": meta or {},
    }


def envelope(request: Request, status: int, errors: Sequence[dict[str, Any]], *headers: tuple[bytes, bytes]) -> Reply:
    """Return an error answer; those below ``/client`` may be read by any web page."""
    cors = CORS if is_client(request) else ()
    return Reply(status, (JSON_API, *cors, *headers), json_bytes({"errors": errors}))


def is_client(request: Request) -> bool:
    """Tell whether a browser may be asking."""
    return request.path.startswith("/client/")


def bad_request(request: Request, problems: Sequence[Invalid]) -> Rejected:
    """Return the 400 that names every problem, the first with the request's own id."""
    errors = [
        error(derive_uuid(request.id, str(i)) if i else request.id, 400, bad.code, bad.title, bad.detail, bad.pointer)
        for i, bad in enumerate(problems)
    ]
    return Rejected(envelope(request, 400, errors))


def answering(decode: Callable[[Request], Decoded]) -> Callable[[Request], Decoded]:
    """Turn `Invalid` into the vendor's 400."""

    @wraps(decode)
    def wrapped(request: Request) -> Decoded:
        try:
            return decode(request)
        except Invalid as problem:
            raise bad_request(request, [problem]) from None

    return wrapped


def unauthenticated(request: Request) -> Rejected:
    """Return the 401 for a credential that is missing or under a wrong scheme."""
    detail = "Missing or invalid authorization scheme. Please use Klaviyo-API-Key."
    return Rejected(
        _unauthorized(request, "not_authenticated", "Authentication credentials were not provided.", detail)
    )


def _unauthorized(request: Request, code: str, title: str, detail: str) -> Reply:
    return envelope(request, 401, [error(request.id, 401, code, title, detail, _data_pointer(request))])


def _data_pointer(request: Request) -> str:
    return "/data/" if (request.header(b"revision") or MOVED_POINTER) < MOVED_POINTER else "/data"


def not_found(request: Request, detail: str = "Not found.") -> Rejected:
    """Return the 404."""
    return Rejected(envelope(request, 404, [error(request.id, 404, "not_found", "Not found.", detail)]))


def duplicate(request: Request, known: str) -> Rejected:
    """Return the 409 that carries the id of the profile that has an identifier already."""
    detail = "A profile already exists with one of these identifiers."
    meta = {"duplicate_profile_id": known}
    fault = error(request.id, 409, "duplicate_profile", "Conflict.", detail, "/data/attributes", meta=meta)
    return Rejected(envelope(request, 409, [fault]))


# --- refusals by the core --------------------------------------------------------------------------------

_LEGACY: Final = frozenset({"/api/track", "/api/identify"})
_LEGACY_ANSWERS: Final = {
    RefusalKind.BAD_CREDENTIAL: b"1",
    RefusalKind.TOO_LARGE: b"0",
    RefusalKind.BAD_ENCODING: b"0",
}
"""A wrong token is answered like a right one (klaviyo/php-klaviyo#36); what cannot be read, with ``0``."""


def legacy_reply(text: bytes) -> Reply:
    """Return the one-letter answer of the legacy endpoints."""
    return Reply(200, ((b"Content-Type", b"text/html; charset=utf-8"), *CORS), text)


def refuse(refusal: Refusal, request: Request) -> Reply:
    """Return Klaviyo's answer to each refusal; the two legacy paths have answers of their own."""
    kind = refusal.kind
    if kind in _LEGACY_ANSWERS and request.path in _LEGACY:
        return legacy_reply(_LEGACY_ANSWERS[kind])
    if kind is RefusalKind.BAD_CREDENTIAL:
        title = "Incorrect authentication credentials."
        return _unauthorized(request, "authentication_failed", title, title)
    if kind is RefusalKind.THROTTLED:
        return _throttled(refusal, request)
    if kind is RefusalKind.UNAVAILABLE:
        return _unavailable(refusal, request)
    return _plain(refusal, request)


def _throttled(refusal: Refusal, request: Request) -> Reply:
    wait = refusal.retry_after or 1
    title = "Request was throttled."
    detail = f"{title} Expected available in {wait} second{'' if wait == 1 else 's'}."
    fault = error(request.id, 429, "throttled", title, detail, _data_pointer(request), links={"type": RATE_LIMIT_DOCS})
    return envelope(request, 429, [fault], (b"Retry-After", b"%d" % wait))


def _unavailable(refusal: Refusal, request: Request) -> Reply:
    title = "Service temporarily unavailable."
    fault = error(request.id, 503, "service_unavailable", title, f"{title} Please try again.")
    return envelope(request, 503, [fault], (b"Retry-After", b"%d" % (refusal.retry_after or 1)))


def _plain(refusal: Refusal, request: Request) -> Reply:
    status, code, title = _texts(refusal.kind, request)
    allow = ((b"Allow", ", ".join(refusal.allowed).encode()),) if refusal.allowed else ()
    return envelope(request, status, [error(request.id, status, code, title, title)], *allow)


def _texts(kind: RefusalKind, request: Request) -> tuple[int, str, str]:
    if kind is RefusalKind.NOT_FOUND:
        return 404, "not_found", "Not found."
    if kind is RefusalKind.METHOD_NOT_ALLOWED:
        return 405, "method_not_allowed", f'Method "{request.method}" not allowed.'
    if kind is RefusalKind.TOO_LARGE:
        return 413, "payload_too_large", "The request payload is too large."
    if kind is RefusalKind.BAD_ENCODING:
        coding = request.header(b"content-encoding") or ""
        return 415, "unsupported_media_type", f'Unsupported content encoding "{coding}" in request.'
    return 500, "error", "A server error occurred."
