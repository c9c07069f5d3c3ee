"""The web tracker's collector, ``POST /api/v2``: what a browser saw, under other names than events have.

Each body is first written as the parameters that Yespo's own event of that meaning has, then read like any other.
The collector asks for no credential: here it is closed, but for the site ids that the options list.

Sources, read 2026-11-21: docs.yespo.io/docs/how-transfer-website-behavior-data-through-rest-api;
github.com/Yespo-CDP/yespo-woocommerce, yespo-shopify (bodies that are no events are answered alike).
"""

from typing import Any, Final

from gateway.adapter import Decoded, Event, Rejected, Reply, Request

from .decode import check_identifiers, options_of
from .decode_event import Moment, read_event, sort_params
from .errors import invalid, not_found
from .forms import STRUCTURES, TEXT_TYPES, as_text
from .limits import TYPE_LENGTH
from .names import is_legal
from .times import read_millis
from .wire import Json, dig, read_object

TRACKER: Final = "tracker"

_WHO: Final = {
    "user_es_contact_id": "contactId",
    "externalCustomerId": "externalCustomerId",
    "user_email": "email",
    "user_phone": "phone",
    "user_name": "userName",
    "siteId": "siteId",
}
"""Member of ``GeneralInfo`` -> parameter."""
_HEAD: Final = frozenset({*_WHO, "eventName", "datetime", "cookies"})

_PAYLOAD: Final = {"ProductImpressions": "ProductImpression"}
"""Event -> the member that holds its payload, where it is not of the same name."""

_TYPES: Final = {
    "ProductPage": "productViewed",
    "CategoryPage": "productCategoryViewed",
    "StatusCart": "cartUpdated",
    "AddToWishlist": "productAddedToWishlist",
    "SearchRequest": "searchRequest",
    "ProductImpressions": "productImpressions",
    "PageView": "pageViewed",
}
"""The tracker's name -> the type of the events API that means the same. An order here lacks what one needs there."""

_PARAMS: Final = {"GUID": "recycleStateId", "OrderNumber": "externalOrderId"}
_PRODUCT: Final = {"productKey": "productId", "product_id": "productId"}


_CORS: Final = (b"Access-Control-Allow-Origin", b"*")
_ANSWER: Final = Reply(200, (_CORS,))


def preflight(request: Request) -> Decoded:
    """Answer a browser that asks whether its page may send; it may, while the tracker is open."""
    if not options_of(request).tracker_sites:
        raise _closed()
    allowed = ((b"Access-Control-Allow-Methods", b"POST"), (b"Access-Control-Allow-Headers", b"Content-Type"))
    return Decoded((), Reply(200, (_CORS, *allowed)))


def _closed() -> Rejected:
    return not_found("The tracker is closed; path")


def decode_tracker(request: Request) -> Decoded:
    """Return the event in a body with ``GeneralInfo``; any other object is answered and means nothing.

    Raises:
        Rejected: 404 while no site is allowed, 403 for a site that is not.
    """
    sites = options_of(request).tracker_sites
    if not sites:
        raise _closed()
    body = read_object(request)
    info = body.get("GeneralInfo")
    if not isinstance(info, dict):
        return Decoded((), _ANSWER)
    if info.get("siteId") not in sites:
        raise invalid("siteId is not one of this source", 403)
    name = info.get("eventName")
    if not isinstance(name, str) or not name.strip() or not is_legal(name, TYPE_LENGTH.value):
        raise invalid("eventName is required")
    return Decoded((_event(name, info, body, request),), _ANSWER)


def _event(name: str, info: Json, body: Json, request: Request) -> Event:
    params = _person(info)
    payload_at = _PAYLOAD.get(name, name)
    for key, value in (*_payload(name, body.get(payload_at)).items(), *info.items(), *body.items()):
        if key not in _HEAD and key not in ("GeneralInfo", payload_at):
            params.setdefault(key, value)
    type_key = _TYPES.get(name, name)
    if type_key in TEXT_TYPES:
        params.update({key: as_text(params[key]) for key in params if key in STRUCTURES})
    sent = sort_params(params)
    check_identifiers(sent)
    at = read_millis(info.get("datetime"))
    if at is None and "datetime" in info:
        sent.flat.setdefault("datetime", info["datetime"])
    return read_event(type_key, None, sent, request, TRACKER, None if at is None else Moment(at))


def _person(info: Json) -> Json:
    params: Json = {param: info[name] for name, param in _WHO.items() if name in info}
    cookies = info.get("cookies")
    if isinstance(cookies, dict):
        if isinstance(cookies.get("sc"), str) and cookies["sc"]:
            params["anonymousId"] = cookies["sc"]
        others = {name: value for name, value in cookies.items() if params.get("anonymousId") is None or name != "sc"}
        if others:
            params["cookies"] = others
    elif cookies is not None:
        params["cookies"] = cookies
    return params


# --- payloads --------------------------------------------------------------------------------------------


def _payload(name: str, held: Any) -> Json:
    """Return a payload as parameters of the event that means the same."""
    if isinstance(held, list):
        return {"products": [_product(row) if isinstance(row, dict) else row for row in held]}
    if not isinstance(held, dict):
        return {} if held is None else {"payload": held}
    params: Json = {_PARAMS.get(key) or key: value for key, value in held.items()}
    if isinstance(params.get("Products"), list):
        rows = params.pop("Products")
        _take_products("items" if name == "PurchasedItems" else "products", rows, params)
    if isinstance(params.get("Product"), dict):
        _take_product(params)
    category = dig(params, "Category")
    if "categoryKey" in category:
        params["category"] = {"productCategoryId": category.pop("categoryKey"), **category}
        del params["Category"]
    return params


def _take_products(key: str, rows: list[Any], params: Json) -> None:
    products = [_product(row) if isinstance(row, dict) else row for row in rows]
    params[key] = products
    currency = next((row.pop("currency") for row in products if isinstance(row, dict) and "currency" in row), None)
    for row in products:
        if isinstance(row, dict) and row.get("currency") == currency:
            row.pop("currency", None)
    if currency is not None:
        params.setdefault("currencyCode", currency)


def _take_product(params: Json) -> None:
    product = _product(params.pop("Product"))
    if "currency" in product:
        params.setdefault("currencyCode", product.pop("currency"))
    params["product"] = product


_CODE: Final = 3
"""Letters of a currency's code."""


def _product(row: Json) -> Json:
    """Return a product with its price and currency apart: pages print ``754 USD``."""
    product = {_PRODUCT.get(key) or key: value for key, value in row.items()}
    code = product.pop("price_currency_code", None)
    price = product.get("price")
    if isinstance(price, str) and " " in price.strip():
        amount, _, unit = price.strip().partition(" ")
        if len(unit) == _CODE and unit.isascii() and unit.isalpha():
            product["price"] = amount
            code = code or unit.upper()
    if code is not None:
        product["currency"] = code
    return product
