"""The two older surfaces as sources: the collector and the first API."""

import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.vibetrace.tests.support import ACCOUNT, ANA, BASIC, Client, errors

client = Client()
LOGIN = {"type": "login", "generic": {**ANA, "name": "Ana"}}
COOKIE = "lang=ro; _vt_user=8139618027113397_253412802711339765_false_false; x=1"


# --- collector -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/", "/login"])
def test_the_type_may_stand_in_the_path_or_not(path: str) -> None:
    decoded = client.collect([LOGIN], path=path)
    assert [event.name for event in decoded.events] == ["Signed In"]
    assert (decoded.reply.status, decoded.reply.body) == (200, b'{"status":"ok"}')


def test_an_events_own_type_wins_over_the_path() -> None:
    (event,) = client.collect([LOGIN], path="/confirmation").events
    assert event.name == "Signed In"
    assert event.residue["vibetrace"]["path"] == "confirmation"
    (event,) = client.collect([{"generic": {"orderId": "RO-1"}}], path="/confirmation").events
    assert event.name == "Order Completed"


def test_fields_beside_and_inside_generic_are_one_level() -> None:
    element = {"type": "confirmation", "items": [{"id": "1-M", "quantity": 2}], "generic": {"orderId": "RO-1", **ANA}}
    decoded = client.collect([element])
    (event,) = decoded.events
    assert event.commerce is not None
    assert (event.commerce.order_id, event.commerce.items[0].quantity) == ("RO-1", Decimal(2))
    assert event.profile.email == ANA["email"]
    assert len(decoded.once) == 1


def test_an_order_is_the_same_on_every_surface() -> None:
    fields = {"orderId": "RO-1"}
    decoded = (
        client.collect([{"type": "confirmation", "generic": fields}]),
        client.send({"confirmation": fields}),
        client.legacy("confirmation", fields),
    )
    assert len({once.key for one in decoded for once in one.once.values()}) == 1


def test_several_events_in_one_list() -> None:
    named = {"type": "generic", "generic": {"event_name": "size_guide", "size": "M"}}
    assert [event.name for event in client.collect([LOGIN, named]).events] == ["Signed In", "size_guide"]
    assert client.collect([]).events == []
    assert client.collect(LOGIN).events


def test_a_visitor_is_told_by_the_event_or_by_the_cookie() -> None:
    element = {"type": "viewitem", "itemId": "1-M"}
    (event,) = client.collect([element], cookie=COOKIE).events
    assert event.profile.anonymous_id == "8139618027113397"
    assert event.properties == {"session_id": "253412802711339765"}
    (event,) = client.collect([{**element, "userId": "1", "sessionId": "2"}], cookie=COOKIE).events
    assert event.profile.anonymous_id == "1"
    assert event.properties == {"session_id": "2"}


@pytest.mark.parametrize("cookie", ["", "_vt_user", "_vt_user=", "_vt_user=_", "other=1_2", ";;;=;"])
def test_nobody_has_to_be_told(cookie: str) -> None:
    (event,) = client.collect([{"type": "viewitem", "itemId": "1"}], cookie=cookie).events
    assert event.profile.anonymous_id is None


@pytest.mark.parametrize("callback", ["vt", "a.b_c$9", "x" * 64])
def test_a_callback_is_called(callback: str) -> None:
    reply = client.collect([LOGIN], more=f"&callback={callback}").reply
    assert reply.body == f'{callback}({{"status":"ok"}})'.encode()
    assert dict(reply.headers)[b"Content-Type"] == b"application/javascript"


@pytest.mark.parametrize("callback", ["", "x" * 65, "alert(1)//", "%3Cscript%3E", "a%0Ab", "a[0]", "%C3%A9", "%FF"])
def test_a_callback_that_is_no_plain_name_is_never_repeated(callback: str) -> None:
    decoded = client.collect([LOGIN], more=f"&callback={callback}")
    assert decoded.events
    assert decoded.reply.body == b'{"status":"ok"}'
    assert dict(decoded.reply.headers) == {
        b"Content-Type": b"application/json",
        b"X-Content-Type-Options": b"nosniff",
    }


def test_an_account_that_is_not_listed_is_refused() -> None:
    reply = client.refusal("GET", "/event/other/login?data=%5B%5D&callback=vt")
    assert (reply.status, errors(reply)) == (403, ["Forbidden"])


@pytest.mark.parametrize(
    "query", ["", "data=", "data=%7B", "data=1", "data=%5B1%5D", "data=%ff", "data=%5B%7B%7D%5D", "&" * 60, "data=%22"]
)
def test_no_list_of_events_is_a_400(query: str) -> None:
    assert client.refusal("GET", f"/event/{ACCOUNT['account_id']}?{query}").status == 400


def test_a_list_has_its_limit() -> None:
    reply = client.refusal("GET", f"/event/{ACCOUNT['account_id']}/x?data=%5B" + "%7B%7D," * 100 + "%7B%7D%5D")
    assert (reply.status, errors(reply)) == (400, ["Bad request"])


# --- first API -------------------------------------------------------------------------------------------


def test_the_first_api_answers_201_and_nothing() -> None:
    decoded = client.legacy("viewitem", {"itemId": "1-M", "userId": "u-19", "sessionId": "s-1"})
    assert (decoded.reply.status, decoded.reply.body) == (201, b"")
    (event,) = decoded.events
    assert (event.name, event.profile.user_id) == ("Product Viewed", "u-19")


@pytest.mark.parametrize("key", ["category", "categoryId"])
def test_a_category_has_two_spellings(key: str) -> None:
    (event,) = client.legacy("viewcategory", {key: "shirts"}).events
    assert (event.name, event.properties) == ("Product List Viewed", {"category": "shirts"})


def test_another_app_is_a_403() -> None:
    for method, path in (("POST", "events/viewitem"), ("PUT", "users/u-1")):
        reply = client.refusal(method, f"/api/v3/apps/other/{path}", {**ANA, "itemId": "1"})
        assert (reply.status, errors(reply)) == (403, ["Forbidden"])


@pytest.mark.parametrize("header", ["", "lk0demo", "Basic", "Basic %%", "Basic bGswZGVtbzpvdGhlcg==", "Bearer x"])
def test_wrong_credentials_are_a_401(header: str) -> None:
    path = f"/api/v3/apps/{ACCOUNT['app_id']}/events/viewitem"
    assert client.refusal("POST", path, {}, {"Authorization": header}).status == 401


def test_an_account_without_an_app_has_no_first_api() -> None:
    other = Client()
    other.account = {"api_key": ACCOUNT["api_key"], "api_secret": ACCOUNT["api_secret"]}
    path = "/api/v3/apps/x/events/viewitem"
    assert other.refusal("POST", path, {}, {"Authorization": BASIC}).status == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{", {"name": "Ana"}, {"email": 7}])
def test_a_user_of_the_first_api_needs_an_address(body: Any) -> None:
    assert client.refusal("PUT", f"/api/v3/apps/{ACCOUNT['app_id']}/users/u-19", body).status == 400


def test_a_user_of_the_first_api_gets_another_address() -> None:
    decoded = client.ask("PUT", f"/api/v3/apps/{ACCOUNT['app_id']}/users/u-19", {**ANA, "name": "ignored"})
    (event,) = decoded.events
    assert (event.kind, event.profile.user_id, event.profile.email) == ("identify", "u-19", ANA["email"])
    assert json.loads(decoded.reply.body) == {"id": "u-19", **ANA}
