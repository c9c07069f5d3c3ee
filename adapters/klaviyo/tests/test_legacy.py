"""The legacy endpoints in every transport their clients have."""

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from adapters.klaviyo import ADAPTER
from adapters.klaviyo.tests.world import ENDPOINTS, ask, decode, one, refused, sent
from gateway.adapter import Event, Refusal, RefusalKind, Rejected

TRACK = {
    "token": "AbC123",
    "event": "Placed Order",
    "customer_properties": {"email": "nora@example.com", "$first_name": "Nora", "tagline": "A & B +1 / ü?"},
    "properties": {"$event_id": "SO-1", "$value": 61.4, "OrderId": "SO-1", "__track_once__": True},
    "time": 1700000000,
    "ip": "203.0.113.9",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _packed(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


TRANSPORTS = {
    "get": ("track-get", b"", f"data={quote(_packed(TRACK))}&test=0"),
    "get, plus not escaped": ("track-get", b"", f"data={_packed(TRACK)}"),
    "get, unpadded url-safe": (
        "track-get",
        b"",
        "data=" + base64.urlsafe_b64encode(json.dumps(TRACK).encode()).decode().rstrip("="),
    ),
    "form": ("track", f"data={quote(json.dumps(TRACK))}".encode(), ""),
    "form, plus for space": ("track", f"data={quote_plus(json.dumps(TRACK))}".encode(), ""),
    "form, base64": ("track", f"data={quote(_packed(TRACK))}".encode(), ""),
    "json": ("track", json.dumps(TRACK).encode(), ""),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_transport_means_the_same(transport: str) -> None:
    """Token, event and answer."""
    endpoint, body, query = TRANSPORTS[transport]
    auth = ENDPOINTS[endpoint].auth
    assert auth is not None
    assert auth.matches(auth.present(ask(endpoint, body, query=query)), {"company_id": "AbC123"})
    decoded = decode(endpoint, body, query=query)
    assert (decoded.reply.status, decoded.reply.body) == (200, b"1")
    _is_the_order(decoded.events[0])


def _is_the_order(event: Event) -> None:
    assert (event.name, event.dedupe_key) == ("Order Completed", "SO-1")
    assert event.profile.email == "nora@example.com"
    assert event.profile.first_name == "Nora"
    assert event.profile.traits == {"tagline": "A & B +1 / ü?"}
    assert event.commerce is not None
    assert (str(event.commerce.total), event.commerce.order_id) == ("61.4", "SO-1")
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2023-11-14T22:13:20+00:00"
    assert event.context.ip == "203.0.113.9"
    assert event.properties == {"__track_once__": True}


def test_goes_out_in_the_new_words() -> None:
    """By the vendor's own migration table."""
    attributes = sent("events", one("track", TRACK))["data"]["attributes"]
    assert attributes["unique_id"] == "SO-1"
    assert attributes["value"] == 61.4
    assert attributes["time"] == "2023-11-14T22:13:20+00:00"
    assert attributes["profile"]["data"]["attributes"]["email"] == "nora@example.com"
    assert attributes["profile"]["data"]["attributes"]["properties"] == {"tagline": "A & B +1 / ü?"}


def test_identify_by_form_and_query() -> None:
    """The profile in its properties; php fills the keys it does not know with null."""
    given = {
        "token": "AbC123",
        "properties": {"email": "nora@example.com", "id": "c-1", "$city": None, "$zip": 97201, "plan": "pro"},
    }
    for endpoint, body, query in (
        ("identify", f"data={quote(json.dumps(given))}".encode(), ""),
        ("identify-get", b"", f"data={quote(_packed(given))}"),
    ):
        event = one(endpoint, body, query=query)
        assert (event.kind, event.name) == ("identify", "Identify")
        assert (event.profile.email, event.profile.user_id) == ("nora@example.com", "c-1")
        assert event.profile.location is not None
        assert event.profile.location.postal_code == "97201"
        assert event.profile.traits == {"plan": "pro"}
        assert sent("profile-import", event)["data"]["attributes"]["location"] == {"zip": 97201, "city": None}


def test_exchange_id_and_push_tokens() -> None:
    """Magento's click id, php's token lists."""
    given = {
        "token": "AbC123",
        "properties": {"$exchange_id": "kx-1", "$ios_tokens": ["t-1"], "$android_tokens": "t-2"},
    }
    event = one("identify", given)
    assert event.profile.vendor_ids == {"klaviyo_kx": "kx-1"}
    assert event.profile.push_tokens == ("t-1", "t-2")


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        (None, None),
        ("", None),
        ("1700000000", "2023-11-14T22:13:20+00:00"),
        ("2023-11-14T22:13:20", "2023-11-14T22:13:20+00:00"),
    ],
)
def test_time_may_be_text(time: str | None, utc: str | None) -> None:
    """Seconds as text, ISO 8601, or nothing."""
    moment = one("track", {**TRACK, "time": time}).occurred_at
    assert (moment.isoformat() if moment else None) == utc


UNREADABLE = [
    b"",
    b"data=",
    b"data=%7B",
    b"{",
    b"[]",
    b"data=!!!!",
    json.dumps({**TRACK, "event": ""}).encode(),
    json.dumps({**TRACK, "event": 5}).encode(),
    json.dumps({**TRACK, "time": "soon"}).encode(),
    json.dumps({**TRACK, "time": 1e300}).encode(),
    json.dumps({**TRACK, "time": True}).encode(),
    json.dumps({**TRACK, "customer_properties": {}}).encode(),
    json.dumps({**TRACK, "customer_properties": {"email": "nobody"}}).encode(),
    json.dumps({**TRACK, "customer_properties": None}).encode(),
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_what_cannot_be_read_is_answered_with_0(body: bytes) -> None:
    """And nothing else: the clients raise on any other text."""
    answer = refused("track", body)
    assert (answer.status, answer.body) == (200, b"0")


@pytest.mark.parametrize("body", [b"", b"data=", b"\xff", b"[1]", b'{"event":"x"}', b'{"token":5}', b'{"token":""}'])
def test_a_payload_without_a_token_is_answered_with_0(body: bytes) -> None:
    """There is nothing to compare."""
    auth = ENDPOINTS["track"].auth
    assert auth is not None
    with pytest.raises(Rejected) as rejected:
        auth.present(ask("track", body))
    assert rejected.value.reply.body == b"0"


@pytest.mark.parametrize("endpoint", ["track", "track-get", "identify", "identify-get"])
def test_a_wrong_token_is_answered_like_a_right_one(endpoint: str) -> None:
    """Klaviyo answers 1 and keeps nothing."""
    answer = ADAPTER.refuse(Refusal(RefusalKind.BAD_CREDENTIAL), ask(endpoint))
    assert (answer.status, answer.body) == (200, b"1")


def test_other_refusals_are_errors() -> None:
    """Which the clients know by their status."""
    assert ADAPTER.refuse(Refusal(RefusalKind.THROTTLED, 1), ask("track")).status == 429
    assert ADAPTER.refuse(Refusal(RefusalKind.UNAVAILABLE, 1), ask("track")).status == 503
    assert ADAPTER.refuse(Refusal(RefusalKind.TOO_LARGE), ask("track")).body == b"0"


def test_pixel_instead_of_text() -> None:
    """For images in e-mails."""
    answer = decode("track-get", b"", query=f"data={quote(_packed(TRACK))}&i=1").reply
    assert dict(answer.headers)[b"Content-Type"] == b"image/gif"
    assert answer.body.startswith(b"GIF89a")
