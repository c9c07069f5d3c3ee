"""The web tracker."""

from typing import Any

import pytest

from adapters.yespo.tests.support import Client, way
from gateway.event import Event

SITE = "8A412DC"


def body(name: str, payload: Any = None, at: str | None = None, **info: Any) -> dict[str, Any]:
    general = {"eventName": name, "siteId": SITE, "cookies": {"sc": "cookie-1"}, **info}
    return {"GeneralInfo": general, **({} if payload is None else {at or name: payload})}


def seen(name: str, payload: Any = None, at: str | None = None, **info: Any) -> Event:
    (event,) = Client(tracker_sites=[SITE]).post("/api/v2", body(name, payload, at, **info)).events
    return event


def test_the_tracker_is_closed_until_a_site_is_named() -> None:
    assert Client().refusal("POST", "/api/v2", body("MainPage")).status == 404
    assert Client(tracker_sites=["other"]).refusal("POST", "/api/v2", body("MainPage")).status == 403


@pytest.mark.parametrize("other", [{}, {"orgId": 1, "message": "log"}, {"GeneralInfo": "x"}])
def test_any_other_object_is_answered_and_means_nothing(other: Any) -> None:
    decoded = Client(tracker_sites=[SITE]).post("/api/v2", other)
    assert (decoded.reply.status, decoded.reply.body, decoded.events) == (200, b"", ())


@pytest.mark.parametrize("wrong", [b"[]", b"{", b""])
def test_what_is_no_object_is_refused(wrong: bytes) -> None:
    assert Client(tracker_sites=[SITE]).refusal("POST", "/api/v2", wrong).status == 400


@pytest.mark.parametrize(
    ("name", "payload", "at", "canonical"),
    [
        ("ProductPage", {"Product": {"productKey": "1", "price": "754 USD"}}, None, "Product Viewed"),
        ("CategoryPage", {"Category": {"categoryKey": "mugs"}}, None, "Product List Viewed"),
        ("StatusCart", {"GUID": "g", "Products": []}, None, "Cart Updated"),
        ("PurchasedItems", {"OrderNumber": "1", "Products": [{"product_id": "1"}]}, None, "Order Completed"),
        ("AddToWishlist", {"Product": {"productKey": "1"}}, None, "Product Added to Wishlist"),
        ("SearchRequest", {"search": "mug", "isFound": 1}, None, "Products Searched"),
        ("ProductImpressions", {"Products": [{"product_id": "1"}]}, "ProductImpression", "productImpressions"),
        ("CustomerData", None, None, "Identify"),
        ("PageView", None, None, "Page"),
        ("MainPage", None, None, "MainPage"),
        ("ProductUpdate", [{"product_id": "1", "unit_price": 5}], None, "ProductUpdate"),
    ],
)
def test_the_trackers_events_have_meanings(name: str, payload: Any, at: str | None, canonical: str) -> None:
    assert seen(name, payload, at).name == canonical


def test_a_price_and_its_currency_stand_apart() -> None:
    event = seen("ProductPage", {"Product": {"productKey": "1", "price": "754 USD", "tag_a": ["x"]}})
    assert event.commerce is not None
    (item,) = event.commerce.items
    assert (str(item.price), event.commerce.currency, item.properties) == ("754", "USD", {"tag_a": ["x"]})


def test_a_visitor_is_the_cookie_and_what_is_known_beside_it() -> None:
    who = seen("MainPage", user_email="a@example.com", user_phone="380", user_es_contact_id=5).profile
    assert (who.anonymous_id, who.email, who.phone, who.vendor_ids) == (
        "cookie-1",
        "a@example.com",
        "380",
        {"yespo": "5"},
    )


def test_a_visit_has_the_browsers_time() -> None:
    event = seen("MainPage", datetime=1757844660123, externalCustomerId="C")
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2025-09-14T10:11:00.123000+00:00"
    assert way(event) == "past_events_v2"
    assert seen("MainPage", datetime="soon").occurred_at is None


def test_a_site_without_a_known_visitor_is_still_seen() -> None:
    assert seen("ProductPage", {"Product": {"productKey": "1"}}).profile.anonymous_id == "cookie-1"


def test_a_page_may_ask_while_the_tracker_is_open() -> None:
    assert (
        dict(Client(tracker_sites=[SITE]).ask("OPTIONS", "/api/v2").reply.headers)[b"Access-Control-Allow-Origin"]
        == b"*"
    )
    assert Client().refusal("OPTIONS", "/api/v2").status == 404
