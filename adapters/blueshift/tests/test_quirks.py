"""One test for each oddity of Blueshift's senders; the README lists them under the same names."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.blueshift.tests.support import Client, sent
from gateway.event import ConsentChange, Item

ANDROID = {"event": "app_open", "device_type": "android"}
IPHONE = {"event": "app_open", "device_type": "iPhone"}


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # a date's parts, as a star


@pytest.mark.parametrize(
    ("device", "text", "expected"),
    [
        ("android", "2026-03-04T17:30:00.000481Z", at(2026, 3, 4, 17, 30, 0, 481_000)),
        ("Android", "2026-03-04T17:30:00.000000Z", at(2026, 3, 4, 17, 30)),
        ("android", "2026-03-04T17:30:00.481000Z", at(2026, 3, 4, 17, 30, 0, 481_000)),
        ("android", "2026-03-04T17:30:00.688Z", at(2026, 3, 4, 17, 30, 0, 688_000)),
        ("android", "٢٠٢٦-٠٣-٠٤T١٧:٣٠:٠٠.٠٠٠٤٨١Z", at(2026, 3, 4, 17, 30, 0, 481_000)),  # noqa: RUF001 - the locale's digits
        ("iPhone", "2026-03-04T17:30:00.000481Z", at(2026, 3, 4, 17, 30, 0, 481)),
    ],
)
def test_android_milliseconds_stand_in_the_microseconds(client: Client, device: str, text: str, expected: Any) -> None:
    body = {"event": "app_open", "device_type": device, "timestamp": text}
    event = client.event(body)
    assert event.occurred_at == expected
    assert sent(event)["timestamp"] == text


@pytest.mark.parametrize(
    "value",
    ["20160412T172720Z", "2016-04-12T17:27:20+00:00", "2016-04-12 17:27:20", 1460482040, 1460482040000, "1460482040"],
)
def test_a_timestamp_is_iso_8601_or_an_epoch(client: Client, value: Any) -> None:
    event = client.event({"event": "view", "timestamp": value})
    assert event.occurred_at == at(2016, 4, 12, 17, 27, 20)
    assert sent(event)["timestamp"] == value


@pytest.mark.parametrize("value", ["11/11/2011", "soon", "", None, True, [], {}, 1e300, "99999-01-01"])
def test_an_unreadable_timestamp_is_kept_as_it_is(client: Client, value: Any) -> None:
    event = client.event({"event": "view", "timestamp": value})
    assert event.occurred_at is None
    assert sent(event)["timestamp"] == value


def test_ios_dates_count_from_2001(client: Client) -> None:
    body = {**IPHONE, "joined_at": 783763200, "date_of_birth": -315619200}
    event = client.event(body)
    assert event.profile.created_at == at(2025, 11, 2, 8)
    assert event.profile.birth_date == "1991-01-01"
    assert {**sent(event), **body} == sent(event)


def test_a_bare_credential_is_ios(client: Client) -> None:
    header = {"Authorization": "ZXZrX2RlbW9fNGYxYzliN2EyZTo="}
    assert client.event({"event": "app_open", "joined_at": 783763200}, header).profile.created_at == at(2025, 11, 2, 8)


@pytest.mark.parametrize("joined", [1762070400, 1762070400000])
def test_android_dates_are_unix_time(client: Client, joined: int) -> None:
    event = client.event({**ANDROID, "joined_at": joined, "date_of_birth": 662688000})
    assert event.profile.created_at == at(2025, 11, 2, 8)
    assert event.profile.birth_date == "1991-01-01"
    assert sent(event)["joined_at"] == joined


def test_ios_prices_are_32_bit_floats_and_stay_as_given(client: Client) -> None:
    event = client.event({**IPHONE, "event": "checkout", "products": [{"sku": "T", "price": 24.989999771118164}]})
    assert event.commerce is not None
    assert event.commerce.items[0].price == Decimal("24.989999771118164")


@pytest.mark.parametrize("text", ["[Lcom.blueshift.model.Product;@1a2b", {"sku": "A"}, [], ["A"], [{"sku": "A"}, 1]])
def test_products_may_be_no_lines_at_all(client: Client, text: Any) -> None:
    event = client.event({**ANDROID, "event": "purchase", "products": text})
    assert event.commerce is None
    assert event.properties["products"] == text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"products": [{"sku": "A", "quantity": 2, "price": 1.5}]},
            Item(sku="A", quantity=Decimal(2), price=Decimal("1.5")),
        ),
        (
            {"items": [{"productId": "A", "total_usd": 3, "category": "Tea"}]},
            Item(product_id="A", categories=("Tea",), properties={"total_usd": 3}),
        ),
        ({"product_ids": ["A"]}, Item(product_id="A")),
        ({"skus": ["A"]}, Item(sku="A")),
        ({"product_id": "A", "quantity": "2"}, Item(product_id="A", quantity=Decimal(2))),
        ({"sku": 42}, Item(sku="42")),
        ({"productId": "A", "price": "18.50"}, Item(product_id="A", price=Decimal("18.50"))),
    ],
)
def test_products_come_in_every_form(client: Client, body: dict[str, Any], expected: Item) -> None:
    event = client.event({"event": "purchase", **body})
    assert event.commerce is not None
    assert event.commerce.items == (expected,)
    assert {key: value for key, value in sent(event).items() if key in body} == body


def test_lists_that_repeat_the_ids_of_the_lines_are_one_thing(client: Client) -> None:
    body = {"event": "purchase", "items": [{"sku": "A"}, {"sku": "B"}], "product_ids": ["A", "B"], "skus": ["A"]}
    event = client.event(body)
    assert event.commerce is not None
    assert [item.sku for item in event.commerce.items] == ["A", "B"]
    assert event.properties == {"skus": ["A"]}
    assert {**sent(event), **body} == sent(event)


def test_the_name_on_an_ios_event_is_the_persons(client: Client) -> None:
    event = client.event({**IPHONE, "event": "view", "sku": "A", "name": "Mara"})
    assert event.commerce is not None
    assert event.commerce.items == (Item(sku="A"),)
    assert event.properties == {"name": "Mara"}


def test_the_push_token_is_spelled_in_two_ways(client: Client) -> None:
    for body in ({"device_token": "t"}, {"device_tokens": "t"}, {"device_tokens": ["t", "u"]}, {"device_token": ""}):
        event = client.event({"event": "identify", **body})
        assert event.profile.push_tokens == tuple(next(iter(body.values())))
        assert {**sent(event), **body} == sent(event)


def test_an_empty_idfa_is_none(client: Client) -> None:
    event = client.event({**IPHONE, "device_idfa": "", "email": ""})
    assert (event.context.device and event.context.device.advertising_id, event.profile.email) == (None, None)
    assert event.properties == {}
    assert {**sent(event), "device_idfa": "", "email": ""} == sent(event)


def test_numeric_text_is_a_number_and_stays_text(client: Client) -> None:
    event = client.event({"event": "purchase", "revenue": "31.24", "latitude": "237.7"})
    assert event.commerce is not None
    assert event.profile.location is not None
    assert (event.commerce.total, event.profile.location.latitude) == (Decimal("31.24"), 237.7)
    assert {key: sent(event)[key] for key in ("revenue", "latitude")} == {"revenue": "31.24", "latitude": "237.7"}


@pytest.mark.parametrize(
    "key", ["m-1", "1234abcd-efghijkj-1234kfjadslk-34iu123", "0b1a6e00-53c1-4a0d-8b1c-6a54a7d8f101", 7]
)
def test_any_event_uuid_is_the_clients_key(client: Client, key: Any) -> None:
    event = client.event({"event": "view", "event_uuid": key})
    assert event.dedupe_key == str(key)
    assert sent(event)["event_uuid"] == key


@pytest.mark.parametrize("key", ["", " ", None])
def test_a_blank_event_uuid_is_none(client: Client, key: Any) -> None:
    assert client.event({"event": "view", "event_uuid": key}).dedupe_key is None


def test_signatures_and_private_keys_pass_unchanged(client: Client) -> None:
    private = {
        "verification_key": "k",
        "event_signature": "ae26",
        "_bsft_source": "segment.com",
        "bsft_sdk_version": "4",
    }
    event = client.event({"event": "view", **private})
    assert event.properties == {}
    assert event.residue["blueshift"]["keep"] == private
    assert {**sent(event), **private} == sent(event)


def test_segment_sends_names_with_spaces_and_anonymous_ids(client: Client) -> None:
    body = {"event": "Order Completed", "anonymousId": "a-1", "customer_id": 5}
    event = client.event(body)
    assert (event.name, event.profile.anonymous_id, event.profile.user_id) == ("Order Completed", "a-1", "5")
    assert {**sent(event), **body} == sent(event)


@pytest.mark.parametrize("name", ["My.Event", "two words", "x" * 80, "2024", 7, "Identify", "PURCHASE", "é"])
def test_odd_names_are_taken_and_given_back(client: Client, name: Any) -> None:
    event = client.event({"event": name})
    assert (event.kind, event.name) == ("track", str(name))
    assert sent(event)["event"] == name


@pytest.mark.parametrize("body", [{}, {"event": ""}, {"event": None}, {"event": [1]}])
def test_a_bulk_row_without_a_name_is_unnamed(client: Client, body: dict[str, Any]) -> None:
    event = client.event({**body, "customer_id": "C-1"})
    assert event.name == "unnamed"
    assert {key: value for key, value in sent(event).items() if key == "event"} == body


def test_unsubscribed_is_a_permission_withdrawn(client: Client) -> None:
    body = {
        "event": "identify",
        "unsubscribed": True,
        "unsubscribed_at": "2026-03-04T17:00:00Z",
        "unsubscribed_push": "false",
        "unsubscribed_sms": 1,
        "opted_in": True,
    }
    event = client.event(body)
    assert event.consent == (
        ConsentChange(granted=False, channel="email", at=at(2026, 3, 4, 17)),
        ConsentChange(granted=True, channel="push"),
        ConsentChange(granted=True),
    )
    assert event.profile.traits == {"unsubscribed_sms": 1}
    assert {**sent(event), **body} == sent(event)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"subscription_groups": [{"id": "news", "subscribed": True}, {"id": 5, "subscribed": "false", "x": 1}]},
            (ConsentChange(granted=True, group="news"), ConsentChange(granted=False, group="5")),
        ),
        (
            {
                "subscription_group_id": "news",
                "subscription_group_subscribed": False,
                "subscription_group_unsubscribed_at": "2026-03-04T17:00:00Z",
            },
            (ConsentChange(granted=False, group="news", at=at(2026, 3, 4, 17)),),
        ),
        ({"subscription_group_id": "news", "subscription_group_subscribed": "maybe"}, ()),
        ({"subscription_groups": [{"id": "news"}]}, ()),
        ({"subscription_groups": "news"}, ()),
    ],
)
def test_groups_come_nested_or_flat(client: Client, body: dict[str, Any], expected: Any) -> None:
    event = client.event({"event": "identify", **body})
    assert event.consent == expected
    assert {**sent(event), **body} == sent(event)


def test_subscribe_is_a_permission_for_email(client: Client) -> None:
    event = client.event({"event": "unsubscribe", "email": "a@example.com"})
    assert event.consent == (ConsentChange(granted=False, channel="email"),)
    assert set(sent(event)) == {"event", "email", "timestamp", "event_uuid"}


def test_the_two_subscription_events_of_android_stay_two(client: Client) -> None:
    for name in ("subscription_upgrade", "subscription_downgrade"):
        assert client.event({"event": name, "subscription_amount": 5}).name == name


def test_a_screen_is_a_pageload(client: Client) -> None:
    event = client.event({"event": "pageload", "screen_viewed": "Cart"})
    assert (event.kind, event.name, event.context.screen) == ("page", "Page", "Cart")
    assert sent(event)["screen_viewed"] == "Cart"


def test_alias_names_two_people(client: Client) -> None:
    body = {"event": "alias", "customer_id": "new", "previous_customer_id": "old"}
    event = client.event(body)
    assert (event.kind, event.profile.user_id, event.properties) == ("alias", "new", {"previous_id": "old"})
    assert {**sent(event), **body} == sent(event)


def test_unknown_keys_are_traits_of_identify_and_properties_of_the_rest(client: Client) -> None:
    assert client.event({"event": "identify", "tier": "gold"}).profile.traits == {"tier": "gold"}
    assert client.event({"event": "quiz", "tier": "gold"}).properties == {"tier": "gold"}


def test_keys_named_like_canonical_fields_are_ordinary(client: Client) -> None:
    odd = {
        "id": 1, "kind": "x", "name": "n", "profile": {"email": "e"}, "commerce": [], "properties": {"a": 1},
        "residue": 0, "traits": {}, "consent": None, "context": "c", "source": "s", "user_id": "u", "occurred_at": 5,
        "previous_id": 1, "received_at": "r", "dedupe_key": "d", "raw": {}, "keep": 1, "form": "f",
    }  # fmt: skip
    for name in ("view", "identify", "alias", "pageload", "anything"):
        assert {**sent(client.event({"event": name, **odd})), **odd} == sent(client.event({"event": name, **odd}))


def test_second_spellings_do_not_push_each_other_out(client: Client) -> None:
    body = {
        "event": "identify",
        "phone": "+1",
        "phone_number": "+2",
        "firstName": "A",
        "firstname": "B",
        "first_name": None,
    }
    event = client.event(body)
    assert (event.profile.phone, event.profile.first_name) == ("+1", "A")
    assert {**sent(event), **body} == sent(event)


def test_a_customer_row_has_no_event_of_its_own(client: Client) -> None:
    row = {
        "email": "a@example.com",
        "event": "subscribe",
        "timestamp": "t",
        "event_uuid": "u",
        "url": "https://a.example",
    }
    (event,) = client.post("customers", row).events
    assert (event.kind, event.name, event.occurred_at, event.dedupe_key, event.consent) == (
        "identify",
        "Identify",
        None,
        None,
        (),
    )
    assert sent(event, "customers") == row
