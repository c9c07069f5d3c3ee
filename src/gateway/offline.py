"""What stands in for the world where nothing is sent and nobody is asked: no people, no secrets, no sockets."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.adapter import Adapter, Encoded, Outbound, Settings, default_options
from gateway.event import Profile

MASK: Final = "***"


class Nobody:
    """A directory in which nobody is known."""

    def __init__(self, adapter: Adapter) -> None:
        self._mint = adapter.mint or (lambda seed: seed)

    def find(self, profile: Profile) -> str | None:  # noqa: ARG002  the port's form
        """Find nobody."""
        return None

    def get(self, vendor_id: str) -> Profile | None:  # noqa: ARG002  the port's form
        """Know nobody."""
        return None

    def mint(self, profile: Profile) -> str:
        """Return the id that the person would get."""
        return self._mint(profile.user_id or profile.email or profile.phone or profile.anonymous_id or "0")


class OutboundRequest(msgspec.Struct, frozen=True):
    """A request that would go out."""

    target_vendor: str
    endpoint: str
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    event_ids: list[str]


def settings_of(adapter: Adapter) -> Settings:
    """Return the settings of a target that has every credential and chose nothing."""
    names = (*(credential.name for credential in adapter.credentials), "token")
    return Settings(
        target=adapter.slug, credentials=dict.fromkeys(names, MASK), options=default_options(adapter.target_options)
    )


def shown(goal: Adapter, endpoint: Outbound, encoded: Encoded, settings: Settings, ids: list[str]) -> OutboundRequest:
    """Return a request as it would go out, its secrets blotted out.

    Args:
        settings: with masks for credentials.
        ids: of the events it carries.
    """
    headers = _masked(endpoint.headers(settings.credentials))
    path = encoded.path or endpoint.path
    return OutboundRequest(goal.slug, endpoint.name, endpoint.method, path, headers, json_or_text(encoded.body), ids)


def _masked(headers: Mapping[str, str]) -> dict[str, str]:
    """Blot out whatever a credential went into: its scheme may stay."""
    return {
        name: f"{value.split(' ', 1)[0]} {MASK}" if name.lower() == "authorization" and " " in value else value
        for name, value in headers.items()
    }


def json_or_text(body: bytes) -> Any:
    """Return a body as the JSON value it is, else as text."""
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return body.decode("utf-8", "replace")
