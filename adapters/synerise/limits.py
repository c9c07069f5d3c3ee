"""Every number of Synerise's contract, and those we chose where Synerise is silent."""

from typing import Final

from gateway.adapter import Limit, Window

READ: Final = "2026-11-21"

_SEND: Final = "hub.synerise.com/developers/api/events/sending-events"
_BATCH: Final = "github.com/Synerise/php-sdk lib/V4/Events/Batch"
_CLIENTS: Final = "help.synerise.com/developers/api/clients/profiles"
_OURS: Final = "our choice: Synerise publishes none"

ACTION_LENGTH: Final = Limit(value=32, unit="characters", source=_SEND, read=READ)

# --- what we send ---

EVENTS: Final = Limit(value=1_000, unit="events per call", source=_BATCH, read=READ)
CLIENTS: Final = Limit(value=1_000, unit="profiles per call", source=_CLIENTS, read=READ)
TRANSACTIONS: Final = Limit(
    value=100,
    unit="transactions per call",
    source="our choice: none is published; github.com/Synerise/magento2-integration sends 50 to 100",
    read=READ,
)
BODY: Final = Limit(value=999_999, unit="bytes", source=f"{_BATCH} says 1 MB; the smaller reading", read=READ)

# --- what we take ---

IN_BODY: Final = Limit(value=1_048_576, unit="bytes", source=f"{_BATCH} says 1 MB; the larger reading", read=READ)
IN_ITEMS: Final = Limit(
    value=1_000, unit="items per call", source=f"{_BATCH}, and {_CLIENTS}; for every batch", read=READ
)
IN_DEPTH: Final = Limit(value=64, unit="levels of JSON nesting", source=_OURS, read=READ)
IN_ECHO: Final = Limit(value=100, unit="characters of a refused value in an answer", source=_OURS, read=READ)
IN_ERRORS: Final = Limit(value=100, unit="errors in one answer", source=_OURS, read=READ)
IN_NAMES: Final = Limit(value=1_000, unit="permissions or merged profiles per call", source=_OURS, read=READ)
TOKEN_LIFETIME: Final = Limit(
    value=3_600, unit="seconds", source="help.synerise.com/developers/api/api-authorization/profile-login", read=READ
)
TOKEN_TEXT: Final = Limit(value=64, unit="characters of an identifier in a token", source=_OURS, read=READ)

# --- rates of ours: no limit per endpoint is published, only that calls may be throttled ---

EVENTS_RATE: Final = Window(count=10, seconds=1, source=_OURS, read=READ, ours=True)
CLIENTS_RATE: Final = Window(count=5, seconds=1, source=_OURS, read=READ, ours=True)
TRANSACTIONS_RATE: Final = Window(count=5, seconds=1, source=_OURS, read=READ, ours=True)
