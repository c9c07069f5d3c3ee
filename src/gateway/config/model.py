"""`gateway.yaml` as it is written: Structs, and what follows from them."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from gateway import registry
from gateway.adapter import Adapter, Window
from gateway.routing import Rule, RuleEntry


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """Where clients connect."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 picks a free one."""


class Admin(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the person who runs the gateway connects: health, metrics, status."""

    host: str = "127.0.0.1"
    port: int = 8081
    token: str | None = None
    """Needed as `Authorization: Bearer …`; required beyond loopback."""


class Retention(Struct, frozen=True, forbid_unknown_fields=True):
    """How long delivered events stay in the log; what still waits always stays."""

    hours: float = 72
    bytes: int = 2 * 1024**3


class Duplicates(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a client's own key is remembered."""

    hours: float = 24


class JetStreamConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A NATS JetStream stream, which any number of gateways share."""

    servers: list[str]
    """`nats://` or `tls://` URLs."""
    replicas: Literal[1, 3, 5] = 1
    """Servers that keep each event. With 3, one may fail."""
    stream: str = "gateway"
    view: str = "data/gateway.view"
    """This node's own copy, made anew when it is missing."""
    user: str | None = None
    password: str | None = None
    token: str | None = None
    credentials: str | None = None
    """A file as `nsc` makes it."""
    bytes: int = 2 * 1024**3
    """Of the stream at most; what is full stores nothing until there is room."""
    snapshot_messages: int = 100_000
    """New messages after which a view is kept and the stream shortened."""


class LogConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The durable log: a SQLite file, or a JetStream stream."""

    sqlite: str | None = None
    jetstream: JetStreamConfig | None = None
    retention: Retention = Retention()
    duplicates: Duplicates = Duplicates()

    @property
    def file(self) -> str:
        """The SQLite file, or this node's view; other files of this node stand beside it."""
        return self.jetstream.view if self.jetstream else self.sqlite or ""


class ReceiptsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What was sent to targets and what they answered, for `gateway explain` and `gateway tail`."""

    enabled: bool = True
    hours: float = 72
    """How long a receipt is kept."""
    bytes: int = 1024**3
    """Of the file; beyond it the oldest receipts go."""
    request_bytes: int = 32 * 1024
    """How much is kept of a request that the target took; of others, up to 1 MiB is."""


class SourceConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A vendor's API as we emulate it."""

    vendor: str
    credentials: list[dict[str, str]]
    path: str | None = None
    hosts: list[str] = []
    mode: Literal["emulate", "tee"] = "emulate"
    enforce_limits: bool = False
    """Answer 429 beyond the vendor's own limits, as the vendor would."""
    options: dict[str, Any] = {}
    """What the vendor's adapter lets a person choose; `gateway adapters VENDOR` lists it."""


class WindowConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """At most so many requests in so many seconds."""

    requests: int
    seconds: float


class LimitsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a whole target, beside those of its vendor."""

    windows: list[WindowConfig] = []


class LanesConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long events of a profile wait for an earlier one that fails."""

    max_wait_hours: float | None = None
    """After the earlier one's first failure; None: until it is given up."""
    then: Literal["dead_letter", "pass"] = "dead_letter"
    """`dead_letter`: it is given up. `pass`: it is tried on, and those behind it go past, out of order."""


class TargetConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """An account at a vendor."""

    vendor: str
    credentials: dict[str, str]
    base_url: str | None = None
    limits: LimitsConfig = LimitsConfig()
    concurrency: int = 20
    """Requests under way at once."""
    timeout: float = 30
    """Seconds for one request, connection included."""
    max_age_hours: float = 168
    """An event that could not be delivered for so long is dead-lettered."""
    lanes: LanesConfig = LanesConfig()
    options: dict[str, Any] = {}
    """What the vendor's adapter lets a person choose; `gateway adapters VENDOR` lists it."""


class LoggingConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What the gateway writes to stderr."""

    format: Literal["json", "console"] | None = None
    """None: console on a terminal, else json."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """`warning` leaves out the line per request and per attempt."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All of `gateway.yaml`, checked, with paths made absolute and variables filled in."""

    log: LogConfig
    sources: dict[str, SourceConfig]
    targets: dict[str, TargetConfig] = {}
    routes: list[str | RuleEntry] = []
    listen: Listen = Listen()
    admin: Admin = Admin()
    logging: LoggingConfig = LoggingConfig()
    receipts: ReceiptsConfig = ReceiptsConfig()

    def secrets(self) -> frozenset[str]:
        """Return every text that must not appear in any output."""
        named = [(source.vendor, entry) for source in self.sources.values() for entry in source.credentials]
        named += [(target.vendor, target.credentials) for target in self.targets.values()]
        found = {text for vendor, entry in named for text in _secret_values(registry.adapter(vendor), entry)}
        found |= _log_secrets(self.log.jetstream) if self.log.jetstream else set()
        return frozenset(found | ({self.admin.token} if self.admin.token else set()))


def _log_secrets(jetstream: JetStreamConfig) -> set[str]:
    within = {urlsplit(server).netloc.rpartition("@")[0] for server in jetstream.servers}
    parts = {part for userinfo in within for part in (userinfo, userinfo.partition(":")[2])}
    return {text for text in (jetstream.password, jetstream.token, *parts) if text}


class Checked(Config, frozen=True):
    """A configuration in which everything is right."""

    rules: tuple[Rule, ...] = ()
    """All rules in order, from this file and those it names."""
    files: tuple[str, ...] = ()
    """What it was read from."""


def _secret_values(adapter: Adapter, credentials: Mapping[str, str]) -> Iterator[str]:
    for known in adapter.credentials:
        if known.secret and known.name in credentials:
            yield credentials[known.name]


def source_path(name: str, source: SourceConfig) -> str:
    """Return a source's mount prefix: no slash at the end, empty for a whole host."""
    return (f"/{name}" if source.path is None else source.path).rstrip("/")


def target_windows(target: TargetConfig) -> tuple[Window, ...]:
    """Return the person's own limits for a target."""
    return tuple(
        Window(count=w.requests, seconds=w.seconds, source="gateway.yaml", read="", shared="target")
        for w in target.limits.windows
    )
