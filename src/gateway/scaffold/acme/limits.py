"""Every number of Acme's contract, with its unit, where it stands and the day it was read."""

from typing import Final

from gateway.adapter import Limit, Window

READ: Final = "2026-11-21"
DOCS: Final = "https://docs.acme.example/events"

MAX_EVENTS: Final = Limit(value=20, unit="events per request", source=DOCS, read=READ)
MAX_BODY: Final = Limit(value=65_536, unit="bytes", source=DOCS, read=READ)
RATES: Final = (Window(count=10, seconds=1, source=DOCS, read=READ),)
"""All hold at once."""
