"""Credentials, answers to the letter, and every refusal."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.blueshift import ADAPTER
from adapters.blueshift.auth import EITHER, USER
from adapters.blueshift.tests.support import EVENT_KEY, USER_KEY, Client, Crowd, basic, headers_of, parsed
from gateway.adapter import Refusal, RefusalKind, Rejected
from gateway.event import Profile

EVENT = "/api/v1/event"
VIEW = {"event": "view", "customer_id": "C-1", "product_id": "TEA-014"}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        basic(EVENT_KEY),
        f"Basic {encoded(EVENT_KEY)}",
        encoded(f"{EVENT_KEY}:"),
        encoded(EVENT_KEY),
        f"basic  {encoded(f'{EVENT_KEY}:')}",
        f"Basic {encoded(f'{EVENT_KEY}:some password')}",
        f"Basic {encoded(f'{EVENT_KEY}:').rstrip('=')}",
    ],
)
def test_a_credential_is_read_in_each_header_spelling(client: Client, header: str) -> None:
    assert client.present(Authorization=header) == EVENT_KEY


@pytest.mark.parametrize("query", ["apiKey=K%2B1", "x=K%2B1", "site_id=9&x=K%2B1"])
def test_a_credential_is_read_from_the_query(client: Client, query: str) -> None:
    assert client.present(f"/api/v1/event?{query}") == "K+1"


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic ", "Bearer abc", f"Bearer {encoded('k:')}", "Basic !!!", "Basic OjpwYXNz", "Basic /w=="],
)
def test_an_unreadable_credential_is_not_authorized(client: Client, header: str) -> None:
    with pytest.raises(Rejected) as caught:
        client.present(Authorization=header)
    assert caught.value.reply.status == 401
    assert parsed(caught.value.reply) == {"message": "Not authorized"}


def test_no_credential_is_not_authorized(client: Client) -> None:
    with pytest.raises(Rejected) as caught:
        client.present("/api/v1/event?x=")
    assert caught.value.reply.status == 401


def test_either_class_of_key_sends_events_and_only_the_user_key_writes_customers() -> None:
    account = {"event_api_key": EVENT_KEY, "user_api_key": USER_KEY}
    assert [EITHER.matches(key, account) for key in (EVENT_KEY, USER_KEY, "other")] == [True, True, False]
    assert [USER.matches(key, account) for key in (EVENT_KEY, USER_KEY, "other")] == [False, True, False]
    used = {entry.name: entry.auth for entry in ADAPTER.inbound}
    assert {name for name, auth in used.items() if auth is USER} == {
        "customers",
        "customers_bulk",
        "customers_search",
        "customers_read",
    }
    assert all(auth in (USER, EITHER) for auth in used.values())


# --- answers to the letter -------------------------------------------------------------------------------


def test_a_single_event_is_answered_in_upper_case(client: Client) -> None:
    reply = client.post("event", VIEW).reply
    assert (reply.status, reply.body) == (200, b'{"status":"OK"}')
    assert headers_of(reply) == {
        b"Content-Type": b"application/json",
        b"X-Request-Id": b"0c0b1a6e-53c1-4a0d-8b1c-6a54a7d8f101",
    }


@pytest.mark.parametrize("count", [0, 1, 30, 100, 1000])
def test_bulk_is_answered_in_lower_case_with_the_number_received(client: Client, count: int) -> None:
    decoded = client.post("bulkevents", {"events": [VIEW] * count})
    assert decoded.reply.body == b'{"status":"ok","count":%d}' % count
    assert len(decoded.events) == count


def test_bulk_takes_rows_of_mixed_quality(client: Client) -> None:
    rows = [VIEW, {"event": "has spaces", "x": 1}, {"event": "view"}, {"customer_id": "C-2"}, {"event": ""}, {}]
    decoded = client.post("bulkevents", {"events": rows})
    assert decoded.reply.body == b'{"status":"ok","count":6}'
    assert [event.name for event in decoded.events] == [
        "Product Viewed",
        "has spaces",
        "Product Viewed",
        "unnamed",
        "unnamed",
        "unnamed",
    ]


def test_customers_bulk_lists_failed_rows_alone(client: Client) -> None:
    rows = [
        {"email": "a@example.com"},
        {"lastname": "Haddad", "customer_id": None},
        {"customer_id": 7},
        5,
        {"email": " "},
    ]
    decoded = client.post("customers/bulk", {"customers": rows})
    failure = {"status": 400, "error_data": {"user_identifier_missing": ["No valid identifier found"]}}
    assert parsed(decoded.reply) == {"customers": [rows[1], rows[3], rows[4]], "errors": [failure] * 3}
    assert [event.profile.email or event.profile.user_id for event in decoded.events] == ["a@example.com", "7"]


def test_customers_bulk_answers_two_empty_lists_when_all_is_stored(client: Client) -> None:
    assert client.post("customers/bulk", {"customers": []}).reply.body == b'{"customers":[],"errors":[]}'


def test_a_customer_is_answered_as_an_object(client: Client) -> None:
    row = {
        "email": "tomas.reyes@example.com",
        "customer_id": "C-20419",
        "firstname": "Tomas",
        "favorite_store": "Camden",
        "subscription_groups": [{"id": "newsletter", "subscribed": True}],
    }
    customer = parsed(client.post("customers", row).reply)["customer"]
    assert "status" not in customer
    assert {
        key: customer[key] for key in ("email", "email_domain", "email_hash", "firstname", "custom_attributes")
    } == {
        "email": "tomas.reyes@example.com",
        "email_domain": "example.com",
        "email_hash": "729541b15922cb68c85ece1f34f5235b",
        "firstname": "Tomas",
        "custom_attributes": {"favorite_store": "Camden"},
    }
    assert (customer["email_hard_bounced"], customer["email_spam_reported"]) == (False, "false")
    assert customer["created_at"] == customer["joined_at"] == "2026-11-21T12:00:00Z"
    assert 1 <= int(customer["bsft_control_bucket"]) <= 100
    again = parsed(client.post("customers", {"customer_id": "C-20419"}).reply)["customer"]
    assert again["uuid"] == customer["uuid"]


def test_a_known_customer_can_be_read(client: Client) -> None:
    client.crowd = Crowd({"u-1": Profile(email="a@example.com", user_id="C-1")})
    found = parsed(client.ask("GET", "/api/v1/customers?email=a%40example.com").reply)
    assert found["user"]["uuid"] == found["users"][0]["uuid"] == "u-1"
    assert parsed(client.ask("GET", "/api/v1/customers/u-1").reply)["user"]["customer_id"] == "C-1"


@pytest.mark.parametrize("path", ["customers?email=b@example.com", "customers", "customers/u-2"])
def test_an_unknown_customer_is_not_found(client: Client, path: str) -> None:
    reply = client.refusal("GET", f"/api/v1/{path}")
    assert (reply.status, parsed(reply)) == (404, {"message": "Not Found"})


# --- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"customer_id": "C-1"}, "event"),
        ({"event": "", "customer_id": "C-1"}, "event"),
        ({"event": "  ", "customer_id": "C-1"}, "event"),
        ({"event": None}, "event"),
        ({"event": ["view"]}, "event"),
        ({"event": "purchase", "order_id": "SO-88299"}, "customer_id"),
        ({"event": "purchase", "customer_id": None, "email": ""}, "customer_id"),
    ],
)
def test_a_single_event_needs_a_name_and_somebody(client: Client, body: dict[str, Any], field: str) -> None:
    reply = client.refusal("POST", EVENT, body)
    assert (reply.status, parsed(reply)) == (400, {"errors": [{field: "can't be blank"}]})


@pytest.mark.parametrize("key", ["customer_id", "email", "device_id", "cookie", "group_id", "phone_number", "uuid"])
def test_any_identifier_is_enough(client: Client, key: str) -> None:
    assert client.post("event", {"event": "view", key: "1"}).reply.status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "events"), ({"events": None}, "events"), ({"events": {}}, "events"), ({"events": [1]}, "event")],
)
def test_bulk_needs_a_list_of_objects(client: Client, body: Any, field: str) -> None:
    reply = client.refusal("POST", "/api/v1/bulkevents", body)
    assert (reply.status, parsed(reply)) == (400, {"errors": [{field: "can't be blank"}]})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"event":"\xff"}',
        b'{"event":"view","customer_id":"1","n":1e999}',
        b'{"event":"view","customer_id":"1","s":"\\ud800"}',
        b'{"a":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
)
def test_a_body_that_is_no_object_does_not_parse(client: Client, body: bytes) -> None:
    for path in ("event", "bulkevents", "customers", "event/segmentio"):
        reply = client.refusal("POST", f"/api/v1/{path}", body)
        assert reply.status == 400
        assert parsed(reply)["status"] == 400
        assert parsed(reply)["error"].startswith("Json Parse error: ")
    reply = client.refusal("POST", "/api/v1/customers/bulk", body)
    assert (reply.status, reply.body) == (400, b'{"error":"bad_request"}')


@pytest.mark.parametrize("body", [{}, {"customers": None}, {"customers": {"email": "a@example.com"}}])
def test_customers_bulk_has_its_own_bad_request(client: Client, body: Any) -> None:
    reply = client.refusal("POST", "/api/v1/customers/bulk", body)
    assert (reply.status, reply.body) == (400, b'{"error":"bad_request"}')


@pytest.mark.parametrize("row", [{}, {"firstname": "A"}, {"email": None, "customer_id": ""}, {"uuid": "u-1"}])
def test_a_customer_needs_an_email_or_an_id(client: Client, row: Any) -> None:
    reply = client.refusal("POST", "/api/v1/customers", row)
    assert (reply.status, parsed(reply)) == (400, {"errors": [{"customer_id": "can't be blank"}]})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("customers/bulk", {"customers": [{"email": "a@example.com"}] * 51}),
        ("bulkevents", {"events": [{"event": "view"}] * 1001}),
    ],
)
def test_too_many_rows_are_too_large(client: Client, path: str, body: Any) -> None:
    reply = client.refusal("POST", f"/api/v1/{path}", body)
    assert (reply.status, parsed(reply)) == (413, {"message": "Payload Too Large"})


def test_the_core_is_told_the_body_limit() -> None:
    assert {entry.max_body for entry in ADAPTER.inbound} == {1_048_576}


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        (RefusalKind.BAD_CREDENTIAL, 401, {"message": "Not authorized"}),
        (RefusalKind.NOT_FOUND, 404, {"status": "404", "error": "Not Found"}),
        (RefusalKind.METHOD_NOT_ALLOWED, 404, {"status": "404", "error": "Not Found"}),
        (RefusalKind.TOO_LARGE, 413, {"message": "Payload Too Large"}),
        (RefusalKind.BAD_ENCODING, 400, {"status": 400, "error": "Json Parse error: unexpected token"}),
        (RefusalKind.THROTTLED, 429, {"message": "Rate limit exceeded"}),
        (RefusalKind.UNAVAILABLE, 503, {"message": "Service Unavailable"}),
        (RefusalKind.INTERNAL, 500, {"message": "Internal Server Error"}),
    ],
)
def test_each_refusal_has_the_vendors_answer(client: Client, kind: RefusalKind, status: int, body: Any) -> None:
    reply = ADAPTER.refuse(Refusal(kind, retry_after=3, allowed=("POST",)), client.request("GET", "/nowhere"))
    assert (reply.status, parsed(reply)) == (status, body)
    headers = headers_of(reply)
    assert headers[b"X-Request-Id"] == b"0c0b1a6e-53c1-4a0d-8b1c-6a54a7d8f101"
    assert headers.get(b"Retry-After") == (b"3" if kind is RefusalKind.UNAVAILABLE else None)
    assert b"Allow" not in headers


# --- the other ways in -----------------------------------------------------------------------------------


def test_the_pixel_carries_an_event(client: Client) -> None:
    query = (
        "x=KEY&t=1772643009&e=pageload&r=https%3A%2F%2Fwww.example.com%2F&z=81&k=c41d7e90-52ab-4f3e-9d11-7a8be0f3c625"
        "&u=https%3A%2F%2Fshop.example.com%2Fteapots&tier=gold&filters_json=%7B%22price%22%3A%220-25%22%7D&bad_json=%7B"
    )
    decoded = client.ask("GET", f"/unity.gif?{query}")
    (event,) = decoded.events
    assert (event.kind, event.profile.anonymous_id) == ("page", "c41d7e90-52ab-4f3e-9d11-7a8be0f3c625")
    assert event.occurred_at == datetime(2026, 3, 4, 16, 50, 9, tzinfo=UTC)
    assert event.context.page is not None
    assert event.context.page.url == "https://shop.example.com/teapots"
    assert event.context.page.referrer == "https://www.example.com/"
    assert event.properties == {"tier": "gold", "filters": {"price": "0-25"}, "bad": "{"}
    assert decoded.reply.status == 200
    assert headers_of(decoded.reply)[b"Content-Type"] == b"image/gif"
    assert decoded.reply.body.startswith(b"GIF89a")


@pytest.mark.parametrize("query", ["x=KEY", "x=KEY&e=view", "x=KEY&e=&k=1"])
def test_a_pixel_without_an_event_or_anybody_is_refused(client: Client, query: str) -> None:
    assert client.refusal("GET", f"/unity.gif?{query}").status == 400


def test_a_pixel_with_absurdly_many_keys_is_too_large(client: Client) -> None:
    assert client.refusal("GET", "/unity.gif?" + "a=1&" * 2000).status == 413


SEGMENT = {
    "type": "track",
    "event": "Order Completed",
    "userId": "C-1",
    "anonymousId": "a-1",
    "messageId": "m-1",
    "timestamp": "2026-03-04T17:22:09.481Z",
    "properties": {
        "order_id": "SO-1",
        "revenue": 12.5,
        "products": [{"product_id": "TEA", "price": 12.5}],
        "event": "x",
    },
    "context": {
        "ip": "198.51.100.23",
        "page": {"url": "https://shop.example.com/"},
        "traits": {"email": "a@example.com"},
    },
    "integrations": {"All": True},
}


def test_a_segment_message_is_read(client: Client) -> None:
    decoded = client.ask("POST", "/api/v1/event/segmentio?apiKey=KEY", SEGMENT)
    (event,) = decoded.events
    assert decoded.reply.body == b'{"status":"OK"}'
    assert (event.kind, event.name, event.dedupe_key) == ("track", "Order Completed", "m-1")
    assert (event.profile.user_id, event.profile.anonymous_id, event.profile.email) == ("C-1", "a-1", "a@example.com")
    assert event.commerce is not None
    assert (event.commerce.order_id, event.commerce.items[0].product_id) == ("SO-1", "TEA")
    assert event.residue["blueshift"]["segment"]["covered"] == {"event": "x"}
    assert event.residue["blueshift"]["segment"]["integrations"] == {"All": True}


@pytest.mark.parametrize(
    ("message", "kind", "expected"),
    [
        ({"type": "identify", "traits": {"firstName": "Ada", "plan": "gold"}}, "identify", {"plan": "gold"}),
        (
            {"type": "group", "groupId": "g-1", "traits": {"plan": "gold"}},
            "identify",
            {"group_id": "g-1", "plan": "gold"},
        ),
        ({"type": "page", "name": "Home", "properties": {"a": 1}}, "page", {"page_name": "Home", "a": 1}),
        ({"type": "screen", "name": "Cart"}, "page", {}),
        ({"type": "alias", "previousId": "old"}, "alias", {"previous_id": "old"}),
    ],
)
def test_each_segment_call_has_its_event(client: Client, message: Any, kind: str, expected: Any) -> None:
    (event,) = client.post("event/segmentio", {"userId": "C-1", **message}).events
    assert event.kind == kind
    assert (event.profile.traits if kind == "identify" else event.properties) == expected


def test_a_segment_message_without_a_name_is_refused(client: Client) -> None:
    assert client.refusal("POST", "/api/v1/event/segmentio", {"type": "track", "userId": "1"}).status == 400
    assert json.loads(client.refusal("POST", "/api/v1/event/segmentio", {"type": {}}).body) == {
        "errors": [{"event": "can't be blank"}]
    }
