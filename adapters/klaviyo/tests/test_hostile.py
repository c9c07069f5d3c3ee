"""Absurd requests: whatever the bytes, an endpoint accepts, or refuses with a valid answer, and does nothing else.

What is accepted can be stored, and encoded for Klaviyo again or refused as impossible to encode.
"""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.klaviyo import ADAPTER
from adapters.klaviyo.tests.world import ENDPOINTS, RECEIVED, SETTINGS, ask, errors, flat, group, job, profile, wrapped
from gateway.adapter import Encoded, EncodeError, Event, Inbound, Rejected, Reply, Request
from gateway.event import Profile, dump, load

POSTS = [entry for entry in ENDPOINTS.values() if entry.method != "OPTIONS"]
PEOPLE = {"01JZ7A0C4D8E2F6G1H3J5KEXMP": Profile(email="nora@example.com")}
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

NAMES = [
    *("data", "type", "id", "attributes", "profile", "metric", "events", "events-bulk-create", "meta", "properties"),
    *("email", "$email", "phone_number", "external_id", "location", "latitude", "ip", "value", "time", "unique_id"),
    *("name", "service", "Items", "Categories", "OrderId", "$value", "$event_id", "token", "event", "_kx", "Page Name"),
]
keys = st.text(max_size=6) | st.sampled_from(NAMES)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from([10**40, 1e308, "nora@example.com", "+15005550142", "2025-01-01T00:00:00Z", "event", "profile"])
    | st.sampled_from(["Viewed Product", "Added to Cart", "Active on Site", "Placed Order", "\ud800", "\x00"])
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)

SOUND = {
    "events": [wrapped(value=1, time="2025-01-01T00:00:00Z", unique_id="u"), flat(value=1)],
    "client-events": [wrapped(metric="Added to Cart", properties={"AddedItemSKU": "x", "Items": [{"SKU": "y"}]})],
    "event-bulk-create-jobs": [job(group({}, {"value": "1"}), group({}, profile={"_kx": "k"}))],
    "client-event-bulk-create": [{"data": group({}, {})}],
    "client-profiles": [profile({"meta": {"identifiers": {"email": "a@b.example"}}}, first_name="N")],
    "profiles": [profile(email="a@b.example", location={"latitude": "1"}, properties={"Gender": "f"})],
    "profile-import": [
        profile({"id": "x", "meta": {"patch_properties": {"append": {"a": 1}, "unset": ["b"]}}}, email="a@b.example")
    ],
    "update-profile": [profile(first_name="N", location={"ip": "1.2.3.4"})],
    "profile-bulk-import-jobs": [
        {
            "data": {
                "type": "profile-bulk-import-job",
                "attributes": {"profiles": {"data": [profile(email="a@b.example")["data"]]}},
            }
        }
    ],
    "track": [
        {"token": "t", "event": "e", "customer_properties": {"$email": "a@b.example"}, "properties": {"$value": 1}}
    ],
    "identify": [{"token": "t", "properties": {"email": "a@b.example", "$city": "Bergen"}}],
}


def _request(entry: Inbound, body: bytes, query: str = "") -> Request:
    return ask(entry.name, body, query=query, people=PEOPLE, id="01JZ7A0C4D8E2F6G1H3J5KEXMP")


def _survives(entry: Inbound, request: Request) -> None:
    try:
        if entry.auth is not None and entry.name in ("track", "track-get", "identify", "identify-get"):
            entry.auth.present(request)
        decoded = entry.decode(request)
    except Rejected as rejected:
        _is_sound(entry, rejected.reply)
        return
    _is_sound(entry, decoded.reply)
    for event in decoded.events:
        stored = load(dump(event))
        assert stored.received_at == RECEIVED
        _encodes(stored)


def _is_sound(entry: Inbound, answer: Reply) -> None:
    if entry.path in ("/api/track", "/api/identify"):
        assert answer.status == 200
        assert answer.body in (b"0", b"1") or answer.body.startswith(b"GIF")
    elif answer.status >= 400:
        assert answer.status in (400, 404, 409)
        for error in errors(answer):
            assert error["source"]["pointer"].startswith("/data")
    elif answer.body:
        json.loads(answer.body)


def _encodes(event: Event) -> None:
    for out in ADAPTER.outbound:
        if event.kind in out.kinds:
            try:
                made = out.encode([event], SETTINGS)
            except EncodeError:
                continue
            _is_sendable(made)


def _is_sendable(made: list[Encoded]) -> None:
    (encoded,) = made
    assert json.loads(encoded.body)["data"]


