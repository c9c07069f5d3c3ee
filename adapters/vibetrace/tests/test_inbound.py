"""The current API as a source: events, users, who is known, what counts once."""

import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.vibetrace import ADAPTER
from adapters.vibetrace.options import SourceOptions
from adapters.vibetrace.tests.support import ANA, Client, errors
from adapters.vibetrace.wire import is_minted, mint
from gateway.adapter import Inbound, Refusal, RefusalKind
from gateway.event import ConsentChange, Item, Profile

client = Client()


# --- events ----------------------------------------------------------------------------------------------


def test_several_types_are_as_many_events_in_their_order() -> None:
    decoded = client.send({"login": {"name": "Ana"}, "viewitem": {"itemId": "1"}, "quiz": {}})
    assert [event.name for event in decoded.events] == ["Signed In", "Product Viewed", "quiz"]
    assert len({event.id for event in decoded.events}) == 3
    assert json.loads(decoded.reply.body)["results"]["message"] == "Event created"


def test_an_update_is_an_identify_with_attributes() -> None:
    event = client.event({"update": {"firstname": "Ana", "city": "Cluj", "tier": "gold", "score": 3}})
    assert (event.kind, event.name) == ("identify", "Identify")
    assert event.profile.first_name == "Ana"
    assert event.profile.location is not None
    assert event.profile.location.city == "Cluj"
    assert event.profile.traits == {"tier": "gold", "score": 3}


def test_an_update_may_say_another_address_than_the_users() -> None:
    event = client.event({"update": {"email": "new@example.com"}})
    assert event.profile.email == ANA["email"]
    assert event.profile.traits == {"email": "new@example.com"}


def test_a_login_is_a_track_event_with_attributes() -> None:
    event = client.event({"login": {"email": ANA["email"], "name": "Ana Popescu"}})
    assert (event.kind, event.name) == ("track", "Signed In")
    assert event.profile.traits == {"name": "Ana Popescu"}
    assert event.residue == {}


def test_a_confirmation_is_an_order() -> None:
    fields = {"orderId": "RO-1", "total": "234.12", "items": [{"id": "1-M", "quantity": 2}], "gift": True}
    event = client.event({"confirmation": fields})
    assert event.name == "Order Completed"
    assert event.commerce is not None
    assert (event.commerce.order_id, event.commerce.total) == ("RO-1", Decimal("234.12"))
    assert event.commerce.items == (Item(product_id="1-M", quantity=Decimal(2)),)
    assert event.properties == {"gift": True}


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_checkout_is_an_order_when_it_is_confirmed(confirmed: bool) -> None:
    event = client.event({"checkout": {"cartId": "c-1", "confirmation": confirmed}})
    assert event.name == ("Order Completed" if confirmed else "Checkout Started")
    assert "confirmation" not in event.properties


@pytest.mark.parametrize("name", ["viewitem", "ViewItem", "view_item", "VIEW-ITEM"])
def test_a_type_is_known_in_any_letters(name: str) -> None:
    event = client.event({name: {"itemId": "1-M"}})
    assert event.name == "Product Viewed"
    assert event.residue["vibetrace"]["type"] == name


@pytest.mark.parametrize("name", ["product_viewed", "ProductViewed", "Product Viewed", "product-viewed"])
def test_an_event_name_is_known_in_any_letters(name: str) -> None:
    event = client.event({"generic": {"generic": {"event_name": name, "itemId": "1-M"}}})
    assert event.name == "Product Viewed"
    assert event.commerce is not None
    assert event.commerce.items == (Item(product_id="1-M"),)


@pytest.mark.parametrize("name", ["update", "login", "open", "search", "confirmation"])
def test_a_type_means_nothing_as_an_event_name(name: str) -> None:
    event = client.event({"generic": {"generic": {"event_name": name}}})
    assert (event.kind, event.name) == ("track", name)


def test_a_total_that_is_no_orders_stays_a_property() -> None:
    event = client.event({"generic": {"generic": {"event_name": "quiz_finished", "total": 10}}})
    assert event.commerce is None
    assert event.properties == {"total": 10}


def test_pages_and_screens_have_their_kind_and_name() -> None:
    page = client.event({"generic": {"generic": {"event_name": "page_viewed", "page_name": "Home"}}})
    assert (page.kind, page.name) == ("page", "Home")
    screen = client.event({"generic": {"generic": {"event_name": "screen_viewed"}}})
    assert (screen.kind, screen.name) == ("screen", "Screen")


