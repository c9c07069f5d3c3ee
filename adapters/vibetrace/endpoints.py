"""Vibetrace's endpoints: as we stand in for them, and as we call them."""

from collections.abc import Callable
from typing import Any, Final

from gateway.adapter import Auth, Decoded, Inbound, Outbound, Request
from gateway.event import KINDS

from . import auth, decode, decode_web, encode, limits, rules

EVENT_PATH: Final = "/v1/event"
USER_PATH: Final = "/v1/user"
ONE_USER_PATH: Final = "/v1/user/{email}"
COLLECTOR_PATH: Final = "/event/{account_id}"
APP_PATH: Final = "/api/v3/apps/{app_id}"


def _inbound(
    name: str,
    method: str,
    path: str,
    decode_: Callable[[Request], Decoded],
    auth_: Auth,
    people: bool | Callable[[Any], bool] = False,
) -> Inbound:
    return Inbound(
        name=name,
        method=method,
        path=path,
        decode=decode_,
        auth=auth_,
        max_body=limits.IN_BODY.value,
        people=people,
    )


INBOUND: Final = (
    _inbound(decode.EVENT, "POST", EVENT_PATH, decode.decode_event, auth.KEY, decode.is_strict),
    _inbound(decode.USER, "POST", USER_PATH, decode.decode_user, auth.KEY),
    _inbound(decode.USER_POST, "POST", ONE_USER_PATH, decode.decode_user_post, auth.KEY),
    _inbound(decode.USER_PUT, "PUT", ONE_USER_PATH, decode.decode_user_put, auth.KEY),
    _inbound("user_read", "GET", ONE_USER_PATH, decode.decode_lookup, auth.KEY, people=True),
    _inbound(decode_web.COLLECTOR, "GET", COLLECTOR_PATH, decode_web.decode_collector, auth.ACCOUNT),
    _inbound(
        decode_web.COLLECTOR_TYPED, "GET", f"{COLLECTOR_PATH}/{{type}}", decode_web.decode_collector_typed, auth.ACCOUNT
    ),
    _inbound(
        decode_web.LEGACY_EVENT, "POST", f"{APP_PATH}/events/{{type}}", decode_web.decode_legacy_event, auth.BASIC
    ),
    _inbound(decode_web.LEGACY_USER, "PUT", f"{APP_PATH}/users/{{user_id}}", decode_web.decode_legacy_user, auth.BASIC),
)

OUTBOUND: Final = (
    Outbound(
        name=decode.EVENT,
        method="POST",
        path=EVENT_PATH,
        kinds=frozenset(KINDS),
        needs=(auth.API_KEY,),
        encode=encode.encode_event,
        headers=auth.headers,
        max_events=limits.OUT_EVENTS.value,
        max_body=limits.OUT_BODY.value,
        prepare=decode.USER,
        windows=(limits.RATE,),
        rules=rules.EVENT,
        error_code=rules.event_code,
    ),
    Outbound(
        name=decode.USER,
        method="POST",
        path=USER_PATH,
        kinds=frozenset(),
        needs=(auth.API_KEY,),
        encode=encode.encode_user,
        headers=auth.headers,
        max_events=limits.OUT_EVENTS.value,
        max_body=limits.OUT_BODY.value,
        windows=(limits.RATE,),
        rules=rules.USER,
        error_code=rules.user_code,
    ),
)
