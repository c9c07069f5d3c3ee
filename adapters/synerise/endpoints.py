"""Synerise's endpoints: as we stand in for them, and as we call them."""

from collections.abc import Callable
from typing import Final

from gateway.adapter import Auth, Decoded, Inbound, Outbound, Request
from gateway.event import KINDS, Kind

from . import auth, decode, decode_clients, decode_facts, decode_setup, decode_transactions, encode, limits, rules
from .wire import DEDICATED

EVENTS_PATH: Final = "/v4/events/batch"
CLIENTS_PATH: Final = "/v4/clients"
TRANSACTIONS_PATH: Final = "/v4/transactions"
_AI_PATH: Final = "/v4/events/ai-compat"

_PROFILES: Final[frozenset[Kind]] = frozenset({"identify", "track"})
_EVENTS: Final[frozenset[Kind]] = frozenset(KINDS) - {"identify"}
_TRACK: Final[frozenset[Kind]] = frozenset({"track"})


def _in(
    name: str,
    path: str,
    read: Callable[[Request], Decoded],
    who: Auth | None = auth.WORKSPACE,
    *,
    method: str = "POST",
    people: bool = False,
) -> Inbound:
    return Inbound(
        name=name, method=method, path=path, decode=read, auth=who, max_body=limits.IN_BODY.value, people=people
    )


def _ai(mark: str, prefix: str) -> tuple[Inbound, ...]:
    """Return the flat endpoints; custom tracking domains have them below ``/ai``."""
    names = {action: f"{mark}_{action.replace('.', '_')}" for action in decode.AI_TYPES}
    singles = [
        _in(name, f"{prefix}{_AI_PATH}/{action}", decode.ai_compat(action, name), auth.OR_TRACKER)
        for action, name in names.items()
    ]
    batch = f"{mark}_batch"
    return (*singles, _in(batch, f"{prefix}{_AI_PATH}/batch", decode.ai_batch(batch), auth.OR_TRACKER))


_EVENT_ENDPOINTS: Final = (
    _in(decode.SINGLE, "/v4/events/custom", decode.decode_custom, auth.ANY),
    _in(decode.BATCH, EVENTS_PATH, decode.decode_batch, auth.ANY),
    *(_in(decode.dedicated_name(path), f"/v4/events/{path}", decode.dedicated(path), auth.ANY) for path in DEDICATED),
    *_ai("ai_compat", ""),
    *_ai("ai_prefix", "/ai"),
    _in(decode_transactions.SINGLE, TRANSACTIONS_PATH, decode_transactions.decode_transaction),
    _in(decode_transactions.BATCH, f"{TRANSACTIONS_PATH}/batch", decode_transactions.decode_transactions),
)

_ONE: Final = f"{CLIENTS_PATH}/{{clientId}}"

_CLIENT_ENDPOINTS: Final = (
    _in(decode_clients.CREATE, CLIENTS_PATH, decode_clients.decode_client),
    _in(decode_clients.BATCH, f"{CLIENTS_PATH}/batch", decode_clients.decode_batch),
    _in(decode_clients.IMPORT, f"{CLIENTS_PATH}/custom-import", decode_clients.decode_import),
    _in(decode_clients.INSTANT, f"{CLIENTS_PATH}/instant", decode_clients.decode_instant, people=True),
    _in("clients_update", _ONE, decode_clients.update_client),
    _in("clients_update_by_email", f"{CLIENTS_PATH}/by-email/{{email}}", decode_clients.update_by_email),
    _in("clients_update_by_customid", f"{CLIENTS_PATH}/by-customid/{{customId}}", decode_clients.update_by_custom_id),
    _in("clients_read", f"{CLIENTS_PATH}/{{identifierType}}/{{value}}", decode_facts.read_client, method="GET",
        people=True),
    _in("clients_read_by_id", _ONE, decode_facts.read_by_id, method="GET", people=True),
    _in("clients_delete", _ONE, decode_facts.deleted("clients_delete"), method="DELETE"),
    *(
        _in(name, f"{CLIENTS_PATH}/{place}/{{customId}}", decode_facts.deleted(name), method="DELETE")
        for name, place in (("clients_delete_by_customid", "by-customid"), ("clients_delete_by_custom_id",
                                                                           "by-custom-id"))
    ),
    *(
        _in(name, f"{_ONE}/tags/{{tagId}}", decode_facts.tagged(name, action), method=method)
        for name, action, method in (
            ("clients_add_tag", "client.addTag", "POST"),
            ("clients_remove_tag", "client.removeTag", "DELETE"),
        )
    ),
    _in("clients_linked_devices", f"{_ONE}/linked-devices", decode_facts.link_device),
    _in("clients_merge_ids", f"{CLIENTS_PATH}/merge/from/ids/{{ids}}/to/id/{{id}}", decode_facts.merge_ids),
    _in("clients_merge_custom_ids", f"{CLIENTS_PATH}/merge/from/custom-ids/{{ids}}/to/custom-id/{{id}}",
        decode_facts.merge_custom_ids),
)  # fmt: skip

