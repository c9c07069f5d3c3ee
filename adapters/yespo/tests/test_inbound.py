"""Events in: identifiers, keys, forms, versions."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.yespo.tests.support import Client, body_of, parsed
from gateway.event import ConsentChange


def test_an_accepted_event_is_answered_with_200_and_nothing_else(client: Client) -> None:
    for version in ("/v1", "/v2", "/v3", ""):
        reply = client.post(f"/api{version}/event", body_of("X", email="a@example.com")).reply
        assert (reply.status, reply.headers, reply.body) == (200, (), b"")


# --- identifiers and keys --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("EmailAddress", "email"), ("useremail", "email"), ("ContactEmail", "email"), ("EMAIL", "email"),
        ("SMS", "phone"), ("PhoneNumber", "phone"), ("externalcustomerid", "user_id"),
    ],
)  # fmt: skip
def test_identifiers_are_found_under_any_of_their_names(client: Client, name: str, field: str) -> None:
    assert getattr(client.event("X", **{name: "who"}).profile, field) == "who"


def test_ids_of_contacts_and_tokens_have_homes(client: Client) -> None:
    who = client.event("X", Contact_id=564407320, pushToken="t-1", ContactKey="K-1").profile
    assert (who.vendor_ids, who.push_tokens) == ({"yespo": "564407320", "yespo_contact_key": "K-1"}, ("t-1",))


def test_the_first_of_two_names_is_the_identifier(client: Client) -> None:
    event = client.event("X", email="a@example.com", EmailAddress="b@example.com")
    assert (event.profile.email, event.properties) == ("a@example.com", {"EmailAddress": "b@example.com"})


@pytest.mark.parametrize("nobody", ["", "  ", "null", None])
def test_v2_takes_an_empty_external_id_for_none(client: Client, nobody: Any) -> None:
    event = client.event("X", externalCustomerId=nobody, email="a@example.com")
    assert (event.profile.user_id, event.profile.email) == (None, "a@example.com")
    assert client.refusal("POST", "/api/v2/event", body_of("X", externalCustomerId=nobody)).status == 400


def test_v1_takes_the_text_null_for_an_identifier_and_we_for_nobody(client: Client) -> None:
    event = client.event("X", version="v1", externalCustomerId="null")
    assert (event.profile.user_id, event.residue["yespo"]["key"]) == (None, "null")
    body = body_of("X", externalCustomerId=None)
    assert client.refusal("POST", "/api/v1/event", body).status == 400


def test_a_key_that_the_identifiers_do_not_say_is_kept(client: Client) -> None:
    assert "key" not in client.event("X", key="CUST-1", externalCustomerId="CUST-1").residue.get("yespo", {})
    event = client.event("X", key="a@example.com", externalCustomerId="CUST-1", email="a@example.com")
    assert event.residue["yespo"]["key"] == "a@example.com"


def test_a_key_alone_is_a_weak_identity(client: Client) -> None:
    assert client.event("X", key="a@example.com").profile.email == "a@example.com"
    assert client.event("X", key="+380671234567").profile.phone == "+380671234567"
    assert client.event("X", key="1712345678").profile.phone is None
    assert client.event("X", key="a@example.com", phone="1").profile.email is None


def test_numbers_and_nulls_of_v1_clients_are_taken(client: Client) -> None:
    body = {"eventTypeKey": 7, "keyValue": 1712345678, "params": [{"name": "phone", "value": None}]}
    (event,) = client.post("/api/v1/event", body).events
    assert (event.name, event.residue["yespo"]["key"], event.profile.phone) == ("7", "1712345678", None)


# --- forms -----------------------------------------------------------------------------------------------


def test_json_text_is_read_as_what_it_holds(client: Client) -> None:
    event = client.event("cartUpdated", email="a@example.com", products='[{"productId":"1","price":4.5}]', sizes="[1]")
    assert event.commerce is not None
    assert (event.commerce.items[0].product_id, event.commerce.items[0].price) == ("1", Decimal("4.5"))
    assert event.properties == {"sizes": [1]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("items", [{"id": "7"}]),
        ("items", {"array": [{"id": "7"}]}),
        ("items", '{"array":[{"id":"7"}]}'),
        ("cartItems", [{"product_id": "7"}]),
        ("products", [{"productKey": "7"}]),
        ("product", {"productId": "7"}),
    ],
)
def test_products_stand_in_many_forms(client: Client, key: str, value: Any) -> None:
    commerce = client.event("AbandonedCart", email="a@example.com", **{key: value}).commerce
    assert commerce is not None
    assert [item.product_id for item in commerce.items] == ["7"]


def test_text_that_only_looks_like_json_stays_text(client: Client) -> None:
    assert client.event("X", email="a@example.com", note="[sic] a note").properties == {"note": "[sic] a note"}


def test_names_keep_their_case(client: Client) -> None:
    event = client.event("X", email="a@example.com", imageurl="1", imageUrl="2")
    assert event.properties == {"imageurl": "1", "imageUrl": "2"}


def test_types_are_read_without_regard_to_case(client: Client) -> None:
    names = [client.event(t, email="a@example.com").name for t in ("ORDERDELIVERED", "odrerDELIVERED", "SearchRequest")]
    assert names == ["Order Fulfilled", "Order Fulfilled", "Products Searched"]


def test_an_orders_date_is_its_time(client: Client) -> None:
    event = client.event("orderCreated", email="a@example.com", date="2026-11-20T10:11:00")
    assert event.occurred_at == datetime(2026, 11, 20, 10, 11, tzinfo=UTC)
    assert client.event("X", email="a@example.com", date="2026-11-20T10:11:00").occurred_at is None


def test_a_page_has_its_address_and_its_name(client: Client) -> None:
    event = client.event("pageViewed", email="a@example.com", page='{"location":"https://x.example"}', pageName="Home")
    assert event.context.page is not None
    assert (event.kind, event.name, event.context.page.url) == ("page", "Home", "https://x.example")


def test_the_sdks_permission_events_say_a_permission(client: Client) -> None:
    event = client.event("PushNotificationsUnsubscribed", pushToken="t")
    assert (event.name, event.consent) == ("Unsubscribed", (ConsentChange(granted=False, channel="push"),))


def test_a_contact_in_an_event_says_who_it_is(client: Client) -> None:
    contact = {"firstname": "Nina", "sms": "380671234567", "town": "Lviv"}
    who = client.event("X", email="a@example.com", contactJson=contact).profile
    assert (who.first_name, who.phone, who.location and who.location.city) == ("Nina", "380671234567", "Lviv")


# --- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "contact",
    [
        "no json", [], {"firstname": "1234 Nina"}, {"lastname": "a" * 61}, {"lastname": "<b>"}, {"sms": "12"},
        {"town": 5}, {"confirmed": "yes"}, {"profileInputs": [{"profileInputId": "7", "value": 1}]},
    ],
)  # fmt: skip
def test_a_contact_that_is_invalid_is_refused_by_v2_alone(client: Client, contact: Any) -> None:
    body = body_of("X", email="a@example.com", contactJson=contact)
    reply = client.refusal("POST", "/api/v2/event", body)
    assert (reply.status, bool(parsed(reply)["errors"])) == (400, True)
    assert client.post("/api/v1/event", body).reply.status == 200


@pytest.mark.parametrize("name", ["Anna-Maria", "O’Brien", "Jr.", "Олена", "van der Berg", "Louis 14"])  # noqa: RUF001
def test_names_that_people_have_are_valid(client: Client, name: str) -> None:
    assert client.event("X", email="a@example.com", contactJson={"lastname": name}).profile.last_name == name


@pytest.mark.parametrize("bad", list("<;’\\/|\"`'^?!,>"))  # noqa: RUF001
def test_forbidden_characters_are_refused(client: Client, bad: str) -> None:
    for body in (
        body_of(f"a{bad}b", email="a@example.com"),
        body_of("X", key=f"a{bad}b"),
        body_of("X", externalCustomerId=f"a{bad}b"),
    ):
        assert client.refusal("POST", "/api/v2/event", body).status == 400


def test_other_punctuation_is_legal(client: Client) -> None:
    assert client.event("a +@:_-.#$&%*()", key="a +@:_-.#$&%*()").name == "a +@:_-.#$&%*()"


def test_lengths_are_checked(client: Client) -> None:
    client.post("/api/v2/event", body_of("a" * 100, key="b" * 300, **{"c" * 100: 1}))
    for body in (body_of("a" * 101, key="b"), body_of("a", key="b" * 301), body_of("a", key="b", **{"c" * 101: 1})):
        assert client.refusal("POST", "/api/v2/event", body).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"eventTypeKey": " ", "keyValue": "k"},
        {"eventTypeKey": "X", "keyValue": ["k"]},
        {"eventTypeKey": "X", "keyValue": "k", "params": [{"name": "a"}]},
        {"eventTypeKey": "X", "keyValue": "k", "params": [{"value": "a"}]},
        {"eventTypeKey": "X", "keyValue": "k", "params": {"a": 1}},
        {"eventTypeKey": "X", "keyValue": "k", "params": [{"name": "a", "value": 1}, {"name": "a", "value": 1}]},
        {"eventTypeKey": "X", "keyValue": "k", "params": [{"name": "", "value": 1}]},
        [],
    ],
)
def test_incomplete_events_are_refused(client: Client, body: Any) -> None:
    for version in ("v1", "v2"):
        reply = client.refusal("POST", f"/api/{version}/event", body)
        assert (reply.status, parsed(reply)["status"]) == (400, 400)


def test_a_null_value_counts_as_present(client: Client) -> None:
    assert client.event("X", email="a@example.com", note=None, flag=False).properties == {"note": None, "flag": False}


@pytest.mark.parametrize("media", ["application/xml", "text/plain", "application/x-www-form-urlencoded"])
def test_another_media_type_is_415(client: Client, media: str) -> None:
    body = body_of("X", email="a@example.com")
    assert client.refusal("POST", "/api/v2/event", body, {"Content-Type": media}).status == 415


def test_structures_in_v1_are_taken_unless_it_is_strict() -> None:
    body = body_of("X", email="a@example.com", sizes=[1])
    assert Client().post("/api/v1/event", body).reply.status == 200
    strict = Client(strict_v1=True)
    assert strict.refusal("POST", "/api/v1/event", body).status == 400
    assert strict.post("/api/v2/event", body).reply.status == 200


def test_declared_structures_are_enforced() -> None:
    client = Client(structures={"Welcome": {"EmailAddress": True, "Name": False}})
    client.event("Welcome", EmailAddress="a@example.com")
    client.event("Welcome", EmailAddress="a@example.com", Name="A")
    client.event("Other", email="a@example.com", anything=1)
    for params in ({"Name": "A", "email": "a@example.com"}, {"EmailAddress": "a@example.com", "more": 1}):
        reply = client.refusal("POST", "/api/v1/event", body_of("Welcome", **params))
        text = reply.body.decode()
        assert text.startswith('The event should have the following params: [\n    {\n        "name": "EmailAddress"')


# --- past events and v3 ----------------------------------------------------------------------------------


def test_more_than_500_past_events_are_refused(client: Client) -> None:
    row = {**body_of("X", key="k"), "occurred": "2026-01-01"}
    assert len(client.post("/api/v2/past_events", {"events": [row] * 500}).events) == 500
    assert client.refusal("POST", "/api/v2/past_events", {"events": [row] * 501}).status == 400


def test_a_past_event_needs_a_key(client: Client) -> None:
    row = {**body_of("X", email="a@example.com"), "occurred": "2026-01-01"}
    assert client.refusal("POST", "/api/v1/past_events", {"events": [row]}).status == 400


def test_statuses_stand_in_order() -> None:
    client = Client(past_depth_days=10)
    times = ["2026-11-20", None, "2026-11-01T10:00", 5, "2026-11-22", "2026-11-21T11:59:59Z"]
    rows = [{**body_of("X", key="k"), "occurred": time} for time in times]
    decoded = client.post("/api/v2/past_events", {"events": rows})
    assert parsed(decoded.reply) == {
        "results": [
            {"status": "ACCEPTED"},
            {"status": "OCCURRED_DATE_IS_REQUIRED"},
            {"status": "OCCURRED_TIME_TOO_DEPTH"},
            {"status": "INCORRECT_OCCURRED_DATE_FORMAT"},
            {"status": "OCCURRED_TIME_IN_FUTURE"},
            {"status": "ACCEPTED"},
        ],
        "successCount": 2,
        "errorCount": 4,
    }
    assert len(decoded.events) == 2


def test_past_events_are_deleted_by_a_period(client: Client) -> None:
    period = {"from": "2023-08-14T10:25", "to": "2023-10-12T12:33"}
    assert client.ask("DELETE", "/api/v1/past_events", period).reply.status == 200
    for bad in ({"from": "2023-08-14T10:25"}, {"from": "x", "to": "y"}, {"from": period["to"], "to": period["from"]}):
        assert client.refusal("DELETE", "/api/v1/past_events", bad).status == 400


def test_v3_takes_what_it_can(client: Client) -> None:
    body = {
        "eventKey": "LessonFinished",
        "params": {"a": 1, "b": 2},
        "eventData": {"b": 3, "c": 4},
        "email": "a@example.com",
        "eventDate": 1763640000000,
    }
    (event,) = client.post("/api/v3/event", body).events
    assert (event.name, event.profile.email, event.properties) == (
        "LessonFinished",
        "a@example.com",
        {"a": 1, "b": 2, "c": 4},
    )
    assert event.occurred_at == datetime(2025, 11, 20, 12, 0, tzinfo=UTC)
    assert client.refusal("POST", "/api/v3/event", {"eventKey": "X"}).status == 400
