"""The adapter port: everything a vendor's package may import, and all it has to say.

An adapter is data and pure functions. It opens no socket, reads no clock, writes no log; what it needs of the
world is handed to it in a `Request`. The core routes, checks credentials, cuts batches, waits, sends, judges,
splits and retries: an adapter only says what is true of its vendor.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from gateway.adapter_tools import (
    chunk,
    derive_uuid,
    json_bytes,
    nesting_bound,
    nests_deeper,
    non_space,
    parse_time,
    parse_unix,
)
from gateway.errors import EncodeError, ToldElsewhere
from gateway.event import Event, Kind, Profile, leaf_paths
from gateway.vocabulary import Lifted, Shape, Vocabulary, load_vocabulary

__all__ = [
    "Adapter",
    "Answer",
    "Auth",
    "CredentialName",
    "Decoded",
    "EncodeError",
    "Encoded",
    "Event",
    "Inbound",
    "Lifted",
    "Limit",
    "Login",
    "Loss",
    "Once",
    "Outbound",
    "People",
    "Quota",
    "Refusal",
    "RefusalKind",
    "Rejected",
    "Reply",
    "Request",
    "Rule",
    "Settings",
    "Shape",
    "ToldElsewhere",
    "Verdict",
    "Vocabulary",
    "Window",
    "chunk",
    "default_options",
    "derive_uuid",
    "json_bytes",
    "load_vocabulary",
    "losses_below",
    "losses_of",
    "matches_any",
    "nesting_bound",
    "nests_deeper",
    "non_space",
    "parse_time",
    "parse_unix",
    "reply",
]


# --- numbers ---------------------------------------------------------------------------------------------


class Limit(Struct, frozen=True, kw_only=True):
    """A vendor's number with its unit, where it stands, and the day it was read (ISO date)."""

    value: int
    unit: str
    source: str
    read: str


class Window(Struct, frozen=True, kw_only=True):
    """At most `count` in any `seconds`; several windows hold at once."""

    count: int
    seconds: float
    unit: Literal["requests", "events"] = "requests"
    source: str
    read: str
    shared: str | None = None
    """A name under which several endpoints of one account share this window; None: the endpoint's own."""
    ours: bool = False
    """A careful choice of the adapter's where the vendor publishes none: windows that a person sets replace it."""


# --- inbound: a client speaks to us ----------------------------------------------------------------------


class Reply(Struct, frozen=True):
    """An HTTP answer to a client. Header names are sent in the given spelling; the core adds Content-Length."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


def reply(
    status: int,
    body: bytes | str = b"",
    content_type: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Return a `Reply` from text."""
    pairs = [(b"Content-Type", content_type.encode())] if content_type else []
    pairs += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Reply(status, tuple(pairs), body.encode() if isinstance(body, str) else body)


class Rejected(Exception):
    """Raised by a decoder to refuse a request; nothing of it is stored."""

    def __init__(self, answer: Reply) -> None:
        super().__init__(f"rejected with {answer.status}")
        self.reply = answer


class People(Protocol):
    """Who is already known to a source: identifiers and the vendor id made up for them, nothing else."""

    def find(self, profile: Profile) -> str | None:
        """Return the vendor id known for any identifier of `profile`."""

    def get(self, vendor_id: str) -> Profile | None:
        """Return the identifiers known for an id."""

    def mint(self, profile: Profile) -> str:
        """Return the id that a person with these identifiers has, or would get: the same at every call."""


class Request(Struct, kw_only=True):
    """One HTTP request as a decoder sees it."""

    method: str
    path: str
    """Below the source's mount; percent-decoded, slashes collapsed, none at the end."""
    query: str
    """Raw, without the question mark."""
    raw_headers: Sequence[tuple[bytes, bytes]]
    """Names in lower case."""
    body: bytes
    """Decompressed."""
    id: str
    """UUID of the request."""
    received_at: datetime
    source: str
    new_id: Callable[[], str]
    """Gives a fresh event id (UUIDv7)."""
    people: People
    params: dict[str, str] = {}
    """What the path pattern captured."""
    account: Mapping[str, str] = {}
    """The configured credentials that matched; empty before authentication and on open endpoints."""
    options: Any = None
    """The source's options: an instance of `Adapter.source_options`, None for an adapter without."""

    _headers: dict[bytes, bytes] | None = None

    def header(self, name: bytes) -> str | None:
        """Return the header of that lower-case name; of several the last."""
        if self._headers is None:
            self._headers = dict(self.raw_headers)
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")


