"""Canonical names go to Klaviyo as the metrics that its marketers know, and come back."""

from decimal import Decimal
from typing import Any, Final

import pytest

from adapters.klaviyo.tests.world import RECEIVED, flat, lost, one, sent, wrapped
from gateway.event import KINDS, Commerce, ConsentChange, Event, Item, Kind, Origin, Profile

METRICS: Final = {
    "Product Viewed": "Viewed Product",
    "Product List Viewed": "Viewed Category",
    "Products Searched": "Searched Site",
    "Product Added": "Added to Cart",
    "Product Removed": "Removed from Cart",
    "Product Added to Wishlist": "Added to Wishlist",
    "Product Removed from Wishlist": "Removed from Wishlist",
    "Checkout Started": "Started Checkout",
    "Order Completed": "Placed Order",
    "Ordered Product": "Ordered Product",
    "Order Fulfilled": "Fulfilled Order",
    "Order Cancelled": "Cancelled Order",
    "Order Refunded": "Refunded Order",
    "Signed Up": "Created Account",
    "Signed In": "Logged In",
    "Signed Out": "Logged Out",
    "Page": "Active on Site",
    "Screen": "Viewed Screen",
    "Application Opened": "Opened App",
    "Subscribed": "Subscribed to List",
    "Unsubscribed": "Unsubscribed from List",
    "Email Delivered": "Received Email",
    "Email Opened": "Opened Email",
    "Email Link Clicked": "Clicked Email",
    "Email Bounced": "Bounced Email",
    "Email Marked as Spam": "Marked Email as Spam",
    "Push Notification Received": "Received Push",
    "Push Notification Tapped": "$opened_push",
    "Push Notification Bounced": "Bounced Push",
    "Trial Started": "Trial Started",
}


def _event(name: str, **fields: Any) -> Event:
    kind: Kind = name.lower() if name.lower() in KINDS else "track"  # type: ignore[assignment]  # one of KINDS
    return Event(
        id="01900000-0000-7000-8000-000000000001",
        kind=kind,
        name=name,
        received_at=RECEIVED,
        source=Origin(name="shop", vendor="elsewhere", endpoint="events"),
        profile=Profile(email="nora@example.com"),
        **fields,
    )


def _metric(event: Event) -> str:
    return str(sent("events", event)["data"]["attributes"]["metric"]["data"]["attributes"]["name"])


@pytest.mark.parametrize(("name", "metric"), METRICS.items())
def test_a_name_goes_both_ways(name: str, metric: str) -> None:
    event = _event(name)
    assert _metric(event) == metric
    back = one("events", sent("events", event))
    assert (back.kind, back.name, back.consent) == (event.kind, name, ())


@pytest.mark.parametrize("metric", ["Signed Up", "Removed From Cart", "Unsubscribed", "Opened Push", "Order Completed"])
def test_a_second_spelling_comes_back_as_it_was_sent(metric: str) -> None:
    event = one("events", wrapped(metric=metric))
    assert event.name in METRICS
    assert _metric(event) == metric


def test_one_product_of_a_cart_or_a_wishlist_stands_flat() -> None:
    item = Item(product_id="TM-11", name="Trail Mug", price=Decimal("18.50"))
    for name in ("Product Removed", "Product Added to Wishlist", "Product Removed from Wishlist"):
        event = _event(name, commerce=Commerce(items=(item,)))
        properties = sent("events", event)["data"]["attributes"]["properties"]
        assert properties == {"ProductID": "TM-11", "ProductName": "Trail Mug", "Price": 18.5}
        assert one("events", sent("events", event)).commerce == event.commerce


@pytest.mark.parametrize(
    ("name", "canonical", "written"),
    [
        ("Products Searched", {"query": "mug"}, {"Search Term": "mug"}),
        ("Product List Viewed", {"category": "Kitchen"}, {"Viewed Category": "Kitchen"}),
        ("Email Opened", {"email_subject": "Hi", "campaign_name": "May"}, {"Subject": "Hi", "Campaign Name": "May"}),
        ("Email Link Clicked", {"link_url": "https://a", "email_id": "m1"}, {"URL": "https://a", "$message": "m1"}),
        ("Subscribed", {"list_name": "News"}, {"List": "News"}),
    ],
)
def test_properties_have_the_names_that_go_with_the_metric(
    name: str, canonical: dict[str, Any], written: dict[str, Any]
) -> None:
    body = sent("events", _event(name, properties=canonical))
    assert body["data"]["attributes"]["properties"] == written
    assert one("events", body).properties == canonical


@pytest.mark.parametrize(
    ("metric", "name", "change"),
    [
        ("Subscribed to Email Marketing", "Subscribed", ConsentChange(granted=True, channel="email")),
        ("Unsubscribed from Email Marketing", "Unsubscribed", ConsentChange(granted=False, channel="email")),
        ("Subscribed to SMS Marketing", "Subscribed", ConsentChange(granted=True, channel="sms")),
        ("Unsubscribed from SMS Marketing", "Unsubscribed", ConsentChange(granted=False, channel="sms")),
    ],
)
def test_a_metric_says_a_permission_of_one_channel(metric: str, name: str, change: ConsentChange) -> None:
    event = one("events", wrapped(metric=metric))
    assert (event.name, event.consent) == (name, (change,))
    foreign = _event(name, consent=(change,))
    assert _metric(foreign) == metric
    assert lost("events", foreign) == {}


def test_what_a_metric_cannot_say_of_permissions_is_reported() -> None:
    email = ConsentChange(granted=True, channel="email", at=RECEIVED, wording="I agree")
    more = ConsentChange(granted=True, channel="whatsapp")
    event = _event("Subscribed", consent=(email, more))
    assert _metric(event) == "Subscribed to Email Marketing"
    assert set(lost("events", event)) == {
        "consent[0].at", "consent[0].wording", "consent[1].granted", "consent[1].channel",
    }  # fmt: skip
    assert _metric(_event("Subscribed", consent=(more,))) == "Subscribed to List"
    assert _metric(_event("Trial Started", consent=(email,))) == "Trial Started"


def test_a_client_of_klaviyo_gets_its_own_metric_back() -> None:
    event = one("events", flat(metric="Subscribed to List", profile={"$email": "n@example.com", "$consent": ["email"]}))
    assert event.consent == (ConsentChange(granted=True, channel="email"),)
    assert _metric(event) == "Subscribed to List"
