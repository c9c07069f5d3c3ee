"""Logins, tokens and other credentials: given, checked without memory, expired, tampered with, rotated."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from adapters.synerise import ADAPTER, auth, tokens
from adapters.synerise.options import SourceOptions
from adapters.synerise.tests.support import (
    ACCOUNT,
    KEY,
    RECEIVED,
    ask,
    authenticate,
    basic,
    outbound,
    parsed,
    request,
)
from gateway.adapter import Answer, Reply, Request

WORKSPACE_LOGINS = ["/uauth/v2/auth/login/profile", "/v4/auth/login/profile"]
PROFILE_LOGINS = [entry.path for entry in ADAPTER.inbound if entry.path.startswith("/sauth") and "login" in entry.path]


def token(path: str = WORKSPACE_LOGINS[0], key: str = KEY, **more: Any) -> str:
    found = parsed(ask("POST", path, {"apiKey": key, "uuid": "u-1"}, **more).reply)["token"]
    assert isinstance(found, str)
    return found


def profile_token() -> str:
    return token(PROFILE_LOGINS[0], ACCOUNT["profile_key"])


def with_token(given: str, path: str = "/v4/events/custom", method: str = "POST", **more: Any) -> Request:
    return request(method, path, headers={"Authorization": f"Bearer {given}"}, **more)


def error(reply: Reply | None) -> tuple[int, str]:
    assert reply is not None
    return reply.status, parsed(reply)["error"]


@pytest.mark.parametrize("path", WORKSPACE_LOGINS)
def test_a_workspace_logs_in_with_its_key(path: str) -> None:
    asked = request("POST", path, {"apiKey": KEY})
    assert authenticate(asked) is None
    assert authenticate(with_token(token(path))) is None


def test_there_are_three_profile_logins_in_two_versions() -> None:
    assert len(PROFILE_LOGINS) == 6


@pytest.mark.parametrize("path", PROFILE_LOGINS)
@pytest.mark.parametrize("name", ["profile_key", "api_key"])
def test_a_profile_logs_in_with_either_key(path: str, name: str) -> None:
    assert authenticate(request("POST", path, {"apiKey": ACCOUNT[name]})) is None
    assert authenticate(with_token(token(path, ACCOUNT[name]))) is None


@pytest.mark.parametrize("path", [*WORKSPACE_LOGINS, *PROFILE_LOGINS])
def test_a_login_with_another_key_is_refused(path: str) -> None:
    told = authenticate(request("POST", path, {"apiKey": "other"}))
    assert told is not None
    assert told.status == 401
    assert b"other" not in told.body


def test_a_profile_key_is_no_key_of_the_workspace() -> None:
    told = authenticate(request("POST", WORKSPACE_LOGINS[0], {"apiKey": ACCOUNT["profile_key"]}))
    assert told is not None
    assert told.status == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"apiKey":5}', b'{"apiKey":null}', b"[" * 9999])
def test_a_login_without_a_key_is_a_bad_request(body: bytes) -> None:
    told = authenticate(request("POST", WORKSPACE_LOGINS[0], body))
    assert told is not None
    assert told.status == 400
    assert set(parsed(told)) == {"path", "timestamp", "errorCode", "status", "message", "traceId"}


def test_an_empty_key_is_nobodys() -> None:
    told = authenticate(request("POST", WORKSPACE_LOGINS[0], {"apiKey": ""}), {"api_key": ""})
    assert told is not None
    assert told.status == 401


# --- time ------------------------------------------------------------------------------------------------


def test_a_token_is_good_until_its_time_is_over_and_not_a_second_longer() -> None:
    given = token(options=SourceOptions(token_lifetime_seconds=60))
    assert authenticate(with_token(given, at=RECEIVED + timedelta(seconds=59))) is None
    told = authenticate(with_token(given, at=RECEIVED + timedelta(seconds=60)))
    assert error(told) == (401, "Token expired.")


def test_the_usual_lifetime_is_an_hour() -> None:
    claims = tokens.read(token())
    assert claims is not None
    assert claims.exp - claims.iat == 3600


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_lifetime_is_at_least_a_second(seconds: int) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        SourceOptions(token_lifetime_seconds=seconds)


def test_a_refresh_gives_a_token_with_a_new_time() -> None:
    later = RECEIVED + timedelta(seconds=3000)
    old = token()
    asked = with_token(old, "/v4/auth/refresh/profile", "GET", at=later)
    assert authenticate(asked) is None
    fresh = parsed(ask("GET", "/v4/auth/refresh/profile", headers={"Authorization": f"Bearer {old}"}, at=later).reply)
    assert authenticate(with_token(fresh["token"], at=RECEIVED + timedelta(seconds=6000))) is None


def test_an_expired_token_is_not_refreshed() -> None:
    later = RECEIVED + timedelta(seconds=3600)
    assert error(authenticate(with_token(token(), "/v4/auth/refresh/profile", "GET", at=later))) == (
        401,
        "Token expired.",
    )


def test_a_profiles_refresh_tells_when_it_ends() -> None:
    path = "/sauth/v3/auth/refresh/client"
    headers = {"Authorization": f"Bearer {profile_token()}"}
    told = parsed(ask("POST", path, {"apiKey": ACCOUNT["profile_key"]}, headers=headers).reply)
    assert (told["origin"], told["realm"]) == ("SYNERISE", "client")
    assert told["expiration"] == int(RECEIVED.timestamp()) + 3600
    assert told["created"] == int(RECEIVED.timestamp()) * 1000
    claims = tokens.read(told["token"])
    assert claims is not None
    assert claims.uuid == "u-1"
    assert authenticate(with_token(told["token"])) is None


# --- forged and foreign ----------------------------------------------------------------------------------


def forged(change: dict[str, Any], head: dict[str, Any] | None = None) -> str:
    first, second, third = token().split(".")
    claims = {**json.loads(base64.urlsafe_b64decode(second + "==")), **change}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (head or {}, claims)]
    return f"{parts[0] if head else first}.{parts[1]}.{third}"


@pytest.mark.parametrize(
    "given",
    [
        forged({"exp": 4102444800}),
        forged({"realm": "client"}),
        forged({}, {"alg": "none", "typ": "JWT"}),
        token()[:-2] + "AA",
        token().rpartition(".")[0] + ".",
        "eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiJzeW5lcmlzZSJ9.c2lnbmF0dXJl",
        "a.b.c",
        "..",
    ],
)
def test_a_token_that_we_did_not_sign_so_counts_as_expired(given: str) -> None:
    """Plugins then log in again; it opens nothing."""
    assert error(authenticate(with_token(given))) == (401, "Token expired.")


def test_who_changes_the_key_ends_its_tokens() -> None:
    changed = {**ACCOUNT, "api_key": "another", "profile_key": "another too"}
    assert error(authenticate(with_token(token()), changed)) == (401, "Token expired.")
    assert error(authenticate(with_token(profile_token()), changed)) == (401, "Token expired.")


def test_two_keys_hold_at_once_while_one_is_changed_for_the_other() -> None:
    old, new = {"api_key": KEY}, {"api_key": "another"}
    matches = auth.WORKSPACE.matches
    presented = auth.WORKSPACE.present(with_token(token()))
    assert [matches(presented, account) for account in (old, new)] == [True, False]


def test_a_token_signed_with_the_profiles_key_is_none_of_the_workspace() -> None:
    claims = tokens.read(token())
    assert claims is not None
    given = tokens.sign(ACCOUNT["profile_key"], claims)
    assert error(authenticate(with_token(given, "/v4/clients"))) == (401, "Token expired.")


@effort(max_examples=200, deadline=None)
@given(at=st.integers(0, 400), char=st.characters(codec="latin-1", exclude_categories=["Cc"]))
def test_any_other_letter_spoils_a_token(at: int, char: str) -> None:
    good = token()
    bad = good[: at % len(good)] + char + good[at % len(good) + 1 :]
    if bad != good and not _is_same_signature(bad, good):
        assert authenticate(with_token(bad)) is not None


def _is_same_signature(bad: str, good: str) -> bool:
    return bad.strip() == good


@effort(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_authorization_is_answered(text: str) -> None:
    asked = request("POST", "/v4/events/custom")
    asked.raw_headers = [(b"authorization", text.encode("utf-8", "surrogatepass"))]
    told = authenticate(asked)
    assert told is not None
    assert told.status in (401, 403)


# --- who may what ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v4/transactions", "/v4/transactions/batch", "/v4/clients", "/v4/clients/batch"])
def test_a_profile_writes_no_transactions_and_no_profiles(path: str) -> None:
    assert error(authenticate(with_token(profile_token(), path))) == (403, "Forbidden")


@pytest.mark.parametrize("path", ["/v4/events/custom", "/v4/events/batch", "/v4/events/added-to-cart"])
def test_a_profile_sends_events(path: str) -> None:
    assert authenticate(with_token(profile_token(), path)) is None


def test_basic_is_the_guid_and_the_key() -> None:
    guid = ACCOUNT["workspace_guid"]
    for pair, taken in ((f"{guid}:{KEY}", True), (f"{guid}:x", False), (f"x:{KEY}", False), (KEY, False), ("", False)):
        asked = request("POST", "/v4/transactions", headers={"authorization": basic(pair)})
        assert (authenticate(asked) is None) == taken
    assert authenticate(request("POST", "/v4/clients", headers={"Authorization": "Basic ???"})) is not None


def test_basic_needs_a_guid() -> None:
    asked = request("POST", "/v4/clients", headers={"Authorization": basic(f":{KEY}")})
    assert authenticate(asked, {"api_key": KEY, "workspace_guid": ""}) is not None
    assert authenticate(asked, {"api_key": KEY}) is not None


@pytest.mark.parametrize("prefix", ["", "/ai"])
@pytest.mark.parametrize("name", ["recommendation.view", "recommendation.click", "item.search.click", "batch"])
def test_the_tracker_key_opens_the_flat_endpoints(prefix: str, name: str) -> None:
    path = f"{prefix}/v4/events/ai-compat/{name}"
    assert authenticate(request("POST", f"{path}?token={ACCOUNT['tracker_key']}")) is None
    assert authenticate(request("POST", f"{path}?token=other")) is not None
    assert authenticate(request("POST", path)) is not None
    assert authenticate(with_token(token(), path)) is None


def test_the_tracker_key_opens_nothing_else() -> None:
    told = authenticate(request("POST", f"/v4/events/custom?token={ACCOUNT['tracker_key']}"))
    assert error(told) == (401, "Unauthorized")


def test_an_account_without_a_tracker_key_has_one_all_the_same() -> None:
    bare = {"api_key": KEY}
    asked = request("POST", "/business-profile-service/tracker/get-or-create-by-domain", {"domain": "shop.example.com"})
    asked.account = bare
    told = parsed(ADAPTER_TRACKER.decode(asked).reply)
    assert set(told) == {"id", "code", "domain", "created"}
    click = request("POST", f"/v4/events/ai-compat/batch?token={told['code']}")
    assert authenticate(click, bare) is None
    assert authenticate(click, {"api_key": "another"}) is not None


ADAPTER_TRACKER = next(entry for entry in ADAPTER.inbound if entry.name == "tracker")


def test_the_configured_tracker_key_is_given_for_every_domain() -> None:
    for domain in ("shop.example.com", "blog.example.com"):
        asked = request("POST", ADAPTER_TRACKER.path, {"domain": domain})
        assert parsed(ADAPTER_TRACKER.decode(asked).reply)["code"] == ACCOUNT["tracker_key"]


def test_permissions_are_granted() -> None:
    told = parsed(ask("POST", "/uauth/api-key/permission-check", ["API_CLIENT_CREATE"]).reply)
    assert told == {"businessProfileName": "shop", "permissions": {"API_CLIENT_CREATE": True}}


def test_the_time_is_told_to_anybody() -> None:
    assert parsed(ask("GET", "/v4/server/time").reply) == {"serverTime": "2026-11-21T12:00:00.000Z"}


# --- as a target -----------------------------------------------------------------------------------------


def test_our_login_gets_a_token_from_our_own_login() -> None:
    login = outbound("events_batch").login
    assert login is not None
    reply = ask(login.method, login.path, login.body({"api_key": KEY})).reply
    given = login.token(Answer(reply.status, {}, reply.body))
    assert given is not None
    assert authenticate(with_token(given)) is None
    assert outbound("events_batch").headers({"token": given})["Authorization"] == f"Bearer {given}"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token":5}', b'{"token":""}', b"[" * 9999, b"<html>"])
def test_an_answer_without_a_token_gives_none(body: bytes) -> None:
    login = outbound("events_batch").login
    assert login is not None
    assert login.token(Answer(200, {}, body)) is None


def test_all_endpoints_share_one_login() -> None:
    assert len({id(entry.login) for entry in ADAPTER.outbound}) == 1
