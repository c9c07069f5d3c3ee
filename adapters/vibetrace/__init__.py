"""Vibetrace, both ways: its REST API, the collector of its browser script and its first API. See README.md."""

from typing import Final

from gateway.adapter import Adapter, CredentialName

from .answers import refuse
from .auth import ACCOUNT_ID, API_KEY, API_SECRET, APP_ID
from .endpoints import INBOUND, OUTBOUND
from .limits import READ
from .options import SourceOptions, TargetOptions
from .wire import SLUG, VOCABULARY, mint

__all__ = ["ADAPTER"]

ADAPTER: Final = Adapter(
    slug=SLUG,
    title="Vibetrace",
    docs=(
        "https://help.vtcdn.net/kb/how-to-send-events-via-api",
        "https://help.vtcdn.net/kb/api-overview",
        "https://help.vtcdn.net/kb/how-to-send-events-through-the-api",
        "https://github.com/vibetrace/api",
    ),
    read=READ,
    base_url="https://api.vtcdn.net",
    revision=None,
    credentials=(
        CredentialName(API_KEY, "API key: sends events and users; of the first API its API_KEY"),
        CredentialName(ACCOUNT_ID, "account in the collector's path: who has it may write", secret=False),
        CredentialName(APP_ID, "application in the first API's path", secret=False),
        CredentialName(API_SECRET, "API_SECRET of the first API"),
    ),
    vocabulary=VOCABULARY,
    inbound=INBOUND,
    refuse=refuse,
    source_options=SourceOptions,
    target_options=TargetOptions,
    mint=mint,
    outbound=OUTBOUND,
)
