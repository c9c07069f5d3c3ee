"""Recorded requests of every adapter, played to it the way the core would.

A case is ``adapters/<vendor>/tests/payloads/<case>.json``::

    {"request": {"method", "path" with query, "headers", "body": JSON value, text or null},
     "response": {"status", "headers", "body"},     optional: what the vendor answered
     "credentials": {name: value},                  optional: the account, where it cannot be seen from the request
     "options": {name: value},                      optional: what is set for the source
     "source": "where it was read"}

and ``<case>.event.json`` beside it holds the events it means, where it is accepted: ids count up from
``…000000000001`` and every event was received at `RECEIVED`.

    python tests/contract/adapter_cases.py --write VENDOR     writes the .event.json files anew, for review
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest import mock
from urllib.parse import unquote

import msgspec

from gateway import event as canonical
from gateway import registry
from gateway.adapter import (
    Adapter,
    Inbound,
    Outbound,
    Refusal,
    RefusalKind,
    Rejected,
    Reply,
    Request,
    default_options,
    derive_uuid,
)
from gateway.event import Event, Profile
from gateway.inbound.routes import Source, normal_path

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "src" / "gateway" / "scaffold"
"""A drop-in folder with a small, complete adapter: what ``gateway new-adapter`` copies."""
DROP_IN: Final = os.environ.get(registry.DROP_IN)
"""A drop-in folder of one's own, whose adapters are tested like all others."""

RECEIVED: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SOURCE: Final = "shop"
RETRY_AFTER: Final = 1


@cache
def everyone() -> dict[str, Adapter]:
    """Return every adapter found, and the example."""
    return {slug: adapter for folder in _folders() for slug, adapter in _found(folder).items()}


def _found(folder: Path) -> dict[str, Adapter]:
    with mock.patch.dict(os.environ, {registry.DROP_IN: str(folder)}):
        return registry.adapters.__wrapped__()


def _folders() -> list[Path]:
    return [EXAMPLES, *([Path(DROP_IN)] if DROP_IN else [])]


def home(slug: str) -> Path:
    """Return an adapter's folder."""
    shelves = [ROOT / "adapters", *_folders()[::-1]]
    return next(shelf / slug for shelf in shelves if (shelf / slug).is_dir())


# --- cases -----------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """One recorded request."""

    vendor: str
    path: Path
    request: dict[str, Any]
    response: dict[str, Any] | None
    credentials: dict[str, str] | None
    options: dict[str, Any] | None = None

    @property
    def expected(self) -> Path:
        """Where the events stand that it means."""
        return self.path.with_suffix(".event.json")

    @property
    def body(self) -> bytes:
        """The bytes on the wire, decompressed."""
        return encoded(self.request.get("body"))


