"""One test per quirk of Vibetrace's, named as in the README."""

import json

import pytest

from adapters.vibetrace.tests.support import ANA, Client, encode, foreign, losses, outbound, sent

client = Client()


def test_a_sentence_stands_in_email() -> None:
    results = json.loads(client.send({"update": {}}).reply.body)["results"]
    assert results == {"message": "Event created", "email": "Event was created for the specified user"}


@pytest.mark.parametrize("path", ["/v1/event", "/v1/event/"])
def test_the_slash_at_the_end_is_forbidden_and_printed(path: str) -> None:
    assert client.ask("POST", path, {"user": ANA, "event": {"update": {}}}).reply.status == 200
    assert outbound("event").path == "/v1/event"


def test_the_published_json_is_invalid() -> None:
    body = b'{"user": {"email": "a@example.com"}\n"event": {"update": {"firstname": "Ana"}}}'
    assert client.refusal("POST", "/v1/event", body).status == 400


@pytest.mark.parametrize(
    "event",
    [
        {"generic": {"generic": {"event_name": "quiz", "score": 8}}},
        {"generic": {"event_name": "quiz", "score": 8}},
        {"event": {"event_name": "quiz", "score": 8}},
    ],
)
def test_custom_events_are_nested_twice_or_once(event: dict[str, dict[str, object]]) -> None:
    decoded = client.event(event)
    assert (decoded.name, decoded.properties) == ("quiz", {"score": 8})
    assert sent(decoded) == event
    assert sent(foreign(name="quiz")) == {"generic": {"generic": {"event_name": "quiz"}}}


def test_each_surface_has_its_own_success() -> None:
    fields = {"itemId": "1"}
    replies = (
        client.send({"viewitem": fields}).reply,
        client.collect([{"type": "viewitem", "generic": fields}], more="&callback=vt").reply,
        client.legacy("viewitem", fields).reply,
    )
    assert [reply.status for reply in replies] == [200, 200, 201]
    assert [reply.body[:1] for reply in replies] == [b"{", b"v", b""]


def test_two_pages_spell_the_fields_of_a_confirmation_in_two_levels() -> None:
    flat = client.event({"confirmation": {"orderId": "1", "items": [{"id": "a"}]}})
    nested = client.event({"confirmation": {"items": [{"id": "a"}], "generic": {"orderId": "1"}}})
    assert flat.commerce == nested.commerce
    assert sent(nested) == {"confirmation": {"items": [{"id": "a"}], "generic": {"orderId": "1"}}}


def test_times_are_never_sent() -> None:
    event = client.event({"update": {}})
    assert event.occurred_at is None
    assert losses(encode(foreign(name="Quiz", occurred_at=event.received_at))) == {"occurred_at": ("dropped", None)}
