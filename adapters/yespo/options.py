"""What a person may set for a Yespo source or target, beside its credentials."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from .limits import PAST_AFTER, PAST_DEPTH

FIELD: Final = "field_"
"""A contact's custom field without a name of its own is the trait ``field_<number>``."""

_NUMBERED: Final = re.compile(r"field_[0-9]{1,18}")


class SourceOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a source."""

    structures: dict[str, dict[str, bool]] = {}
    """Event type -> its parameters -> whether they are required; any other set of parameters is refused with 400."""
    strict_v1: bool = False
    """Whether an object or a list as a value of a v1 event is refused with 400."""
    tracker_sites: list[str] = []
    """Site ids whose web tracker may send here; it has no credential. Empty: the tracker's endpoint is closed."""
    past_depth_days: int = PAST_DEPTH.value
    """Days back that a past event may lie."""
    contact_fields: dict[str, int] = {}
    """Trait -> number of a contact's custom field; one without a name is called ``field_<number>``."""
    account_email: str = "account@example.com"
    """What ``/account/info`` says of the account."""
    organisation: str = ""
    """The same; empty: the source's name."""

    def __post_init__(self) -> None:
        _check_positive("past_depth_days", self.past_depth_days)
        _check_fields(self.contact_fields)


class TargetOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a target."""

    orders: Literal["orders", "events"] = "orders"
    """Where orders go: to the orders API, or with all other events."""
    past_after_seconds: int = PAST_AFTER.value
    """An event that was this old when it came in is sent as a past one, which starts no workflow."""
    past_depth_days: int = PAST_DEPTH.value
    """Days back that the account stores past events; older ones cannot be sent."""
    wrap_items: bool = False
    """Write product lists as ``{"array": […]}``, for message templates of the older kind."""
    contact_fields: dict[str, int] = {}
    """Trait -> number of a contact's custom field; traits without one, except ``field_<number>``, are not sent."""

    def __post_init__(self) -> None:
        _check_positive("past_after_seconds", self.past_after_seconds)
        _check_positive("past_depth_days", self.past_depth_days)
        _check_fields(self.contact_fields)


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1")


def _check_fields(fields: dict[str, int]) -> None:
    if any(number < 1 for number in fields.values()):
        raise ValueError("contact_fields are numbers from 1")
    if len(set(fields.values())) < len(fields):
        raise ValueError("contact_fields gives one number to two traits")


def trait_of(number: int, names: Mapping[int, str]) -> str:
    """Return the trait that a custom field is."""
    return names.get(number) or f"{FIELD}{number}"


def number_of(trait: str, fields: Mapping[str, int]) -> int | None:
    """Return the number of the custom field for a trait, None when it has none."""
    number = fields.get(trait)
    if number is None and _NUMBERED.fullmatch(trait):
        return int(trait.removeprefix(FIELD))
    return number