def encoded(body: Any) -> bytes:
    """Return a recorded body as bytes: text as it is, null as nothing, any other value as JSON."""
    if body is None:
        return b""
    return (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode("utf-8", "surrogatepass")


def cases(slug: str) -> Iterator[Case]:
    """Yield an adapter's recorded requests."""
    for path in sorted((home(slug) / "tests" / "payloads").glob("*.json")):
        if not path.name.endswith((".event.json", ".request.json")):
            content = json.loads(path.read_text("utf-8"))
            optional = (content.get(key) for key in ("response", "credentials", "options"))
            yield Case(slug, path, content["request"], *optional)


# --- the world around a request --------------------------------------------------------------------------


class Crowd:
    """People to a source: nobody is known, or whoever is asked for."""

    def __init__(self, adapter: Adapter, *, known: bool) -> None:
        self._adapter = adapter
        self._known = known

    def find(self, profile: Profile) -> str | None:
        return self.mint(profile) if self._known else None

    def get(self, vendor_id: str) -> Profile | None:
        return Profile(email="known@example.com", vendor_ids={self._adapter.slug: vendor_id}) if self._known else None

    def mint(self, profile: Profile) -> str:
        seed = derive_uuid(*(value for _, value in canonical.leaves(_identifiers(profile))))
        return self._adapter.mint(seed) if self._adapter.mint else seed


def _identifiers(profile: Profile) -> dict[str, str]:
    names = ("user_id", "email", "phone", "anonymous_id", "device_id")
    return {name: getattr(profile, name) for name in names if getattr(profile, name)}


def request(
    adapter: Adapter,
    recorded: Mapping[str, Any],
    *,
    known: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Request:
    """Return a recorded request as a decoder would be handed it, before routing."""
    path, _, query = recorded["path"].partition("?")
    numbers = count(1)
    return Request(
        method=recorded["method"],
        path=normal_path(unquote(path)),
        query=query,
        raw_headers=[(k.lower().encode(), v.encode()) for k, v in (recorded.get("headers") or {}).items()],
        body=encoded(recorded.get("body")),
        id="0190ffff-0000-7000-8000-000000000000",
        received_at=RECEIVED,
        source=SOURCE,
        new_id=lambda: f"01900000-0000-7000-8000-{next(numbers):012x}",
        people=Crowd(adapter, known=known),
        options=_options(adapter, options),
    )


def _options(adapter: Adapter, options: Mapping[str, Any] | None) -> Any:
    if options is None or adapter.source_options is None:
        return default_options(adapter.source_options)
    return msgspec.convert(options, adapter.source_options)


# --- playing ---------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What became of a request."""

    accepted: bool
    reply: Reply
    events: tuple[Event, ...] = ()
    endpoint: Inbound | None = None


def account_of(adapter: Adapter, presented: str, credentials: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an account whose every credential is the one a client presented."""
    return dict(credentials) if credentials else {entry.name: presented for entry in adapter.credentials}


def play(
    adapter: Adapter, asked: Request, *, credentials: Mapping[str, str] | None = None, stranger: bool = False
) -> Outcome:
    """Route, authenticate and decode one request as the core does; a `stranger`'s credential is nobody's."""
    source = Source(SOURCE, adapter, ())
    found = source.endpoint(asked.method, asked.path)
    if found is None:
        allowed = source.methods(asked.path)
        kind = RefusalKind.METHOD_NOT_ALLOWED if allowed else RefusalKind.NOT_FOUND
        return Outcome(False, adapter.refuse(Refusal(kind, allowed=allowed), asked))
    entry, asked.params = found.endpoint, found.params
    try:
        return _decode(adapter, entry, asked, credentials, stranger)
    except Rejected as rejected:
        return Outcome(False, rejected.reply, endpoint=entry)


def _decode(
    adapter: Adapter, entry: Inbound, asked: Request, credentials: Mapping[str, str] | None, stranger: bool
) -> Outcome:
    coding = asked.header(b"content-encoding")
    if coding not in (None, "identity", *adapter.encodings):
        return Outcome(False, adapter.refuse(Refusal(RefusalKind.BAD_ENCODING), asked), endpoint=entry)
    if entry.auth is not None:
        presented = entry.auth.present(asked)
        account = account_of(adapter, presented, credentials)
        if stranger or not entry.auth.matches(presented, account):
            return Outcome(False, adapter.refuse(Refusal(RefusalKind.BAD_CREDENTIAL), asked), endpoint=entry)
        asked.account = account
    if len(asked.body) > entry.max_body:
        return Outcome(False, adapter.refuse(Refusal(RefusalKind.TOO_LARGE), asked), endpoint=entry)
    decoded = entry.decode(asked)
    return Outcome(True, decoded.reply, tuple(decoded.events), entry)


def replay(adapter: Adapter, case: Case) -> Outcome:
    """Play a case in the first world in which the adapter answers with the recorded status.

    A recording does not tell who was known to the account, whose key it was or how much had been sent before, so
    each is tried; with no recorded answer, or none that fits, it is a known key, strangers and quiet.
    """
    outcomes = _worlds(adapter, case)
    first = next(outcomes)
    if case.response is None:
        return first
    status = case.response["status"]
    return next((outcome for outcome in (first, *outcomes) if outcome.reply.status == status), first)


def _worlds(adapter: Adapter, case: Case) -> Iterator[Outcome]:
    for known in (False, True):
        asked = request(adapter, case.request, known=known, options=case.options)
        yield play(adapter, asked, credentials=case.credentials)
    yield play(adapter, request(adapter, case.request, options=case.options), stranger=True)
    for kind in (RefusalKind.THROTTLED, RefusalKind.UNAVAILABLE, RefusalKind.INTERNAL):
        yield Outcome(False, adapter.refuse(Refusal(kind, RETRY_AFTER), request(adapter, case.request)))


def partner(adapter: Adapter, entry: Inbound) -> Outbound | None:
    """Return the outbound endpoint that calls what an inbound endpoint stands in for."""
    return next((out for out in adapter.outbound if (out.method, out.path) == (entry.method, entry.path)), None)


# --- writing ---------------------------------------------------------------------------------------------


def dumped(events: tuple[Event, ...]) -> list[Any]:
    """Return events as the JSON that stands in an ``.event.json`` file."""
    return [json.loads(canonical.dump(event)) for event in events]


def write(slug: str) -> None:
    """Write a vendor's ``.event.json`` files anew, and remove those of requests that are refused."""
    for case in cases(slug):
        outcome = replay(everyone()[slug], case)
        if outcome.accepted:
            text = json.dumps(dumped(outcome.events), indent=2, ensure_ascii=False)
            case.expected.write_text(text + "\n", "utf-8")
        else:
            case.expected.unlink(missing_ok=True)
        verdict = f"{len(outcome.events)} events" if outcome.accepted else "refused"
        print(f"{case.path.stem}: {verdict}, {outcome.reply.status}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Recorded requests of an adapter.")
    parser.add_argument("--write", metavar="VENDOR", required=True, choices=sorted(everyone()))
    write(parser.parse_args(sys.argv[1:]).write)
