"""Garbage over real sockets: the vendor's own refusal, no 5xx, no traceback, and nothing left behind."""

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, klaviyo_event, world
from tests.strategies import json_values

EVENT_KEY = httpx.BasicAuth(KEYS["blueshift"]["event_api_key"], "")
USER_KEY = httpx.BasicAuth(KEYS["blueshift"]["user_api_key"], "")

KLAVIYO = [
    "/api/events",
    "/api/event-bulk-create-jobs",
    "/client/events?company_id=AbC123",
    "/client/event-bulk-create?company_id=AbC123",
    "/client/profiles?company_id=AbC123",
    "/api/profiles",
    "/api/profile-import",
    "/api/profile-bulk-import-jobs",
    "/api/track",
    "/api/identify",
]
BLUESHIFT = ["event", "bulkevents", "customers", "customers/bulk"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("bad")) as made:
        made.configure({})
        made.serve()
        yield made
        assert "Traceback" not in made.log_text()
        assert '"fault"' not in made.log_text()


@pytest.fixture(scope="module", params=[{}, {"Expect": "100-continue"}], ids=["direct", "asgi"])
def client(gateway: World, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client; requests that expect something are not answered the direct way."""
    assert gateway.gateway is not None
    url = gateway.gateway.ready["listen"]
    with httpx.Client(base_url=url, headers=request.param, trust_env=False, timeout=30) as made:
        yield made


def send(client: httpx.Client, vendor: str, path: str, content: bytes, **headers: str) -> httpx.Response:
    if vendor == "klaviyo":
        return client.post(f"/klaviyo{path}", content=content, headers={**KLAVIYO_HEADERS, **headers})
    auth = USER_KEY if path.startswith("customers") else EVENT_KEY
    return client.post(f"/blueshift/api/v1/{path}", content=content, headers=headers, auth=auth)


def is_legacy_no(answer: httpx.Response) -> bool:
    """Klaviyo's first API says no with a 200 and a nought."""
    return (answer.status_code, answer.content) == (200, b"0")


def is_refused(answer: httpx.Response) -> bool:
    return 400 <= answer.status_code < 500 or is_legacy_no(answer)


ENDPOINTS = [("klaviyo", path) for path in KLAVIYO] + [("blueshift", path) for path in BLUESHIFT]
endpoints = pytest.mark.parametrize(("vendor", "path"), ENDPOINTS, ids=lambda value: value)
brief = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@endpoints
@brief
@given(garbage=st.binary(max_size=400))
def test_bytes(client: httpx.Client, vendor: str, path: str, garbage: bytes) -> None:
    assert send(client, vendor, path, garbage).status_code < 500


@endpoints
@brief
@given(value=json_values)
def test_any_json(client: httpx.Client, vendor: str, path: str, value: Any) -> None:
    body = json.dumps({"data": value, "events": value, "customers": value, "event": value}).encode()
    assert send(client, vendor, path, body).status_code < 500


def paths_into(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_into(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths_into(inner, (*path, index))


def with_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_value(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_right_event_with_one_wrong_value(client: httpx.Client, data: st.DataObject) -> None:
    right = klaviyo_event(1, value=1.5, value_currency="USD")
    path = data.draw(st.sampled_from(list(paths_into(right))))
    wrong = with_value(right, path, data.draw(json_values))
    answer = send(client, "klaviyo", "/api/events", json.dumps(wrong).encode())
    assert answer.status_code in (202, 400)
    if answer.status_code == 400:
        error = answer.json()["errors"][0]
        assert set(error) == {"id", "status", "code", "title", "detail", "source", "links", "meta"}


DEEP = b"[" * 100_000 + b"]" * 100_000
ABSURD = [
    b"",
    b"null",
    b"\xff\xfe",
    DEEP,
    b'{"data":' + DEEP + b"}",
    b'{"event":' * 5_000,
    b'{"data":{"type":"event","attributes":{"value":1e999}}}',
    b'{"event":"x","email":"a@example.com","revenue":' + b"9" * 5_000 + b"}",
    b'{"event":"\\ud800","email":"a@example.com"}',
    b'{"event":"x","event":"y","email":"a@example.com","timestamp":"9999-99-99"}',
    b'{"event":"x","email":"a@example.com","timestamp":1e300}',
]


@endpoints
@pytest.mark.parametrize("body", ABSURD, ids=range(len(ABSURD)))
def test_absurd_bodies(client: httpx.Client, vendor: str, path: str, body: bytes) -> None:
    assert send(client, vendor, path, body).status_code < 500


@endpoints
def test_too_large(client: httpx.Client, vendor: str, path: str) -> None:
    answer = send(client, vendor, path, b" " * 6_000_000)
    assert answer.status_code == 413 or is_legacy_no(answer)


@endpoints
def test_bombs_and_broken_encodings(client: httpx.Client, vendor: str, path: str) -> None:
    headers = {"Content-Encoding": "gzip"}
    assert is_refused(send(client, vendor, path, gzip.compress(bytes(30_000_000)), **headers))
    assert is_refused(send(client, vendor, path, b"not gzip", **headers))
    assert is_refused(send(client, vendor, path, b"{}", **{"Content-Encoding": "br"}))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize(
    "path", ["/klaviyo/api/events", "/blueshift/api/v1/event", "/klaviyo", "/", "/%00/%ff/..", "/x" * 4000]
)
def test_methods_and_paths(client: httpx.Client, method: str, path: str) -> None:
    assert client.request(method, path).status_code < 500


@pytest.mark.parametrize(
    "value", ["", "Basic", "Basic !!!", "Basic " + "A" * 60_000, "Klaviyo-API-Key", "Klaviyo-API-Key \xff", "Bearer x"]
)
def test_credentials(client: httpx.Client, value: str) -> None:
    headers = {b"Authorization": value.encode("latin-1")}
    body = klaviyo_event(1)
    assert client.post("/klaviyo/api/events", json=body, headers=headers).status_code in (400, 401, 431)
    assert client.post("/blueshift/api/v1/event", json={"event": "x"}, headers=headers).status_code in (400, 401, 431)


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"POST /klaviyo/api/events HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"POST /klaviyo/api/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /klaviyo/api/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00",
    ],
)
def test_broken_http(gateway: World, client: httpx.Client, raw: bytes) -> None:
    """A client that goes away in the middle leaves nothing behind; the next one is served."""
    assert gateway.gateway is not None
    port = int(gateway.gateway.ready["listen"].rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65_536)
    assert not answer.startswith(b"HTTP/1.1 5")
    assert client.get("/klaviyo/api/nothing").status_code == 404


def test_what_is_refused_leaves_nothing_behind(tmp_path: Any) -> None:
    with world(tmp_path) as made:
        made.configure({"crm": {"vendor": "blueshift", "base_url": "http://127.0.0.1:9"}})
        url = made.serve().ready["listen"]
        with httpx.Client(base_url=url, trust_env=False) as sender:
            for vendor, path in ENDPOINTS:
                for body in ABSURD[:5]:
                    send(sender, vendor, path, body)
        counts = made.status()["crm"]
    assert (counts["accepted"], counts["queued"], counts["missing"]) == (0, 0, 0)
