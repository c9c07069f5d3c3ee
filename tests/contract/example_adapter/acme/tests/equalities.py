"""What Acme itself treats as equal."""

import json
from typing import Any


def normalise(endpoint: str, body: bytes) -> list[Any]:
    """Return the items of a body without what says nothing: empty members and nulls."""
    items = json.loads(body)["batch"]
    return [{key: value for key, value in item.items() if value not in (None, {}, [])} for item in items]
