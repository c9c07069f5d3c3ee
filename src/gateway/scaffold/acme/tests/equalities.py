"""What Acme itself treats as equal; see "What counts as equal" in the README."""

from typing import Any, Final

ARRIVAL: Final = "2026-11-21T12:00:00+00:00"
"""When the recorded requests come in."""


def normalise(endpoint: str, body: Any) -> list[dict[str, Any]]:
    """Return the items of a body without what says nothing: empty members, and the time of arrival."""
    return [{key: value for key, value in item.items() if value and value != ARRIVAL} for item in body["batch"]]
