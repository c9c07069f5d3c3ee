"""Speaks to the adapter as the core would."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest

from adapters.vibetrace import ADAPTER
from adapters.vibetrace.options import SourceOptions, TargetOptions
from gateway import event as canonical
from gateway.adapter import (
    Decoded,
    Encoded,
    Inbound,
    Outbound,
    Refusal,
    RefusalKind,
    Rejected,
    Reply,
    Request,
    Settings,
)
from gateway.event import Event, Origin, Profile
from gateway.inbound.routes import Source, normal_path

RECEIVED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MAY = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)
ID = "01900000-0000-7000-8000-000000000001"
ANA = {"email": "ana.popescu@example.com"}
ACCOUNT = {"api_key": "lk0demo", "account_id": "50fc3bb4", "app_id": "50fc3bb4", "api_secret": "s+/="}
BASIC = "Basic bGswZGVtbzpzKy89"
SETTINGS = Settings(target="crm", credentials={"api_key": "lk0demo"}, options=TargetOptions())


class Crowd:
    """People to a source: everyone in `known`, by vendor id."""

    def __init__(self, known: Mapping[str, Profile] | None = None) -> None:
        self.known = dict(known or {})

    def find(self, profile: Profile) -> str | None:
        for own, who in self.known.items():
            if own in profile.vendor_ids.values() or (profile.email is not None and profile.email == who.email):
                return own
        return None

    def get(self, vendor_id: str) -> Profile | None:
        return self.known.get(vendor_id)

    def mint(self, profile: Profile) -> str:
        assert ADAPTER.mint is not None
        return ADAPTER.mint(profile.email or "")


class Client:
    """A client of a source with one account."""

    def __init__(self, *, strict: bool = False, known: Mapping[str, Profile] | None = None) -> None:
        self.crowd = Crowd(known)
        self.options = SourceOptions(strict=strict)
        self.account: dict[str, str] = ACCOUNT
        self.source = Source("shop", ADAPTER, (ACCOUNT,))
        self._numbers = count(1)

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Request:
        place, _, query = path.partition("?")
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"Authorization": BASIC if place.startswith("/api/") else ACCOUNT["api_key"], **(headers or {})}
        return Request(
            method=method,
            path=normal_path(place),
            query=query,
            raw_headers=[(k.lower().encode(), v.encode("latin-1")) for k, v in given.items()],
            body=raw,
            id="0c0b1a6e-53c1-4a0d-8b1c-6a54a7d8f101",
            received_at=RECEIVED,
            source="shop",
            new_id=lambda: f"01900000-0000-7000-8000-{next(self._numbers):012x}",
            people=self.crowd,
            options=self.options,
        )

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Decoded:
        """Route, authenticate and decode one request; raises `Rejected`."""
        request = self.request(method, path, body, headers)
        found = self.source.endpoint(method, request.path)
        assert found is not None, f"no endpoint {method} {path}"
        request.params = found.params
        self._authenticate(found.endpoint, request)
        return found.endpoint.decode(request)

    def _authenticate(self, entry: Inbound, request: Request) -> None:
        assert entry.auth is not None
        presented = entry.auth.present(request)
        if not entry.auth.matches(presented, self.account):
            raise Rejected(ADAPTER.refuse(Refusal(RefusalKind.BAD_CREDENTIAL), request))
        request.account = self.account

    def send(self, event: Any, user: Any = ANA) -> Decoded:
        """Send one body of ``/v1/event``."""
        return self.ask("POST", "/v1/event", {"user": user, "event": event})

    def event(self, event: Any, user: Any = ANA) -> Event:
        """Return what a body with one type means."""
        (one,) = self.send(event, user).events
        return one

    def collect(self, elements: Any, *, path: str = "", more: str = "", cookie: str = "") -> Decoded:
        """Send events to the collector."""
        data = quote(json.dumps(elements))
        headers = {"Cookie": cookie} if cookie else {}
        return self.ask("GET", f"/event/{ACCOUNT['account_id']}{path}?data={data}{more}&ts=1", headers=headers)

    def legacy(self, type_: str, fields: Any) -> Decoded:
        """Send one event to the first API."""
        return self.ask("POST", f"/api/v3/apps/{ACCOUNT['app_id']}/events/{type_}", fields)

    def refusal(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        with pytest.raises(Rejected) as caught:
            self.ask(method, path, body, headers)
        return caught.value.reply


def foreign(**fields: Any) -> Event:
    """Return an event that another vendor's client sent."""
    given: dict[str, Any] = {
        "id": ID,
        "kind": "track",
        "name": "Order Completed",
        "received_at": RECEIVED,
        "source": Origin(name="shop", vendor="klaviyo", endpoint="events"),
        "profile": Profile(email="ada@example.com"),
        **fields,
    }
    return Event(**given)


def outbound(name: str) -> Outbound:
    """Return an endpoint as we call it."""
    return next(entry for entry in ADAPTER.outbound if entry.name == name)


def encode(event: Event, name: str = "event", **options: Any) -> Encoded:
    """Encode one event as it comes out of the log."""
    stored = canonical.load(canonical.dump(event))
    settings = Settings(target="crm", credentials=SETTINGS.credentials, options=TargetOptions(**options))
    (encoded,) = outbound(name).encode([stored], settings)
    return encoded


def body_of(encoded: Encoded) -> Any:
    return json.loads(encoded.body)


def sent(event: Event, **options: Any) -> Any:
    """Return the ``event`` of the request that an event becomes."""
    return body_of(encode(event, **options))["event"]


def custom(event: Event) -> Any:
    """Return the fields of the custom event that an event becomes."""
    return sent(event)["generic"]["generic"]


def losses(encoded: Encoded) -> dict[str, tuple[str, str | None]]:
    """Return what was reported, by path."""
    return {loss.path: (loss.outcome, loss.to) for loss in encoded.lost}


def errors(reply: Reply) -> Sequence[str]:
    """Return the messages of a refusal."""
    return [error["message"] for error in json.loads(reply.body)["errors"]]
