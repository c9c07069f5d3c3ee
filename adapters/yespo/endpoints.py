"""Yespo's endpoints: as we stand in for them, and as we call them."""

from collections.abc import Callable
from typing import Final

from gateway.adapter import Auth, Decoded, Inbound, Outbound, Request, Window
from gateway.event import KINDS, Kind

from . import (
    auth,
    contact,
    decode,
    decode_account,
    decode_contacts,
    decode_orders,
    decode_tracker,
    encode,
    encode_contacts,
    encode_orders,
    limits,
    order,
    places,
    rules,
)

_ALL: Final[frozenset[Kind]] = frozenset(KINDS)
_IDENTIFY: Final[frozenset[Kind]] = frozenset({"identify"})
_CONTACT: Final[frozenset[Kind]] = frozenset({"identify", "track"})
_TRACK: Final[frozenset[Kind]] = frozenset({"track"})

EVENT: Final = "/api/v2/event"
PAST: Final = "/api/v2/past_events"
PAST_V1: Final = "/api/v1/past_events"
ORDERS: Final = "/api/v1/orders"
CONTACT: Final = "/api/v1/contact"
CONTACTS: Final = "/api/v1/contacts"

_READ: Final = limits.READ_BODY.value


def _inbound(
    name: str,
    method: str,
    path: str,
    read: Callable[[Request], Decoded],
    *,
    max_body: int = _READ,
    windows: tuple[Window, ...] = limits.OTHER_RATE,
    asks: Auth | None = auth.KEY,
    people: bool = False,
) -> Inbound:
    return Inbound(
        name=name,
        method=method,
        path=path,
        decode=read,
        auth=asks,
        max_body=max_body,
        windows=windows,
        people=people,
    )


def _event(
    name: str, path: str, read: Callable[[Request], Decoded], windows: tuple[Window, ...] = limits.OTHER_RATE
) -> Inbound:
    size = limits.EVENT_BODY.value
    return _inbound(name, "POST", path, read, max_body=size, windows=windows, asks=auth.EITHER)


def _past(name: str, path: str, read: Callable[[Request], Decoded]) -> Inbound:
    size = limits.PAST_BODY.value
    return _inbound(name, "POST", path, read, max_body=size, windows=limits.PAST_RATE, asks=auth.EITHER)


INBOUND: Final = (
    _event(decode.V2, EVENT, decode.decode_v2, limits.EVENT_V2_RATE),
    _event(decode.V1, "/api/v1/event", decode.decode_v1, limits.EVENT_V1_RATE),
    _event(decode.UNVERSIONED, "/api/event", decode.decode_unversioned, limits.EVENT_V1_RATE),
    _event(decode.V3, "/api/v3/event", decode.decode_v3),
    _past(decode.PAST_V2, PAST, decode.decode_past_v2),
    _past(decode.PAST_V1, PAST_V1, decode.decode_past_v1),
    _inbound(
        "past_events_delete",
        "DELETE",
        PAST_V1,
        decode.delete_past,
        windows=limits.PAST_DELETE_RATE,
        asks=auth.EITHER,
    ),
    _inbound(order.ENDPOINT, "POST", ORDERS, decode_orders.decode_orders, max_body=limits.ORDERS_BODY.value),
    _inbound("orders_delete", "DELETE", ORDERS, decode_orders.delete_orders),
    _inbound(
        contact.CONTACT,
        "POST",
        CONTACT,
        decode_contacts.add_contact,
        max_body=limits.CONTACT_BODY.value,
        people=True,
    ),
    _inbound(
        contact.UPDATE,
        "PUT",
        f"{CONTACT}/{{id}}",
        decode_contacts.update_contact,
        max_body=limits.CONTACT_BODY.value,
        people=True,
    ),
    _inbound("contact_delete", "DELETE", CONTACT, decode_contacts.delete_contact, people=True),
    _inbound(
        contact.SUBSCRIBE,
        "POST",
        encode_contacts.SUBSCRIBE_PATH,
        decode_contacts.subscribe,
        max_body=limits.CONTACT_BODY.value,
        people=True,
    ),
    _inbound(contact.CONTACTS, "POST", CONTACTS, decode_contacts.add_contacts, max_body=limits.CONTACTS_BODY.value),
    _inbound("contacts_search", "GET", CONTACTS, decode_contacts.search, windows=limits.SEARCH_RATE, people=True),
    _inbound("import_status", "GET", "/api/v1/importstatus/{session}", decode_contacts.import_status),
    _inbound("account_info", "GET", "/api/v1/account/info", decode_account.account_info),
    _inbound("auth_token", "POST", "/api/v1/auth/token", decode_account.give_token),
    _inbound(
        "contact_token",
        "POST",
        "/api/v1/auth/contact/token",
        decode_account.give_contact_token,
        people=True,
    ),
    _inbound(
        decode_tracker.TRACKER,
        "POST",
        "/api/v2",
        decode_tracker.decode_tracker,
        max_body=limits.CONTACT_BODY.value,
        windows=(),
        asks=None,
    ),
    _inbound("tracker_preflight", "OPTIONS", "/api/v2", decode_tracker.preflight, windows=(), asks=None),
)

