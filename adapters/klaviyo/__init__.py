"""Klaviyo, both ways: events and identify. See README.md for endpoints, quirks and choices."""

from typing import Final

from adapters.klaviyo.credentials import COMPANY_ID, PRIVATE_KEY
from adapters.klaviyo.endpoints import INBOUND, OUTBOUND, quota_headers
from adapters.klaviyo.errors import refuse
from adapters.klaviyo.limits import READ
from adapters.klaviyo.names import NEWEST, SLUG, VOCABULARY, mint
from gateway.adapter import Adapter

ADAPTER: Final = Adapter(
    slug=SLUG,
    title="Klaviyo",
    docs=(
        "https://developers.klaviyo.com/en/reference/events_api_overview",
        "https://github.com/klaviyo/openapi",
        "https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling",
        "https://help.klaviyo.com/hc/en-us/articles/360031423431",
    ),
    read=READ,
    base_url="https://a.klaviyo.com",
    revision=NEWEST,
    credentials=(PRIVATE_KEY, COMPANY_ID),
    vocabulary=VOCABULARY,
    inbound=INBOUND,
    refuse=refuse,
    encodings=frozenset({"gzip"}),
    quota_headers=quota_headers,
    dedupe=frozenset({"profile", "name"}),
    mint=mint,
    outbound=OUTBOUND,
)
