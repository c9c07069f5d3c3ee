"""Orders in and out."""

import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.yespo.tests.support import MAY, Client, foreign, losses, parsed, send, sent, way
from gateway.event import Commerce, Context, Event, Item, Page, Profile

ORDER: dict[str, Any] = {
    "externalOrderId": "100500",
    "externalCustomerId": "CUST-1",
    "totalCost": 1000,
    "status": "INITIALIZED",
    "date": "2026-10-02T09:30:00+02:00",
    "currency": "USD",
    "items": [{"externalItemId": "200600", "quantity": 1, "cost": 990}],
}


def order(client: Client, **changes: Any) -> Event:
    (event,) = client.post("/api/v1/orders", {"orders": [{**ORDER, **changes}]}).events
    return event


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("INITIALIZED", "Order Completed"),
        ("IN_PROGRESS", "Order Updated"),
        ("DELIVERED", "Order Fulfilled"),
        ("CANCELLED", "Order Cancelled"),
        ("ABANDONED_SHOPPING_CART", "orderABANDONED_SHOPPING_CART"),
    ],
)
def test_an_orders_status_says_what_happened(client: Client, status: str, name: str) -> None:
    assert order(client, status=status).name == name


def test_stored_orders_are_answered_with_nothing(client: Client) -> None:
    assert client.post("/api/v1/orders", {"orders": [ORDER]}).reply.body == b""
    assert client.post("/api/v1/orders", {"orders": []}).reply.body == b""


@pytest.mark.parametrize(
    "change",
    [
        {"externalOrderId": ""}, {"externalCustomerId": " "}, {"totalCost": "much"}, {"totalCost": None},
        {"status": "PAID"}, {"status": ["INITIALIZED"]}, {"date": "today"}, {"currency": 5}, {"items": {}},
        {"items": [{"externalItemId": "1"}]}, {"items": [{"quantity": 1}]}, {"totalCost": True}, {"totalCost": "NaN"},
    ],
)  # fmt: skip
def test_an_order_that_lacks_something_fails_alone(client: Client, change: dict[str, Any]) -> None:
    decoded = client.post("/api/v1/orders", {"orders": [ORDER, {**ORDER, **change}]})
    assert (decoded.reply.status, len(decoded.events)) == (200, 1)
    assert isinstance(parsed(decoded.reply)["failedOrders"]["error"], str)


def test_failed_orders_are_a_list_from_two(client: Client) -> None:
    bad = {**ORDER, "status": "PAID"}
    failed = parsed(client.post("/api/v1/orders", {"orders": [bad, bad]}).reply)["failedOrders"]
    assert [row["order"] for row in failed] == [bad, bad]


def test_more_than_1000_orders_are_refused(client: Client) -> None:
    assert client.refusal("POST", "/api/v1/orders", {"orders": [ORDER] * 1001}).status == 400
    assert client.refusal("POST", "/api/v1/orders", {"orders": ["x"]}).status == 400
    assert client.refusal("POST", "/api/v1/orders", {}).status == 400


def test_one_blank_says_nothing(client: Client) -> None:
    event = order(client, phone=" ", firstName=" ", shipping="", email=None)
    assert (event.profile, event.commerce and event.commerce.shipping) == (Profile(user_id="CUST-1"), None)


def test_additional_info_is_what_an_event_would_say(client: Client) -> None:
    event = order(client, additionalInfo={"comment": "by noon", "utm_source": "mail", "email": "x@example.com"})
    assert event.properties == {"comment": "by noon", "status": "INITIALIZED"}
    assert event.context.campaign is not None
    assert event.profile.email is None


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("externalOrderId=7", 200),
        ("from=2026-05-14T00:00:00&to=2026-05-15T00:00:00", 200),
        ("from=2026-05-14T00:00:00&to=2026-05-15T00:00:01", 400),
        ("from=2026-05-14T00:00:00", 400),
        ("from=2026-05-14T00:00:00&to=2026-05-13T00:00:00", 400),
        ("externalOrderId=", 400),
        ("", 400),
    ],
)
def test_orders_are_deleted_by_id_or_by_a_day(client: Client, query: str, status: int) -> None:
    path = f"/api/v1/orders?{query}"
    reply = client.refusal("DELETE", path) if status == 400 else client.ask("DELETE", path).reply
    assert reply.status == status