class Once(Struct, frozen=True):
    """An event that the vendor counts once in a while; those that follow are answered alike and not stored."""

    key: str
    """Of all events of the source with this key one is kept."""
    seconds: float
    """Time from the one that was kept until another may be."""


class Decoded(Struct, frozen=True):
    """What a request means: the events to store, in order, and the answer once they are safe."""

    events: Sequence[Event]
    reply: Reply
    once: Mapping[str, Once] = {}
    """By id of the event, for those few that are counted once; not for the client's own keys."""


class Auth(Struct, frozen=True):
    """How a client proves who it is.

    `present` takes the credential out of the request, or raises `Rejected` when there is none or its form is
    wrong. `matches` tells whether it is that of one configured account; it must compare in constant time.
    """

    present: Callable[[Request], str]
    matches: Callable[[str, Mapping[str, str]], bool]


def matches_any(*names: str) -> Callable[[str, Mapping[str, str]], bool]:
    """Return a matcher: the presented text is one of the account's credentials of these names."""

    def matches(presented: str, account: Mapping[str, str]) -> bool:
        given = presented.encode("utf-8", "surrogatepass")
        hits = [hmac.compare_digest(given, account[name].encode()) for name in names if name in account]
        return any(hits)

    return matches


class RefusalKind(Enum):
    """Why the core refuses a request before or after the decoder saw it."""

    BAD_CREDENTIAL = "bad_credential"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "too_large"
    BAD_ENCODING = "bad_encoding"
    """A Content-Encoding the vendor does not take, or bytes that do not decompress."""
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    """The log cannot store now; the client should come back."""
    INTERNAL = "internal"


class Refusal(Struct, frozen=True):
    """What to say no to."""

    kind: RefusalKind
    retry_after: int | None = None
    """Whole seconds, at least 1, for THROTTLED and UNAVAILABLE."""
    allowed: tuple[str, ...] = ()
    """Methods the path knows, for METHOD_NOT_ALLOWED."""


class Quota(Struct, frozen=True):
    """What is left of the vendor's longest window, for vendors that say so in headers."""

    limit: int
    remaining: int
    reset: int
    """Whole seconds until the window ends."""


class Inbound(Struct, frozen=True, kw_only=True):
    """One endpoint of the vendor as we emulate it."""

    name: str
    method: str
    path: str
    """``/api/profiles/{id}``: no slash at the end; a client's extra slashes are forgiven."""
    decode: Callable[[Request], Decoded]
    """Raises `Rejected`, and nothing else whatever the bytes."""
    auth: Auth | None
    max_body: int
    """Bytes after decompression; more is TOO_LARGE."""
    windows: tuple[Window, ...] = ()
    """The vendor's own limits on this endpoint; a source counts against them, a sandbox enforces them."""
    people: bool | Callable[[Any], bool] = False
    """Whether `decode` asks `request.people`; such a request waits until all earlier events are known there.

    A function is asked once, of the source's options.
    """


# --- outbound: we speak to the vendor --------------------------------------------------------------------


class Settings(Struct, frozen=True, kw_only=True):
    """What an encoder may know of its target."""

    target: str
    credentials: Mapping[str, str]
    options: Any = None
    """The target's options: an instance of `Adapter.target_options`, None for an adapter without."""


class Loss(Struct, frozen=True):
    """What happened to one leaf of an event that did not go across unchanged."""

    event: int
    """Index among the events given to the encoder."""
    path: str
    """Canonical path: ``commerce.tax``, ``properties.color``, ``name``."""
    outcome: Literal["dropped", "coerced", "renamed"]
    reason: str
    """One sentence that a marketer understands."""
    to: str | None = None
    """The vendor's place for it, when it has one."""


