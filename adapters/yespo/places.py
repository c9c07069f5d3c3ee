"""Which of Yespo's methods an event is for. Each event is for one: a full window must not send it elsewhere."""

from typing import Final

from gateway.adapter import Event, Settings
from gateway.event import Commerce, ConsentChange

from . import decode
from .contact import CONTACTS, FROM_CONTACTS, SUBSCRIBE
from .encode_event import is_native, kept_of, options_of
from .names import ORDER_STATUS, identifier
from .options import TargetOptions
from .order import ENDPOINT as ORDERS
from .person import phone_digits

_CONTACT: Final = "contact"
_ORDER: Final = "order"
_PAST: Final = "past"
_LIVE: Final = "live"

_SAID: Final = {
    decode.V1: _LIVE,
    decode.V2: _LIVE,
    decode.UNVERSIONED: _LIVE,
    decode.PAST_V1: _PAST,
    decode.PAST_V2: _PAST,
}
"""What a client of Yespo sent as a live or past event is sent so again, since other workflows start by it."""


def place(event: Event, settings: Settings) -> str:
    """Return where an event goes."""
    endpoint = event.source.endpoint if is_native(event) else None
    said = _SAID.get(endpoint) if endpoint is not None else None
    if said is not None:
        return said if said == _LIVE or event.occurred_at is not None else _LIVE
    if _is_for_contacts(event, endpoint):
        return _CONTACT
    options = options_of(settings)
    if event.name in ORDER_STATUS and options.orders == "orders" and _is_order(event, endpoint):
        return _ORDER
    return _PAST if _is_past(event, options) else _LIVE


def is_past(event: Event, settings: Settings) -> bool:
    """Tell whether an event is for the past endpoint: it was too old for the live one when it came in."""
    return place(event, settings) == _PAST


def is_live(event: Event, settings: Settings) -> bool:
    """Tell whether an event is for the live endpoint."""
    return place(event, settings) == _LIVE


def is_order(event: Event, settings: Settings) -> bool:
    """Tell whether an event is an order with all that Yespo requires of one."""
    return place(event, settings) == _ORDER


def is_contact(event: Event, settings: Settings) -> bool:
    """Tell whether an event is for the methods that write one contact, or subscribe one."""
    if place(event, settings) != _CONTACT:
        return False
    return event.kind != "identify" or (_has_channel(event) and not _is_grouped(event))


def is_bulk_contact(event: Event, settings: Settings) -> bool:
    """Tell whether an event is a contact that can be written with others."""
    return event.kind == "identify" and place(event, settings) == _CONTACT


def _is_past(event: Event, options: TargetOptions) -> bool:
    if event.occurred_at is None:
        return False
    return (event.received_at - event.occurred_at).total_seconds() >= options.past_after_seconds


# --- orders ----------------------------------------------------------------------------------------------


def _is_order(event: Event, endpoint: str | None) -> bool:
    if event.kind != "track" or (endpoint is not None and endpoint != ORDERS):
        return False
    return event.commerce is not None and _is_whole(event.commerce) and _is_known(event)


def _is_whole(commerce: Commerce) -> bool:
    if commerce.total is None or not commerce.currency or identifier(commerce.order_id) is None:
        return False
    return all(identifier(item.product_id) or identifier(item.sku) for item in commerce.items)


def _is_known(event: Event) -> bool:
    who = event.profile
    return identifier(who.user_id) is not None or _has_channel(event)


# --- contacts --------------------------------------------------------------------------------------------


def _is_for_contacts(event: Event, endpoint: str | None) -> bool:
    if event.kind == "identify":
        return (endpoint is None or endpoint in FROM_CONTACTS) and (_has_channel(event) or endpoint == CONTACTS)
    if event.name != "Subscribed" or event.kind != "track" or not event.consent:
        return False
    return (endpoint is None or endpoint == SUBSCRIBE) and _can_subscribe(event)


def _has_channel(event: Event) -> bool:
    who = event.profile
    return identifier(who.email) is not None or (who.phone is not None and phone_digits(who.phone) is not None)


def _can_subscribe(event: Event) -> bool:
    """Tell whether permissions can be said in one call: all given, by address, the same groups for every channel."""
    changes = event.consent
    if not all(change.granted and change.wording == changes[0].wording for change in changes):
        return False
    if is_native(event):
        return _has_channel(event)
    if not all(_has_address(event, change) for change in changes):
        return False
    pairs = {(change.channel, change.group) for change in changes}
    return len(pairs) == len({channel for channel, _ in pairs}) * len({group for _, group in pairs})


def _has_address(event: Event, change: ConsentChange) -> bool:
    who = event.profile
    if change.channel == "email":
        return identifier(who.email) is not None
    if change.channel == "sms":
        return who.phone is not None and phone_digits(who.phone) is not None
    return change.channel is None and _has_channel(event)


def _is_grouped(event: Event) -> bool:
    """Tell whether a contact came with others and with settings that only that method has."""
    bulk = kept_of(event).get("bulk")
    return isinstance(bulk, dict) and event.source.endpoint == CONTACTS and bool(bulk.keys() - {"dedupeOn"})
