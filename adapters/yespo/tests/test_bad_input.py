"""Whatever the bytes: the vendor's answers, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.yespo import ADAPTER
from adapters.yespo.tests.support import Client, body_of, send
from gateway import event as canonical
from gateway.adapter import EncodeError, Inbound, Rejected, Reply

SITE = "8A412DC"
CLIENT = Client(
    tracker_sites=[SITE], structures={"Declared": {"EmailAddress": True, "Name": False}}, contact_fields={"plan": 7}
)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12)
)
odd = st.sampled_from(
    ["null", "", " ", "[", '[{"a":1}]', '{"array":[]}', '{"array":[{"id":1}]}', "2025-03-22T14:30", "9" * 400, "é" * 90,
     "\x00", "<b>", 2**80, -(2**80), 1e300, "1e999", "NaN", [[[[]]]], {"": {"": None}}, "\u2028"]
)  # fmt: skip
values = st.recursive(
    scalars | odd, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
names = st.sampled_from(
    ["email", "EmailAddress", "phone", "externalCustomerId", "contactId", "pushToken", "ContactKey", "items",
     "products", "product", "cartItems", "category", "page", "contactJson", "json", "ip", "consent", "date", "status",
     "totalCost", "pageName", "recycleStateId", "firstName", "anonymousId", "Name"]
) | st.text(max_size=8)  # fmt: skip
types = st.sampled_from([shape.vendor_name for shape in ADAPTER.vocabulary.shapes()] + ["Declared", "X", "", 5, None])


def answered(method: str, path: str, body: Any) -> Reply:
    """Return the answer to a request; anything raised but a refusal is a failure."""
    try:
        decoded = CLIENT.ask(method, path, body)
    except Rejected as rejected:
        return rejected.reply
    for event in decoded.events:
        assert canonical.load(canonical.dump(event)) == event
    return decoded.reply


events = st.fixed_dictionaries(
    {"eventTypeKey": types, "params": st.lists(st.fixed_dictionaries({"name": names, "value": values}), max_size=6)},
    optional={"keyValue": values, "occurred": values},
)


@settings(max_examples=150, deadline=None)
@given(event=events, version=st.sampled_from(["v1", "v2", "v3"]))
def test_no_event_breaks_anything(event: Any, version: str) -> None:
    assert answered("POST", f"/api/{version}/event", event).status in (200, 400)


@settings(max_examples=60, deadline=None)
@given(st.lists(events, max_size=3))
def test_no_past_events_break_anything(rows: Any) -> None:
    assert answered("POST", "/api/v2/past_events", {"events": rows}).status in (200, 400)


@settings(max_examples=150, deadline=None)
@given(event=events)
def test_what_was_taken_can_be_sent_or_says_why_not(event: Any) -> None:
    try:
        taken = CLIENT.post("/api/v2/event", event).events
    except Rejected:
        return
    for one in taken:
        for name in ("event_v2", "past_events_v2"):
            try:
                (encoded,) = send(name, one)
            except EncodeError:
                continue
            json.loads(encoded.body)


members = st.dictionaries(
    st.sampled_from(
        ["channels", "firstName", "lastName", "address", "fields", "id", "externalCustomerId", "contactKey", "timeZone"]
    ),
    values
    | st.lists(
        st.fixed_dictionaries({"type": st.sampled_from(["email", "sms", "push", 5]), "value": values}), max_size=3
    )
    | st.lists(st.fixed_dictionaries({"id": values, "value": values}), max_size=3),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(contact=members)
def test_no_contact_breaks_anything(contact: Any) -> None:
    good = {**contact, "channels": [{"type": "email", "value": "a@example.com"}]}
    for method, path, body in (
        ("POST", "/api/v1/contact", contact),
        ("PUT", "/api/v1/contact/5", contact),
        ("POST", "/api/v1/contacts", {"contacts": [contact, good], "dedupeOn": "email"}),
        ("POST", "/api/v1/contact/subscribe", {"contact": contact, "groups": contact.get("fields"), "formType": 5}),
        ("POST", "/api/v1/contact/subscribe", {"contact": good}),
        ("POST", "/api/v1/auth/contact/token", contact),
    ):
        assert answered(method, path, body).status in (200, 400)
    for event in CLIENT.post("/api/v1/contact", good).events:
        for name in ("contact", "contacts"):
            json.loads(send(name, event)[0].body)


orders = st.dictionaries(
    st.sampled_from(
        [
            "externalOrderId",
            "totalCost",
            "status",
            "date",
            "currency",
            "email",
            "items",
            "additionalInfo",
            "shipping",
            "x",
        ]
    ),
    values | st.sampled_from(["INITIALIZED", "2026-01-01", "USD", 5]),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(change=orders)
def test_no_order_breaks_anything(change: Any) -> None:
    order = {
        "externalOrderId": "1",
        "totalCost": 5,
        "status": "DELIVERED",
        "date": "2026-01-01T00:00:00Z",
        "currency": "USD",
        "email": "a@example.com",
        **change,
    }
    assert answered("POST", "/api/v1/orders", {"orders": [order, change]}).status == 200
    for event in CLIENT.post("/api/v1/orders", {"orders": [order]}).events:
        json.loads(send("orders", event)[0].body)


@settings(max_examples=150, deadline=None)
@given(
    info=st.dictionaries(st.sampled_from(["datetime", "cookies", "user_email", "externalCustomerId", "x"]), values),
    name=st.sampled_from(
        ["ProductPage", "CategoryPage", "StatusCart", "PurchasedItems", "ProductImpressions", "X", "?"]
    ),
    payload=st.dictionaries(st.sampled_from(["Product", "Products", "Category", "GUID", "items"]), values) | values,
)
def test_no_visit_breaks_anything(info: Any, name: str, payload: Any) -> None:
    body = {"GeneralInfo": {"siteId": SITE, "eventName": name, **info}, name: payload, "ProductImpression": payload}
    assert answered("POST", "/api/v2", body).status in (200, 400)


WRITING = [entry for entry in ADAPTER.inbound if entry.method in ("POST", "PUT", "DELETE")]


@pytest.mark.parametrize("entry", WRITING, ids=lambda entry: entry.name)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"null", b"[]", b'"x"', b"[" * 20_000, b'{"a":' * 20_000, b"9" * 5_000, b'{"a":1e999}',
     b'"\\ud800"', b'{"params":[{"name":"\\ud800","value":1}]}', b"\xef\xbb\xbf{}", b"{}" + b" " * 100 + b"x"],
)  # fmt: skip
def test_no_bytes_break_anything(entry: Inbound, body: bytes) -> None:
    path = entry.path.replace("{id}", "5")
    assert answered(entry.method, path, body).status in (200, 400)


def test_a_nested_text_of_its_own_depth_stays_text() -> None:
    deep = "[" * 200 + "]" * 200
    event = CLIENT.event("X", email="a@example.com", deep=deep, deeper="[" * 9_000)
    assert event.properties == {"deep": deep, "deeper": "[" * 9_000}
    nested: Any = []
    for _ in range(60):
        nested = [nested]
    assert CLIENT.refusal("POST", "/api/v2/event", body_of("X", email="a@example.com", deep=nested)).status == 400


@pytest.mark.parametrize("text", ["[" * 9_000 + "]" * 9_000, '{"a":' * 3_000, "[{}," * 4_000, '["' * 6_000])
def test_text_that_is_almost_json_stays_text(text: str) -> None:
    assert CLIENT.event("X", email="a@example.com", deep=text).properties == {"deep": text}


def test_no_answer_repeats_what_was_sent() -> None:
    secret = "canary-5ecre7"
    for body in (
        body_of("X", key=f"<{secret}"),
        body_of(f"<{secret}", email="a@example.com"),
        body_of("X", email=f"<{secret}"),
        body_of("X", **{f"{secret}" * 20: 1}),
        body_of("X", email="a@example.com", contactJson={"firstname": f"<{secret}", "sms": secret}),
        {"eventTypeKey": "X", "params": [{"name": [secret], "value": 1}]},
    ):
        assert secret.encode() not in CLIENT.refusal("POST", "/api/v2/event", body).body