_PROFILE_LOGINS: Final = tuple(
    (f"login_{name.replace('/', '_')}_v{version}", f"/sauth/v{version}/auth/login/{name}")
    for version in (2, 3)
    for name in ("client", "client/anonymous", "client/conditional")
)
_PROFILE_REFRESHES: Final = tuple(
    (f"refresh_client_v{version}", f"/sauth/v{version}/auth/refresh/client") for version in (2, 3)
)

_SETUP_ENDPOINTS: Final = (
    _in("login_workspace", auth.LOGIN_PATH, decode_setup.log_in_workspace, auth.LOGIN),
    _in("login_workspace_v4", "/v4/auth/login/profile", decode_setup.log_in_workspace, auth.LOGIN),
    _in("refresh_workspace", "/v4/auth/refresh/profile", decode_setup.refresh_workspace, method="GET"),
    *(_in(name, path, decode_setup.log_in_profile, auth.PROFILE_LOGIN) for name, path in _PROFILE_LOGINS),
    *(_in(name, path, decode_setup.refresh_profile, auth.ANY) for name, path in _PROFILE_REFRESHES),
    _in("permission_check", "/uauth/api-key/permission-check", decode_setup.check_permissions),
    _in("tracker", "/business-profile-service/tracker/get-or-create-by-domain", decode_setup.get_tracker),
    _in("server_time", "/v4/server/time", decode_setup.tell_time, None, method="GET"),
)

INBOUND: Final = (*_EVENT_ENDPOINTS, *_CLIENT_ENDPOINTS, *_SETUP_ENDPOINTS)

OUTBOUND: Final = (
    Outbound(
        name=decode_transactions.BATCH,
        method="POST",
        path=f"{TRANSACTIONS_PATH}/batch",
        kinds=_TRACK,
        needs=(auth.API_KEY,),
        takes=encode.is_transaction,
        encode=encode.encode_transactions,
        headers=auth.headers,
        login=auth.WORKSPACE_LOGIN,
        max_events=limits.TRANSACTIONS.value,
        max_body=limits.BODY.value,
        windows=(limits.TRANSACTIONS_RATE,),
        rules=rules.BATCHES,
        error_code=rules.error_code,
        guilty=rules.guilty,
    ),
    Outbound(
        name=decode_clients.BATCH,
        method="POST",
        path=f"{CLIENTS_PATH}/batch",
        kinds=_PROFILES,
        needs=(auth.API_KEY,),
        takes=encode.is_profile,
        encode=encode.encode_clients,
        headers=auth.headers,
        login=auth.WORKSPACE_LOGIN,
        max_events=limits.CLIENTS.value,
        max_body=limits.BODY.value,
        windows=(limits.CLIENTS_RATE,),
        rules=rules.BATCHES,
        error_code=rules.error_code,
        guilty=rules.guilty,
    ),
    Outbound(
        name=decode.BATCH,
        method="POST",
        path=EVENTS_PATH,
        kinds=_EVENTS,
        needs=(auth.API_KEY,),
        takes=encode.is_event,
        encode=encode.encode_events,
        headers=auth.headers,
        login=auth.WORKSPACE_LOGIN,
        max_events=limits.EVENTS.value,
        max_body=limits.BODY.value,
        windows=(limits.EVENTS_RATE,),
        rules=rules.EVENTS,
        guilty=rules.guilty,
    ),
)
