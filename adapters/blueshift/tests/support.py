"""A client of the emulated API, and the way to it back out."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from adapters.blueshift import ADAPTER
from adapters.blueshift.auth import EITHER
from gateway.adapter import Decoded, Encoded, Outbound, Rejected, Reply, Request, Settings, derive_uuid
from gateway.event import Event, Origin, Profile

RECEIVED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EVENT_KEY = "evk_demo_4f1c9b7a2e"
USER_KEY = "usr_demo_9d2e6c41ab"


ID = "01900000-0000-7000-8000-000000000001"
MAY = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)


def foreign(**fields: Any) -> Event:
    """Return an event that another vendor's client sent."""
    given: dict[str, Any] = {
        "id": ID,
        "kind": "track",
        "name": "Order Completed",
        "received_at": RECEIVED,
        "source": Origin(name="shop", vendor="klaviyo", endpoint="events"),
        "occurred_at": MAY,
        **fields,
    }
    return Event(**given)


class Crowd:
    """People to a source: everyone in `known`, by vendor id."""

    def __init__(self, known: dict[str, Profile] | None = None) -> None:
        self.known = known or {}

    def find(self, profile: Profile) -> str | None:
        return next(
            (
                own
                for own, who in self.known.items()
                if (profile.email and who.email == profile.email)
                or (profile.user_id and who.user_id == profile.user_id)
            ),
            None,
        )

    def get(self, vendor_id: str) -> Profile | None:
        return self.known.get(vendor_id)

    def mint(self, profile: Profile) -> str:
        assert ADAPTER.mint is not None
        return ADAPTER.mint(derive_uuid(profile.user_id or profile.email or ""))


class Client:
    """Speaks to the adapter as the core would."""

    def __init__(self) -> None:
        self.crowd = Crowd()

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Request:
        place, _, query = path.partition("?")
        numbers = count(1)
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return Request(
            method=method,
            path=place,
            query=query,
            raw_headers=[(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
            body=raw,
            id="0c0b1a6e-53c1-4a0d-8b1c-6a54a7d8f101",
            received_at=RECEIVED,
            source="shop",
            new_id=lambda: f"01900000-0000-7000-8000-{next(numbers):012x}",
            people=self.crowd,
        )

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Decoded:
        """Decode one request; raises `Rejected`."""
        request = self.request(method, path, body, headers)
        for entry in ADAPTER.inbound:
            head, brace, _ = entry.path.partition("{")
            if entry.method == method and (request.path == entry.path or (brace and request.path.startswith(head))):
                request.params = {"uuid": request.path.removeprefix(head)} if brace else {}
                return entry.decode(request)
        raise AssertionError(f"no endpoint {method} {path}")

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Decoded:
        return self.ask("POST", f"/api/v1/{path}", body, headers)

    def event(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> Event:
        """Return what one object of the bulk endpoint means."""
        (event,) = self.post("bulkevents", {"events": [body]}, headers).events
        return event

    def refusal(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        with pytest.raises(Rejected) as caught:
            self.ask(method, path, body, headers)
        return caught.value.reply

    def present(self, path: str = "/api/v1/event", **headers: str) -> str:
        return EITHER.present(self.request("POST", path, headers=headers))


SETTINGS = Settings(target="crm", credentials={"event_api_key": EVENT_KEY, "user_api_key": USER_KEY})


def outbound(name: str) -> Outbound:
    """Return an endpoint as we call it."""
    return next(entry for entry in ADAPTER.outbound if entry.name == name)


def send(name: str, *events: Event) -> list[Encoded]:
    """Encode events for one endpoint."""
    return outbound(name).encode(events, SETTINGS)


def sent(event: Event, name: str = "event") -> dict[str, Any]:
    """Return the object that one event becomes on an endpoint for one."""
    (encoded,) = send(name, event)
    body: dict[str, Any] = json.loads(encoded.body)
    return body


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def parsed(reply: Reply) -> Any:
    return json.loads(reply.body)


def headers_of(reply: Reply) -> dict[bytes, bytes]:
    return dict(reply.headers)


def losses(encoded: Sequence[Encoded]) -> dict[str, tuple[str, str | None]]:
    """Return what was reported, by path."""
    return {loss.path: (loss.outcome, loss.to) for one in encoded for loss in one.lost}
