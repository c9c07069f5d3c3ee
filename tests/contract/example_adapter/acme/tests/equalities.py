"""What Acme itself treats as equal."""

from typing import Any


def normalise(endpoint: str, body: Any) -> list[Any]:
    """Return the items of a body without what says nothing: empty members and nulls."""
    items = body["batch"]
    return [{key: value for key, value in item.items() if value not in (None, {}, [])} for item in items]
