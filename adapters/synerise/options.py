"""What a person may set for a Synerise source and a Synerise target."""

from typing import Literal

from msgspec import Struct

from .limits import TOKEN_LIFETIME

Channel = Literal["WEB_DESKTOP", "WEB_MOBILE", "MOBILE_APP", "POS", "MOBILE", "DESKTOP"]
"""Values of ``source`` (github.com/Synerise/php-sdk lib/V4/Models, read 2026-11-21)."""


class SourceOptions(Struct, frozen=True):
    """Options of a source."""

    token_lifetime_seconds: int = TOKEN_LIFETIME.value
    """How long a token from a login is good."""
    order_lines: bool = False
    """Whether a transaction also gives one `Ordered Product` per line, as it gives `product.buy` in Synerise.

    Such an event is no part of what was sent, and it is not sent to Synerise again: the transaction carries the line.
    """

    def __post_init__(self) -> None:
        """Check the range."""
        if self.token_lifetime_seconds < 1:
            raise ValueError("token_lifetime_seconds must be 1 or more")


class TargetOptions(Struct, frozen=True):
    """Options of a target."""

    identifiers: Literal["strongest", "all"] = "strongest"
    """Which identifiers an event of another vendor carries: one, or all of them, which may merge profiles for good."""
    currency: str | None = None
    """ISO 4217 code for orders that name none; without it they cannot be sent as transactions."""
    source: Channel = "WEB_DESKTOP"
    """Where orders of other vendors were placed, which a transaction has to say."""

    def __post_init__(self) -> None:
        """Check the form of the currency."""
        if self.currency is not None and not (len(self.currency) == 3 and self.currency.isalpha()):
            raise ValueError("currency must be a three-letter code, such as EUR")


SOURCE_DEFAULTS = SourceOptions()
TARGET_DEFAULTS = TargetOptions()
