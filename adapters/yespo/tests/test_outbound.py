"""Events out: where they go, under which names, in which forms, and what is reported."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.yespo import ADAPTER
from adapters.yespo.options import TargetOptions
from adapters.yespo.tests.support import (
    MAY,
    NOW,
    RECEIVED,
    Client,
    body_of,
    foreign,
    losses,
    outbound,
    params,
    send,
    sent,
    settings,
    way,
)
from gateway.adapter import EncodeError
from gateway.event import Commerce, ConsentChange, Context, Item, Location, Page, Profile

# --- where -----------------------------------------------------------------------------------------------


def test_old_events_go_to_the_past_and_never_live() -> None:
    assert way(foreign()) == "event_v2"
    assert way(foreign(occurred_at=RECEIVED - timedelta(minutes=59))) == "event_v2"
    assert way(foreign(occurred_at=RECEIVED - timedelta(hours=1))) == "past_events_v2"
    assert way(foreign(occurred_at=RECEIVED - timedelta(minutes=5)), past_after_seconds=60) == "past_events_v2"
    assert way(foreign(occurred_at=None)) == "event_v2"
    assert not outbound("event_v2").carries(foreign(occurred_at=MAY), settings())


def test_every_event_is_for_one_place() -> None:
    """A full window must not send it elsewhere."""
    events = [
        foreign(),
        foreign(occurred_at=MAY),
        foreign(kind="identify", name="Identify"),
        foreign(kind="identify", name="Identify", profile=Profile(user_id="C")),
        foreign(name="Subscribed", consent=(ConsentChange(granted=True, channel="email"),)),
        foreign(name="Order Completed", commerce=Commerce(order_id="1", total=Decimal(1), currency="EUR")),
    ]
    for event in events:
        names = [out.name for out in ADAPTER.outbound if out.carries(event, settings())]
        assert len(names) == 1 or names == ["contacts", "contact"]


def test_a_person_with_an_address_is_a_contact() -> None:
    assert way(foreign(kind="identify", name="Identify")) == "contact"
    assert way(foreign(kind="identify", name="Identify", profile=Profile(user_id="C"))) == "event_v2"
    assert way(foreign(kind="identify", name="Identify", profile=Profile(phone="none"))) == "event_v2"


def test_what_came_as_live_or_past_goes_out_so() -> None:
    client = Client()
    old = client.event("orderDelivered", email="a@example.com", date="2026-01-01T00:00:00")
    assert way(old) == "event_v2"
    row = {**body_of("X", key="k"), "occurred": "2026-11-21T11:59"}
    (event,) = client.post("/api/v1/past_events", {"events": [row]}).events
    assert way(event) == "past_events_v2"


# --- names and keys --------------------------------------------------------------------------------------


def test_the_key_is_the_identifier_that_yespo_would_take() -> None:
    assert sent(foreign())["keyValue"] == "CUST-1"
    assert sent(foreign(profile=Profile(email="a@example.com", phone="1")))["keyValue"] == "a@example.com"
    assert sent(foreign(profile=Profile(push_tokens=("t-1",))))["keyValue"] == "t-1"


def test_an_apostrophe_in_an_address_is_sent_without_a_key() -> None:
    body = sent(foreign(profile=Profile(email="o'brien@example.com")))
    assert body["params"] == [{"name": "email", "value": "o'brien@example.com"}]
    assert "keyValue" not in body
    old = foreign(profile=Profile(email="o'brien@example.com"), occurred_at=MAY)
    with pytest.raises(EncodeError, match="key"):
        send("past_events_v2", old)


def test_an_illegal_id_is_left_out() -> None:
    encoded = send("event_v2", foreign(profile=Profile(user_id="a/b", email="a@example.com")))
    assert losses(encoded)["profile.user_id"][0] == "dropped"
    with pytest.raises(EncodeError):
        send("event_v2", foreign(profile=Profile(user_id="a/b")))


@pytest.mark.parametrize("who", [Profile(), Profile(anonymous_id="a"), Profile(user_id="null"), Profile(user_id=" ")])
def test_an_event_about_nobody_cannot_be_sent(who: Profile) -> None:
    with pytest.raises(EncodeError):
        send("event_v2", foreign(profile=who))


def test_illegal_types_are_made_legal_and_reported() -> None:
    encoded = send("event_v2", foreign(name="What/now?"))
    assert json.loads(encoded[0].body)["eventTypeKey"] == "What_now_"
    assert losses(encoded)["name"] == ("coerced", "eventTypeKey")
    assert len(sent(foreign(name="x" * 200))["eventTypeKey"]) == 100
    with pytest.raises(EncodeError):
        send("event_v2", foreign(name=""))


def test_a_type_that_means_something_else_to_yespo_is_reported() -> None:
    assert losses(send("event_v2", foreign(name="orderCreated")))["name"][0] == "renamed"
    assert losses(send("event_v2", foreign(name="pageViewed")))["kind"][0] == "coerced"


def test_names_of_properties_are_kept_legal() -> None:
    long = "k" * 120
    properties = {"Email": "x", "sms": 1, "externalCustomerId": "y", long: 1, "": 2, "fine": 3}
    encoded = send("event_v2", foreign(properties=properties))
    found = {param["name"]: param["value"] for param in json.loads(encoded[0].body)["params"]}
    assert found["property_Email"] == "x"
    assert found["property_sms"] == 1
    assert found["externalCustomerId"] == "CUST-1"
    assert found["property_externalCustomerId"] == "y"
    assert found["fine"] == 3
    assert all(0 < len(name) <= 100 for name in found)
    told = losses(encoded)
    assert {path for path in told if path.startswith("properties.")} == {f"properties.{key}" for key in properties} - {
        "properties.fine"
    }


def test_a_phone_is_digits_alone() -> None:
    encoded = send("event_v2", foreign(profile=Profile(phone="+38 (067) 123-45-67")))
    assert json.loads(encoded[0].body)["params"] == [{"name": "phone", "value": "380671234567"}]
    assert losses(encoded)["profile.phone"] == ("coerced", "phone")


def test_an_id_that_we_made_up_is_not_told_to_yespo() -> None:
    assert ADAPTER.mint is not None
    minted = ADAPTER.mint("somebody")
    encoded = send("event_v2", foreign(profile=Profile(email="a@example.com", vendor_ids={"yespo": minted})))
    assert losses(encoded)["profile.vendor_ids.yespo"][0] == "dropped"
    known = foreign(profile=Profile(email="a@example.com", vendor_ids={"yespo": "564407320"}))
    assert params(known)["contactId"] == "564407320"


# --- forms -----------------------------------------------------------------------------------------------

MUG = Item(product_id="MUG", name="Mug", categories=("home", "kitchen"), price=Decimal("9.50"), quantity=Decimal(2))


def test_yespos_own_types_want_json_text() -> None:
    cart = foreign(name="Cart Updated", commerce=Commerce(items=(MUG,), currency="EUR"))
    found = params(cart)
    assert json.loads(found["products"]) == [
        {"productId": "MUG", "name": "Mug", "category": "home,kitchen", "quantity": 2, "price": 9.5}
    ]
    assert found["currencyCode"] == "EUR"
    assert found["recycleStateId"] == params(cart)["recycleStateId"]
    view = params(foreign(name="Product Viewed", commerce=Commerce(items=(MUG,))))
    assert json.loads(view["product"])["productId"] == "MUG"
    page = foreign(kind="page", name="Home", context=Context(page=Page(url="https://x.example")))
    assert params(page)["page"] == '{"location":"https://x.example"}'
    assert params(page)["pageName"] == "Home"
    seen = foreign(name="Product List Viewed", properties={"category": "mugs"})
    assert params(seen)["category"] == '{"productCategoryId":"mugs"}'


def test_a_view_of_several_products_is_a_list() -> None:
    found = params(foreign(name="Product Viewed", commerce=Commerce(items=(MUG, MUG))))
    assert len(json.loads(found["products"])) == 2


def test_other_types_have_plain_lists_or_wrapped_ones() -> None:
    event = foreign(name="Quote Requested", commerce=Commerce(items=(Item(sku="MUG"),)))
    assert params(event)["items"] == [{"productId": "MUG", "sku": "MUG"}]
    assert params(event, wrap_items=True)["items"] == {"array": [{"productId": "MUG", "sku": "MUG"}]}


def test_categories_that_commas_would_break_are_reported() -> None:
    event = foreign(commerce=Commerce(items=(Item(sku="1", categories=("a,b", "c")),)))
    assert losses(send("event_v2", event))["commerce.items[0].categories"] == ("coerced", "category")


def test_an_order_event_has_status_and_date() -> None:
    event = foreign(name="Order Cancelled", commerce=Commerce(order_id="1", total=Decimal(1)))
    found = params(event)
    assert (found["status"], found["date"], found["externalOrderId"]) == ("CANCELLED", "2026-11-21T11:59:30", "1")
    assert "occurred_at" not in losses(send("event_v2", event))


# --- losses ----------------------------------------------------------------------------------------------


def test_a_live_event_has_no_time_and_no_key_against_duplicates() -> None:
    told = losses(send("event_v2", foreign(dedupe_key="k")))
    assert told == {"occurred_at": ("dropped", None), "dedupe_key": ("dropped", None)}
    assert "occurred_at" not in losses(send("event_v2", foreign(occurred_at=None)))


def test_a_past_event_has_its_time_in_seconds() -> None:
    (row,) = sent(foreign(occurred_at=MAY), "past_events_v2")["events"]
    assert row["occurred"] == "2026-05-01T10:30:00"
    encoded = send("past_events_v2", foreign(occurred_at=MAY.replace(microsecond=5)))
    assert losses(encoded)["occurred_at"] == ("coerced", "occurred")


@pytest.mark.parametrize("at", [None, RECEIVED - timedelta(days=731), RECEIVED + timedelta(days=1)])
def test_a_past_event_lies_in_the_past(at: Any) -> None:
    with pytest.raises(EncodeError):
        send("past_events_v2", foreign(occurred_at=at))


def test_the_depth_of_the_past_is_the_accounts() -> None:
    event = foreign(occurred_at=RECEIVED - timedelta(days=1000))
    assert send("past_events_v2", event, past_depth_days=1100)


def test_past_events_are_cut_into_blocks_of_500() -> None:
    encoded = send("past_events_v2", *[foreign(occurred_at=MAY)] * 1001)
    assert [len(one.events) for one in encoded] == [500, 500, 1]


def test_a_person_is_told_with_the_event() -> None:
    who = Profile(
        email="a@example.com",
        first_name="Nina",
        gender="f",
        location=Location(city="Lviv"),
        traits={"plan": "gold", "email": "x"},
        push_tokens=("a", "b"),
        vendor_ids={"klaviyo": "01H"},
    )
    encoded = send("event_v2", foreign(profile=who))
    found = {param["name"]: param["value"] for param in json.loads(encoded[0].body)["params"]}
    assert found == {
        "email": "a@example.com",
        "pushToken": "a",
        "firstName": "Nina",
        "gender": "f",
        "town": "Lviv",
        "klaviyoId": "01H",
        "plan": "gold",
        "trait_email": "x",
    }
    told = losses(encoded)
    assert told["profile.push_tokens[1]"] == ("dropped", None)
    assert told["profile.traits.plan"] == ("renamed", "plan")
    assert told["profile.location.city"] == ("renamed", "town")
    assert "profile.first_name" not in told


def test_permissions_travel_with_the_event_and_change_nothing() -> None:
    event = foreign(name="Unsubscribed", consent=(ConsentChange(granted=False, channel="sms"),))
    encoded = send("event_v2", event)
    assert params(event)["consent"] == [{"granted": False, "channel": "sms"}]
    assert losses(encoded)["consent"] == ("renamed", "consent")


def test_an_event_is_trimmed_to_20_kb() -> None:
    properties = {"small": 1, "large": "x" * 15_000, "larger": "y" * 18_000}
    encoded = send("event_v2", foreign(properties=properties))
    assert len(encoded[0].body) <= 20_000
    found = {param["name"] for param in json.loads(encoded[0].body)["params"]}
    assert ("small" in found, "large" in found, "larger" in found) == (True, True, False)
    assert losses(encoded)["properties.larger"] == ("dropped", None)
    with pytest.raises(EncodeError, match="larger"):
        send("event_v2", foreign(commerce=Commerce(items=(Item(sku="x" * 21_000),))))


def test_nesting_without_end_cannot_be_sent() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(EncodeError, match="deep"):
        send("event_v2", foreign(properties={"deep": deep}))


# --- contacts --------------------------------------------------------------------------------------------

PERSON = Profile(
    user_id="CUST-1",
    email="a@example.com",
    phone="+380671234567",
    first_name="Nina",
    location=Location(city="Lviv", country="UA"),
    gender="f",
    traits={"plan": "gold", "visits": 3, "field_9": "x"},
)


def test_a_contact_has_channels_address_and_numbered_fields() -> None:
    event = foreign(kind="identify", name="Identify", profile=PERSON)
    encoded = send("contact", event, contact_fields={"plan": 79814, "gender": 5})
    assert (encoded[0].path, json.loads(encoded[0].body)) == (
        None,
        {
            "channels": [{"type": "email", "value": "a@example.com"}, {"type": "sms", "value": "380671234567"}],
            "externalCustomerId": "CUST-1",
            "firstName": "Nina",
            "address": {"town": "Lviv"},
            "fields": [{"id": 79814, "value": "gold"}, {"id": 9, "value": "x"}, {"id": 5, "value": "f"}],
        },
    )
    told = losses(encoded)
    assert told["profile.traits.visits"][0] == "dropped"
    assert told["profile.location.country"][0] == "dropped"
    assert told["profile.gender"] == ("renamed", "fields.5")
    assert told["profile.phone"] == ("coerced", "channels")
    assert told["occurred_at"] == ("dropped", None)


def test_many_contacts_say_how_they_are_told_apart() -> None:
    def one(number: int, **traits: Any) -> Any:
        who = Profile(user_id=f"C-{number}", email=f"a{number}@example.com", traits=traits)
        return foreign(kind="identify", name="Identify", profile=who)

    encoded = send("contacts", one(1), one(2, field_7="x"), one(3), one(1))
    bodies = [json.loads(each.body) for each in encoded]
    assert [each.events for each in encoded] == [(0, 2), (3,), (1,)]
    assert [body["dedupeOn"] for body in bodies] == ["email_or_sms"] * 3
    assert bodies[2]["customFieldsIDs"] == [7]


def test_a_permission_subscribes_by_its_channel_alone() -> None:
    consent = (ConsentChange(granted=True, channel="email", group="News", wording="footer", at=NOW),)
    event = foreign(name="Subscribed", consent=consent, profile=PERSON)
    assert way(event) == "contact"
    encoded = send("contact", event)
    body = json.loads(encoded[0].body)
    assert encoded[0].path == "/api/v1/contact/subscribe"
    assert body["contact"]["channels"] == [{"type": "email", "value": "a@example.com"}]
    assert (body["groups"], body["formType"]) == (["News"], "footer")
    told = losses(encoded)
    assert told["profile.phone"] == ("dropped", None)
    assert told["consent[0].at"] == ("dropped", None)


@pytest.mark.parametrize(
    "consent",
    [
        (ConsentChange(granted=False, channel="email"),),
        (ConsentChange(granted=True, channel="push"),),
        (ConsentChange(granted=True, channel="sms"),),
        (),
        (ConsentChange(granted=True, channel="email"), ConsentChange(granted=False, channel="sms")),
        (ConsentChange(granted=True, channel="email", group="A"), ConsentChange(granted=True, group="B")),
    ],
)
def test_what_one_call_cannot_say_is_an_event(consent: tuple[ConsentChange, ...]) -> None:
    assert way(foreign(name="Subscribed", consent=consent)) == "event_v2"


# --- options and windows ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"past_after_seconds": 0},
        {"past_depth_days": 0},
        {"contact_fields": {"a": 0}},
        {"contact_fields": {"a": 1, "b": 1}},
    ],
)
def test_impossible_options_are_told(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"past_|contact_fields"):
        TargetOptions(**options)


def test_windows_are_apart_but_for_those_that_yespo_counts_together() -> None:
    windows = {entry.name: entry.windows for entry in ADAPTER.inbound}
    assert [windows[name][0].count for name in ("event_v1", "event_v2", "past_events_v1", "orders")] == [
        350,
        350,
        100,
        200,
    ]
    assert {windows[name][0].shared for name in ("event_v1", "event_v2")} == {None}
    assert windows["past_events_v1"] == windows["past_events_v2"]
    assert {w[0].shared for name, w in windows.items() if name.startswith(("order", "contact_", "contact"))} >= {
        "everything_else"
    }
    assert windows["tracker"] == ()
