"""A client of the emulated API, and the way to it back out."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from adapters.synerise import ADAPTER
from adapters.synerise.options import SourceOptions, TargetOptions
from gateway.adapter import Decoded, Encoded, Inbound, Outbound, Refusal, Rejected, Reply, Request, Settings
from gateway.adapter import RefusalKind as Kind
from gateway.event import Event, Origin, Profile

RECEIVED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MAY = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)
ID = "01900000-0000-7000-8000-000000000001"
KEY = "01234567-89ab-4cde-8f01-23456789abcd"
ACCOUNT = {
    "api_key": KEY,
    "workspace_guid": "1f9c2d4e-7a30-4b58-9d61-0c8e5b7f2a94",
    "tracker_key": "98765432-0000-4000-8000-123456789abc",
    "profile_key": "76543210-89ab-4cde-8f01-23456789abcd",
}
WHO = {"customId": "4471"}


class Crowd:
    """People to a source: everyone in `known`, by vendor id."""

    def __init__(self, known: dict[str, Profile] | None = None) -> None:
        self.known = known or {}

    def find(self, profile: Profile) -> str | None:
        names = ("user_id", "email", "phone", "anonymous_id")
        for number, who in self.known.items():
            if any(getattr(who, name) and getattr(who, name) == getattr(profile, name) for name in names):
                return number
        return None

    def get(self, vendor_id: str) -> Profile | None:
        return self.known.get(vendor_id)

    def mint(self, profile: Profile) -> str:
        assert ADAPTER.mint is not None
        return ADAPTER.mint(profile.user_id or profile.email or profile.phone or "")


def request(
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    options: SourceOptions | None = None,
    at: datetime = RECEIVED,
    known: dict[str, Profile] | None = None,
) -> Request:
    """Return a request as the core hands it over; a body that is no bytes is written as JSON."""
    place, _, query = path.partition("?")
    numbers = count(1)
    return Request(
        method=method,
        path=place,
        query=query,
        raw_headers=[(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        body=body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode(),
        id="0190ffff-0000-7000-8000-000000000000",
        received_at=at,
        source="shop",
        new_id=lambda: f"01900000-0000-7000-8000-{next(numbers):012x}",
        people=Crowd(known),
        account=ACCOUNT,
        options=options or SourceOptions(),
    )


def endpoint(asked: Request) -> Inbound:
    """Return what answers a request, with the request's params set: plain paths first."""
    for entry in sorted(ADAPTER.inbound, key=lambda entry: entry.path.count("{")):
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(entry.path))
        if entry.method == asked.method and (found := re.fullmatch(pattern, asked.path)):
            asked.params = found.groupdict()
            return entry
    raise AssertionError(f"no endpoint {asked.method} {asked.path}")


def ask(method: str, path: str, body: Any = None, **more: Any) -> Decoded:
    """Decode one request; raises `Rejected`."""
    asked = request(method, path, body, **more)
    return endpoint(asked).decode(asked)


def post(path: str, body: Any, **more: Any) -> Decoded:
    return ask("POST", f"/v4/{path}", body, **more)


def custom(action: str = "quiz.done", **members: Any) -> dict[str, Any]:
    """Return an item of a batch."""
    return {"type": "custom", "action": action, "label": action, "client": WHO, **members}


def event(action: str = "quiz.done", params: dict[str, Any] | None = None, **members: Any) -> Event:
    """Return what one custom event means."""
    body = {**custom(action, **members), **({} if params is None else {"params": params})}
    (found,) = post("events/batch", [body]).events
    return found


def refusal(method: str, path: str, body: Any = None, **more: Any) -> Reply:
    with pytest.raises(Rejected) as caught:
        ask(method, path, body, **more)
    return caught.value.reply


def errors(path: str, body: Any) -> list[str]:
    """Return the fields that a 400 names."""
    told = refusal("POST", f"/v4/{path}", body)
    assert told.status == 400
    return [error["field"] for error in json.loads(told.body)["errors"]]


def authenticate(asked: Request, account: Mapping[str, str] = ACCOUNT) -> Reply | None:
    """Return the refusal of a request's credential, None when it is taken; as the core does it."""
    auth = endpoint(asked).auth
    assert auth is not None
    try:
        presented = auth.present(asked)
    except Rejected as rejected:
        return rejected.reply
    return None if auth.matches(presented, account) else ADAPTER.refuse(Refusal(Kind.BAD_CREDENTIAL), asked)


def parsed(reply: Reply) -> Any:
    return json.loads(reply.body)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


# --- out -------------------------------------------------------------------------------------------------


def foreign(name: str = "Quiz Done", **fields: Any) -> Event:
    """Return an event that another vendor's client sent."""
    given: dict[str, Any] = {
        "id": ID,
        "kind": "track",
        "name": name,
        "received_at": RECEIVED,
        "source": Origin(name="shop", vendor="klaviyo", endpoint="events"),
        "occurred_at": MAY,
        "profile": Profile(user_id="u1"),
        **fields,
    }
    return Event(**given)


def settings(**options: Any) -> Settings:
    return Settings(target="crm", credentials={"api_key": KEY}, options=TargetOptions(**options))


def outbound(name: str) -> Outbound:
    return next(entry for entry in ADAPTER.outbound if entry.name == name)


def taker(one: Event) -> Outbound:
    """Return the endpoint that carries an event."""
    return next(entry for entry in ADAPTER.outbound if entry.carries(one, settings()))


def encoded(one: Event, **options: Any) -> Encoded:
    """Return the only request for an event."""
    (only,) = taker(one).encode([one], settings(**options))
    return only


def sent(one: Event, **options: Any) -> dict[str, Any]:
    """Return the item that an event becomes."""
    (item,) = json.loads(encoded(one, **options).body)
    found: dict[str, Any] = item
    return found


def losses(one: Event, **options: Any) -> dict[str, tuple[str, str | None]]:
    """Return what was reported, by path."""
    return {loss.path: (loss.outcome, loss.to) for loss in encoded(one, **options).lost}
