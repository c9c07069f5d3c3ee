"""Values and names as a person reads them in one line."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

LONGEST: Final = 160
"""Characters of a value that are shown."""
_encoder = msgspec.json.Encoder(decimal_format="number")


def shown(value: Any) -> str:
    """Return a value as JSON, cut where it is long; ``nothing`` for none."""
    if value is None:
        return "nothing"
    text = _encoder.encode(value).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def listed(names: Iterable[str]) -> str:
    """Return names in quotes, with commas between."""
    return ", ".join(repr(name) for name in names)
