"""Each quirk in the README has a test of its name."""

from typing import Any

from gateway import registry
from gateway.translation import Translation, translate

VENDOR = registry.adapter("acme")


def sent(*items: dict[str, Any]) -> Translation:
    """Return what becomes of a batch that goes back to Acme."""
    headers = {"Content-Type": "application/json", "X-Acme-Key": "k-1"}
    request = {"method": "POST", "path": "/v1/events", "headers": headers, "body": {"batch": list(items)}}
    return translate(request, VENDOR, VENDOR)


def test_money_may_be_text() -> None:
    item = {"verb": "checkout_done", "contact": {"id": "7"}, "data": {"sum": "84.90"}}
    result = sent(item)
    (event,) = result.events
    assert event.commerce is not None
    assert str(event.commerce.total) == "84.90"
    assert result.requests[0].body["batch"][0]["data"] == item["data"]


def test_no_time_is_the_time_of_arrival() -> None:
    result = sent({"verb": "look"})
    (event,) = result.events
    assert event.occurred_at is None
    assert result.requests[0].body["batch"][0]["at"] == event.received_at.isoformat()


def test_a_batch_is_refused_as_a_whole() -> None:
    result = sent({"verb": "look"}, {"at": "2026-03-04T16:22:09Z"})
    assert (result.reply["status"], result.events) == (400, [])
    assert sent(*[{"verb": "look"}] * (VENDOR.outbound[0].max_events + 1)).reply["status"] == 413
