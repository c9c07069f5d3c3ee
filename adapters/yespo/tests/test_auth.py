"""Keys and tokens."""

import base64
import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.yespo.auth import EITHER as TOKENS
from adapters.yespo.auth import KEY as KEYS
from adapters.yespo.tests.support import KEY, Client, basic, inbound, parsed
from gateway.adapter import Rejected
from gateway.event import Profile

ACCOUNT = {"api_key": KEY}


def token(client: Client) -> str:
    return str(parsed(client.ask("POST", "/api/v1/auth/token").reply))


def allowed(client: Client, authorization: str, *, auth: object = TOKENS) -> bool:
    request = client.request("POST", "/api/v2/event", headers={"Authorization": authorization})
    which = TOKENS if auth is TOKENS else KEYS
    try:
        return which.matches(which.present(request), ACCOUNT)
    except Rejected as rejected:
        return bool((rejected.reply.status, parsed(rejected.reply)["status"]) != (401, 401))


@pytest.mark.parametrize("user", ["", "user", "shop@example.com", "ünï"])
def test_any_user_will_do_with_the_key(client: Client, user: str) -> None:
    assert allowed(client, basic(user=user))
    assert allowed(client, basic(user=user), auth=KEYS)


@pytest.mark.parametrize("header", [basic("wrong"), basic(""), "Basic x", "Basic", "", "Digest a", f"Bearer {KEY}"])
def test_nothing_else_will(client: Client, header: str) -> None:
    assert not allowed(client, header)


def test_a_key_may_hold_colons(client: Client) -> None:
    request = client.request("POST", "/x", headers={"Authorization": basic("a:b:c")})
    assert KEYS.present(request) == "a:b:c"


def test_a_token_opens_events_until_it_expires(client: Client) -> None:
    given = token(client)
    assert allowed(client, f"Bearer {given}")
    client.at += timedelta(days=2, seconds=-1)
    assert allowed(client, f"bearer {given}")
    client.at += timedelta(seconds=1)
    assert not allowed(client, f"Bearer {given}")


def test_an_expired_token_is_no_password(client: Client) -> None:
    given = token(client)
    client.at += timedelta(days=3)
    for password in (given, f"Bearer {given}"):
        assert not allowed(client, basic(password))


def test_a_token_opens_nothing_but_events(client: Client) -> None:
    assert not allowed(client, f"Bearer {token(client)}", auth=KEYS)
    for method, path in (("POST", "/api/v1/auth/token"), ("POST", "/api/v1/orders"), ("GET", "/api/v1/account/info")):
        assert inbound(method, path).auth is KEYS
    for method, path in (("POST", "/api/v1/event"), ("POST", "/api/v2/past_events"), ("DELETE", "/api/v1/past_events")):
        assert inbound(method, path).auth is TOKENS


def test_a_token_of_another_key_is_nothing(client: Client) -> None:
    presented = TOKENS.present(client.request("POST", "/x", headers={"Authorization": f"Bearer {token(client)}"}))
    assert not TOKENS.matches(presented, {"api_key": "another"})
    assert not TOKENS.matches(presented, {})


def test_a_contacts_token_opens_nothing() -> None:
    client = Client({"5": Profile(email="a@example.com")})
    given = parsed(client.post("/api/v1/auth/contact/token", {"email": "a@example.com"}).reply)["token"]
    assert not allowed(client, f"Bearer {given}")
    assert KEY not in given


def test_a_token_that_was_changed_is_nothing(client: Client) -> None:
    header, payload, signature = token(client).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["exp"] += 10**6
    later = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    assert not allowed(client, f"Bearer {header}.{later}.{signature}")
    assert not allowed(client, f"Bearer {header}.{payload}.{signature[:-2]}")
    assert not allowed(client, f"Bearer {header}.{payload}.")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    assert not allowed(client, f"Bearer {none}.{payload}.{signature}")


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=60))
def test_no_header_breaks_or_opens_anything(text: str) -> None:
    for header in (text, f"Basic {text}", f"Bearer {text}", f"Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{text}"):
        assert not allowed(Client(), header)
