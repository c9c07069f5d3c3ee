"""Requests as the core hands them to a decoder, and people as its directory knows them."""

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.klaviyo import ADAPTER
from gateway.adapter import Decoded, Encoded, Event, Inbound, Rejected, Reply, Request, Settings
from gateway.event import Profile

RECEIVED = datetime(2026, 11, 21, 12, tzinfo=UTC)
REQUEST_ID = "0190ffff-0000-7000-8000-000000000000"
SETTINGS = Settings(target="crm", credentials={"private_key": "pk_0123456789abcdef0123456789abcdef01"})
ACCOUNT = {"private_key": "pk_0123456789abcdef0123456789abcdef01", "company_id": "AbC123"}
ENDPOINTS: dict[str, Inbound] = {entry.name: entry for entry in ADAPTER.inbound}
OUTBOUND = {entry.name: entry for entry in ADAPTER.outbound}


class People:
    """A directory that tests write."""

    def __init__(self, known: Mapping[str, Profile] | None = None) -> None:
        self.known = dict(known or {})

    def find(self, profile: Profile) -> str | None:
        names = ("user_id", "email", "phone", "anonymous_id")
        for known_id, who in self.known.items():
            if any(getattr(who, name) and getattr(who, name) == getattr(profile, name) for name in names):
                return known_id
            if profile.vendor_ids.get("klaviyo") == known_id:
                return known_id
        return None

    def get(self, vendor_id: str) -> Profile | None:
        return self.known.get(vendor_id)

    def mint(self, profile: Profile) -> str:
        assert ADAPTER.mint is not None
        return ADAPTER.mint(profile.user_id or profile.email or profile.phone or profile.anonymous_id or "nobody")


def ask(
    endpoint: str,
    body: Any = b"",
    *,
    headers: Mapping[str, str] | None = None,
    query: str = "",
    people: Mapping[str, Profile] | None = None,
    **params: str,
) -> Request:
    """Return a request to an endpoint; a body that is no bytes is written as JSON."""
    entry = ENDPOINTS[endpoint]
    numbers = itertools.count(1)
    return Request(
        method=entry.method,
        path=entry.path.replace("{id}", params.get("id", "")),
        query=query,
        raw_headers=[(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        id=REQUEST_ID,
        received_at=RECEIVED,
        source="shop",
        new_id=lambda: f"01900000-0000-7000-8000-{next(numbers):012x}",
        people=People(people),
        params=params,
        account=ACCOUNT,
    )


def decode(endpoint: str, body: Any = b"", **options: Any) -> Decoded:
    """Return what a request means."""
    return ENDPOINTS[endpoint].decode(ask(endpoint, body, **options))


def one(endpoint: str, body: Any = b"", **options: Any) -> Event:
    """Return the only event of a request."""
    (event,) = decode(endpoint, body, **options).events
    return event


def refused(endpoint: str, body: Any = b"", **options: Any) -> Reply:
    """Return the answer to a request that must be refused."""
    try:
        decoded = decode(endpoint, body, **options)
    except Rejected as rejected:
        return rejected.reply
    raise AssertionError(f"accepted: {decoded}")


def errors(answer: Reply) -> list[dict[str, Any]]:
    """Return the errors of an envelope, each with all eight members."""
    found: list[dict[str, Any]] = json.loads(answer.body)["errors"]
    for error in found:
        assert set(error) == {"id", "status", "code", "title", "detail", "source", "links", "meta"}
        assert error["status"] == answer.status
        assert isinstance(error["source"]["pointer"], str)
    return found


def pointer(endpoint: str, body: Any, **options: Any) -> str:
    """Return where the only error of a refused request points."""
    (error,) = errors(refused(endpoint, body, **options))
    return str(error["source"]["pointer"])


def encode(endpoint: str, *events: Event) -> list[Encoded]:
    """Return the requests an outbound endpoint makes of events."""
    return OUTBOUND[endpoint].encode(events, SETTINGS)


def sent(endpoint: str, event: Event) -> dict[str, Any]:
    """Return the body of the one request an event becomes."""
    (encoded,) = encode(endpoint, event)
    body: dict[str, Any] = json.loads(encoded.body)
    return body


def lost(endpoint: str, event: Event) -> dict[str, tuple[str, str | None]]:
    """Return what is reported of an event: canonical path -> (outcome, new place)."""
    (encoded,) = encode(endpoint, event)
    return {loss.path: (loss.outcome, loss.to) for loss in encoded.lost}


# --- bodies ----------------------------------------------------------------------------------------------


def wrapped(
    *, metric: Any = "Viewed Page", profile: Any = None, data: Mapping[str, Any] | None = None, **attributes: Any
) -> dict[str, Any]:
    """Return a wrapped event; `profile` are its attributes, `data` more of the profile resource."""
    who = {"type": "profile", "attributes": {"email": "nora@example.com"} if profile is None else profile}
    return {
        "data": {
            "type": "event",
            "attributes": {
                "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
                "profile": {"data": {**who, **(data or {})}},
                "properties": {},
                **attributes,
            },
        }
    }


def flat(*, metric: Any = "Viewed Page", profile: Any = None, **attributes: Any) -> dict[str, Any]:
    """Return a flat event."""
    who = {"$email": "nora@example.com"} if profile is None else profile
    inner = {"metric": {"name": metric}, "profile": who, "properties": {}, **attributes}
    return {"data": {"type": "event", "attributes": inner}}


def group(*events: Mapping[str, Any], profile: Any = None, **more: Any) -> dict[str, Any]:
    """Return a group of a bulk job; `events` are attributes, given a metric where they have none."""
    who = {"type": "profile", "attributes": {"email": "nora@example.com"} if profile is None else profile}
    metric = {"data": {"type": "metric", "attributes": {"name": "Ordered Product"}}}
    rows = [{"type": "event", "attributes": {"metric": metric, "properties": {}, **event}} for event in events]
    attributes = {"profile": {"data": who}, "events": {"data": rows}, **more}
    return {"type": "event-bulk-create", "attributes": attributes}


def job(*groups: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bulk job."""
    return {"data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": list(groups)}}}}


def profile(data: Mapping[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """Return a body of the profile endpoints."""
    return {"data": {"type": "profile", "attributes": attributes, **(data or {})}}
