"""Money: Synerise writes an amount with its currency, ``{"amount": 9.5, "currency": "EUR"}``; we keep one currency.

In between stands a flat key with a dot, ``finalUnitPrice.amount``, which the vocabulary names. Only objects of the
event's one currency are taken apart: a vendor's order has one, and what differs stays a property as it was sent.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

_PRICE: Final = ("finalUnitPrice", "$finalUnitPrice")
_OBJECTS: Final = {key: f"{key}.amount" for key in ("revenue", "value", "discountAmount", *_PRICE)}
_PRICES: Final = {key: f"{key}.amount" for key in _PRICE}
_METHOD: Final = "paymentInfo.method"
_FLAT: Final = {flat: key for key, flat in _OBJECTS.items()}

FLAT_KEYS: Final = frozenset({*_FLAT, _METHOD})
"""Keys that nobody may send as such."""

_CURRENCIES: Final = ("currency", "$currency")
_NUMBER: Final = re.compile(r"[-+]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})")

_NUMERIC: Final = frozenset({int, float, Decimal})

UNKNOWN: Final = object()
"""No currency can be told: nothing is taken apart."""


def is_amount(value: Any) -> bool:
    """Tell whether a value is a number, or a text of one."""
    kind = type(value)
    return kind in _NUMERIC or (kind is str and _NUMBER.fullmatch(value) is not None)


def is_money(value: Any) -> bool:
    """Tell whether a value is an amount with a currency."""
    return type(value) is dict and is_amount(value.get("amount")) and type(value.get("currency")) is str


def currency_of(params: Mapping[str, Any], rows: list[dict[str, Any]] | None) -> Any:
    """Return the currency of an object and its lines: the one it names, else that of the first money in it.

    None where there is money without a currency, `UNKNOWN` where there is none or it cannot be told.
    """
    for key in _CURRENCIES:
        if key in params:
            named = params[key]
            return named if type(named) is str and named else UNKNOWN
    for key in _OBJECTS:
        if key in params and type(held := params[key]) is dict and "amount" in held:
            return _named(held)
    for row in rows or ():
        for key in _PRICE:
            if type(held := row.get(key)) is dict and "amount" in held:
                return _named(held)
    return UNKNOWN


def _named(held: Mapping[str, Any]) -> Any:
    currency = held.get("currency")
    if currency is None or (type(currency) is str and currency):
        return currency
    return UNKNOWN


def open_money(fields: dict[str, Any], currency: Any) -> bool:
    """Replace the money objects of an event by flat amounts; tell whether there were any."""
    found = _open(fields, _OBJECTS, currency)
    paid = fields.get("paymentInfo")
    if type(paid) is dict and len(paid) == 1 and type(method := paid.get("method")) is str and method:
        del fields["paymentInfo"]
        fields[_METHOD] = method
    return found


def open_prices(rows: list[dict[str, Any]], currency: Any) -> bool:
    """Replace the prices of lines by flat amounts; tell whether there were any."""
    found = False
    for row in rows:
        found = _open(row, _PRICES, currency) or found
    return found


def _open(fields: dict[str, Any], keys: Mapping[str, str], currency: Any) -> bool:
    found = False
    size = 1 if currency is None else 2
    for key, flat in keys.items():
        held = fields.get(key)
        if type(held) is not dict or len(held) != size or held.get("currency") != currency:
            continue
        amount = held.get("amount")
        if type(amount) in _NUMERIC or is_amount(amount):
            del fields[key]
            fields[flat] = amount
            found = True
    return found


def close_money(fields: dict[str, Any], currency: str | None) -> bool:
    """Put flat amounts back into objects; tell whether there were any."""
    found = False
    for flat in [*filter(FLAT_KEYS.__contains__, fields)]:
        if flat == _METHOD:
            fields["paymentInfo"] = {"method": fields.pop(flat)}
        else:
            fields[_FLAT[flat]] = money(fields.pop(flat), currency)
            found = True
    return found


def close_prices(rows: list[dict[str, Any]], currency: str | None) -> bool:
    """Put the flat prices of lines back into objects; tell whether there were any."""
    found = False
    for row in rows:
        found = close_money(row, currency) or found
    return found


def money(amount: Any, currency: str | None) -> dict[str, Any]:
    """Return an amount with its currency."""
    return {"amount": amount} if currency is None else {"amount": amount, "currency": currency}
