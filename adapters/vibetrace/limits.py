"""Every number of this adapter. Vibetrace publishes few: the rest are choices of ours, each with its reason."""

from typing import Final

from gateway.adapter import Limit, Window

READ: Final = "2026-11-21"

_EVENTS: Final = "help.vtcdn.net/kb/how-to-send-events-via-api"
_OURS: Final = "our choice; Vibetrace publishes none"

# --- events that count once in a while ---

OPEN_ONCE: Final = Limit(value=1_200, unit="seconds between two opens of one user", source=_EVENTS, read=READ)
ORDER_ONCE: Final = Limit(
    value=315_360_000,
    unit="seconds that an orderId is remembered",
    source="our choice: ten years stand for ever, since no page names an end",
    read=READ,
)

# --- what we take ---

IN_BODY: Final = Limit(value=1_048_576, unit="bytes", source=_OURS, read=READ)
IN_EVENTS: Final = Limit(value=100, unit="events per call", source=_OURS, read=READ)
IN_DEPTH: Final = Limit(value=64, unit="levels of JSON nesting", source=_OURS, read=READ)
IN_QUERY: Final = Limit(value=50, unit="query parameters of the collector", source=_OURS, read=READ)
IDENTIFIER: Final = Limit(
    value=1_000, unit="characters of an e-mail address or id beside the events", source=_OURS, read=READ
)
CALLBACK: Final = Limit(
    value=64, unit="characters of a JSONP callback", source="our choice: a name is repeated in the answer", read=READ
)

# --- what we send ---

OUT_BODY: Final = Limit(value=1_048_576, unit="bytes", source=_OURS, read=READ)
OUT_EVENTS: Final = Limit(value=1, unit="events per call", source=_EVENTS, read=READ)
RATE: Final = Window(count=5, seconds=1, source=_OURS, read=READ, shared="api", ours=True)
