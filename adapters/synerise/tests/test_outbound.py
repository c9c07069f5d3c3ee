"""What events of other vendors become, and what is reported of them."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.synerise import ADAPTER
from adapters.synerise.checks import is_action
from adapters.synerise.names import legal
from adapters.synerise.options import SourceOptions, TargetOptions
from adapters.synerise.tests.support import (
    ID,
    RECEIVED,
    encoded,
    event,
    foreign,
    losses,
    outbound,
    post,
    sent,
    settings,
    taker,
)
from gateway.adapter import EncodeError
from gateway.event import Commerce, ConsentChange, Context, Item, Location, Page, Profile

EUROS = Commerce(currency="EUR", items=(Item(sku="A", name="a", price=Decimal("9.50"), quantity=Decimal(2)),))
ORDER = Commerce(
    order_id="o-1",
    total=Decimal("21.90"),
    revenue=Decimal("17.80"),
    tax=Decimal("4.10"),
    discount=Decimal(1),
    coupon="SPRING",
    currency="EUR",
    items=(Item(product_id="p-1", price=Decimal("10.95"), quantity=Decimal(2)),),
)


def order(**fields: Any) -> Any:
    return foreign("Order Completed", commerce=ORDER, **fields)


# --- the envelope ----------------------------------------------------------------------------------------


def test_an_event_with_all_that_makes_it_one() -> None:
    assert sent(foreign("Product Added", commerce=EUROS, dedupe_key="k-1")) == {
        "type": "added-to-cart",
        "label": "product.addToCart",
        "client": {"customId": "u1"},
        "time": "2026-05-01T10:30:00.000Z",
        "params": {"sku": "A", "name": "a", "quantity": 2, "finalUnitPrice": {"amount": 9.5, "currency": "EUR"}},
        "eventSalt": "k-1",
    }


def test_without_a_key_the_events_id_is_the_salt_and_without_a_time_its_arrival() -> None:
    item = sent(foreign(occurred_at=None))
    assert (item["eventSalt"], item["time"]) == (ID, "2026-11-21T12:00:00.000000Z")


def test_a_retry_is_the_same_to_the_byte() -> None:
    assert encoded(order()).body == encoded(order()).body


@pytest.mark.parametrize("late", [timedelta(microseconds=1), timedelta(days=999)])
def test_no_time_lies_after_the_arrival(late: timedelta) -> None:
    item = foreign(occurred_at=RECEIVED + late)
    assert sent(item)["time"] == "2026-11-21T12:00:00.000Z"
    assert losses(item)["occurred_at"] == ("coerced", "time")


def test_a_type_is_dedicated_only_where_the_params_suffice() -> None:
    bare = Commerce(items=(Item(sku="A"),))
    assert sent(foreign("Product Added", commerce=EUROS))["type"] == "added-to-cart"
    for commerce in (bare, Commerce(items=EUROS.items), None):
        item = sent(foreign("Product Added", commerce=commerce))
        assert (item["type"], item["action"]) == ("custom", "product.addToCart")
    below = Commerce(currency="EUR", items=(Item(sku="A", price=Decimal(-1), quantity=Decimal(1)),))
    assert sent(foreign("Product Added", commerce=below))["type"] == "custom"
    assert sent(foreign("Product Viewed", commerce=EUROS))["type"] == "product-view"
    assert sent(foreign("Push Notification Tapped"))["type"] == "custom"


def test_a_product_gets_the_id_that_its_action_goes_by() -> None:
    assert sent(foreign("Product Viewed", commerce=EUROS))["params"]["productId"] == "A"
    item = Commerce(currency="EUR", items=(Item(product_id="p", price=Decimal(1), quantity=Decimal(1)),))
    assert sent(foreign("Product Added", commerce=item))["params"]["sku"] == "p"


def test_a_cart_is_summed_up() -> None:
    params = sent(foreign("Cart Updated", commerce=Commerce(total=Decimal(19), currency="EUR", items=EUROS.items)))[
        "params"
    ]
    assert (params["totalAmount"], params["totalQuantity"], params["itemIds"]) == (19, 2, ["A"])
    assert sent(foreign("Cart Updated"))["params"] == {"products": [], "itemIds": [], "totalQuantity": 0}


# --- identifiers -----------------------------------------------------------------------------------------

EVERYBODY = Profile(user_id="u1", email="ana@example.com", anonymous_id="an-1", phone="+15551234567", first_name="Ana")


def test_one_identifier_the_strongest_unless_the_target_says_all() -> None:
    item = foreign(profile=EVERYBODY)
    assert sent(item)["client"] == {"customId": "u1"}
    dropped = ["email", "anonymous_id", "phone", "first_name"]
    assert losses(item) == {f"profile.{name}": ("dropped", None) for name in dropped} | {
        "name": ("renamed", "Quiz.Done")
    }
    everyone = {"customId": "u1", "email": "ana@example.com", "uuid": "an-1"}
    assert sent(item, identifiers="all")["client"] == everyone
    assert "profile.email" not in losses(item, identifiers="all")


@pytest.mark.parametrize(
    ("who", "client"),
    [
        ({"email": "ana@example.com", "anonymous_id": "an"}, {"email": "ana@example.com"}),
        ({"anonymous_id": "an"}, {"uuid": "an"}),
        ({"user_id": "smile \U0001f600", "email": "ana@example.com"}, {"email": "ana@example.com"}),
        ({"user_id": "a\nb", "email": "broken", "anonymous_id": "an"}, {"uuid": "an"}),
        ({"vendor_ids": {"synerise": "5092150001"}}, {"id": 5092150001}),
    ],
)
def test_the_strongest_identifier_that_synerise_takes(who: dict[str, Any], client: dict[str, Any]) -> None:
    item = foreign(profile=Profile(**who))
    assert sent(item)["client"] == client
    assert len(losses(item)) == len(who) - 1 + len(["name"])


@pytest.mark.parametrize("who", [{}, {"phone": "+15551234567"}, {"user_id": "\U0001f600"}, {"vendor_ids": {"x": "1"}}])
def test_an_event_about_nobody_is_refused(who: dict[str, Any]) -> None:
    with pytest.raises(EncodeError, match="needs a user id"):
        encoded(foreign(profile=Profile(**who)))


def test_a_native_event_carries_what_its_client_sent() -> None:
    client = {"customId": "4471", "uuid": "u-1", "email": "ana@example.com"}
    assert sent(event(client=client))["client"] == client
    assert losses(event(client=client)) == {}


# --- names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("quiz_done", "quiz_done"),
        ("Quiz Done", "Quiz.Done"),
        (" Quiz - Done! ", "Quiz.-.Done"),
        ("a" * 32, "a" * 32),
    ],
)
def test_a_name_becomes_a_legal_action(name: str, action: str) -> None:
    assert sent(foreign(name))["action"] == action
    assert ("name" in losses(foreign(name))) == (name != action)
    assert sent(foreign(name)).get("params", {}).get("eventName", action) == (name if name != action else action)


@pytest.mark.parametrize("name", ["a" * 33, "購入", "!!!", "Żółć", "x" * 500, "購入した"])
def test_names_that_have_no_legal_form_stay_apart(name: str) -> None:
    assert is_action(legal(name))
    assert legal(name) != legal(name + "!")
    assert sent(foreign(name))["params"]["eventName"] == name


def test_an_event_without_a_name_is_refused() -> None:
    with pytest.raises(EncodeError, match="no name"):
        encoded(foreign(""))


def test_pages_and_screens_keep_their_names() -> None:
    page = foreign("Home", kind="page", context=Context(ip="192.0.2.1", page=Page(url="https://a/")))
    assert sent(page)["params"] == {"url": "https://a/", "pageName": "Home"}
    assert losses(page) == {"name": ("renamed", "params.pageName"), "context.ip": ("dropped", None)}
    assert sent(foreign("Basket", kind="screen"))["params"] == {"screenName": "Basket"}


# --- free values -----------------------------------------------------------------------------------------


def test_no_null_goes_out_at_any_depth() -> None:
    line = Item(sku="A", properties={"x": None, "y": 1})
    properties = {"a": None, "b": {"c": None, "d": 1}, "e": [1, None, {"f": None}]}
    item = foreign(properties=properties, commerce=Commerce(items=(line,)))
    assert b"null" not in encoded(item).body
    assert sent(item)["params"]["b"] == {"d": 1}
    assert sent(item)["params"]["e"] == [1, {}]
    dropped = {path for path, (outcome, _) in losses(item).items() if outcome == "dropped"}
    assert dropped == {
        "properties.a",
        "properties.b.c",
        "properties.e[1]",
        "properties.e[2].f",
        "commerce.items[0].properties.x",
    }


def test_reserved_and_taken_names_are_prefixed() -> None:
    item = foreign(properties={"apiKey": "x", "time": 5, "email": "other@example.com", "currency": "EUR"})
    params = sent(item)["params"]
    assert {key for key in params if key != "eventName"} == {f"property_{key}" for key in item.properties}
    assert losses(item)["properties.apiKey"] == ("renamed", "params.property_apiKey")


def test_an_email_that_is_the_persons_stays() -> None:
    item = foreign("quiz", profile=Profile(email="ana@example.com"), properties={"email": "ana@example.com"})
    assert sent(item)["params"] == {"email": "ana@example.com"}


def test_a_name_that_synerise_reads_as_something_else_is_reported() -> None:
    item = foreign("quiz", properties={"orderId": "7", "color": "red"})
    assert sent(item)["params"] == {"orderId": "7", "color": "red"}
    assert losses(item) == {"properties.orderId": ("renamed", "params.orderId")}


def test_permissions_on_an_event_become_params() -> None:
    item = foreign("Signed Up", consent=(ConsentChange(granted=True, channel="email"), ConsentChange(granted=False)))
    assert sent(item)["params"] == {"consentEmail": True, "consentAll": False}
    assert losses(item)["consent[0]"] == ("renamed", "params.consentEmail")


# --- orders ----------------------------------------------------------------------------------------------


def test_an_order_is_a_transaction() -> None:
    found = order(dedupe_key="k-1", properties={"payment_method": "card", "gift": True})
    assert taker(found).name == "transactions_batch"
    assert sent(found) == {
        "client": {"customId": "u1"},
        "orderId": "o-1",
        "paymentInfo": {"method": "card"},
        "source": "WEB_DESKTOP",
        "revenue": {"amount": 21.9, "currency": "EUR"},
        "value": {"amount": 17.8, "currency": "EUR"},
        "discountAmount": {"amount": 1, "currency": "EUR"},
        "products": [
            {
                "productId": "p-1",
                "sku": "p-1",
                "name": "p-1",
                "quantity": 2,
                "finalUnitPrice": {"amount": 10.95, "currency": "EUR"},
            }
        ],
        "metadata": {"tax": 4.1, "discountCode": "SPRING", "gift": True},
        "recordedAt": "2026-05-01T10:30:00.000Z",
        "eventSalt": "k-1",
    }
    assert losses(found) == {}


def test_what_a_transaction_needs_is_filled_in() -> None:
    lines = (Item(sku="A", price=Decimal(3)), Item(sku="B", price=Decimal(2), quantity=Decimal(2)))
    found = sent(foreign("Order Completed", commerce=Commerce(order_id="1", items=lines)), currency="PLN", source="POS")
    assert found["revenue"] == found["value"] == {"amount": 7, "currency": "PLN"}
    assert (found["source"], found["paymentInfo"]) == ("POS", {"method": "UNKNOWN"})
    assert [(row["name"], row["quantity"]) for row in found["products"]] == [("A", 1), ("B", 2)]


@pytest.mark.parametrize(
    ("commerce", "why"),
    [
        (None, "order id"),
        (Commerce(total=Decimal(1), currency="EUR"), "order id"),
        (Commerce(order_id="1", total=Decimal(1)), "currency"),
        (Commerce(order_id="1", currency="EUR"), "amount"),
        (Commerce(order_id="1", currency="EUR", total=Decimal(-1)), "negative"),
    ],
)
def test_an_order_that_cannot_be_a_transaction_is_refused(commerce: Commerce | None, why: str) -> None:
    with pytest.raises(EncodeError, match=why):
        encoded(foreign("Order Completed", commerce=commerce))


def test_lines_that_a_transaction_cannot_have_are_left_out() -> None:
    lines = (
        Item(name="no number", price=Decimal(1)),
        Item(sku="no price"),
        Item(sku="below", price=Decimal(-1)),
        Item(sku="A", price=Decimal(1)),
    )
    found = foreign("Order Completed", commerce=Commerce(order_id="1", total=Decimal(1), currency="EUR", items=lines))
    assert [row["sku"] for row in sent(found)["products"]] == ["A"]
    assert set(losses(found)) == {f"commerce.items[{index}]" for index in range(3)}


def test_a_discount_of_nothing_is_left_out() -> None:
    found = foreign(
        "Order Completed", commerce=Commerce(order_id="1", total=Decimal(1), discount=Decimal(0), currency="EUR")
    )
    assert "discountAmount" not in sent(found)
    assert losses(found) == {"commerce.discount": ("dropped", None)}


def test_properties_called_like_members_of_a_transaction_are_prefixed() -> None:
    found = order(properties={"value": 5, "source": "Shopify", "orderId": "x"})
    metadata = sent(found)["metadata"]
    assert metadata["property_value"] == 5
    assert metadata["property_source"] == "Shopify"
    assert metadata["property_orderId"] == "x"
    assert losses(found)["properties.value"] == ("renamed", "metadata.property_value")


def test_implied_lines_are_refused_since_the_transaction_carries_them() -> None:
    body = {"client": {"customId": "1"}, "orderId": "1", "products": [{"sku": "A"}]}
    made, line = post("transactions", body, options=SourceOptions(order_lines=True)).events
    assert [row["sku"] for row in sent(made)["products"]] == ["A"]
    with pytest.raises(EncodeError, match="transaction carries this line"):
        encoded(line)


def test_a_line_of_another_vendor_is_an_ordinary_event() -> None:
    item = sent(foreign("Ordered Product", commerce=Commerce(order_id="1", currency="EUR", items=EUROS.items)))
    assert (item["type"], item["action"], item["params"]["orderId"]) == ("custom", "product.buy", "1")


def test_other_orders_are_events() -> None:
    for name, kind in (("Order Cancelled", "cancelled-transaction"), ("Order Refunded", "custom")):
        found = foreign(name, commerce=ORDER)
        assert taker(found).name == "events_batch"
        assert sent(found)["type"] == kind
        assert sent(found)["params"]["revenue"] == {"amount": 21.9, "currency": "EUR"}


# --- profiles --------------------------------------------------------------------------------------------


def person(**fields: Any) -> Any:
    consent = fields.pop("consent", ())
    return foreign("Identify", kind="identify", occurred_at=None, profile=Profile(**fields), consent=consent)


def test_a_person_is_written_with_what_identifies_them() -> None:
    found = person(user_id="u", email="a@example.com", phone="+15551234567", anonymous_id="an", first_name="Ana")
    assert sent(found) == {
        "customId": "u",
        "email": "a@example.com",
        "phone": "+15551234567",
        "firstName": "Ana",
    }
    assert losses(found) == {"profile.anonymous_id": ("dropped", None)}
    assert sent(found, identifiers="all")["uuid"] == "an"
    assert sent(person(anonymous_id="an")) == {"uuid": "an"}


@pytest.mark.parametrize("who", [{}, {"first_name": "A"}, {"email": "broken"}, {"phone": "12"}, {"user_id": "a\rb"}])
def test_a_person_who_is_nobody_is_refused(who: dict[str, Any]) -> None:
    with pytest.raises(EncodeError, match="needs a user id"):
        encoded(person(**who))


@pytest.mark.parametrize(
    ("fields", "expected", "lost"),
    [
        ({"gender": "f"}, {"sex": "FEMALE"}, {"profile.gender": ("coerced", "sex")}),
        ({"gender": "MALE"}, {"sex": "MALE"}, {}),
        ({"gender": "x"}, {"attributes": {"gender": "x"}}, {"profile.gender": ("renamed", "attributes.gender")}),
        ({"birth_date": "1990-05-03"}, {"birthDate": "1990-05-03"}, {}),
        (
            {"birth_date": "05-03"},
            {"attributes": {"birthday": "05-03"}},
            {"profile.birth_date": ("renamed", "attributes.birthday")},
        ),
        ({"location": Location(country="PL", city="X")}, {"countryCode": "PL", "city": "X"}, {}),
        (
            {"location": Location(country="Poland")},
            {"attributes": {"country": "Poland"}},
            {"profile.location.country": ("renamed", "attributes.country")},
        ),
        ({"title": "Cook", "locale": "pl"}, {"attributes": {"jobTitle": "Cook", "language": "pl"}}, {}),
        ({"traits": {"tags": ["a"], "displayName": "A"}}, {"tags": ["a"], "displayName": "A"}, {}),
        (
            {"traits": {"tags": "a", "status": 1}},
            {"attributes": {"trait_tags": "a", "trait_status": 1}},
            {
                "profile.traits.tags": ("renamed", "attributes.trait_tags"),
                "profile.traits.status": ("renamed", "attributes.trait_status"),
            },
        ),
        ({"traits": {"gone": None}}, {}, {"profile.traits.gone": ("dropped", None)}),
        (
            {"push_tokens": ("t",), "vendor_ids": {"klaviyo": "01H"}},
            {"attributes": {"klaviyoId": "01H", "pushTokens": ["t"]}},
            {
                "profile.push_tokens": ("renamed", "attributes.pushTokens"),
                "profile.vendor_ids.klaviyo": ("renamed", "attributes.klaviyoId"),
            },
        ),
    ],
)
def test_what_synerise_has_rules_for(fields: dict[str, Any], expected: dict[str, Any], lost: dict[str, Any]) -> None:
    found = person(user_id="u", **fields)
    assert sent(found) == {"customId": "u", **expected}
    assert losses(found) == lost


@pytest.mark.parametrize(
    ("change", "agreements"),
    [
        (ConsentChange(granted=True, channel="email"), {"email": True}),
        (ConsentChange(granted=False, channel="web"), {"webPush": False}),
        (ConsentChange(granted=False), {"email": False, "sms": False, "push": False, "webPush": False}),
        (ConsentChange(granted=True, channel="email", group="news"), {"email": True}),
        (ConsentChange(granted=False, channel="email", group="news"), None),
        (ConsentChange(granted=True, channel="whatsapp"), None),
        (ConsentChange(granted=True, group="news"), None),
    ],
)
def test_permissions_are_agreements(change: ConsentChange, agreements: dict[str, bool] | None) -> None:
    """Who leaves one list does not leave the channel."""
    assert sent(person(user_id="u", consent=(change,))).get("agreements") == agreements
    name = "Subscribed" if change.granted else "Unsubscribed"
    found = foreign(name, consent=(change,))
    assert taker(found).name == ("events_batch" if agreements is None else "clients_batch")
    if agreements is None:
        assert sent(found)["action"] == name
    else:
        assert sent(found) == {"customId": "u1", "agreements": agreements}
        assert losses(found)["name"] == ("coerced", "agreements")


def test_a_subscription_of_a_synerise_client_stays_an_event() -> None:
    found = event("newsletter.unsubscribe")
    assert taker(found).name == "events_batch"
    assert sent(found)["action"] == "newsletter.unsubscribe"


# --- limits ----------------------------------------------------------------------------------------------


def test_calls_are_cut_at_a_thousand_and_at_a_megabyte() -> None:
    small = outbound("events_batch").encode([foreign()] * 2001, settings())
    assert [len(one.events) for one in small] == [1000, 1000, 1]
    large = outbound("events_batch").encode([foreign(properties={"x": "y" * 300_000})] * 4, settings())
    assert [len(one.events) for one in large] == [3, 1]
    assert all(len(one.body) < 1_000_000 for one in large)


def test_an_event_larger_than_a_call_is_refused() -> None:
    with pytest.raises(EncodeError, match="larger than"):
        encoded(foreign(properties={"x": "y" * 1_000_000}))


def test_losses_are_told_of_the_event_they_are_of() -> None:
    (one,) = outbound("events_batch").encode([foreign("quiz"), foreign("Quiz Done")], settings())
    assert [(loss.event, loss.path) for loss in one.lost] == [(1, "name")]


def test_no_options_are_the_default_options() -> None:
    bare = taker(order()).encode([order()], type(settings())(target="crm", credentials={}))
    assert json.loads(bare[0].body) == [sent(order())]


@pytest.mark.parametrize("currency", ["", "euro", "E1R"])
def test_a_currency_has_three_letters(currency: str) -> None:
    with pytest.raises(ValueError, match="three-letter"):
        TargetOptions(currency=currency)


def test_every_event_has_one_endpoint() -> None:
    for one in (order(), person(user_id="u"), foreign(), foreign("Home", kind="page"), foreign("x", kind="alias")):
        assert sum(entry.carries(one, settings()) for entry in ADAPTER.outbound) == 1
