"""Whatever the bytes, the answer is Vibetrace's, and what is accepted can be stored and sent on."""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.vibetrace import ADAPTER
from adapters.vibetrace.tests.support import ACCOUNT, ANA, Client, encode
from gateway import event as canonical
from gateway.adapter import EncodeError, Rejected, Reply, Request

texts = st.text(st.characters(codec="utf-8"), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    ["user", "event", "email", "_id", "type", "generic", "event_name", "items", "update", "confirmation", "checkout"]
)
shaped = st.recursive(values, lambda inner: st.dictionaries(keys | texts, inner, max_size=4), max_leaves=10)
sound = st.builds(lambda event: {"user": ANA, "event": event}, st.dictionaries(keys | texts, shaped, max_size=3))
bodies = st.binary(max_size=60) | (values | shaped | sound).map(lambda value: json.dumps(value).encode())

WRITES = [
    ("POST", "/v1/event"),
    ("POST", "/v1/user"),
    ("PUT", "/v1/user/a@example.com"),
    ("POST", f"/api/v3/apps/{ACCOUNT['app_id']}/events/checkout"),
    ("PUT", f"/api/v3/apps/{ACCOUNT['app_id']}/users/u-1"),
]


def ask(method: str, path: str, body: bytes | None = None) -> None:
    """Send one request; check the refusal, or that what was accepted can be stored and sent on."""
    try:
        decoded = Client().ask(method, path, body)
    except Rejected as rejected:
        check_refusal(rejected.reply)
        return
    assert 200 <= decoded.reply.status < 300
    assert set(decoded.once) <= {event.id for event in decoded.events}
    for event in decoded.events:
        assert canonical.load(canonical.dump(event)) == event
        for name in ("event", "user"):
            with suppress(EncodeError):
                json.loads(encode(event, name).body)


def check_refusal(reply: Reply) -> None:
    (error,) = json.loads(reply.body)["errors"]
    assert 400 <= reply.status < 500
    assert set(error) == {"message", "description"}


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WRITES), bodies)
def test_any_body(call: tuple[str, str], body: bytes) -> None:
    ask(*call, body)


@settings(max_examples=200, deadline=None)
@given(bodies | st.lists(shaped, max_size=3).map(lambda value: json.dumps(value).encode()), texts)
def test_any_data(data: bytes, callback: str) -> None:
    ask("GET", f"/event/{ACCOUNT['account_id']}/login?data={quote(data)}&callback={quote(callback)}")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40))
def test_any_query(query: str) -> None:
    ask("GET", f"/event/{ACCOUNT['account_id']}?{query}")


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(max_codepoint=255)), st.sampled_from(["", "Basic ", "Bearer "]))
def test_any_credential(given_: str, scheme: str) -> None:
    request: Request = Client().request("POST", "/v1/event", headers={"Authorization": scheme + given_})
    for entry in ADAPTER.inbound[:1] + ADAPTER.inbound[-1:]:
        assert entry.auth is not None
        try:
            presented = entry.auth.present(request)
        except Rejected as rejected:
            check_refusal(rejected.reply)
        else:
            assert not entry.auth.matches(presented, {"api_key": "\x00 no such key", "api_secret": "s", "app_id": "a"})


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_cookie(cookie: str) -> None:
    data = quote(json.dumps([{"type": "viewitem", "itemId": "1"}]))
    client = Client()
    for value in (cookie, f"_vt_user={cookie}"):
        (event,) = client.ask("GET", f"/event/{ACCOUNT['account_id']}?data={data}", headers={"Cookie": value}).events
        assert canonical.load(canonical.dump(event)) == event


def test_what_stands_beside_many_events_is_kept_once() -> None:
    long: Any = "x" * 10_000
    body = {"user": {**ANA, "note": long}, "event": {f"t{number}": {} for number in range(100)}, "more": long}
    decoded = Client().ask("POST", "/v1/event", body)
    assert sum(len(canonical.dump(event)) for event in decoded.events) < 100_000
