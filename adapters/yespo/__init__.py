"""Yespo (formerly eSputnik), both ways: its API as a source, and as a target. See README.md."""

from typing import Final

from gateway.adapter import Adapter, CredentialName

from .auth import API_KEY
from .endpoints import INBOUND, OUTBOUND
from .errors import refuse
from .limits import READ
from .names import mint
from .options import SourceOptions, TargetOptions
from .wire import SLUG, VOCABULARY

__all__ = ["ADAPTER"]

ADAPTER: Final = Adapter(
    slug=SLUG,
    title="Yespo",
    docs=(
        "https://docs.yespo.io/docs/how-use-v1event-api-resource",
        "https://docs.yespo.io/docs/validating-event-parameters",
        "https://docs.yespo.io/docs/site-activity-tracking-using-generate-events",
        "https://docs.yespo.io/reference/rate-limits",
    ),
    read=READ,
    base_url="https://yespo.io",
    revision=None,
    credentials=(CredentialName(API_KEY, "API key with the right to events, contacts and orders"),),
    vocabulary=VOCABULARY,
    inbound=INBOUND,
    refuse=refuse,
    source_options=SourceOptions,
    target_options=TargetOptions,
    mint=mint,
    outbound=OUTBOUND,
)
