"""The orders endpoint: orders stored or changed, each of them an event; and their deletion.

Sources, read 2026-11-21: docs.yespo.io/docs/orders-automation; github.com/Yespo-CDP/yespo-shopify
``app/@types/order.d.ts`` (one failed order is an object, several are a list); github.com/ossbrownie/esputnik (without
a failure the body is empty); docs.esputnik.com/reference/removehistoryorders. The wording of errors is our choice.
"""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from gateway.adapter import Decoded, Event, Request

from .decode_event import read_event, sort_params
from .errors import ACCEPTED, answer, invalid
from .limits import ORDERS, ORDERS_APART, SEARCH_FIELDS
from .names import identifier, is_legal
from .order import ENDPOINT, INFO, ITEMS, MEMBERS, TYPES, WHO, is_blank, is_free, is_number, is_status
from .times import read_time
from .wire import Json, read_object


def decode_orders(request: Request) -> Decoded:
    """Return an event for each order that would be stored; the answer lists the others."""
    rows = read_object(request).get("orders")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise invalid("orders must be a list of objects")
    if len(rows) > ORDERS.value:
        raise invalid(f"At most {ORDERS.value} orders are allowed")
    events: list[Event] = []
    failed: list[Json] = []
    for row in rows:
        error = problem(row)
        if error is None:
            events.append(_order(row, request))
        else:
            failed.append({"order": row, "error": error})
    if not failed:
        return Decoded(events, ACCEPTED)
    return Decoded(events, answer({"failedOrders": failed[0] if len(failed) == 1 else failed}))


def problem(row: Json) -> str | None:
    """Return why an order is not stored, None when it is."""
    if identifier(row.get("externalOrderId")) is None:
        return "externalOrderId is empty"
    if all(identifier(row.get(name)) is None for name in WHO):
        return "externalCustomerId, email and phone are empty"
    if not is_number(row.get("totalCost")):
        return "totalCost is not a number"
    if not is_status(row.get("status")):
        return "status is not one of INITIALIZED, IN_PROGRESS, DELIVERED, CANCELLED, ABANDONED_SHOPPING_CART"
    if read_time(row.get("date")) is None:
        return "date is not an ISO 8601 date"
    if not isinstance(row.get("currency"), str) or is_blank(row["currency"]):
        return "currency is empty"
    return _items_problem(row.get(ITEMS))


def _items_problem(items: Any) -> str | None:
    if items is None:
        return None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return "items is not a list of objects"
    for item in items:
        if identifier(item.get("externalItemId")) is None:
            return "externalItemId of an item is empty"
        if not is_number(item.get("quantity")):
            return "quantity of an item is not a number"
    return None


def _order(row: Json, request: Request) -> Event:
    params: Json = {}
    top: Json = {}
    for name, value in row.items():
        if name == INFO and isinstance(value, dict):
            continue
        if name in MEMBERS and not is_blank(value):
            params[name] = value
        else:
            top[name] = value
    more: Json = {"top": top} if top else {}
    if isinstance(row.get(INFO), dict):
        _open_info(row[INFO], params, more)
    sent = sort_params(params)
    return read_event(TYPES[row["status"]], None, sent, request, ENDPOINT, None, more)


def _open_info(info: Json, params: Json, more: Json) -> None:
    """Put the texts of ``additionalInfo`` among the parameters; what cannot stand there is set aside."""
    aside: Json = {}
    for name, value in info.items():
        if isinstance(value, str) and is_free(name) and name not in params:
            params[name] = value
        else:
            aside[name] = value
    if aside or not info:
        more["info"] = aside


# --- deletion --------------------------------------------------------------------------------------------


def delete_orders(request: Request) -> Decoded:
    """Answer ``DELETE /api/v1/orders``; what targets have received is not taken back."""
    try:
        query = dict(parse_qsl(request.query, max_num_fields=SEARCH_FIELDS.value))
    except ValueError:
        raise invalid("The query cannot be read") from None
    order = query.get("externalOrderId", "")
    if order.strip() and is_legal(order):
        return Decoded((), ACCEPTED)
    start, end = read_time(query.get("from")), read_time(query.get("to"))
    if start is None or end is None:
        raise invalid("externalOrderId, or from and to, are required")
    if not timedelta(0) <= end - start <= timedelta(hours=_APART):
        raise invalid(f"from and to must be in this order, at most {_APART} hours apart")
    return Decoded((), ACCEPTED)


_APART: Final = ORDERS_APART.value
