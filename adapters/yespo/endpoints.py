"""Yespo's endpoints: as we stand in for them, and as we call them."""

from typing import Final

from gateway.adapter import Inbound, Outbound
from gateway.event import KINDS, Kind

from . import auth, decode, encode, limits

_ALL: Final[frozenset[Kind]] = frozenset(KINDS)

EVENT: Final = "/api/v2/event"
PAST: Final = "/api/v2/past_events"

INBOUND: Final = (
    Inbound(
        name=decode.V2,
        method="POST",
        path=EVENT,
        decode=decode.decode_v2,
        auth=auth.EITHER,
        max_body=limits.EVENT_BODY.value,
        windows=limits.EVENT_V2_RATE,
    ),
    Inbound(
        name=decode.V1,
        method="POST",
        path="/api/v1/event",
        decode=decode.decode_v1,
        auth=auth.EITHER,
        max_body=limits.EVENT_BODY.value,
        windows=limits.EVENT_V1_RATE,
    ),
    Inbound(
        name=decode.PAST_V2,
        method="POST",
        path=PAST,
        decode=decode.decode_past_v2,
        auth=auth.EITHER,
        max_body=limits.PAST_BODY.value,
        windows=limits.PAST_RATE,
    ),
)

OUTBOUND: Final = (
    Outbound(
        name=decode.PAST_V2,
        method="POST",
        path=PAST,
        kinds=_ALL,
        needs=(auth.API_KEY,),
        takes=encode.is_past,
        encode=encode.encode_past,
        headers=auth.headers,
        max_events=limits.PAST_EVENTS.value,
        max_body=limits.PAST_BODY_SENT.value,
        windows=limits.PAST_RATE,
    ),
    Outbound(
        name=decode.V2,
        method="POST",
        path=EVENT,
        kinds=_ALL,
        needs=(auth.API_KEY,),
        encode=encode.encode_events,
        headers=auth.headers,
        max_events=1,
        max_body=limits.EVENT_BODY_SENT.value,
        windows=limits.EVENT_V2_RATE,
    ),
)
