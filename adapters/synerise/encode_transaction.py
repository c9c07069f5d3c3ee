"""One `Order Completed` -> one item of ``/v4/transactions/batch``.

Synerise makes a ``product.buy`` of each line, told apart by the line's place: lines keep their order. Sources, read
2026-11-21: hub.synerise.com/api-reference/data-management (CreateATransaction: required fields, amounts of at least 0
in one currency); github.com/Synerise/php-sdk lib/V4/Models/CreateatransactionRequest.php and Product.php.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, get_args

from gateway.adapter import EncodeError, Event
from gateway.event import Commerce, Item

from .encode_event import finish, moment, write_params
from .encode_who import write_client
from .fit import fit
from .money import money
from .options import Channel, TargetOptions
from .wire import CHARGE, LINES, TRANSACTION_KEYS, VOCABULARY
from .written import Kept, Report, Written, kept_of

_SHAPE: Final = VOCABULARY.decode(CHARGE)
_CHANNELS: Final = frozenset(get_args(Channel))
_UNKNOWN: Final = "UNKNOWN"
"""Method of a payment that says none. Ours: the text is free."""
_NEGATIVE: Final = "Synerise takes no negative amounts."


def write_transaction(event: Event, options: TargetOptions) -> Written:
    """Return the transaction that stands for an order.

    Raises:
        EncodeError: it names nobody, or no order, amount or currency.
    """
    report = Report()
    kept = kept_of(event)
    sent = event if kept.native else fit(event, _SHAPE, report, order=True)
    commerce = sent.commerce or Commerce()
    if commerce.order_id is None:
        raise EncodeError("a Synerise transaction needs an order id")
    currency = commerce.currency or options.currency
    params = write_params(sent, _SHAPE, kept, report, currency)
    if not kept.native:
        _complete(params, commerce, currency, options, report)
    if event.consent:
        report.dropped("consent", "A transaction changes no permission; an identify does.")
    body: dict[str, Any] = {"client": write_client(event, kept, options, report)}
    body.update(_parted(params, kept))
    body["recordedAt"] = moment(event, kept, report)
    body["eventSalt"] = event.dedupe_key or event.id
    finish(body, event, kept, report)
    return Written(body, report.lost)


def _parted(params: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """Return the transaction's own members, and the others as its metadata."""
    own: dict[str, Any] = {key: params.pop(key) for key in TRANSACTION_KEYS if key in params}
    params.update(kept.part("metadata"))
    own.setdefault(LINES, [])
    if params:
        own["metadata"] = params
    return own


def _complete(
    params: dict[str, Any], commerce: Commerce, currency: str | None, options: TargetOptions, report: Report
) -> None:
    """Give an order of another vendor what a transaction has to have, and take out what it cannot."""
    if currency is None:
        raise EncodeError("a Synerise transaction needs a currency: the order names none, nor does the target")
    params.pop("currency", None)
    paid = _paid(commerce)
    if paid < 0:
        raise EncodeError("a Synerise transaction takes no negative amount")
    params["revenue"] = money(paid, currency)
    if commerce.revenue is None or commerce.revenue < 0:
        params["value"] = params["revenue"]
        if commerce.revenue is not None:
            report.dropped("commerce.revenue", _NEGATIVE)
    if commerce.discount is not None and commerce.discount <= 0:
        params.pop("discountAmount", None)
        report.dropped("commerce.discount", "Synerise takes a discount above zero, or none.")
    params.setdefault("paymentInfo", {"method": _UNKNOWN})
    _write_channel(params, options, report)
    params[LINES] = list(_lines(params.get(LINES, []), commerce.items, report))


def _paid(commerce: Commerce) -> Decimal:
    """Return what was paid: the total, else what the amounts that there are come to."""
    if commerce.total is not None:
        return commerce.total
    if commerce.revenue is not None:
        return commerce.revenue
    prices = [item.price * (1 if item.quantity is None else item.quantity) for item in commerce.items if item.price]
    if not prices:
        raise EncodeError("a Synerise transaction needs an amount: the order has no total and no prices")
    return sum(prices, Decimal(0))


def _write_channel(params: dict[str, Any], options: TargetOptions, report: Report) -> None:
    given = params.get("source")
    if isinstance(given, str) and given in _CHANNELS:
        return
    if given is not None:
        if "property_source" in params:
            report.dropped("properties.source", "Synerise has a list of its own for where an order was placed.")
        else:
            params["property_source"] = given
            reason = "Synerise has a list of its own for where an order was placed."
            report.renamed("properties.source", reason, "metadata.property_source")
    params["source"] = options.source


def _lines(rows: list[dict[str, Any]], items: tuple[Item, ...], report: Report) -> Iterator[dict[str, Any]]:
    for index, (row, item) in enumerate(zip(rows, items, strict=True)):
        path = f"commerce.items[{index}]"
        if "sku" not in row and "productId" in row:
            row["sku"] = row["productId"]
        if "sku" not in row or item.price is None:
            report.dropped(path, "A line of a Synerise transaction needs an article number and a price.")
        elif item.price < 0 or (item.quantity is not None and item.quantity < 0):
            report.dropped(path, _NEGATIVE)
        else:
            row.setdefault("name", row["sku"])
            row.setdefault("quantity", 1)
            yield row
