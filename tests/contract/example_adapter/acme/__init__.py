"""Acme Engage, an invented vendor: the smallest adapter that keeps every promise of the port.

It stands in a drop-in folder, one file and a vocabulary, and shows what `docs/writing-an-adapter.md` tells.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway import adapter as port
from gateway.adapter import (
    Answer,
    Decoded,
    Encoded,
    EncodeError,
    Event,
    Loss,
    Refusal,
    Reply,
    Request,
    Rule,
    Settings,
    Shape,
    Verdict,
)
from gateway.event import Origin, Profile, leaves

SLUG: Final = "acme"
DOCS: Final = "https://docs.acme.example/events"
READ: Final = "2026-11-21"

MAX_EVENTS: Final = port.Limit(value=20, unit="events", source=DOCS, read=READ)
MAX_BODY: Final = port.Limit(value=65_536, unit="bytes", source=DOCS, read=READ)
FRAME: Final = len(b'{"batch":[]}')
"""Bytes around the items of a batch."""

RATE: Final = port.Window(count=10, seconds=1, source=DOCS, read=READ)

NAMES: Final = port.load_vocabulary(SLUG, __name__)
IDENTIFIERS: Final = {"id": "user_id", "mail": "email"}
CARRIED: Final = {f"profile.{field}" for field in IDENTIFIERS.values()}


class Item(Struct):
    """One element of a batch."""

    verb: str
    contact: dict[str, str] = {}
    at: str | None = None
    uid: str | None = None
    data: dict[str, Any] = {}


class Batch(Struct):
    """The body of the events endpoint."""

    batch: list[Item]


_batches: Final = msgspec.json.Decoder(Batch)
_objects: Final = msgspec.json.Decoder(dict[str, Any])


# --- in --------------------------------------------------------------------------------------------------


def _no(status: int, why: str) -> Reply:
    return port.reply(status, port.json_bytes({"error": why}), "application/json")


def _parsed(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError):
        raise port.Rejected(_no(400, "the body is not as documented")) from None


def decode_events(request: Request) -> Decoded:
    """Return the events of one batch."""
    items = _parsed(_batches, request.body).batch
    events = [_event(item, request, "events") for item in items]
    return Decoded(events, port.reply(202, port.json_bytes({"accepted": len(events)}), "application/json"))


def decode_person(request: Request) -> Decoded:
    """Return one identify for the person in the path."""
    item = Item("hello", {"id": request.params["id"]}, data=_parsed(_objects, request.body))
    return Decoded([_event(item, request, "person")], port.reply(204))


def decode_account(request: Request) -> Decoded:
    """Return nothing: real clients ask this first."""
    return Decoded((), port.reply(200, port.json_bytes({"account": "acme-1"}), "application/json"))


def _event(item: Item, request: Request, endpoint: str) -> Event:
    shape = NAMES.decode(item.verb)
    lifted, commerce = shape.lift(item.data)
    known = {IDENTIFIERS[key]: value for key, value in item.contact.items() if key in IDENTIFIERS}
    others = {key: value for key, value in item.contact.items() if key not in IDENTIFIERS}
    moment = port.parse_time(item.at) if item.at else None
    kept = {"raw": lifted.raw, "at": item.at, "verb": item.verb, "contact": others}
    return Event(
        id=request.new_id(),
        kind=shape.kind,
        name=shape.name,
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=endpoint),
        occurred_at=moment,
        dedupe_key=item.uid,
        profile=lifted.profile(**known, traits=lifted.rest) if shape.kind == "identify" else lifted.profile(**known),
        commerce=commerce,
        properties={} if shape.kind == "identify" else lifted.properties(),
        residue={SLUG: {key: value for key, value in kept.items() if value}},
    )


def _present(request: Request) -> str:
    given = request.header(b"x-acme-key")
    if not given:
        raise port.Rejected(_no(401, "no key"))
    return given


_STATUS: Final = {
    port.RefusalKind.BAD_CREDENTIAL: 401,
    port.RefusalKind.NOT_FOUND: 404,
    port.RefusalKind.METHOD_NOT_ALLOWED: 405,
    port.RefusalKind.TOO_LARGE: 413,
    port.RefusalKind.BAD_ENCODING: 415,
    port.RefusalKind.THROTTLED: 429,
    port.RefusalKind.UNAVAILABLE: 503,
    port.RefusalKind.INTERNAL: 500,
}


def refuse(refusal: Refusal, request: Request) -> Reply:
    """Return the vendor's answer to a refusal."""
    headers = {"Allow": ", ".join(refusal.allowed)} if refusal.allowed else {}
    if refusal.retry_after:
        headers["Retry-After"] = str(refusal.retry_after)
    return port.reply(
        _STATUS[refusal.kind], port.json_bytes({"error": refusal.kind.value}), "application/json", headers
    )


