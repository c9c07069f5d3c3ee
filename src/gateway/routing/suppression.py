"""People whose events are withheld: read from files, looked up by any identifier."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.event import Event
from gateway.routing.values import normalised

_MOST: Final = 10_000_000
"""Lines of all files of one rule."""


class SuppressionError(Exception):
    """A file cannot be used."""


class Suppressed:
    """A set of identifiers: e-mail addresses, phone numbers, user ids, or their SHA-256."""

    def __init__(self, identifiers: frozenset[str]) -> None:
        self._identifiers = identifiers
        self._hashes = any(len(one) == _HEX for one in identifiers)

    def __contains__(self, event: Event) -> bool:
        """Tell whether an event is about somebody on the list."""
        who = event.profile
        given = (("email", who.email), ("phone", who.phone), ("user_id", who.user_id))
        known = [normalised(field, value) for field, value in given if value]
        if any(value in self._identifiers for value in known):
            return True
        return self._hashes and any(_hash(value) in self._identifiers for value in known)


_HEX: Final = 64
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_suppressed(files: Sequence[Path]) -> Suppressed:
    """Return who stands in some files, one in a line; empty lines and those after ``#`` are left out.

    Raises:
        SuppressionError: a file cannot be read.
    """
    found: set[str] = set()
    for file in files:
        try:
            with file.open(encoding="utf-8") as lines:
                found.update(_identifier(line) for line in lines if line.strip() and not line.startswith("#"))
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise SuppressionError(f"{str(file)!r} cannot be read: {why}") from None
        if len(found) > _MOST:
            raise SuppressionError(f"more than {_MOST:,} lines")
    return Suppressed(frozenset(found))


def _identifier(line: str) -> str:
    text = line.strip()
    if _HASH.fullmatch(text):
        return text.lower()
    is_phone = text.startswith("+") and not any(letter.isalpha() for letter in text)
    return normalised("phone" if is_phone else "", text)
