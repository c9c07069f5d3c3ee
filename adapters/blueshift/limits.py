"""Every number of Blueshift's contract, and those we chose where Blueshift is silent."""

from typing import Final

from gateway.adapter import Limit, Window

READ: Final = "2026-11-21"

_EVENT: Final = "developer.blueshift.com/reference/post_api-v1-event"
_BULK: Final = "developer.blueshift.com/reference/post_api-v1-bulkevents"
_CUSTOMERS: Final = "developer.blueshift.com/reference/post_api-v1-customers"
_CUSTOMERS_BULK: Final = "developer.blueshift.com/reference/post_api-v1-customers-bulk"
_OURS: Final = "our choice; Blueshift publishes none"

NAME_LENGTH: Final = Limit(value=64, unit="characters", source=_EVENT, read=READ)
EMAIL_LENGTH: Final = Limit(value=64, unit="characters", source=_CUSTOMERS, read=READ)

# --- what we send ---

BULK_EVENTS: Final = Limit(value=30, unit="events per call", source=_BULK, read=READ)
BULK_BODY: Final = Limit(
    value=999_999, unit="bytes", source=f"{_BULK} says 1 MB; the smaller reading, exclusive", read=READ
)
CUSTOMER_ROWS: Final = Limit(value=50, unit="customers per call", source=_CUSTOMERS_BULK, read=READ)
BULK_PAYS_FROM: Final = Limit(
    value=2,
    unit="events waiting",
    source="our choice: one bulk call carries what two single calls would, and only bulk has a published rate",
    read=READ,
)

# --- what we take ---

IN_BODY: Final = Limit(
    value=1_048_576, unit="bytes", source=f"{_BULK} says 1 MB; the larger reading, for every endpoint", read=READ
)
IN_EVENTS: Final = Limit(
    value=1_000,
    unit="events per call",
    source="our choice: the vendor's own SDKs send 100 (Android SDK BlueshiftEventRepository, iOS kBatchSize)",
    read=READ,
)
IN_DEPTH: Final = Limit(value=64, unit="levels of JSON nesting", source=_OURS, read=READ)
IN_QUERY: Final = Limit(value=500, unit="query keys of /unity.gif", source=_OURS, read=READ)

# --- rates, both ways: advice in the vendor's own words ("we recommend") ---

EVENT_RATE: Final = Window(
    count=50,
    seconds=1,
    source=f"{_OURS} for /api/v1/event; the figure of its sibling /api/v1/customers",
    read=READ,
    ours=True,
)
BULK_RATE: Final = (
    Window(count=5, seconds=1, source=_BULK, read=READ),
    Window(count=150, seconds=1, unit="events", source=_BULK, read=READ),
)
CUSTOMERS_RATE: Final = Window(count=50, seconds=1, source=_CUSTOMERS, read=READ)
CUSTOMERS_BULK_RATE: Final = (
    Window(count=5, seconds=1, source=_CUSTOMERS_BULK, read=READ),
    Window(count=250, seconds=1, unit="events", source=_CUSTOMERS_BULK, read=READ),
)
