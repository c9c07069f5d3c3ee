"""What delivery is told about a target, and what it tells about its work."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gateway.adapter import Adapter, Answer, Loss, Settings, Verdict, Window, default_options
from gateway.event import Event

Transform = Callable[[Event, str, str], Event]
"""(event, rule, target) -> the event as the rule changes it. `EncodeError` dead-letters it, `Withheld` drops it."""


LossPolicy = Literal["allow", "warn", "refuse"]

Overtaking = Literal["dead_letter", "pass"]
"""What becomes of an event that has held up its lane for too long: it is given up, or the others go past it."""


class Timeouts(Struct, frozen=True, kw_only=True):
    """Seconds."""

    connect: float = 5.0
    """Name lookup, TCP and TLS."""
    read: float = 15.0
    """Between two pieces of an answer."""
    total: float = 30.0
    """From the first byte sent to the last byte read."""


class TargetSpec(Struct, frozen=True, kw_only=True):
    """One configured account at a vendor."""

    name: str
    adapter: Adapter
    credentials: Mapping[str, str]
    options: Any = None
    """An instance of the adapter's `target_options`; None: its defaults."""
    base_url: str | None = None
    """Instead of the vendor's own; a path prefix is kept."""
    windows: tuple[Window, ...] = ()
    """Tighter limits of our own, over all endpoints together."""
    concurrency: int = 20
    """Requests in flight."""
    timeouts: Timeouts = Timeouts()
    max_age: float = 7 * 86_400.0
    """Seconds after an event's first failure when it is given up on."""
    lane_patience: float = inf
    """Seconds after an event's first failure for which those behind it in its lane wait for it."""
    overtaking: Overtaking = "dead_letter"
    """What is done then."""
    backoff_base: float = 1.0
    """Seconds: the longest first wait of a lane after a failure; doubles each time."""
    backoff_cap: float = 300.0
    """Seconds: the longest wait of a lane."""
    hold_probe: float = 60.0
    """Seconds between probes of a held target."""
    ahead_events: int = 2_000
    """Events read beyond the cursor."""
    ahead_bytes: int = 16 * 1024 * 1024
    """Estimated memory of the events held."""
    max_answer: int = 1024 * 1024
    """Bytes of an answer that are read, after decompression; the rest is discarded."""
    trust_env: bool = False
    """Whether HTTP(S)_PROXY of the environment counts."""
    ca_file: str | None = None
    """Certificates to trust instead of the system's, as a PEM file."""

    def settings(self) -> Settings:
        """Return what the adapter's encoders are told."""
        options = default_options(self.adapter.target_options) if self.options is None else self.options
        return Settings(target=self.name, credentials=self.credentials, options=options)

    @property
    def url(self) -> str:
        """Where requests go, without a slash at the end."""
        return (self.base_url or self.adapter.base_url).rstrip("/")

    @property
    def account(self) -> str:
        """A key that two targets share when they use one account, and so its limits."""
        parts = [self.adapter.slug, self.url, *(f"{name}={value}" for name, value in sorted(self.credentials.items()))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class Attempt(Struct, frozen=True, kw_only=True):
    """One request to a target and what came of it."""

    target: str
    endpoint: str
    events: tuple[str, ...]
    """Ids, in the order of the request's items."""
    status: int | None
    """None: no answer."""
    verdict: Verdict
    why: str
    attempt: int
    """1 for a first try; of several events, the highest."""
    seconds: float
    request_bytes: int
    method: str = ""
    path: str = ""
    """Below the target's base address, query included."""
    body: bytes | None = None
    """Of the request; None: it was not sent, for want of a login."""
    answer: Answer | None = None
    masked: Callable[[bytes], bytes] = bytes
    """Takes the target's secrets out of a text: they may stand in the path, the body and the answer."""


class End(Struct, frozen=True):
    """The end of an event that no attempt tells: it is not for the target after all, or given up on."""

    target: str
    event: str
    """Id; empty when it is not known."""
    outcome: Literal["dropped", "dead"]
    why: str


class TargetState(Struct, frozen=True, kw_only=True):
    """How a target is doing now."""

    target: str
    state: Literal["running", "open", "held", "stopped"]
    """open: the circuit is open, the target seems down; held: a person has to repair the account."""
    reason: str
    """Why it is not running, or what else is wrong; empty when all is well."""
    paused: dict[str, float]
    """Endpoint -> seconds until it may be called again, as the vendor asked."""
    in_flight: int
    """Requests."""
    unsettled: int
    """Events read beyond the cursor."""
    lag: float | None
    """Seconds since the oldest of these was accepted; None when there is none."""
    waiting_lanes: int
    waiting: dict[str, int]
    """Reason -> lanes that wait for it."""
    memory: int
    """Estimated bytes of the events held."""
    limited: dict[str, float] = {}
    """Endpoint -> seconds so far in which new events were ready and only limits held them."""
    overtaken: int = 0
    """Events so far that those behind them in their lanes went past, as configured."""


class Hooks(Struct, frozen=True, kw_only=True):
    """What the caller wants to hear and to decide.

    Called on the event loop, so they must be quick; a state tells their errors.
    """

    observe: Callable[[Attempt], None] | None = None
    on_end: Callable[[End], None] | None = None
    on_loss: Callable[[str, str, Loss], None] | None = None
    """(source, target, loss), once for each loss of each request sent."""
    policies: Callable[[str, str], Mapping[str, LossPolicy]] | None = None
    """(rule, target) -> what to do about losses, by path. A refused event is dead-lettered instead of sent."""
    on_warning: Callable[[str, str, str, Loss], None] | None = None
    """(rule, event id, target, loss), for losses whose policy is to warn."""
    before: Callable[[], Awaitable[None]] | None = None
    """Awaited before events are taken in, so that what rules look up is known. It may raise `LogError`."""


class LimiterState(Struct, frozen=True, kw_only=True):
    """What a limiter remembers of the past, for the next start. Times are Unix seconds."""

    at: float
    clean: bool
    """Whether nothing was sent after `at`: so at the end of an orderly stop."""
    slots: dict[str, list[tuple[float, int]]] = {}
    """Window -> (free again at, how many)."""
    pauses: dict[str, float] = {}


def identity(event: Event, rule: str, target: str) -> Event:  # noqa: ARG001 - the shape of a Transform
    """Return the event unchanged."""
    return event


def dump_state(states: Mapping[str, LimiterState]) -> bytes:
    """Return limiter states by account as JSON."""
    return msgspec.json.encode(states)


def load_state(data: bytes) -> dict[str, LimiterState]:
    """Return what `dump_state` wrote.

    Raises:
        msgspec.ValidationError: ``data`` is something else.
    """
    return msgspec.json.decode(data, type=dict[str, LimiterState])
