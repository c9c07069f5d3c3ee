"""What a person may set for a source or a target."""

from typing import Final, Literal

from msgspec import Struct

LegacyType = Literal["viewitem", "viewcategory", "search", "addtocart", "checkout"]
"""Types of the first API that an account may still take (github.com/vibetrace/api, read 2026-11-21)."""

EMAIL: Final = "{email}"
"""Stands for the address in `TargetOptions.user_path`."""


class SourceOptions(Struct, frozen=True, kw_only=True):
    """Options of a source."""

    strict: bool = False
    """Refuse events of users that this source has not heard of, as Vibetrace does on ``/v1/event``."""


class TargetOptions(Struct, frozen=True, kw_only=True):
    """Options of a target."""

    types: tuple[LegacyType, ...] = ()
    """Types of the first API that the account is known to take; such events go as ``generic`` otherwise."""
    item_id: Literal["product_id", "sku"] = "product_id"
    """Which of the two is the id of an item in the account's catalogue; where it is missing, the other."""
    user_path: str = "/v1/user"
    """Where a user is created who is unknown: no page tells. ``{email}`` in it becomes the address."""
    user_body: Literal["flat", "user"] = "flat"
    """``flat``: ``{"email", …}``; ``user``: the same inside ``{"user": …}``."""

    def __post_init__(self) -> None:
        if not _is_path(self.user_path):
            raise ValueError(f"user_path {self.user_path!r} is no path: it starts with / and has no spaces")


def _is_path(text: str) -> bool:
    return text.startswith("/") and not text.startswith("//") and text.isascii() and all(char > " " for char in text)


DEFAULT_TARGET: Final = TargetOptions()