def losses_of(index: int, lost: Sequence[Loss]) -> tuple[Loss, ...]:
    """Return losses that were noted as of event 0, before anybody asked which of a batch it is, as of this one."""
    if index == 0:
        return tuple(lost)
    return tuple([Loss(index, one.path, one.outcome, one.reason, one.to) for one in lost])


def losses_below(tree: Any, at: str, reason: str, index: int = 0) -> list[Loss]:
    """Return the losses of every leaf of a JSON value that is dropped whole.

    Args:
        tree: the value.
        at: its canonical path.
        reason: why, one sentence.
        index: its event's place among those given to the encoder.
    """
    if not isinstance(tree, dict) or not tree:
        return [Loss(index, path, "dropped", reason) for path in leaf_paths(tree, at)]
    if _FEW < len(tree) <= _NAMES and _NESTING.isdisjoint(map(type, tree.values())):
        names = tuple(tree)
        if len(at) + len("".join(names)) <= _LETTERS:
            return [*_dropped(names, at, reason, index)]
    lost: list[Loss] = []
    for name, inner in tree.items():
        path = f"{at}.{name}"
        if type(inner) in _NESTING and inner:
            lost += losses_below(inner, path, reason, index)
        else:
            lost.append(Loss(index, path, "dropped", reason))
    return lost


_NESTING: Final = frozenset({dict, list, tuple})
_FEW: Final = 2
_NAMES: Final = 32
_LETTERS: Final = 1_024
"""The losses of an object with more than a few names, and with so many names and letters at most, are made once: a
client's must not fill the memory."""


@lru_cache(256)
def _dropped(names: tuple[str, ...], at: str, reason: str, index: int) -> tuple[Loss, ...]:
    return tuple([Loss(index, f"{at}.{name}", "dropped", reason) for name in names])


class Encoded(Struct, frozen=True, kw_only=True):
    """One request to the vendor, without host and credentials."""

    events: tuple[int, ...]
    """Which of the given events it carries, in the order of its items."""
    body: bytes
    path: str | None = None
    """Instead of the endpoint's own, query included."""
    lost: tuple[Loss, ...] = ()


class Answer(Struct, frozen=True):
    """What the vendor answered; header names in lower case, body cut to a bounded size."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Verdict(Enum):
    """What an answer means for the events of its request."""

    DONE = "done"
    RETRY = "retry"
    """The same again later, with growing waits."""
    THROTTLE = "throttle"
    """Too fast: wait as told; does not count as a try."""
    SPLIT = "split"
    """Too much at once: halves; a single event is dead-lettered."""
    HOLD = "hold"
    """The account is wrong (key, permission): stop the whole target and say so."""
    REJECT = "reject"
    """The vendor will never take this: dead-letter the events it names, or split down to the guilty one."""
    RENEW = "renew"
    """The token is spent: log in again and send the same. A fresh token that is refused as well holds the target."""
    PREPARE = "prepare"
    """Something has to be there first: call `Outbound.prepare` for the same events, then send the same once more.

    Asked for a second time it rejects.
    """


class Rule(Struct, frozen=True):
    """One row of a vendor's error table; the first that fits wins."""

    status: int | range
    code: str | None
    """The vendor's error code, or None for any."""
    verdict: Verdict
    why: str


class Login(Struct, frozen=True, kw_only=True):
    """A call that gives a token, which other calls carry. The core makes it when it has none, or a spent one."""

    method: str
    path: str
    headers: Callable[[Mapping[str, str]], dict[str, str]]
    """All request headers, from the target's credentials."""
    body: Callable[[Mapping[str, str]], bytes]
    token: Callable[[Answer], str | None]
    """Takes the token out of an answer; None when it holds none. Refusals are judged as `Outbound.rules` default."""


