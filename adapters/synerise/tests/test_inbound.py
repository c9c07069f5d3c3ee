"""What requests mean, endpoint by endpoint; published requests are checked by the contract suite."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.synerise.decode import dedicated_name
from adapters.synerise.options import SourceOptions
from adapters.synerise.tests.support import RECEIVED, ask, custom, errors, event, post, refusal
from adapters.synerise.wire import DEDICATED
from gateway.event import Commerce, ConsentChange, Item, Profile

CART = {"sku": "MUG-01", "quantity": 2, "finalUnitPrice": {"amount": 9.5, "currency": "EUR"}}
NEEDS: dict[str, dict[str, Any]] = {
    "added-to-cart": CART,
    "removed-from-cart": CART,
    "application-started": {"applicationName": "Shop", "version": "1"},
    "appeared-in-location": {"lat": 50.06, "lon": 19.9},
    "assigned-to-company": {"companyId": 7},
    "item-search-click": {"correlationId": "c", "item": "i", "position": 1, "searchType": "autocomplete"},
}
WHO = {"client": {"customId": "4471"}}
ORDER: dict[str, Any] = {**WHO, "orderId": "1", "products": [{"sku": "A", "name": "A", "quantity": 1}]}


# --- events ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DEDICATED)
def test_a_dedicated_endpoint_and_its_type_in_a_batch_mean_the_same(path: str) -> None:
    body = {"label": "L", **WHO, "params": NEEDS.get(path, {"a": 1})}
    (alone,) = post(f"events/{path}", body).events
    (batched,) = post("events/batch", [{**body, "type": path}]).events
    assert (alone.kind, alone.name, alone.commerce, alone.properties, alone.context) == (
        batched.kind,
        batched.name,
        batched.commerce,
        batched.properties,
        batched.context,
    )
    assert (alone.source.endpoint, batched.source.endpoint) == (dedicated_name(path), "events_batch")


def test_the_answer_is_202_without_a_body() -> None:
    answer = post("events/custom", {"action": "a.b", "label": "x", **WHO}).reply
    assert (answer.status, answer.headers, answer.body) == (202, (), b"")


def test_the_names_of_a_shop() -> None:
    names = {
        "product.view": "Product Viewed",
        "product.addToCart": "Product Added",
        "product.removeFromCart": "Product Removed",
        "product.addToFavorite": "Product Added to Wishlist",
        "product.removeFromFavorites": "Product Removed from Wishlist",
        "client.search": "Products Searched",
        "cart.status": "Cart Updated",
        "transaction.charge": "Order Completed",
        "product.buy": "Ordered Product",
        "transaction.cancel": "Order Cancelled",
        "client.register": "Signed Up",
        "client.login": "Signed In",
        "client.logout": "Signed Out",
        "client.applicationStarted": "Application Opened",
        "newsletter.open": "Email Opened",
        "newsletter.click": "Email Link Clicked",
        "newsletter.unsubscribe": "Unsubscribed",
        "marketingAgreement.turnOn": "Subscribed",
        "push.click": "Push Notification Tapped",
        "recommendation.view": "recommendation.view",
        "quiz.done": "quiz.done",
    }
    assert {action: event(action).name for action in names} == names
    assert [event(action).kind for action in ("page.visit", "screen.view", "client.assignToCompany")] == [
        "page",
        "screen",
        "group",
    ]


def test_a_cart_event_is_a_product_with_its_price() -> None:
    found = event("product.addToCart", {**CART, "name": "Mug", "producer": "P", "ItemUrlAddress": "https://a/x"})
    item = Item(sku="MUG-01", name="Mug", brand="P", quantity=Decimal(2), price=Decimal("9.5"), url="https://a/x")
    assert found.commerce == Commerce(currency="EUR", items=(item,))
    assert found.properties == {}


def test_a_view_is_a_product_by_its_id() -> None:
    found = event("product.view", {"productId": "MUG-01", "name": "Mug", "url": "https://a/x", "category": "Mugs"})
    assert found.commerce == Commerce(
        items=(Item(product_id="MUG-01", name="Mug", url="https://a/x", categories=("Mugs",)),)
    )


def test_identifiers_of_an_event() -> None:
    found = event(client={"id": 5092150001, "customId": "4471", "uuid": "u-1", "email": "ana@example.com"})
    assert found.profile == Profile(
        user_id="4471", anonymous_id="u-1", email="ana@example.com", vendor_ids={"synerise": "5092150001"}
    )


def test_time_and_key_are_the_clients_or_missing() -> None:
    assert (event().occurred_at, event().dedupe_key) == (None, None)
    found = event(time="2025-03-01T11:20:00+01:00", eventSalt="s-1")
    assert (found.occurred_at, found.dedupe_key) == (datetime(2025, 3, 1, 10, 20, tzinfo=UTC), "s-1")


def test_a_batch_may_mix_types_and_people_and_may_be_empty() -> None:
    rows = [custom(), {"type": "logged-in", "label": "in", "client": {"email": "joao@example.com"}}]
    assert [found.name for found in post("events/batch", rows).events] == ["quiz.done", "Signed In"]
    assert post("events/batch", []).events == []


def test_a_batch_has_a_thousand_events_at_most() -> None:
    assert len(post("events/batch", [custom()] * 1000).events) == 1000
    assert errors("events/batch", [custom()] * 1001) == [""]


def test_a_page_and_a_screen_have_context() -> None:
    page = event("page.visit", {"url": "https://a/", "title": "A", "utm_source": "x"})
    assert (page.name, page.context.page and page.context.page.url) == ("Page", "https://a/")
    assert page.context.campaign
    assert page.context.campaign.source == "x"
    assert event("screen.view", {"screenName": "Basket"}).context.screen == "Basket"


def test_an_application_that_starts_has_a_device() -> None:
    found = event("client.applicationStarted", {"applicationName": "S", "version": "3", "os": "ios", "deviceID": "d"})
    assert found.context.app
    assert (found.context.app.name, found.context.app.version) == ("S", "3")
    assert found.context.device
    assert found.context.device.os_name == "ios"
    assert found.profile.device_id == "d"


# --- transactions ----------------------------------------------------------------------------------------


def test_a_transaction_is_an_order_with_its_lines() -> None:
    body = {
        **ORDER,
        "revenue": {"amount": 43.1, "currency": "EUR"},
        "value": {"amount": 35, "currency": "EUR"},
        "discountAmount": {"amount": 5, "currency": "EUR"},
        "paymentInfo": {"method": "CARD"},
        "source": "POS",
        "recordedAt": "2025-03-01T10:20:00.000Z",
        "eventSalt": "o-1",
        "metadata": {"discountCode": "SPRING", "storeId": 1},
    }
    (found,) = post("transactions", body).events
    assert (found.name, found.dedupe_key, found.occurred_at) == (
        "Order Completed",
        "o-1",
        datetime(2025, 3, 1, 10, 20, tzinfo=UTC),
    )
    assert found.commerce == Commerce(
        order_id="1",
        total=Decimal("43.1"),
        revenue=Decimal(35),
        discount=Decimal(5),
        coupon="SPRING",
        currency="EUR",
        items=(Item(sku="A", name="A", quantity=Decimal(1)),),
    )
    assert found.properties == {"payment_method": "CARD", "source": "POS", "storeId": 1}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"client": {}}, "client"),
        ({"orderId": ""}, "orderId"),
        ({"orderId": None}, "orderId"),
        ({"products": None}, "products"),
        ({"products": [5]}, "products[0]"),
        ({"products": [{"finalUnitPrice": {"amount": "a lot"}}]}, "products[0].finalUnitPrice.amount"),
        ({"products": [{"finalUnitPrice": 5}]}, "products[0].finalUnitPrice.amount"),
        ({"revenue": {"currency": "EUR"}}, "revenue.amount"),
        ({"value": {"amount": True, "currency": "EUR"}}, "value.amount"),
        ({"recordedAt": "yesterday"}, "recordedAt"),
    ],
)
def test_a_transaction_that_is_refused(change: dict[str, Any], field: str) -> None:
    assert errors("transactions", {**ORDER, **change}) == [field]
    assert errors("transactions/batch", [ORDER, {**ORDER, **change}]) == [f"[1].{field}"]


def test_lines_are_events_of_their_own_where_the_source_asks_for_them() -> None:
    rows = [{"sku": "A", "finalUnitPrice": {"amount": 2, "currency": "EUR"}}, {"sku": "B"}]
    body = {**ORDER, "products": rows, "eventSalt": "o-1", "recordedAt": "2025-03-01T10:20:00.000Z"}
    more = {"options": SourceOptions(order_lines=True)}
    order, first, second = post("transactions", body, **more).events
    assert [one.name for one in (order, first, second)] == ["Order Completed", "Ordered Product", "Ordered Product"]
    assert [one.dedupe_key for one in (order, first, second)] == ["o-1", "o-1#0", "o-1#1"]
    assert first.commerce == Commerce(order_id="1", currency="EUR", items=(Item(sku="A", price=Decimal(2)),))
    assert second.occurred_at == order.occurred_at
    assert len({one.id for one in (order, first, second)}) == 3
    assert len(post("transactions/batch", [body, body], **more).events) == 6
    assert len(post("transactions", body).events) == 1
    assert [one.dedupe_key for one in post("transactions", ORDER, **more).events] == [None, None]


# --- profiles --------------------------------------------------------------------------------------------


def profile(body: dict[str, Any], **more: Any) -> Any:
    (found,) = post("clients", body, **more).events
    return found


def test_a_profile_is_an_identify() -> None:
    found = profile(
        {
            "email": "ana@example.com",
            "customId": "4471",
            "uuid": "u-1",
            "phone": "+48 600 100 200",
            "firstName": "Ana",
            "sex": "FEMALE",
            "birthDate": "1990-05-03",
            "city": "Krakow",
            "tags": ["vip"],
            "attributes": {"tier": "gold", "jobTitle": "Cook"},
        }
    )
    assert (found.kind, found.name) == ("identify", "Identify")
    assert (found.profile.user_id, found.profile.email, found.profile.phone) == (
        "4471",
        "ana@example.com",
        "+48 600 100 200",
    )
    assert (found.profile.gender, found.profile.birth_date, found.profile.title) == ("FEMALE", "1990-05-03", "Cook")
    assert found.profile.location.city == "Krakow"
    assert found.profile.traits == {"tags": ["vip"], "tier": "gold"}


@pytest.mark.parametrize(
    ("agreements", "expected"),
    [
        ({"email": True, "sms": False}, [("email", True), ("sms", False)]),
        ({"email": 1, "webpush": 0}, [("email", True), ("web", False)]),
        ({"push": "True", "webPush": "false"}, [("push", True), ("web", False)]),
        ({"bluetooth": True, "unknown": "x"}, []),
    ],
)
def test_agreements_are_permissions(agreements: dict[str, Any], expected: list[tuple[str, bool]]) -> None:
    found = profile({"customId": "1", "agreements": agreements})
    assert found.consent == tuple(ConsentChange(granted=granted, channel=channel) for channel, granted in expected)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"firstName": "Nobody"}, ""),
        ({"email": ""}, ""),
        ({"email": "not-an-email"}, "email"),
        ({"phone": "call me"}, "phone"),
        ({"customId": "smile \U0001f600"}, "customId"),
        ({"customId": "1", "agreements": {"email": "maybe"}}, "agreements.email"),
        ({"customId": "1", "agreements": {"sms": 2}}, "agreements.sms"),
        (5, ""),
    ],
)
def test_a_profile_that_is_refused_is_told_in_a_batch_and_spoils_only_itself(body: Any, field: str) -> None:
    assert errors("clients", body) == [field]
    found = post("clients/batch", [{"customId": "1"}, body, {"customId": "2"}])
    assert found.reply.status == 207
    assert [error["field"] for error in json.loads(found.reply.body)] == [field]
    assert [one.profile.user_id for one in found.events] == ["1", "2"]


def test_a_batch_of_good_profiles_is_202_and_empty() -> None:
    found = post("clients/batch", [{"customId": "1"}])
    assert (found.reply.status, found.reply.body) == (202, b"")


def test_an_update_is_about_whom_the_path_names() -> None:
    (by_id,) = ask("POST", "/v4/clients/5092150001", {"lastName": "Nowak"}).events
    (by_email,) = ask("POST", "/v4/clients/by-email/ana@example.com", {"lastName": "Nowak"}).events
    (by_custom,) = ask("POST", "/v4/clients/by-customid/4471", {"lastName": "Nowak"}).events
    assert by_id.profile.vendor_ids == {"synerise": "5092150001"}
    assert (by_email.profile.email, by_custom.profile.user_id) == ("ana@example.com", "4471")
    assert refusal("POST", "/v4/clients/someone", {}).status == 404


def test_instant_tells_the_id_that_the_person_has() -> None:
    body = {"email": "ana@example.com"}
    known = {"5092150001": Profile(email="ana@example.com")}
    assert json.loads(post("clients/instant", body, known=known).reply.body) == "5092150001"
    minted = json.loads(post("clients/instant", body).reply.body)
    assert minted.isdigit()
    assert len(minted) == 10


def test_reads_know_identifiers_and_nothing_else() -> None:
    known = {"5092150001": Profile(email="ana@example.com", user_id="4471")}
    told = {"clientId": 5092150001, "email": "ana@example.com", "customId": "4471"}
    for path in ("by-email/ana@example.com", "by-customid/4471", "5092150001"):
        assert json.loads(ask("GET", f"/v4/clients/{path}", known=known).reply.body) == told
    for path in ("by-email/joao@example.com", "by-shoe/42", "1", "someone"):
        assert refusal("GET", f"/v4/clients/{path}", known=known).status == 404


def test_a_merge_is_an_alias_for_each_that_goes() -> None:
    events = ask("POST", "/v4/clients/merge/from/ids/2,3/to/id/1").events
    assert [(one.kind, one.profile.vendor_ids, one.properties) for one in events] == [
        ("alias", {"synerise": "1"}, {"previous_id": "2"}),
        ("alias", {"synerise": "1"}, {"previous_id": "3"}),
    ]
    assert refusal("POST", "/v4/clients/merge/from/ids/2,,3/to/id/1").status == 404


def test_a_linked_device_has_a_push_token() -> None:
    body = {"deviceId": "d-1", "registrationId": "fcm-1", "type": "android"}
    (found,) = ask("POST", "/v4/clients/1/linked-devices", body).events
    assert (found.kind, found.profile.device_id, found.profile.push_tokens) == ("identify", "d-1", ("fcm-1",))
    assert refusal("POST", "/v4/clients/1/linked-devices", {**body, "type": "fridge"}).status == 400


# --- flat events -----------------------------------------------------------------------------------------


def test_flat_events_are_about_the_uuid_they_name() -> None:
    body = {"clientUUID": "u-1", "correlationId": "c", "items": ["A"], "EventTimestamp": "2025-03-01T10:15:30.000Z"}
    (found,) = post("events/ai-compat/recommendation.view", body).events
    assert (found.name, found.profile) == ("recommendation.view", Profile(anonymous_id="u-1"))
    assert found.occurred_at == datetime(2025, 3, 1, 10, 15, 30, tzinfo=UTC)
    assert found.properties == {"correlationId": "c", "items": ["A"]}


def test_a_flat_batch_has_one_type() -> None:
    body = {"eventType": "product.search.click", "items": [{"clientUUID": "u", "productId": "A"}] * 2}
    assert [one.name for one in post("events/ai-compat/batch", body).events] == ["product.search.click"] * 2
    assert errors("events/ai-compat/batch", {**body, "eventType": "other"}) == ["eventType"]
    assert errors("events/ai-compat/batch", {**body, "items": [{}]}) == ["items[0].clientUUID"]
    assert errors("events/ai-compat/batch", {**body, "items": {}}) == ["items"]


def test_nothing_is_made_up_of_the_time_of_arrival() -> None:
    assert event().received_at == RECEIVED
    assert event().occurred_at is None
