"""One canonical event -> one item of ``/v4/events/batch``.

Sources, read 2026-11-21: hub.synerise.com/developers/api/events/sending-events (envelope, types) and
/overwriting-events (an event is one by profile, action, time and ``eventSalt``: with the same four, sending it again
changes nothing).
"""

from collections.abc import Callable
from typing import Any, Final

from gateway.adapter import Event, Shape, ToldElsewhere, parse_time
from gateway.event import ConsentChange

from .checks import is_action, missing
from .decode_event import means
from .decode_transactions import LINE
from .encode_who import write_client
from .fit import fit
from .money import close_money, close_prices, is_amount
from .names import write_action
from .options import TargetOptions
from .times import write_arrival, write_time
from .wire import CHARGE, CONSENT, CUSTOM, DEDICATED, LINES, ORIGINAL_TIME, TYPE_OF, TYPES, VOCABULARY
from .written import Kept, Report, Written, kept_of, report_residue

NO_PARAM: Final = "Synerise has no parameter for it, or keeps one of its own."


def write_event(event: Event, options: TargetOptions) -> Written:
    """Return the batch item that stands for an event.

    Raises:
        EncodeError: it names nobody, has no name, or is the line of an order that is sent as a transaction.
    """
    report = Report()
    kept = kept_of(event)
    if LINE in kept.all:
        raise ToldElsewhere("the transaction carries this line")
    shape = VOCABULARY.encode(event)
    sent = event if kept.native else fit(event, shape, report)
    params = write_params(sent, shape, kept, report)
    action = means(kept.all, event) or (shape.vendor_name if kept.native and event.name == shape.name else None)
    if action is None or not is_action(action):
        action = write_action(event, shape, params, report)
    if not kept.native and (complete := _COMPLETE.get(action)) is not None:
        complete(params)
    if event.consent:
        _write_consent(event, action, params, report)
    who = write_client(event, kept, options, report)
    kind = _type_of(action, params, kept)
    body: dict[str, Any] = {"type": kind, "label": kept.all.get("label") or action, "client": who}
    if kind == CUSTOM:
        body["action"] = action
    body["time"] = moment(event, kept, report)
    if params:
        body["params"] = params
    body["eventSalt"] = event.dedupe_key or event.id
    finish(body, event, kept, report)
    return Written(body, report.lost)


def write_params(event: Event, shape: Shape, kept: Kept, report: Report, currency: str | None = None) -> dict[str, Any]:
    """Return an event's params, with its money in objects; `currency` is that of amounts without one."""
    params, homeless = shape.lower(event, kept.raw)
    who = event.profile
    if who.device_id is not None or who.organization is not None:
        _write_person(event, shape, kept, params, report)
    for path in homeless:
        report.dropped(path, NO_PARAM)
    commerce = event.commerce
    if commerce is not None:
        currency = commerce.currency or currency
        found = close_money(params, currency)
        if commerce.items and LINES in params:
            found = close_prices(params[LINES], currency) or found
        if found and "currency" not in kept.all:
            params.pop("currency", None)
    elif "paymentInfo.method" in params:
        close_money(params, currency)
    if kept.all:
        params.update(kept.part("params"))
        if ORIGINAL_TIME in kept.all:
            params[ORIGINAL_TIME] = kept.all[ORIGINAL_TIME]
    return params


def _write_person(event: Event, shape: Shape, kept: Kept, params: dict[str, Any], report: Report) -> None:
    """Write what an event says of a person beside identifiers: the device, and the organization of a group."""
    fields: dict[str, Any] = {}
    shape.table.lower("profile", event.profile, kept.raw, fields, [])
    for key in [key for key in fields if key in params]:
        report.dropped(f"properties.{key}", "A field of the event needs its name.")
    params.update(fields)


def moment(event: Event, kept: Kept, report: Report) -> str:
    """Return the event's time, or that of its arrival: never later, or Synerise would put its own in its place."""
    at, received = event.occurred_at, event.received_at
    if at is None:
        return write_arrival(received)
    sent = kept.all.get("time")
    if isinstance(sent, str) and parse_time(sent) == at:
        return sent
    if at > received:
        report.coerced("occurred_at", "Synerise takes no time in the future; that of arrival is sent.", "time")
        return write_time(received)
    return write_time(at)


def finish(body: dict[str, Any], event: Event, kept: Kept, report: Report) -> None:
    """Put back the members that only Synerise knows, and report the residue of other vendors."""
    if kept.all:
        for key, value in kept.part("rest").items():
            if key not in body or key == "eventSalt":
                body[key] = value
    if event.residue and not (kept.native and len(event.residue) == 1):
        report_residue(event, report)


# --- what a dedicated endpoint wants ---------------------------------------------------------------------


def _type_of(action: str, params: dict[str, Any], kept: Kept) -> str:
    """Return the type: as it was sent, else that of the action's endpoint where its params suffice."""
    sent = kept.all.get("type")
    if sent == CUSTOM:
        return CUSTOM
    if isinstance(sent, str) and (entry := TYPES.get(sent)) is not None and entry.action == action:
        return sent
    kind = TYPE_OF.get(action)
    if kind is None:
        return CUSTOM
    entry = DEDICATED[kind]
    if entry.required and (any(missing(entry, params)) or _is_negative(params.get("finalUnitPrice"))):
        return CUSTOM
    return kind


def _is_negative(price: Any) -> bool:
    return isinstance(price, dict) and is_amount(amount := price["amount"]) and float(amount) < 0


def _name_product(params: dict[str, Any]) -> None:
    """Give the product the id that a view goes by."""
    if "productId" not in params and "sku" in params:
        params["productId"] = params["sku"]


def _name_article(params: dict[str, Any]) -> None:
    """Give the product the id that carts and orders go by."""
    if "sku" not in params and "productId" in params:
        params["sku"] = params["productId"]


def _sum_up(params: dict[str, Any]) -> None:
    """Give a cart its lines, their ids and their number, as hub.synerise.com/developers/web/cart asks."""
    rows = params.setdefault(LINES, [])
    for row in rows:
        _name_article(row)
    params.setdefault("itemIds", [row["sku"] for row in rows if "sku" in row])
    counts = [row.get("quantity") for row in rows]
    if "totalQuantity" not in params and None not in counts:
        params["totalQuantity"] = sum(counts)


_COMPLETE: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "product.view": _name_product,
    "product.addToCart": _name_article,
    "product.removeFromCart": _name_article,
    "product.addToFavorite": _name_article,
    "product.removeFromFavorites": _name_article,
    "product.buy": _name_article,
    "cart.status": _sum_up,
}


# --- permissions -----------------------------------------------------------------------------------------


def _write_consent(event: Event, action: str, params: dict[str, Any], report: Report) -> None:
    """Keep permissions as params: an event changes none, but for the actions whose name says one."""
    said = action in CONSENT and event.consent == (ConsentChange(granted=CONSENT[action], channel="email"),)
    if said:
        return
    for index, change in enumerate(event.consent):
        key = "consent" + (change.channel or "all").title().replace("_", "")
        path = f"consent[{index}]"
        if key in params:
            report.dropped(path, "The event says something else about this channel already.")
        else:
            params[key] = change.granted
            report.renamed(path, "An event changes no permission in Synerise; an identify does.", f"params.{key}")


def is_order(event: Event) -> bool:
    """Tell whether an event is an order that goes as a transaction; one that a client posted as an event does not."""
    if event.kind != "track" or event.name != _ORDER:
        return False
    return "type" not in kept_of(event).all


_ORDER: Final = VOCABULARY.decode(CHARGE).name