# --- out -------------------------------------------------------------------------------------------------


def encode(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return batches; every event has a place."""
    items = [_item(event) for event in events]
    parts = [port.json_bytes(item) for item, _ in items]
    if len(parts) == 1 and len(parts[0]) + FRAME > MAX_BODY.value:
        raise EncodeError("the event is larger than a request may be")
    cuts = port.chunk(parts, max_events=MAX_EVENTS.value, max_body=MAX_BODY.value, frame=FRAME)
    return [_batch(parts, [lost for _, lost in items], cut) for cut in cuts]


def _batch(parts: Sequence[bytes], lost: Sequence[Sequence[str]], cut: range) -> Encoded:
    body = b'{"batch":[' + b",".join(parts[cut.start : cut.stop]) + b"]}"
    losses = [Loss(index, path, "dropped", "Acme has no place for it.") for index in cut for path in lost[index]]
    return Encoded(events=tuple(cut), body=body, lost=tuple(losses))


def _item(event: Event) -> tuple[dict[str, Any], list[str]]:
    shape = NAMES.encode(event)
    kept = event.residue.get(SLUG, {})
    data, lost = _data(event, shape, kept.get("raw", {}))
    lost += ["name"] if shape.name != event.name else []
    verb = kept.get("verb", "")
    item = {
        "verb": verb if NAMES.decode(verb) is shape else shape.vendor_name,
        "contact": _contact(event.profile) | kept.get("contact", {}),
        "at": _at(event, kept.get("at")),
        "uid": event.dedupe_key,
        "data": data,
    }
    return {key: value for key, value in item.items() if value is not None}, lost


def _data(event: Event, shape: Shape, raw: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    data, lost = shape.lower(event, raw)
    others = list(_leaves(event, "consent", "residue"))
    if event.kind == "identify":
        others += _leaves(event, "properties")
        for key in event.properties:
            data.pop(key, None)
        others += [path for path in _leaves(event, "profile") if path.startswith(BESIDE_THE_TABLE)]
        shape.table.lower("profile", event.profile, raw, data, others)
        shape.table.lower_free("profile.traits", event.profile.traits, raw, data)
    else:
        others += _leaves(event, "profile")
    return data, lost + [path for path in others if path not in CARRIED and not path.startswith(f"residue.{SLUG}.")]


BESIDE_THE_TABLE: Final = ("profile.location.", "profile.push_tokens", "profile.vendor_ids.")
"""Parts of a person that no table moves."""


def _leaves(event: Event, *parts: str) -> Iterator[str]:
    for part in parts:
        yield from (path for path, _ in leaves(msgspec.to_builtins(getattr(event, part)), part) if path != part)


def _contact(profile: Profile) -> dict[str, str]:
    held = {key: getattr(profile, field) for key, field in IDENTIFIERS.items()}
    return {key: value for key, value in held.items() if value is not None}


def _at(event: Event, before: str | None) -> str | None:
    if before and port.parse_time(before) == event.occurred_at:
        return before
    return event.occurred_at.isoformat() if event.occurred_at else None


def _headers(credentials: Mapping[str, str]) -> dict[str, str]:
    return {"Content-Type": "application/json", "X-Acme-Key": credentials["api_key"]}


def _error_code(answer: Answer) -> str | None:
    try:
        return str(_objects.decode(answer.body).get("error"))
    except (ValueError, RecursionError):
        return None


# --- the whole -------------------------------------------------------------------------------------------

KEY: Final = port.Auth(_present, port.matches_any("api_key"))

ADAPTER: Final = port.Adapter(
    slug=SLUG,
    title="Acme Engage",
    docs=(DOCS,),
    read=READ,
    base_url="https://api.acme.example",
    revision=None,
    credentials=(port.CredentialName("api_key", "from the account's settings page"),),
    vocabulary=NAMES,
    inbound=(
        port.Inbound(
            name="events", method="POST", path="/v1/events", decode=decode_events, auth=KEY, max_body=MAX_BODY.value
        ),
        port.Inbound(
            name="person", method="PUT", path="/v1/people/{id}", decode=decode_person, auth=KEY, max_body=MAX_BODY.value
        ),
        port.Inbound(name="account", method="GET", path="/v1/account", decode=decode_account, auth=KEY, max_body=0),
    ),
    refuse=refuse,
    outbound=(
        port.Outbound(
            name="events",
            method="POST",
            path="/v1/events",
            kinds=frozenset({"track", "identify"}),
            needs=("api_key",),
            encode=encode,
            headers=_headers,
            max_events=MAX_EVENTS.value,
            max_body=MAX_BODY.value,
            windows=(RATE,),
            rules=(
                Rule(409, "duplicate", Verdict.DONE, "it came with an earlier try"),
                Rule(409, None, Verdict.REJECT, "it contradicts what is stored"),
            ),
            error_code=_error_code,
        ),
    ),
)
