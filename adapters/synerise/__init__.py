"""Synerise, both ways: its event, transaction and profile API as a source, and as a target. See README.md."""

from typing import Final

from gateway.adapter import Adapter, CredentialName

from .auth import API_KEY, API_VERSION, GUID, PROFILE_KEY, TRACKER
from .decode_facts import mint
from .endpoints import INBOUND, OUTBOUND
from .errors import refuse
from .limits import READ
from .options import SourceOptions, TargetOptions
from .wire import SLUG, VOCABULARY

__all__ = ["ADAPTER"]

ADAPTER: Final = Adapter(
    slug=SLUG,
    title="Synerise",
    docs=("https://hub.synerise.com/developers/api", "https://help.synerise.com/developers/api"),
    read=READ,
    base_url="https://api.synerise.com",
    revision=API_VERSION,
    credentials=(
        CredentialName(API_KEY, "Workspace API key: logs in, sends and is sent everything"),
        CredentialName(GUID, "GUID of the workspace, for clients that use Basic instead of a login", secret=False),
        CredentialName(TRACKER, "Tracker key, which web pages carry in the query", secret=False),
        CredentialName(PROFILE_KEY, "Profile API key, which mobile applications carry to log in"),
    ),
    vocabulary=VOCABULARY,
    inbound=INBOUND,
    refuse=refuse,
    source_options=SourceOptions,
    target_options=TargetOptions,
    dedupe=frozenset({"profile", "name", "time", "content"}),
    mint=mint,
    outbound=OUTBOUND,
)
