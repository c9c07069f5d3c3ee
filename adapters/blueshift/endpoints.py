"""Blueshift's endpoints: as we stand in for them, and as we call them."""

from typing import Final

from gateway.adapter import Event, Inbound, Outbound, Settings
from gateway.event import KINDS, Kind

from . import auth, decode, decode_customers, decode_web, encode, limits, rules

_ALL: Final[frozenset[Kind]] = frozenset(KINDS)
_IDENTIFY: Final[frozenset[Kind]] = frozenset({"identify"})

EVENT_PATH: Final = "/api/v1/event"
BULK_PATH: Final = "/api/v1/bulkevents"
CUSTOMERS_PATH: Final = "/api/v1/customers"
CUSTOMERS_BULK_PATH: Final = "/api/v1/customers/bulk"

INBOUND: Final = (
    Inbound(
        name=decode.EVENT,
        method="POST",
        path=EVENT_PATH,
        decode=decode.decode_event,
        auth=auth.EITHER,
        max_body=limits.IN_BODY.value,
    ),
    Inbound(
        name=decode.BULK,
        method="POST",
        path=BULK_PATH,
        decode=decode.decode_bulk,
        auth=auth.EITHER,
        max_body=limits.IN_BODY.value,
        windows=limits.BULK_RATE,
    ),
    Inbound(
        name=decode_customers.CUSTOMERS,
        method="POST",
        path=CUSTOMERS_PATH,
        decode=decode_customers.decode_customer,
        auth=auth.USER,
        max_body=limits.IN_BODY.value,
        windows=(limits.CUSTOMERS_RATE,),
        people=True,
    ),
    Inbound(
        name=decode_customers.CUSTOMERS_BULK,
        method="POST",
        path=CUSTOMERS_BULK_PATH,
        decode=decode_customers.decode_customers,
        auth=auth.USER,
        max_body=limits.IN_BODY.value,
        windows=limits.CUSTOMERS_BULK_RATE,
    ),
    Inbound(
        name="customers_search",
        method="GET",
        path=CUSTOMERS_PATH,
        decode=decode_customers.search_customer,
        auth=auth.USER,
        max_body=limits.IN_BODY.value,
        people=True,
    ),
    Inbound(
        name="customers_read",
        method="GET",
        path=f"{CUSTOMERS_PATH}/{{uuid}}",
        decode=decode_customers.get_customer,
        auth=auth.USER,
        max_body=limits.IN_BODY.value,
        people=True,
    ),
    Inbound(
        name=decode_web.PIXEL,
        method="GET",
        path="/unity.gif",
        decode=decode_web.decode_pixel,
        auth=auth.EITHER,
        max_body=limits.IN_BODY.value,
    ),
    Inbound(
        name=decode_web.SEGMENT,
        method="POST",
        path=f"{EVENT_PATH}/segmentio",
        decode=decode_web.decode_segment,
        auth=auth.EITHER,
        max_body=limits.IN_BODY.value,
    ),
)


def _is_customer(event: Event, settings: Settings) -> bool:  # noqa: ARG001  the port's form
    """Tell whether an event says enough for a customer row: an e-mail address or a customer id."""
    return bool(event.profile.email or event.profile.user_id)


OUTBOUND: Final = (
    Outbound(
        name=decode_customers.CUSTOMERS_BULK,
        method="POST",
        path=CUSTOMERS_BULK_PATH,
        kinds=_IDENTIFY,
        needs=(auth.USER_KEY,),
        takes=_is_customer,
        encode=encode.encode_customers,
        headers=auth.user_headers,
        max_events=limits.CUSTOMER_ROWS.value,
        max_body=limits.BULK_BODY.value,
        pays_from=limits.BULK_PAYS_FROM.value,
        windows=limits.CUSTOMERS_BULK_RATE,
        rules=rules.CUSTOMERS_BULK,
        error_code=rules.bulk_code,
        guilty=rules.guilty_rows,
    ),
    Outbound(
        name=decode_customers.CUSTOMERS,
        method="POST",
        path=CUSTOMERS_PATH,
        kinds=_IDENTIFY,
        needs=(auth.USER_KEY,),
        takes=_is_customer,
        encode=encode.encode_customer,
        headers=auth.user_headers,
        max_events=1,
        max_body=limits.BULK_BODY.value,
        windows=(limits.CUSTOMERS_RATE,),
        rules=rules.CUSTOMERS,
    ),
    Outbound(
        name=decode.BULK,
        method="POST",
        path=BULK_PATH,
        kinds=_ALL,
        needs=(auth.EVENT_KEY,),
        encode=encode.encode_bulk,
        headers=auth.event_headers,
        max_events=limits.BULK_EVENTS.value,
        max_body=limits.BULK_BODY.value,
        pays_from=limits.BULK_PAYS_FROM.value,
        windows=limits.BULK_RATE,
        rules=rules.EVENTS,
    ),
    Outbound(
        name=decode.EVENT,
        method="POST",
        path=EVENT_PATH,
        kinds=_ALL,
        needs=(auth.EVENT_KEY,),
        encode=encode.encode_event,
        headers=auth.event_headers,
        max_events=1,
        max_body=limits.BULK_BODY.value,
        windows=(limits.EVENT_RATE,),
        rules=rules.EVENTS,
    ),
)
