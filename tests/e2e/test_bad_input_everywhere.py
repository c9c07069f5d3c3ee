"""Garbage at every endpoint of every vendor, over real sockets: no 5xx, no traceback, nothing left behind."""

import base64
import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import registry
from gateway.adapter import Inbound
from tests.e2e.harness import KEYS, World, world
from tests.strategies import json_values


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


_KEY: Final = {vendor: KEYS[vendor] for vendor in KEYS}
PROOF: Final[dict[str, list[str]]] = {
    "klaviyo": [f"Klaviyo-API-Key {_KEY['klaviyo']['private_key']}"],
    "blueshift": [_basic(_KEY["blueshift"]["event_api_key"], ""), _basic(_KEY["blueshift"]["user_api_key"], "")],
    "synerise": [_basic(_KEY["synerise"]["workspace_guid"], _KEY["synerise"]["api_key"])],
    "yespo": [_basic("", _KEY["yespo"]["api_key"])],
    "vibetrace": [
        _KEY["vibetrace"]["api_key"],
        _basic(_KEY["vibetrace"]["api_key"], _KEY["vibetrace"]["api_secret"]),
    ],
}
"""What a client may present in `Authorization`; each is tried."""

ENDPOINTS: Final = [(vendor, entry) for vendor in KEYS for entry in registry.adapter(vendor).inbound]
endpoints = pytest.mark.parametrize(
    ("vendor", "entry"), ENDPOINTS, ids=[f"{vendor}-{entry.name}" for vendor, entry in ENDPOINTS]
)
brief = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("bad")) as made:
        made.configure({})
        made.serve()
        yield made
        assert "Traceback" not in made.log_text()
        assert '"fault"' not in made.log_text()
        assert all(secret not in made.log_text() for keys in KEYS.values() for secret in keys.values() if "_" in secret)


@pytest.fixture(scope="module")
def client(gateway: World) -> Iterator[httpx.Client]:
    assert gateway.gateway is not None
    with httpx.Client(base_url=gateway.gateway.ready["listen"], trust_env=False, timeout=30) as made:
        yield made


def send(client: httpx.Client, vendor: str, entry: Inbound, **request: Any) -> list[httpx.Response]:
    """Send one request with each way to prove who it is."""
    own = {"account_id": KEYS["vibetrace"]["account_id"], "app_id": KEYS["vibetrace"]["app_id"]}
    path = re.sub(r"\{(\w+)\}", lambda match: own.get(match[1], "x-1"), entry.path)
    headers = request.pop("headers", {})
    return [
        client.request(entry.method, f"/{vendor}{path}", headers={"Authorization": proof, **headers}, **request)
        for proof in PROOF[vendor]
    ]


@endpoints
@brief
@given(garbage=st.binary(max_size=300))
def test_bytes(client: httpx.Client, vendor: str, entry: Inbound, garbage: bytes) -> None:
    for answer in send(client, vendor, entry, content=garbage, headers={"Content-Type": "application/json"}):
        assert answer.status_code < 500, (answer.status_code, answer.text)


@endpoints
@brief
@given(value=json_values)
def test_any_json(client: httpx.Client, vendor: str, entry: Inbound, value: Any) -> None:
    for answer in send(client, vendor, entry, json=value):
        assert answer.status_code < 500, (answer.status_code, answer.text)


@endpoints
@brief
@given(query=st.text(max_size=60))
def test_any_query(client: httpx.Client, vendor: str, entry: Inbound, query: str) -> None:
    params = {"data": query, "callback": query, "email": query}
    for answer in send(client, vendor, entry, params=params):
        assert answer.status_code < 500, (answer.status_code, answer.text)


@endpoints
def test_deep_nesting_bad_compression_and_nobodys_key(client: httpx.Client, vendor: str, entry: Inbound) -> None:
    deep = b'{"a":' * 20_000
    headers = {"Content-Type": "application/json"}
    answers = send(client, vendor, entry, content=deep, headers=headers)
    answers += send(client, vendor, entry, content=b"\x1f\x8bnot gzip", headers={**headers, "Content-Encoding": "gzip"})
    answers += send(client, vendor, entry, content=b"{}", headers={"Authorization": "Bearer nobody", **headers})
    assert all(answer.status_code < 500 for answer in answers), [answer.status_code for answer in answers]
    assert all("X-Request-Id" in answer.headers for answer in answers)
