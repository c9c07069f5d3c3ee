"""Acme's errors, ``{"error": text}``: what we answer with, and what its answers mean."""

from typing import Any, Final

import msgspec

from gateway.adapter import Answer, Refusal, RefusalKind, Rejected, Reply, Request, Rule, Verdict, json_bytes, reply

# --- as a source -----------------------------------------------------------------------------------------

_STATUS: Final = {
    RefusalKind.BAD_CREDENTIAL: 401,
    RefusalKind.NOT_FOUND: 404,
    RefusalKind.METHOD_NOT_ALLOWED: 405,
    RefusalKind.TOO_LARGE: 413,
    RefusalKind.BAD_ENCODING: 415,
    RefusalKind.THROTTLED: 429,
    RefusalKind.UNAVAILABLE: 503,
    RefusalKind.INTERNAL: 500,
}


def _error(status: int, why: str, headers: dict[str, str] | None = None) -> Reply:
    return reply(status, json_bytes({"error": why}), "application/json", headers)


def refused(status: int, why: str) -> Rejected:
    """Return what a decoder raises."""
    return Rejected(_error(status, why))


def refuse(refusal: Refusal, request: Request) -> Reply:  # noqa: ARG001  the port's form
    """Return Acme's answer to a refusal."""
    headers = {"Allow": ", ".join(refusal.allowed)} if refusal.allowed else {}
    if refusal.retry_after:
        headers["Retry-After"] = str(refusal.retry_after)
    return _error(_STATUS[refusal.kind], refusal.kind.value, headers)


# --- as a target -----------------------------------------------------------------------------------------

RULES: Final = (
    Rule(409, "duplicate", Verdict.DONE, "it came with an earlier try"),
    Rule(409, None, Verdict.REJECT, "it contradicts what is stored"),
)

_objects: Final = msgspec.json.Decoder(dict[str, Any])


def error_code(answer: Answer) -> str | None:
    """Return the ``error`` of an answer, None when it has none."""
    try:
        code = _objects.decode(answer.body).get("error")
    except (ValueError, RecursionError):
        return None
    return code if isinstance(code, str) else None
