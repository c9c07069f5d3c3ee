"""Acme's payloads, in its own names, as the page in `limits` shows them."""

from typing import Any, Final

from msgspec import Struct

from gateway.adapter import Vocabulary, load_vocabulary

SLUG: Final = "acme"
VOCABULARY: Final[Vocabulary] = load_vocabulary(SLUG, __name__.rpartition(".")[0])
CONTACT: Final = VOCABULARY.table("contact")
"""The names of a person's fields."""

FRAME: Final = (b'{"batch":[', b"]}")
"""What stands around the items of a batch."""


class Item(Struct):
    """One event."""

    verb: str
    at: str | None = None
    """ISO 8601; without it the event happened when it came in."""
    uid: str | None = None
    """The client's own key: of several events with one key Acme keeps the first."""
    contact: dict[str, Any] = {}
    data: dict[str, Any] = {}


class Batch(Struct):
    """The body of a request."""

    batch: list[Item]
