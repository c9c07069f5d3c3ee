"""Blueshift, both ways: its event and customer API as a source, and as a target. See README.md."""

from typing import Final

from gateway.adapter import Adapter, CredentialName

from .auth import EVENT_KEY, USER_KEY
from .decode_customers import mint
from .endpoints import INBOUND, OUTBOUND
from .errors import refuse
from .limits import READ
from .wire import SLUG, VOCABULARY

__all__ = ["ADAPTER"]

ADAPTER: Final = Adapter(
    slug=SLUG,
    title="Blueshift",
    docs=("https://developer.blueshift.com/reference", "https://help.blueshift.com"),
    read=READ,
    base_url="https://api.getblueshift.com",
    revision=None,
    credentials=(
        CredentialName(EVENT_KEY, "Event API key: sends events"),
        CredentialName(USER_KEY, "User API key: writes and reads customers"),
    ),
    vocabulary=VOCABULARY,
    inbound=INBOUND,
    refuse=refuse,
    encodings=frozenset({"gzip"}),
    mint=mint,
    outbound=OUTBOUND,
)
