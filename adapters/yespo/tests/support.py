"""A client of the emulated API, and the way to it back out."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from adapters.yespo import ADAPTER
from adapters.yespo.options import SourceOptions, TargetOptions
from gateway.adapter import (
    Answer,
    Decoded,
    Encoded,
    Inbound,
    Outbound,
    Rejected,
    Reply,
    Request,
    Settings,
    Verdict,
    derive_uuid,
)
from gateway.event import Event, Origin, Profile

RECEIVED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY = "DEMOKEY00000000000000000000000001"
JSON = {"Content-Type": "application/json"}


def basic(key: str = KEY, user: str = "user") -> str:
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()


class Crowd:
    """People to a source: everyone in `known`, by contact id."""

    def __init__(self, known: dict[str, Profile] | None = None) -> None:
        self.known = known or {}

    def find(self, profile: Profile) -> str | None:
        for own, who in self.known.items():
            pairs = ((profile.email, who.email), (profile.user_id, who.user_id), (profile.phone, who.phone))
            if any(given and given == held for given, held in pairs):
                return own
        return None

    def get(self, vendor_id: str) -> Profile | None:
        return self.known.get(vendor_id)

    def mint(self, profile: Profile) -> str:
        assert ADAPTER.mint is not None
        return self.find(profile) or ADAPTER.mint(derive_uuid(profile.user_id or profile.email or ""))


class Client:
    """Speaks to the adapter as the core would."""

    def __init__(self, known: dict[str, Profile] | None = None, **options: Any) -> None:
        self.crowd = Crowd(known)
        self.options = SourceOptions(**options)
        self.at = RECEIVED

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Request:
        place, _, query = path.partition("?")
        numbers = count(1)
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return Request(
            method=method,
            path=place,
            query=query,
            raw_headers=[(k.lower().encode(), v.encode()) for k, v in {**JSON, **(headers or {})}.items()],
            body=raw,
            id="0c0b1a6e-53c1-4a0d-8b1c-6a54a7d8f101",
            received_at=self.at,
            source="shop",
            new_id=lambda: f"01900000-0000-7000-8000-{next(numbers):012x}",
            people=self.crowd,
            account={"api_key": KEY},
            options=self.options,
        )

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Decoded:
        """Decode one request; raises `Rejected`."""
        request = self.request(method, path, body, headers)
        entry = inbound(method, request.path)
        if "{" in entry.path:
            request.params = {entry.path.partition("{")[2].strip("}"): request.path.rpartition("/")[2]}
        return entry.decode(request)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Decoded:
        return self.ask("POST", path, body, headers)

    def event(self, type_key: str, *, version: str = "v2", key: Any = None, **params: Any) -> Event:
        """Return what one event with these parameters means."""
        (event,) = self.post(f"/api/{version}/event", body_of(type_key, key=key, **params)).events
        return event

    def refusal(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        with pytest.raises(Rejected) as caught:
            self.ask(method, path, body, headers)
        return caught.value.reply


def inbound(method: str, path: str) -> Inbound:
    for entry in ADAPTER.inbound:
        head, brace, _ = entry.path.partition("{")
        if entry.method == method and (path == entry.path or (brace and path.startswith(head))):
            return entry
    raise AssertionError(f"no endpoint {method} {path}")


def body_of(type_key: str, *, key: Any = None, **params: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"eventTypeKey": type_key, "params": [{"name": n, "value": v} for n, v in params.items()]}
    return body if key is None else {**body, "keyValue": key}


def parsed(reply: Reply) -> Any:
    return json.loads(reply.body)


# --- outbound --------------------------------------------------------------------------------------------

ID = "01900000-0000-7000-8000-000000000001"
NOW = datetime(2026, 11, 21, 11, 59, 30, tzinfo=UTC)
MAY = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)


def foreign(**fields: Any) -> Event:
    """Return an event that another vendor's client sent."""
    given: dict[str, Any] = {
        "id": ID,
        "kind": "track",
        "name": "Lesson Started",
        "received_at": RECEIVED,
        "source": Origin(name="shop", vendor="klaviyo", endpoint="events"),
        "occurred_at": NOW,
        "profile": Profile(user_id="CUST-1", email="nina.roth@example.com"),
        **fields,
    }
    return Event(**given)


def settings(**options: Any) -> Settings:
    return Settings(target="crm", credentials={"api_key": KEY}, options=TargetOptions(**options))


def outbound(name: str) -> Outbound:
    """Return an endpoint as we call it."""
    return next(entry for entry in ADAPTER.outbound if entry.name == name)


def way(event: Event, **options: Any) -> str:
    """Return the endpoint for one event: the first that takes it and pays for one."""
    given = settings(**options)
    return next(o.name for o in ADAPTER.outbound if o.carries(event, given) and o.pays_from <= 1)


def send(name: str, *events: Event, **options: Any) -> list[Encoded]:
    """Encode events for one endpoint."""
    return outbound(name).encode(events, settings(**options))


def sent(event: Event, name: str = "event_v2", **options: Any) -> dict[str, Any]:
    """Return the body of the request that one event becomes."""
    (encoded,) = send(name, event, **options)
    body: dict[str, Any] = json.loads(encoded.body)
    return body


def params(event: Event, **options: Any) -> dict[str, Any]:
    """Return the parameters of the live event that one becomes."""
    return {param["name"]: param["value"] for param in sent(event, **options)["params"]}


def losses(encoded: Sequence[Encoded]) -> dict[str, tuple[str, str | None]]:
    """Return what was reported, by path."""
    return {loss.path: (loss.outcome, loss.to) for one in encoded for loss in one.lost}


def answer(body: Any = b"", status: int = 200) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {"content-type": "application/json;charset=UTF-8"}, raw)


def verdict(name: str, given: Answer) -> Verdict:
    """Return what an endpoint's rules say of an answer."""
    out = outbound(name)
    code = out.error_code(given) if out.error_code else None
    for rule in out.rules:
        fits = rule.status == given.status if isinstance(rule.status, int) else given.status in rule.status
        if fits and rule.code in (None, code):
            return rule.verdict
    return Verdict.DONE if 200 <= given.status < 300 else Verdict.REJECT