@pytest.mark.parametrize(("said", "channel"), [("email", "email"), ("sms", "sms"), ("all", None)])
def test_a_permission_is_about_its_channel(said: str, channel: str | None) -> None:
    event = client.event({"generic": {"generic": {"event_name": "subscribed", "channel": said, "group": "news"}}})
    assert event.consent == (ConsentChange(granted=True, channel=channel, group="news"),)
    assert event.properties == {}


@pytest.mark.parametrize("channel", [None, "fax", 7])
def test_without_a_known_channel_nothing_is_permitted(channel: Any) -> None:
    event = client.event({"generic": {"generic": {"event_name": "subscribed", "channel": channel}}})
    assert event.consent == ()
    assert event.properties == {"channel": channel}


def test_ids_stay_text() -> None:
    event = client.event(
        {"addtocart": {"itemId": "0012", "cartId": "900719925474099312", "sessionId": "253412802711339765"}},
        {"_id": "5f2b8c0de4b0a1c2d3e4f506"},
    )
    assert event.profile.vendor_ids == {"vibetrace": "5f2b8c0de4b0a1c2d3e4f506"}
    assert event.commerce is not None
    assert (event.commerce.cart_id, event.commerce.items[0].product_id) == ("900719925474099312", "0012")
    assert event.properties == {"session_id": "253412802711339765"}


# --- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"user": ANA}, "Missing event information"),
        ({"user": ANA, "event": {}}, "Missing event information"),
        ({"user": ANA, "event": {"update": None}}, "Missing event information"),
        ({"user": ANA, "event": {"generic": {"generic": {"score": 1}}}}, "Missing event information"),
        ({"event": {"update": {}}}, "Missing user information"),
        ({"user": {}, "event": {"update": {}}}, "Missing user information"),
        ({"user": {"email": " "}, "event": {"update": {}}}, "Missing user information"),
        ({"user": {"_id": 7}, "event": {"update": {}}}, "Missing user information"),
        ({"user": {"email": "x" * 1001}, "event": {"update": {}}}, "Missing user information"),
        ({"user": ANA, "event": {f"t{number}": {} for number in range(101)}}, "Bad request"),
        ([], "Bad request"),
        (b'{"user": {"email": "a@example.com"} "event": {"update": {}}}', "Bad request"),
        (b'{"a":' * 5000, "Bad request"),
        (b"[" * 70 + b"]" * 70, "Bad request"),
    ],
)
def test_what_cannot_be_read_is_a_400(body: Any, message: str) -> None:
    reply = client.refusal("POST", "/v1/event", body)
    assert (reply.status, errors(reply)) == (400, [message])


@pytest.mark.parametrize("header", ["", " ", "Basic bGswZGVtbzo=", "lk0demo2", "Bearer other", "bearer"])
def test_a_wrong_key_is_a_401(header: str) -> None:
    reply = client.refusal("POST", "/v1/event", {}, {"Authorization": header})
    assert (reply.status, errors(reply)) == (401, ["Unauthorized"])


@pytest.mark.parametrize("header", ["lk0demo", " lk0demo ", "Bearer lk0demo", "bearer  lk0demo"])
def test_the_key_stands_bare_and_bearer_is_forgiven(header: str) -> None:
    body = {"user": ANA, "event": {"update": {}}}
    assert client.ask("POST", "/v1/event/", body, {"Authorization": header}).reply.status == 200


def test_a_wait_is_told_where_there_is_one() -> None:
    request = client.request("POST", "/v1/event")
    reply = ADAPTER.refuse(Refusal(RefusalKind.THROTTLED, 3), request)
    assert (reply.status, dict(reply.headers)[b"Retry-After"]) == (429, b"3")


# --- who is known ----------------------------------------------------------------------------------------

KNOWN = {"5f2b": Profile(email=ANA["email"])}


def _entry(name: str) -> Inbound:
    return next(entry for entry in ADAPTER.inbound if entry.name == name)


def test_a_strict_source_refuses_an_unknown_user() -> None:
    strict = Client(strict=True, known=KNOWN)
    reply = strict.refusal("POST", "/v1/event", {"user": {"email": "nobody@example.com"}, "event": {"update": {}}})
    assert (reply.status, errors(reply)) == (400, ["User not found"])
    assert strict.send({"update": {}}).events
    assert strict.send({"update": {}}, {"_id": "5f2b"}).events


