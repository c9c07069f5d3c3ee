"""Canonical names go to Blueshift under its own names or legal ones, and come back."""

from typing import Final

import pytest

from adapters.blueshift.tests.support import Client, foreign, losses, send, sent
from gateway.event import Commerce, ConsentChange, Item, Profile

NAMES: Final = {
    "Product Viewed": "view",
    "Product List Viewed": "Product_List_Viewed",
    "Products Searched": "search",
    "Product Added": "add_to_cart",
    "Product Removed": "remove_from_cart",
    "Product Added to Wishlist": "wishlist",
    "Product Removed from Wishlist": "Product_Removed_from_Wishlist",
    "Cart Updated": "Cart_Updated",
    "Checkout Started": "checkout",
    "Order Completed": "purchase",
    "Ordered Product": "Ordered_Product",
    "Order Fulfilled": "shipped",
    "Order Cancelled": "cancel",
    "Order Refunded": "return",
    "Application Opened": "app_open",
    "Application Installed": "app_install",
    "Application Updated": "app_update",
    "Signed Up": "Signed_up",
    "Signed In": "login",
    "Signed Out": "logout",
    "Email Opened": "Email_Opened",
    "Email Link Clicked": "Email_Link_Clicked",
    "Subscribed": "Subscribed",
    "Unsubscribed": "Unsubscribed",
}


@pytest.mark.parametrize(("name", "written"), NAMES.items())
def test_a_name_goes_both_ways(client: Client, name: str, written: str) -> None:
    event = foreign(name=name, profile=Profile(email="nora@example.com"))
    assert losses(send("event", event)) == {}
    assert sent(event)["event"] == written
    back = client.event(sent(event))
    assert (back.kind, back.name, back.consent) == ("track", name, ())


@pytest.mark.parametrize("name", ["Product_Viewed", "Order_Refunded", "canceled", "Signed In", "Subscribed"])
def test_a_second_spelling_comes_back_as_it_was_sent(client: Client, name: str) -> None:
    body = {"event": name, "email": "nora@example.com", "unsubscribed": False}
    event = client.event(body)
    assert event.name in NAMES
    assert {**sent(event), **body} == sent(event)


@pytest.mark.parametrize(("name", "written", "granted"), [("Subscribed", "subscribe", True),
                                                          ("Unsubscribed", "unsubscribe", False)])  # fmt: skip
def test_a_permission_for_email_is_a_subscription(client: Client, name: str, written: str, granted: bool) -> None:
    event = client.event({"event": written, "email": "nora@example.com"})
    assert (event.name, event.consent) == (name, (ConsentChange(granted=granted, channel="email"),))
    assert sent(foreign(name=name, consent=event.consent))["event"] == written


def test_a_permission_for_another_channel_is_not_said_to_be_for_email(client: Client) -> None:
    event = foreign(name="Subscribed", consent=(ConsentChange(granted=True, channel="sms"),))
    assert sent(event)["event"] == "Subscribed"
    back = client.event(sent(event))
    assert (back.name, back.consent) == (event.name, event.consent)


def test_one_product_of_a_wishlist_stands_flat() -> None:
    body = sent(foreign(name="Product Added to Wishlist", commerce=Commerce(items=(Item(sku="TM-11"),))))
    assert (body["sku"], body["product_id"]) == ("TM-11", "TM-11")
    assert "products" not in body
