"""Event types and identifiers: what is legal, what they mean, how they are made legal.

Sources, read 2026-11-21: docs.yespo.io/docs/validating-event-parameters (forbidden characters, lengths);
docs.yespo.io/docs/mapping-events-contacts-external-ids (names of identifiers, compared without regard to case);
docs.yespo.io/docs/how-use-v1event-api-resource (their priority).
"""

import hashlib
import re
from typing import Any, Final

from gateway.adapter import EncodeError, Loss, Shape

from .limits import KEY_LENGTH, TYPE_LENGTH
from .wire import VOCABULARY

FORBIDDEN: Final = frozenset("<;\u2019\\/|\"`'^?!,>")
"""The 14 characters that no type, key or identifier may hold."""
_forbidden: Final = re.compile(f"[{re.escape(''.join(sorted(FORBIDDEN)))}]").search
_UNDERSCORES: Final = {ord(char): "_" for char in FORBIDDEN}


_ILLEGAL_TYPE: Final = "Yespo's event types have up to 100 characters, and no quotes, slashes, or < > ; | ^ ? ! ,"


def is_legal(text: str, most: int = KEY_LENGTH.value) -> bool:
    """Tell whether a type, a key or an identifier is one that Yespo takes."""
    return len(text) <= most and (text.isalnum() or _forbidden(text) is None)


# --- event types -----------------------------------------------------------------------------------------

_SHAPES: Final = {
    spelling.lower(): shape for shape in VOCABULARY.shapes() for spelling in (shape.vendor_name, *shape.also)
}
_EXACT: Final = {spelling: shape for shape in VOCABULARY.shapes() for spelling in (shape.vendor_name, *shape.also)}


def shape_of(type_key: str) -> Shape:
    """Return the shape of an event type, whose case drifts in the vendor's own pages."""
    known = _EXACT.get(type_key) or _SHAPES.get(type_key.lower())
    return VOCABULARY.decode(type_key) if known is None else known


ORDER_STATUS: Final = {
    "Order Completed": "INITIALIZED",
    "Order Updated": "IN_PROGRESS",
    "Order Fulfilled": "DELIVERED",
    "Order Cancelled": "CANCELLED",
    "orderABANDONED_SHOPPING_CART": "ABANDONED_SHOPPING_CART",
}
"""Canonical name -> the status of an order that says so."""
STATUSES: Final = frozenset(ORDER_STATUS.values())

NAME_PARAM: Final = {"page": "pageName", "screen": "screenName"}
"""Where the name of a page or screen stands, which is no event type's name; ours."""


def write_type(shape: Shape, sent: Any, lost: list[Loss]) -> str:
    """Return the type to send an event as: that which came in, if it still means the same, or the vocabulary's.

    Raises:
        EncodeError: the event has no name.
    """
    if isinstance(sent, str):
        before = shape_of(sent)
        if (before.kind, before.name) == (shape.kind, shape.name):
            return sent
    wanted = shape.vendor_name
    if wanted.strip() == "":
        raise EncodeError("the event has no name, and Yespo's events need one")
    name = wanted if is_legal(wanted, _LONGEST_TYPE) else _legal(wanted)
    if name != wanted:
        lost.append(Loss(0, "name", "coerced", _ILLEGAL_TYPE, "eventTypeKey"))
    read = shape_of(name)
    if read is shape:
        return name
    if read.kind != shape.kind:
        lost.append(Loss(0, "kind", "coerced", f"Yespo takes the type {name} for something else.", "eventTypeKey"))
    if read.name != shape.name and name == wanted:
        lost.append(Loss(0, "name", "renamed", f"Yespo takes the type {name} for something else.", "eventTypeKey"))
    return name


_LONGEST_TYPE: Final = TYPE_LENGTH.value


def _legal(name: str) -> str:
    cut = name.translate(_UNDERSCORES)[:_LONGEST_TYPE]
    return cut if cut.strip() else "_"


# --- identifiers -----------------------------------------------------------------------------------------

IDENTIFIERS: Final = {
    "contactid": "contact_id", "contact_id": "contact_id",
    "externalcustomerid": "user_id", "externalCustomerId": "user_id",
    "email": "email", "emailaddress": "email", "useremail": "email", "contactemail": "email",
    "phone": "phone", "sms": "phone", "phonenumber": "phone",
    "pushtoken": "push_token",
    "contactkey": "contact_key", "contact_key": "contact_key",
}  # fmt: skip
"""A parameter's name in lower case -> which identifier it is; and the commonest as it is written."""

PRIORITY: Final = ("contact_id", "user_id", "email", "phone", "push_token")
"""In which order they become the key of an event that has none."""

PARAM: Final = {
    "contact_id": "contactId",
    "user_id": "externalCustomerId",
    "email": "email",
    "phone": "phone",
    "push_token": "pushToken",
    "contact_key": "contactKey",
}
"""The names we write."""

CHECKED: Final = frozenset({"contact_id", "user_id", "email", "phone"})
"""Identifiers whose characters are checked; push tokens are addresses with slashes in them (our choice)."""

CONTACT_KEY: Final = "yespo_contact_key"
"""Under this name `Profile.vendor_ids` holds the field ContactKey."""


def identifier(value: Any) -> str | None:
    """Return an identifier as text, None for what is nobody: null, blanks, the text ``null``, any structure."""
    if type(value) is str:
        return None if not value or value == "null" or value.isspace() else value
    return str(value) if type(value) is int else None


def resolved(who: dict[str, str]) -> str | None:
    """Return the key that Yespo gives an event that comes without one."""
    for field in PRIORITY:
        if field in who:
            return who[field]
    return None


# --- ids of contacts -------------------------------------------------------------------------------------

_MINTED: Final = re.compile(r"[1-9][0-9]{15}")
_FIRST: Final = 10**15
_SAFE: Final = 2**53 - _FIRST
"""Ids stay among the integers that every JSON reader keeps exactly."""


def mint(seed: str) -> str:
    """Return the contact id that stands for a seed: 16 digits, where Yespo's own have about nine."""
    digest = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()
    return str(_FIRST + int.from_bytes(digest[:8], "big") % _SAFE)


def is_minted(contact_id: str) -> bool:
    """Tell whether an id was made up by `mint`: Yespo itself has never seen it."""
    return _MINTED.fullmatch(contact_id) is not None