class Outbound(Struct, frozen=True, kw_only=True):
    """One endpoint of the vendor as we call it."""

    name: str
    method: str
    path: str
    kinds: frozenset[Kind]
    needs: tuple[str, ...]
    """Credentials without which the endpoint cannot be used."""
    encode: Callable[[Sequence[Event], Settings], list[Encoded]]
    """Pure and deterministic; raises `EncodeError` for an event that cannot be expressed.

    And its kind `ToldElsewhere` for one that another event carries already, so that it need not be sent. It may raise
    either for a whole batch: the core then finds the guilty event by encoding each alone.
    """
    headers: Callable[[Mapping[str, str]], dict[str, str]]
    """All request headers, authorisation among them, from the target's credentials.

    With a `login` its token stands among the credentials, under the name `token`.
    """
    max_events: int
    max_body: int
    """Bytes of one request."""
    login: Login | None = None
    """What gives the token that `headers` wants. Endpoints with an equal one share it."""
    prepare: str | None = None
    """The name of the endpoint that `Verdict.PREPARE` calls: it may be one of no kinds, called for nothing else."""
    takes: Callable[[Event, Settings], bool] | None = None
    """Whether the endpoint can carry this event of its kinds; None: all of them.

    Pure and cheap, raises nothing. The core asks before `encode`, of the event as the route changed it, and tries the
    endpoints listed later for an event that is not taken.
    """
    pays_from: int = 1
    """With fewer events than this waiting that it could carry, an endpoint listed later is used."""
    windows: tuple[Window, ...] = ()
    rules: tuple[Rule, ...] = ()
    """When none fits: 2xx DONE, 408, 425 and 429 THROTTLE, 401 and 403 HOLD, 413 SPLIT, 5xx RETRY, rest REJECT."""
    error_code: Callable[[Answer], str | None] | None = None
    guilty: Callable[[Answer, Encoded], Mapping[int, str]] | None = None
    """Positions within the request (not of `Encoded.events`' values) that the answer names, with its reason.

    Asked of answers that mean REJECT, and of those that mean DONE and have a body. The events named are dead-lettered
    either way. Of a DONE request all others are delivered; of a rejected one they are sent again.
    """

    def carries(self, event: Event, settings: Settings) -> bool:
        """Tell whether the endpoint can carry an event: it is of its kinds, and `takes` does not refuse it."""
        return event.kind in self.kinds and (self.takes is None or self.takes(event, settings))


def default_options(options: type[Struct] | None) -> Any:
    """Return the options of a source or target for which a person has set none."""
    return None if options is None else options()


# --- the whole -------------------------------------------------------------------------------------------


class CredentialName(Struct, frozen=True):
    """A credential as it is called in the configuration of sources and targets."""

    name: str
    about: str
    secret: bool = True


class Adapter(Struct, frozen=True, kw_only=True):
    """One vendor, both ways."""

    slug: str
    title: str
    docs: tuple[str, ...]
    """Public pages the contract was read from."""
    read: str
    """The day they were read, ISO date."""
    base_url: str
    """Where the vendor's API lives."""
    revision: str | None
    """The API revision we send, where the vendor has them."""
    credentials: tuple[CredentialName, ...]
    vocabulary: Vocabulary
    inbound: tuple[Inbound, ...]
    refuse: Callable[[Refusal, Request], Reply]
    """The vendor's answer to each refusal, whatever the path."""
    encodings: frozenset[str] = frozenset()
    """Content-Encodings that clients may use, besides none: gzip, deflate."""
    quota_headers: Callable[[Quota], tuple[tuple[bytes, bytes], ...]] | None = None
    source_options: type[Struct] | None = None
    """What a person may set for a source under `options`: a frozen Struct with a default for every field.

    Unknown keys and wrong types are told with their line; its `__post_init__` raises `ValueError` for the rest.
    """
    target_options: type[Struct] | None = None
    """The same for a target."""
    dedupe: frozenset[Literal["profile", "name", "time", "content"]] = frozenset()
    """What, besides the source, a client's own key is unique within.

    `content`: an event under the same key that says something else is no duplicate: it replaces the earlier one at
    targets that can replace.
    """
    mint: Callable[[str], str] | None = None
    """Makes an id of the vendor's form out of a seed, always the same one."""
    outbound: tuple[Outbound, ...] = ()
    """In order of preference."""
