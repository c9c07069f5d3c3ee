"""The members of an order, and which of them are what.

Sources, read 2026-11-21: docs.yespo.io/docs/orders-automation, esputnik.com/api/ns1_order.html.
"""

from math import isfinite
from typing import Any, Final

from .forms import LINE_KEYS
from .names import IDENTIFIERS, ORDER_STATUS, STATUSES, shape_of
from .wire import VOCABULARY

ENDPOINT: Final = "orders"
INFO: Final = "additionalInfo"
ITEMS: Final = "items"

WHO: Final = ("externalCustomerId", "email", "phone")
NUMBERS: Final = frozenset({"totalCost", "shipping", "discount", "taxes"})
TEXTS: Final = frozenset({
    "restoreUrl", "statusDescription", "storeId", "source", "deliveryMethod", "paymentMethod", "deliveryAddress",
})  # fmt: skip
SOURCES: Final = frozenset({"online", "offline"})
"""What ``source`` may say."""
MEMBERS: Final = frozenset({
    "externalOrderId", "status", "date", "currency", "firstName", "lastName", ITEMS, *WHO, *NUMBERS, *TEXTS,
})  # fmt: skip
"""All members but `INFO`."""

RESERVED: Final = frozenset({"contactJson", *LINE_KEYS})

TYPES: Final = {
    status: shape.vendor_name
    for shape in VOCABULARY.shapes()
    if (status := ORDER_STATUS.get(shape.name)) and shape_of(shape.vendor_name) is shape
}
"""An order's status -> the type of the event that says so."""


def is_free(name: str) -> bool:
    """Tell whether a name of `INFO` can stand among the parameters of an event, and come back from there."""
    return name not in MEMBERS and name not in RESERVED and name.lower() not in IDENTIFIERS and name != ""


def is_number(value: Any) -> bool:
    """Tell whether a value is a number, or a text that is one: shops send both."""
    if isinstance(value, bool):
        return False
    if isinstance(value, (int, float)):
        return True
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or "_" in value:
        return False
    try:
        return isfinite(float(value))
    except ValueError:
        return False


_LONGEST: Final = 40
"""Characters of a number."""


def is_blank(value: Any) -> bool:
    """Tell whether a value says nothing: plugins send one blank for what they do not know."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_status(value: Any) -> bool:
    """Tell whether a value is one of the five statuses."""
    return isinstance(value, str) and value in STATUSES