def test_any_other_source_takes_everybody() -> None:
    assert client.send({"update": {}}, {"email": "nobody@example.com"}).events


def test_only_strict_sources_wait_for_the_directory() -> None:
    people = _entry("event").people
    assert callable(people)
    assert [people(SourceOptions(strict=strict)) for strict in (False, True)] == [False, True]


def test_a_look_up_tells_who_is_known() -> None:
    asked = Client(known=KNOWN)
    decoded = asked.ask("GET", f"/v1/user/{ANA['email']}")
    assert decoded.events == ()
    assert json.loads(decoded.reply.body) == {"results": {"_id": "5f2b", "email": ANA["email"], "attributes": {}}}
    reply = asked.refusal("GET", "/v1/user/nobody@example.com")
    assert (reply.status, errors(reply)) == (404, ["User not found"])


def test_an_id_that_we_made_up_is_understood() -> None:
    made_up = mint("seed")
    assert is_minted(made_up)
    assert mint("seed") == made_up
    event = Client(known={made_up: Profile(email=ANA["email"])}).event({"update": {}}, {"_id": made_up})
    assert event.profile.email == ANA["email"]


# --- users -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [{**ANA, "firstname": "Ana"}, {"user": {**ANA, "firstname": "Ana"}}])
def test_a_user_is_created_with_attributes(body: Any) -> None:
    decoded = client.ask("POST", "/v1/user", body)
    (event,) = decoded.events
    assert (event.kind, event.source.endpoint) == ("identify", "user")
    assert (event.profile.email, event.profile.first_name) == (ANA["email"], "Ana")
    assert json.loads(decoded.reply.body) == {"results": {"message": "User created"}}


@pytest.mark.parametrize(("method", "endpoint"), [("POST", "user_post"), ("PUT", "user_put")])
def test_a_user_is_edited_under_the_address(method: str, endpoint: str) -> None:
    (event,) = client.ask(method, f"/v1/user/{ANA['email']}", {"tier": "gold"}).events
    assert event.source.endpoint == endpoint
    assert (event.profile.email, event.profile.traits) == (ANA["email"], {"tier": "gold"})


def test_a_user_needs_an_address_or_an_id() -> None:
    assert client.refusal("POST", "/v1/user", {"firstname": "Ana"}).status == 400
    (event,) = client.ask("POST", "/v1/user", {"_id": "5f2b", "tier": "gold"}).events
    assert event.profile.vendor_ids == {"vibetrace": "5f2b"}


# --- once ------------------------------------------------------------------------------------------------


def test_an_order_counts_once_for_ever() -> None:
    first, second = (client.send({"confirmation": {"orderId": "RO-1", "total": total}}) for total in (1, 2))
    (one,), (other,) = first.once.values(), second.once.values()
    assert one == other
    assert one.seconds >= 10 * 365 * 86_400
    assert set(first.once) == {first.events[0].id}
    assert first.reply == second.reply


def test_another_order_is_another() -> None:
    decoded = [client.send({"confirmation": {"orderId": order}}) for order in ("RO-1", "RO-2")]
    assert len({once.key for one in decoded for once in one.once.values()}) == 2


@pytest.mark.parametrize(
    "event",
    [
        {"confirmation": {"total": 1}},
        {"update": {"orderId": "RO-1"}},
        {"generic": {"generic": {"event_name": "order_completed", "orderId": "RO-1"}}},
        {"generic": {"generic": {"event_name": "email_opened"}}},
    ],
)
def test_all_others_count_each_time(event: Any) -> None:
    assert client.send(event).once == {}


@pytest.mark.parametrize("type_", ["emailopen", "email_open", "open"])
def test_an_open_counts_once_in_twenty_minutes_per_user(type_: str) -> None:
    (once,) = client.send({type_: {}}).once.values()
    (other,) = client.send({"open": {}}, {"email": "OTHER@example.com"}).once.values()
    (same,) = client.send({"open": {"a": 1}}, {"email": ANA["email"].upper()}).once.values()
    assert once.seconds == 1_200
    assert once.key != other.key
    assert once == same


def test_orders_are_counted_per_account_and_their_keys_tell_nothing() -> None:
    elsewhere = Client()
    elsewhere.account = {"api_key": "lk0demo", "account_id": "another"}
    event = {"confirmation": {"orderId": "RO-1"}}
    (here,), (there,) = client.send(event).once.values(), elsewhere.send(event).once.values()
    assert here.key != there.key
    assert "RO-1" not in here.key
