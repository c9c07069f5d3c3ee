"""A made-up vendor: a body is a JSON list of event ids, an answer may name some of them by position."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from gateway.adapter import (
    Adapter,
    Answer,
    CredentialName,
    Encoded,
    EncodeError,
    Event,
    Loss,
    Outbound,
    Refusal,
    Reply,
    Request,
    Rule,
    Settings,
    ToldElsewhere,
    Verdict,
    Vocabulary,
    Window,
)
from gateway.event import KINDS
from gateway.vocabulary import read_vocabulary

UNENCODABLE = "unencodable"
NEEDLESS = "needless"
LEFT_OUT = "left out"


def window(count: int, seconds: float, unit: str = "requests", shared: str | None = None) -> Window:
    """Return a window of a made-up document."""
    return msgspec.convert(
        {"count": count, "seconds": seconds, "unit": unit, "source": "a test", "read": "2026-11-21", "shared": shared},
        Window,
    )


def encode(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return one request; an event of a certain name breaks it, one of another is forgotten."""
    if any(event.name == UNENCODABLE for event in events):
        raise EncodeError("this vendor has no such event")
    if any(event.name == NEEDLESS for event in events):
        raise ToldElsewhere("its order carries it")
    kept = [at for at, event in enumerate(events) if event.name != LEFT_OUT]
    ids = [events[at].id for at in kept]
    body = json.dumps(ids + ([settings.credentials["key"]] if any(events[at].name == "telling" for at in kept) else []))
    losses = tuple(Loss(at, "commerce.tax", "dropped", "no field") for at in kept if events[at].commerce)
    return [Encoded(events=tuple(kept), body=body.encode(), lost=losses)] if kept else []


def encode_one_each(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return a request for each event, the last event's first."""
    one_each = [Encoded(events=(at,), body=json.dumps([event.id]).encode()) for at, event in enumerate(events)]
    return one_each[::-1]


def encode_interleaved(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return one request for the even positions and one for the odd."""
    halves = [tuple(range(start, len(events), 2)) for start in (0, 1)]
    return [Encoded(events=half, body=json.dumps([events[at].id for at in half]).encode()) for half in halves if half]


def astray_to(path: str) -> Callable[[Sequence[Event], Settings], list[Encoded]]:
    """Return an encoder whose requests go to this path."""
    return lambda events, settings: [Encoded(events=tuple(range(len(events))), body=b"[]", path=path)]


def encode_twice(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return two requests that both carry every event."""
    whole = encode(events, settings)
    return [*whole, *(Encoded(events=one.events, body=one.body, path="/second?x=%2F") for one in whole)]


def guilty(answer: Answer, request: Encoded) -> Mapping[int, str]:
    """Return what ``{"bad": {position: reason}}`` names."""
    return {int(at): why for at, why in json.loads(answer.body)["bad"].items()}


def headers(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request."""
    return {"Authorization": f"Key {credentials['key']}", "Content-Type": "application/json"}


def outbound(
    name: str = "events",
    *,
    max_events: int = 1,
    kinds: Sequence[str] = ("track", "identify", "page"),
    needs: tuple[str, ...] = ("key",),
    pays_from: int = 1,
    windows: tuple[Window, ...] = (),
    max_body: int = 1_000_000,
    takes: Callable[[Event, Settings], bool] | None = None,
    twice: bool = False,
    reversing: bool = False,
    interleaving: bool = False,
    astray: str | None = None,
) -> Outbound:
    """Return an endpoint at ``/<name>``."""
    odd = {
        encode_twice: twice,
        encode_one_each: reversing,
        encode_interleaved: interleaving,
        astray_to(astray or ""): astray is not None,
    }
    return Outbound(
        name=name,
        method="POST",
        path=f"/{name}",
        kinds=frozenset(kind for kind in KINDS if kind in kinds),
        needs=needs,
        encode=next((way for way, asked in odd.items() if asked), encode),
        headers=headers,
        max_events=max_events,
        max_body=max_body,
        takes=takes,
        pays_from=pays_from,
        windows=windows,
        rules=(
            Rule(409, "duplicate", Verdict.DONE, "stored by an earlier try"),
            Rule(range(420, 422), None, Verdict.THROTTLE, "calm down"),
        ),
        error_code=lambda answer: str(json.loads(answer.body)["code"]),
        guilty=guilty,
    )


def _vocabulary() -> Vocabulary:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made_up.yaml"
        path.write_text("vendor: made_up\nevents: {}\n")
        return read_vocabulary(path)


def _refuse(refusal: Refusal, request: Request) -> Reply:
    return Reply(400)


def adapter(*endpoints: Outbound) -> Adapter:
    """Return the vendor with these endpoints."""
    return Adapter(
        slug="made_up",
        title="Made up",
        docs=(),
        read="2026-11-21",
        base_url="https://vendor.example/base",
        revision=None,
        credentials=(CredentialName("key", "opens everything"), CredentialName("user_key", "opens people")),
        vocabulary=_vocabulary(),
        inbound=(),
        refuse=_refuse,
        outbound=endpoints or (outbound(),),
    )
