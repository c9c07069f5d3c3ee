"""Transactions -> one `Order Completed` each, and one `Ordered Product` per line where the source asks for them.

Required are only ``client``, ``orderId``, ``products``, and money that is a number: the vendor's own plugins leave the
other fields out that the reference calls required. Sources, read 2026-11-21: hub.synerise.com/api-reference/
data-management (CreateATransaction); github.com/Synerise/php-sdk lib/V4/Models/Product.php;
github.com/Synerise/synerise-for-woocommerce and Sylius-Integration-Plugin (what they leave out).

Beside the entries of an event the residue has ``metadata``: members of it that are called like those of a transaction.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from gateway.adapter import Decoded, Event, Request
from gateway.event import Commerce, Origin

from .decode_event import Kept, profile_of, read_client, read_params, read_salt, read_time
from .errors import ACCEPTED, Problem, invalid, problem
from .limits import IN_ITEMS
from .money import is_amount
from .options import SOURCE_DEFAULTS
from .wire import CHARGE, LINES, SLUG, TRANSACTION_KEYS, VOCABULARY, parse_object, parse_rows, without_nulls

SINGLE: Final = "transactions"
BATCH: Final = "transactions_batch"
ORDERED_PRODUCT: Final = "Ordered Product"
LINE: Final = "line"
"""In the residue of an implied event: the index of its line."""

_MOST: Final = IN_ITEMS.value
_SHAPE: Final = VOCABULARY.decode(CHARGE)
_AMOUNTS: Final = ("revenue", "value", "discountAmount")


def decode_transaction(request: Request) -> Decoded:
    """Return the events of ``/v4/transactions``."""
    problems: list[Problem] = []
    event = read_transaction(parse_object(request), request, SINGLE, problems, "")
    if event is None:
        raise invalid(request, problems)
    return Decoded(_with_lines([event], request), ACCEPTED)


def decode_transactions(request: Request) -> Decoded:
    """Return the events of ``/v4/transactions/batch``: all of them, or none when one is wrong (our choice)."""
    rows = parse_rows(request)
    if len(rows) > _MOST:
        raise invalid(request, [problem("", f"must have {_MOST} transactions or fewer", len(rows))])
    problems: list[Problem] = []
    events = []
    for index, row in enumerate(rows):
        if type(row) is not dict:
            problems.append(problem(f"[{index}]", "must be an object"))
            continue
        event = read_transaction(without_nulls(row), request, BATCH, problems, f"[{index}].")
        if event is not None:
            events.append(event)
    if problems:
        raise invalid(request, problems)
    return Decoded(_with_lines(events, request), ACCEPTED)


def read_transaction(
    body: dict[str, Any], request: Request, endpoint: str, problems: list[Problem], at: str
) -> Event | None:
    """Return the order in one transaction, which is used up; None when something is wrong with it."""
    kept: Kept = {}
    wrong = len(problems)
    problems.extend(_check(body, at))
    who = read_client(body.pop("client", None), kept, problems, at)
    occurred_at = read_time(body, "recordedAt", request, kept, problems, at)
    if len(problems) > wrong:
        return None
    salt = read_salt(body)
    params: dict[str, Any] = {key: body.pop(key) for key in TRANSACTION_KEYS if key in body}
    _add_metadata(params, body, kept)
    if body:
        kept["rest"] = body
    lifted, commerce = read_params(_SHAPE, params, kept)
    if lifted.raw:
        kept["raw"] = lifted.raw
    return Event(
        id=request.new_id(),
        kind=_SHAPE.kind,
        name=_SHAPE.name,
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=endpoint),
        occurred_at=occurred_at,
        dedupe_key=salt,
        profile=profile_of(lifted, who),
        commerce=commerce,
        context=lifted.context(),
        properties=lifted.properties(),
        residue={SLUG: kept} if kept else {},
    )


def _check(body: dict[str, Any], at: str) -> Iterator[Problem]:
    order = body.get("orderId")
    if type(order) not in (str, int) or order == "":
        yield problem(f"{at}orderId", "must not be empty", order)
    rows = body.get(LINES)
    if type(rows) is not list:
        yield problem(f"{at}{LINES}", "must not be null", rows)
    else:
        yield from _check_lines(rows, at)
    for key in _AMOUNTS:
        if key in body and not _is_amount_object(body[key]):
            yield problem(f"{at}{key}.amount", "must be a number")


def _check_lines(rows: list[Any], at: str) -> Iterator[Problem]:
    for index, row in enumerate(rows):
        place = f"{at}{LINES}[{index}]"
        if type(row) is not dict:
            yield problem(place, "must be an object")
        elif "finalUnitPrice" in row and not _is_amount_object(row["finalUnitPrice"]):
            yield problem(f"{place}.finalUnitPrice.amount", "must be a number")


def _is_amount_object(value: Any) -> bool:
    return type(value) is dict and is_amount(value.get("amount"))


def _add_metadata(params: dict[str, Any], body: dict[str, Any], kept: Kept) -> None:
    """Put the free data beside the transaction's own; a name that is taken there is kept aside."""
    metadata = body.get("metadata")
    if type(metadata) is not dict or not metadata:
        return
    del body["metadata"]
    taken = [key for key in TRANSACTION_KEYS if key in metadata]
    if taken:
        kept["metadata"] = {key: metadata.pop(key) for key in taken}
    params.update(metadata)


# --- lines -----------------------------------------------------------------------------------------------


def _with_lines(orders: list[Event], request: Request) -> list[Event]:
    if not (request.options or SOURCE_DEFAULTS).order_lines:
        return orders
    return [event for order in orders for event in (order, *_lines_of(order, request))]


def _lines_of(order: Event, request: Request) -> Iterator[Event]:
    """Yield the events that Synerise makes of an order: one per line, told apart by its place."""
    commerce = order.commerce
    if commerce is None:
        return
    for index, item in enumerate(commerce.items):
        yield msgspec.structs.replace(
            order,
            id=request.new_id(),
            name=ORDERED_PRODUCT,
            dedupe_key=None if order.dedupe_key is None else f"{order.dedupe_key}#{index}",
            commerce=Commerce(order_id=commerce.order_id, currency=commerce.currency, items=(item,)),
            properties={},
            residue={SLUG: {LINE: index}},
        )
