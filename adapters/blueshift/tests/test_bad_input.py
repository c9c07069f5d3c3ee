"""Whatever the bytes, the answer is Blueshift's, and what is accepted can be stored and sent on."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.blueshift import ADAPTER
from adapters.blueshift.tests.support import Client, send
from gateway import event as canonical
from gateway.adapter import EncodeError, Rejected, Reply

POSTS = [entry for entry in ADAPTER.inbound if entry.method == "POST"]
GETS = [entry for entry in ADAPTER.inbound if entry.method == "GET"]

json_texts = st.text(st.characters(codec="utf-8"), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | json_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_texts, inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    ["event", "events", "customers", "customer_id", "email", "type", "context", "traits", "properties"]
)
shaped = st.dictionaries(keys | json_texts, values | st.dictionaries(keys, values, max_size=3), max_size=5)
listed = st.builds(lambda key, rows: {key: rows}, keys, st.lists(shaped | values, max_size=3))
bodies = st.binary(max_size=60) | (values | shaped | listed).map(lambda value: json.dumps(value).encode())


def is_vendors(reply: Reply) -> bool:
    """Tell whether an answer has one of the shapes that Blueshift documents."""
    body = json.loads(reply.body)
    if reply.status == 400 and "errors" in body:
        (error,) = body["errors"]
        return set(error.values()) == {"can't be blank"}
    shapes: list[Any] = [
        reply.status == 400 and body == {"error": "bad_request"},
        reply.status == 400 and body.get("status") == 400 and body.get("error", "").startswith("Json Parse error: "),
        body in ({"message": "Not Found"}, {"message": "Payload Too Large"}, {"message": "Not authorized"}),
    ]
    return any(shapes)


def answered(call: Callable[..., Any], *given: Any) -> Any:
    """Return what a call returns, or the answer of its refusal."""
    try:
        return call(*given)
    except Rejected as rejected:
        return rejected.reply


def ask(method: str, path: str, body: bytes | None = None) -> None:
    """Send one request; check the refusal, or that what was accepted can be stored and sent on."""
    decoded = answered(Client().ask, method, path, body)
    if isinstance(decoded, Reply):
        assert is_vendors(decoded)
        return
    assert decoded.reply.status == 200
    for event in decoded.events:
        stored = canonical.load(canonical.dump(event))
        assert stored == event
        for name in ("event", "customers") if event.kind == "identify" else ("event",):
            try:
                (encoded,) = send(name, stored)
            except EncodeError:
                assert name == "customers"
            else:
                json.loads(encoded.body)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(POSTS), bodies)
def test_any_body(entry: Any, body: bytes) -> None:
    ask("POST", entry.path, body)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(GETS), st.binary(max_size=40))
def test_any_query(entry: Any, query: bytes) -> None:
    ask("GET", entry.path.replace("{uuid}", "u-1") + "?" + query.decode("latin-1"))


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.characters(max_codepoint=255)) | st.binary(max_size=20).map(lambda raw: "Basic " + raw.decode("latin-1"))
)
def test_any_credential(header: str) -> None:
    request = Client().request("POST", "/api/v1/event?" + header)
    request.raw_headers = [(b"authorization", header.encode("latin-1"))]
    auth = POSTS[0].auth
    assert auth is not None
    presented = answered(auth.present, request)
    if isinstance(presented, Reply):
        assert is_vendors(presented)
    else:
        assert not auth.matches(presented, {"event_api_key": "evk_demo_4f1c9b7a2e"})


def test_deep_but_allowed_nesting_can_be_stored_and_sent(client: Client) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = {"a": [deep]} if isinstance(deep, int) else [deep]
    event = client.event({"event": "view", "customer_id": "1", "deep": deep})
    assert canonical.load(canonical.dump(event)) == event
    assert send("event", event)


def test_nesting_hidden_among_many_brackets_is_found(client: Client) -> None:
    flat = b",".join([b"[]"] * 200)
    deep = b"[" * 70 + b"]" * 70
    reply = client.refusal(
        "POST", "/api/v1/event", b'{"event":"view","customer_id":"1","a":[' + flat + b"," + deep + b"]}"
    )
    assert is_vendors(reply)
    assert (
        client.ask("POST", "/api/v1/event", b'{"event":"view","customer_id":"1","a":[' + flat + b"]}").reply.status
        == 200
    )
