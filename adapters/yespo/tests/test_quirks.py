"""One test per quirk of the vendor, called like it in the README; the rest is where its subject is."""

import json

import pytest

from adapters.yespo import ADAPTER
from adapters.yespo.tests.support import Client, body_of, foreign, inbound, losses, params, parsed, send
from gateway.adapter import Refusal, RefusalKind
from gateway.event import Commerce, Item


def test_success_has_no_body(client: Client) -> None:
    assert client.post("/api/v2/event", body_of("X", email="a@example.com")).reply.body == b""


def test_the_key_is_not_the_person(client: Client) -> None:
    event = client.event("X", key="order-7", email="a@example.com")
    assert (event.profile.email, event.profile.user_id, event.residue["yespo"]["key"]) == (
        "a@example.com",
        None,
        "order-7",
    )


def test_text_in_the_manner_of_json(client: Client) -> None:
    told = client.refusal("PUT", "/api/v1/contact/abc", {})
    assert dict(told.headers)[b"Content-Type"].startswith(b"application/json")
    channels = [{"type": "email", "value": "a@example.com"}]
    reply = client.ask("PUT", "/api/v1/contact/5", {"channels": channels}).reply
    assert reply.headers == ((b"Content-Type", b"text/plain;charset=UTF-8"),)


def test_one_failure_is_an_object(client: Client) -> None:
    assert isinstance(parsed(client.post("/api/v1/orders", {"orders": [{}]}).reply)["failedOrders"], dict)
    assert isinstance(parsed(client.post("/api/v1/orders", {"orders": [{}, {}]}).reply)["failedOrders"], list)


def test_lists_have_a_root(client: Client) -> None:
    event = client.event("X", email="a@example.com", items={"array": [{"id": "1"}]})
    assert params(event)["items"] == {"array": [{"id": "1"}]}


def test_contacts_called_null(client: Client) -> None:
    assert client.event("X", version="v1", externalCustomerId="null", email="a@example.com").profile.user_id is None


def test_product_keys_drift(client: Client) -> None:
    for key in ("productId", "productKey", "product_id", "externalItemId", "id"):
        event = client.event("X", email="a@example.com", products=[{key: "1"}])
        assert event.commerce is not None
        assert event.commerce.items[0].product_id == "1"


def test_quotes_inside_texts_must_be_escaped(client: Client) -> None:
    broken = b'{"eventTypeKey":"X","params":[{"name":"page","value":"{"location":"u"}"}]}'
    assert client.refusal("POST", "/api/v2/event", broken).status == 400


def test_an_event_is_20_kb(client: Client) -> None:
    assert inbound("POST", "/api/v2/event").max_body == 20_480
    reply = ADAPTER.refuse(Refusal(RefusalKind.TOO_LARGE), client.request("POST", "/api/v2/event"))
    assert (reply.status, parsed(reply)["status"]) == (400, 400)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (RefusalKind.BAD_CREDENTIAL, 401),
        (RefusalKind.NOT_FOUND, 404),
        (RefusalKind.METHOD_NOT_ALLOWED, 405),
        (RefusalKind.BAD_ENCODING, 415),
        (RefusalKind.THROTTLED, 429),
        (RefusalKind.INTERNAL, 500),
        (RefusalKind.UNAVAILABLE, 503),
    ],
)
def test_errors_say_their_status_twice(client: Client, kind: RefusalKind, status: int) -> None:
    reply = ADAPTER.refuse(Refusal(kind, 1), client.request("POST", "/x"))
    assert (reply.status, parsed(reply)["status"], bool(parsed(reply)["message"])) == (status, status, True)


def test_no_event_is_ever_answered_with_409(client: Client) -> None:
    body = body_of("X", email="a@example.com")
    assert {client.post("/api/v2/event", body).reply.status for _ in range(3)} == {200}


def test_a_live_event_has_no_time(client: Client) -> None:
    assert client.event("X", email="a@example.com", occurred="2026-01-01").occurred_at is None
    assert losses(send("event_v2", foreign()))["occurred_at"] == ("dropped", None)


def test_an_order_without_all_that_is_required_is_silently_not_stored() -> None:
    """So that we never leave out status, date and product ids of an order's event."""
    found = params(foreign(name="Order Updated", commerce=Commerce(order_id="1", items=(Item(sku="M"),))))
    assert (found["status"], found["date"], found["items"]) == (
        "IN_PROGRESS",
        "2026-11-21T11:59:30",
        [{"externalItemId": "M", "sku": "M"}],
    )


def test_many_contacts_are_imported_in_any_order() -> None:
    twice = [foreign(kind="identify", name="Identify") for _ in range(2)]
    assert [json.loads(one.body)["dedupeOn"] for one in send("contacts", *twice)] == ["email_or_sms"] * 2
