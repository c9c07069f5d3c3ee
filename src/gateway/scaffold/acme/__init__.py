"""Acme, both ways: its event API as a source and as a target. See README.md."""

from typing import Final

from gateway.adapter import Adapter, CredentialName, Inbound, Outbound

from . import auth, decode, encode, errors, limits
from .wire import SLUG, VOCABULARY

__all__ = ["ADAPTER"]

ADAPTER: Final = Adapter(
    slug=SLUG,
    title="Acme",
    docs=(limits.DOCS,),
    read=limits.READ,
    base_url="https://api.acme.example",
    revision=None,
    credentials=(CredentialName(auth.API_KEY, "from the account's settings"),),
    vocabulary=VOCABULARY,
    refuse=errors.refuse,
    inbound=(
        Inbound(
            name=decode.EVENTS,
            method="POST",
            path="/v1/events",
            decode=decode.decode_events,
            auth=auth.KEY,
            max_body=limits.MAX_BODY.value,
            windows=limits.RATES,
        ),
    ),
    outbound=(
        Outbound(
            name=decode.EVENTS,
            method="POST",
            path="/v1/events",
            kinds=frozenset({"track", "identify", "page", "screen"}),
            needs=(auth.API_KEY,),
            encode=encode.encode_events,
            headers=auth.headers,
            max_events=limits.MAX_EVENTS.value,
            max_body=limits.MAX_BODY.value,
            windows=limits.RATES,
            rules=errors.RULES,
            error_code=errors.error_code,
        ),
    ),
)
