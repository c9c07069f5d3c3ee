"""How Acme's clients say who they are, and how we do."""

from collections.abc import Mapping
from typing import Final

from gateway.adapter import Auth, Request, matches_any

from .errors import refused

API_KEY: Final = "api_key"


def _present(request: Request) -> str:
    given = request.header(b"x-acme-key")
    if not given:
        raise refused(401, "no key")
    return given


KEY: Final = Auth(_present, matches_any(API_KEY))


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return all headers of a request to Acme."""
    return {"Content-Type": "application/json", "X-Acme-Key": credentials[API_KEY]}