OUTBOUND: Final = (
    Outbound(
        name=contact.CONTACTS,
        method="POST",
        path=CONTACTS,
        kinds=_IDENTIFY,
        needs=(auth.API_KEY,),
        takes=places.is_bulk_contact,
        encode=encode_contacts.encode_contacts,
        headers=auth.headers,
        max_events=limits.CONTACTS.value,
        max_body=limits.CONTACTS_BODY_SENT.value,
        pays_from=limits.CONTACTS_PAY_FROM.value,
        windows=limits.OTHER_RATE,
        rules=rules.CONTACTS,
        error_code=rules.contacts_code,
        guilty=rules.guilty_contacts,
    ),
    Outbound(
        name=contact.CONTACT,
        method="POST",
        path=CONTACT,
        kinds=_CONTACT,
        needs=(auth.API_KEY,),
        takes=places.is_contact,
        encode=encode_contacts.encode_contact,
        headers=auth.headers,
        max_events=1,
        max_body=limits.CONTACT_BODY_SENT.value,
        windows=limits.OTHER_RATE,
        rules=rules.CONTACT,
        error_code=rules.event_code,
    ),
    Outbound(
        name=order.ENDPOINT,
        method="POST",
        path=ORDERS,
        kinds=_TRACK,
        needs=(auth.API_KEY,),
        takes=places.is_order,
        encode=encode_orders.encode_orders,
        headers=auth.headers,
        max_events=limits.ORDERS.value,
        max_body=limits.ORDERS_BODY_SENT.value,
        windows=limits.OTHER_RATE,
        rules=rules.ORDERS,
        error_code=rules.orders_code,
        guilty=rules.guilty_orders,
    ),
    Outbound(
        name=decode.PAST_V2,
        method="POST",
        path=PAST,
        kinds=_ALL,
        needs=(auth.API_KEY,),
        takes=places.is_past,
        encode=encode.encode_past,
        headers=auth.headers,
        max_events=limits.PAST_EVENTS.value,
        max_body=limits.PAST_BODY_SENT.value,
        windows=limits.PAST_RATE,
        rules=rules.PAST,
        error_code=rules.past_code,
        guilty=rules.guilty_past,
    ),
    Outbound(
        name=decode.V2,
        method="POST",
        path=EVENT,
        kinds=_ALL,
        needs=(auth.API_KEY,),
        takes=places.is_live,
        encode=encode.encode_events,
        headers=auth.headers,
        max_events=1,
        max_body=limits.EVENT_BODY_SENT.value,
        windows=limits.EVENT_V2_RATE,
        rules=rules.EVENTS,
        error_code=rules.event_code,
    ),
)