@pytest.mark.parametrize("entry", POSTS, ids=lambda entry: entry.name)
@FEW
@given(body=st.binary(max_size=60), query=st.text(max_size=30))
def test_any_bytes(entry: Inbound, body: bytes, query: str) -> None:
    """Garbage as body and as query."""
    _survives(entry, _request(entry, body, query))
    _survives(entry, _request(entry, b"data=" + body, "filter=" + query))


@pytest.mark.parametrize("entry", POSTS, ids=lambda entry: entry.name)
@FEW
@given(tree=trees)
def test_any_json(entry: Inbound, tree: Any) -> None:
    """JSON of any structure, in the body and packed into the query."""
    body = json.dumps(tree).encode()
    _survives(entry, _request(entry, body, "data=" + base64.urlsafe_b64encode(body).decode()))


@pytest.mark.parametrize("name", SOUND)
@FEW
@given(data=st.data())
def test_any_damage_to_a_sound_request(name: str, data: st.DataObject) -> None:
    """One or two places of a good body replaced, removed or added to."""
    tree = json.loads(json.dumps(data.draw(st.sampled_from(SOUND[name]))))
    for _ in range(data.draw(st.integers(1, 2))):
        _damage(tree, data)
    _survives(ENDPOINTS[name], _request(ENDPOINTS[name], json.dumps(tree).encode()))


@pytest.mark.parametrize("name", SOUND)
@FEW
@given(data=st.data())
def test_any_damage_to_sound_bytes(name: str, data: st.DataObject) -> None:
    """A few bytes overwritten, put in or taken out."""
    body = bytearray(json.dumps(data.draw(st.sampled_from(SOUND[name]))).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    _survives(ENDPOINTS[name], _request(ENDPOINTS[name], bytes(body)))


def _damage(tree: Any, data: st.DataObject) -> None:
    """Walk down a random way, and do something at its end."""
    while True:
        below = [
            key for key in (tree if isinstance(tree, dict) else range(len(tree))) if isinstance(tree[key], (dict, list))
        ]
        if not below or data.draw(st.integers(0, 4)) == 0:
            break
        tree = tree[data.draw(st.sampled_from(below))]
    if isinstance(tree, list):
        tree.append(data.draw(trees))
    elif tree and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(tree)))
        tree[key] = data.draw(trees)
        if data.draw(st.integers(0, 2)) == 0:
            del tree[key]
    else:
        tree[data.draw(keys)] = data.draw(trees)


DEEP = b'{"data":{"type":"event","attributes":{"metric":{"data":{"type":"metric","attributes":{"name":"x"}}},"profile":'
ABSURD = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"9" * 10_000,
    b"1e999999999999",
    b'{"data":1e999}',
    b'"\\ud800"',
    b"\xef\xbb\xbf{}",
    b"null",
    b'{"data":{"data":{"data":null}}}',
    DEEP + b'{"data":{"type":"profile","attributes":{"email":"a@b.example","x":' + b"[" * 500 + b"]" * 500 + b"}}}}}}",
    DEEP + b'{"data":{"type":"profile","attributes":{"email":"a@b.example"}}},"value":1e999}}}',
    DEEP + b'{"data":{"type":"profile","attributes":{"email":"a@b.example"}}},"value":' + b"1" * 5000 + b"}}}",
    DEEP + b'{"data":{"type":"profile","attributes":{"email":"a@b.example"}}},"value":"\xff"}}}',
    DEEP + b'{"data":{"type":"profile","attributes":{"email":"a@b.example"}}},"new":1e999}}}',
    DEEP + b'{"data":{"type":"profile","attributes":{"email":"a@b.example"}}},"properties":{"a":1e999}}}}',
]


@pytest.mark.parametrize("body", ABSURD, ids=range(len(ABSURD)))
@pytest.mark.parametrize("entry", POSTS, ids=lambda entry: entry.name)
def test_absurd_bodies(entry: Inbound, body: bytes) -> None:
    """Too deep, too large, too odd."""
    _survives(entry, _request(entry, body))


def test_depth_of_what_is_kept_is_bounded() -> None:
    """Unknown members are kept, but not at any depth."""
    body = DEEP + b'{"data":{"type":"profile","attributes":{"email":"a@b.example"}}},"new":'
    for depth, accepted in ((20, True), (200, False)):
        try:
            ENDPOINTS["events"].decode(_request(ENDPOINTS["events"], body + b"[" * depth + b"]" * depth + b"}}}"))
        except Rejected:
            assert not accepted
        else:
            assert accepted
