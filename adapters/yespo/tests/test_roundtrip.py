"""What a client of Yespo sent comes out for Yespo as it was."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.yespo.tests.equalities import normalise
from adapters.yespo.tests.support import Client, send, way
from gateway.event import Event


def there_and_back(path: str, body: Any, **options: Any) -> Any:
    """Return what the events of one request become, in the form in which equal ones are identical."""
    events = Client(**options).post(path, body).events
    (name,) = {way(event) if len(events) == 1 else _bulk(event) for event in events}
    encoded = send(name, *events)
    assert [loss for one in encoded for loss in one.lost] == []
    return [normalise(name, json.loads(one.body)) for one in encoded]


def _bulk(event: Event) -> str:
    return "contacts" if event.kind == "identify" else way(event)


texts = st.text("abc XYZ0123.-_@+", min_size=1, max_size=10)
plain = st.none() | st.booleans() | st.integers(-999, 999) | texts | st.lists(texts, max_size=2)
keys = st.sampled_from(["productId", "externalItemId", "id", "price", "cost", "quantity", "category", "x"])
rows = st.lists(st.dictionaries(keys, texts | st.integers(0, 99), min_size=1), min_size=1, max_size=3)
structures: st.SearchStrategy[Any] = (
    rows | rows.map(lambda value: {"array": value}) | rows.map(json.dumps) | st.just([]) | st.just("[]")
)
params = st.dictionaries(texts.filter(lambda name: name.strip() != ""), plain, max_size=3)
lines = st.dictionaries(st.sampled_from(["items", "products", "cartItems", "product"]), structures, max_size=2)
people = st.dictionaries(
    st.sampled_from(
        ["email", "EmailAddress", "Phone", "externalCustomerId", "ContactId", "pushToken", "contactKey", "firstName"]
    ),
    texts | st.integers(1, 99) | st.none() | st.just("null"),
    min_size=1,
)
others = st.fixed_dictionaries(
    {},
    optional={
        "totalCost": st.sampled_from(["12.10", 12.1, "free", 0]),
        "currencyCode": st.just("UAH"),
        "cartId": texts,
        "status": texts,
        "date": st.sampled_from(["2026-01-01T10:00:00", "2026-01-01", "yesterday"]),
        "page": st.sampled_from(['{"location": "https://x.example"}', {"location": "u", "title": "t"}, "text", {}]),
        "category": st.sampled_from(['{"productCategoryId":"7"}', "mugs", {"a": 1}]),
        "contactJson": st.sampled_from([{"firstname": "Nina", "sms": "+380671234567"}, '{"town": "Lviv"}']),
        "ip": st.just("203.0.113.7"),
        "pageName": texts,
    },
)
types = st.sampled_from(
    ["productViewed", "cartUpdated", "orderCreated", "ORDERUPDATED", "pageViewed", "PageView", "productCategoryViewed",
     "searchRequest", "AbandonedCart", "ContactUpdated", "ScreenViewed", "PushNotificationsSubscribed",
     "Registration form"]
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(type_key=types, person=people, free=params, line=lines, other=others, key=st.none() | texts.filter(str.strip))
def test_a_live_event(type_key: str, person: Any, free: Any, line: Any, other: Any, key: str | None) -> None:
    given = {**free, **line, **other, **person}
    body: dict[str, Any] = {"eventTypeKey": type_key, "params": [{"name": n, "value": v} for n, v in given.items()]}
    body["keyValue"] = key or "a@example.com"
    assert there_and_back("/api/v2/event", body) == [normalise("event_v2", body)]


CONTACT: dict[str, Any] = {
    "channels": [{"type": "email", "value": "mail@example.com"}, {"type": "sms", "value": "380942583691"}],
    "firstName": "John",
    "address": {"town": "London", "house": "5"},
    "fields": [{"id": 12345, "value": 5}],
    "addressBookId": 7,
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"firstName": " "},
        {"fields": [{"id": "7", "value": "a"}, {"id": "7", "value": "b"}]},
        {
            "channels": [
                {"type": "webpush", "value": "t", "device": {"a": 1}},
                {"type": "email", "value": "a@b.example"},
            ]
        },
        {"channels": [{"type": "email", "value": "a@b.example"}, {"type": "email", "value": "c@b.example"}]},
        {"contactKey": "K", "externalCustomerId": "null", "languageCode": 5},
    ],
)
def test_a_contact(change: dict[str, Any]) -> None:
    body = {**CONTACT, **change}
    assert there_and_back("/api/v1/contact", body) == [body]
    bulk = {
        "contacts": [body, {**body, "channels": [{"type": "sms", "value": "1"}]}],
        "dedupeOn": "sms",
        "groupNames": ["A"],
    }
    assert there_and_back("/api/v1/contacts", bulk) == [normalise("contacts", bulk)]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"groups": ["A", "B"], "formType": "x"},
        {"groups": ["A", "A"]},
        {"groups": "A"},
        {"subscriptions": ["w"], "formType": 5},
    ],
)
def test_a_subscription(change: dict[str, Any]) -> None:
    body = {"contact": CONTACT, **change}
    assert there_and_back("/api/v1/contact/subscribe", body) == [body]


def test_a_contact_with_settings_of_a_bulk_goes_in_one() -> None:
    body = {"contacts": [CONTACT], "dedupeOn": "email", "groupNames": ["A"]}
    (event,) = Client().post("/api/v1/contacts", body).events
    assert json.loads(send("contacts", event)[0].body) == body


def test_a_change_on_the_way_is_seen() -> None:
    """A route that changes a value gets the new one sent, not what the client wrote."""
    client = Client()
    event = client.event("cartUpdated", EmailAddress="a@example.com", products='[{"productId":"1", "price":"4.50"}]')
    assert event.commerce is not None
    item = msgspec.structs.replace(event.commerce.items[0], product_id="2")
    changed = msgspec.structs.replace(
        event,
        profile=msgspec.structs.replace(event.profile, email="b@example.com"),
        commerce=msgspec.structs.replace(event.commerce, items=(item,)),
    )
    (encoded,) = send("event_v2", changed)
    found = {param["name"]: param["value"] for param in json.loads(encoded.body)["params"]}
    assert found == {"email": "b@example.com", "products": '[{"productId":"2","price":"4.50"}]'}