# --- out -------------------------------------------------------------------------------------------------

COMMERCE = Commerce(order_id="SO-1", total=Decimal("58.50"), currency="EUR", items=(Item(sku="MUG", price=Decimal(9)),))


def placed(**fields: Any) -> Event:
    return foreign(**{"name": "Order Completed", "commerce": COMMERCE, **fields})


def test_an_order_with_all_that_is_needed_goes_to_the_orders_api() -> None:
    assert way(placed()) == "orders"
    assert way(placed(occurred_at=MAY)) == "orders", "an order has a date of its own"
    assert way(placed(), orders="events") == "event_v2"
    assert way(placed(occurred_at=MAY), orders="events") == "past_events_v2"


@pytest.mark.parametrize(
    "change",
    [
        {"commerce": None},
        {"commerce": Commerce(order_id="SO-1", total=Decimal(1))},
        {"commerce": Commerce(order_id="SO-1", currency="EUR")},
        {"commerce": Commerce(total=Decimal(1), currency="EUR")},
        {"commerce": Commerce(order_id="SO-1", total=Decimal(1), currency="EUR", items=(Item(name="Mug"),))},
        {"profile": Profile(push_tokens=("t",))},
        {"name": "Order Refunded"},
    ],
)
def test_an_order_that_lacks_something_stays_an_event(change: dict[str, Any]) -> None:
    assert way(placed(**change)) == "event_v2"


def test_an_order_has_all_that_yespo_requires() -> None:
    (row,) = sent(placed(), "orders")["orders"]
    assert row == {
        "externalCustomerId": "CUST-1",
        "email": "nina.roth@example.com",
        "externalOrderId": "SO-1",
        "totalCost": 58.5,
        "currency": "EUR",
        "status": "INITIALIZED",
        "date": "2026-11-21T11:59:30Z",
        "items": [{"externalItemId": "MUG", "sku": "MUG", "cost": 9, "quantity": 1}],
    }


def test_what_an_order_has_no_member_for_is_additional_info() -> None:
    event = placed(
        properties={
            "gift": True,
            "lines": [1],
            "note": "by noon",
            "deliveryMethod": "post",
            "source": "web",
            "date": 5,
        },
        context=Context(page=Page(url="https://shop.example.com")),
    )
    encoded = send("orders", event)
    (row,) = json.loads(encoded[0].body)["orders"]
    assert row["deliveryMethod"] == "post"
    assert row["additionalInfo"] == {
        "gift": "true",
        "lines": "[1]",
        "note": "by noon",
        "property_source": "web",
        "property_date": "5",
        "pageUrl": "https://shop.example.com",
    }
    told = losses(encoded)
    assert told["properties.gift"] == ("coerced", "additionalInfo.gift")
    assert told["properties.source"][0] == "renamed"
    assert told["properties.date"] == ("coerced", "additionalInfo.property_date")
    assert "properties.note" not in told


def test_a_status_of_another_shop_is_put_aside() -> None:
    (row,) = sent(placed(properties={"status": "paid"}), "orders")["orders"]
    assert (row["status"], row["additionalInfo"]) == ("INITIALIZED", {"property_status": "paid"})
    (row,) = sent(placed(properties={"status": "DELIVERED"}), "orders")["orders"]
    assert row["status"] == "DELIVERED"


def test_money_that_is_no_number_is_put_aside() -> None:
    (row,) = sent(placed(properties={"shipping": "DHL"}), "orders")["orders"]
    assert ("shipping" in row, row["additionalInfo"]) == (False, {"property_shipping": "DHL"})


def test_an_event_of_yespos_own_clients_stays_an_event(client: Client) -> None:
    event = client.event("orderCreated", externalCustomerId="C", externalOrderId="1", totalCost=1, currency="UAH")
    assert way(event) == "event_v2"
    assert way(order(client)) == "orders"


def test_an_order_is_larger_than_a_request() -> None:
    rows = sent(placed(), "orders")["orders"]
    assert len(rows) == 1
    assert len(send("orders", *[placed()] * 1001)) == 2
