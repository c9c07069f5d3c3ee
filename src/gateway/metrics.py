"""Prometheus metrics, made out of plain counts when they are scraped."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from gateway.delivery import TargetState
from gateway.inbound.stats import BUCKETS_S, Histogram, Stats
from gateway.loading import InForce
from gateway.log.port import Journal, LogStatus
from gateway.log.timing import BUCKETS_S as COMMIT_BUCKETS_S
from gateway.log.timing import Timing
from gateway.receipts import Counts

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

LONGEST_PATH: Final = 100
"""Characters of a lost path; what is longer counts under its beginning."""
PATHS: Final = 2_000
"""Series of lost paths kept; further ones are counted under ``(other)``, since clients choose property names."""


class EndpointAttempts(Struct):
    """Requests to one endpoint of one target, and the events in them, by verdict; and how long its answers took."""

    requests: dict[str, int] = {}
    events: dict[str, int] = {}
    seconds: Histogram = msgspec.field(default_factory=Histogram)

    def add(self, verdict: str, events: int, seconds: float) -> None:
        """Count one request."""
        self.requests[verdict] = self.requests.get(verdict, 0) + 1
        self.events[verdict] = self.events.get(verdict, 0) + events
        self.seconds.add(seconds)


class DeliveryStats:
    """Attempts, answer times and losses by target."""

    def __init__(self) -> None:
        self.attempts: dict[tuple[str, str], EndpointAttempts] = {}
        self.losses: Counter[tuple[str, str, str, str]] = Counter()

    def of(self, target: str, endpoint: str) -> EndpointAttempts:
        """Return the counts of one endpoint."""
        found = self.attempts.get((target, endpoint))
        if found is None:
            found = self.attempts[target, endpoint] = EndpointAttempts()
        return found

    def loss(self, source: str, target: str, path: str, outcome: str) -> None:
        """Count one leaf that did not go across unchanged."""
        key = (source, target, path[:LONGEST_PATH], outcome)
        if key not in self.losses and len(self.losses) >= PATHS:
            key = (source, target, "(other)", outcome)
        self.losses[key] += 1


class Engine(NamedTuple):
    """How the log's engine is doing."""

    wal_bytes: int
    """Of SQLite's write-ahead log: should stay far below the size of the log."""
    forgotten_keys: int
    """Duplicate keys forgotten before the window's end."""
    committing: Timing = Timing()
    """What this process's commits took."""
    fault: bool = False
    """Whether events cannot be stored now."""
    journal: Journal | None = None
    """What several nodes share; None where there is one."""


def render(
    inbound: Stats,
    delivery: DeliveryStats,
    status: LogStatus,
    states: Sequence[TargetState],
    engine: Engine,
    in_force: InForce | None = None,
    receipts: Counts | None = None,
) -> bytes:
    """Return all metrics in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    metrics = [*_inbound(inbound), *_delivery(delivery), *_targets(states), *_log(status), *_engine(engine)]
    metrics += [*(_configuration(in_force) if in_force else ()), *(_receipts(receipts) if receipts else ())]
    registry.register(_Once(metrics))
    return generate_latest(registry)


class _Once:
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _counter(name: str, about: str, labels: list[str], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = CounterMetricFamily(name, about, labels=labels)
    for key, value in values:
        family.add_metric(list(key), value)
    return family


def _gauge(name: str, about: str, labels: list[str], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for key, value in values:
        family.add_metric(list(key), value)
    return family


def _histogram(
    name: str,
    about: str,
    labels: list[str],
    held: Iterable[tuple[tuple[str, ...], Histogram | Timing]],
    bounds: Sequence[float] = BUCKETS_S,
) -> Metric:
    family = HistogramMetricFamily(name, about, labels=labels)
    for key, histogram in held:
        sums = list(accumulate(histogram.buckets))
        buckets = [*zip(map(str, bounds), sums, strict=False), ("+Inf", sums[-1])]
        family.add_metric(list(key), buckets=buckets, sum_value=histogram.total)
    return family


def _inbound(stats: Stats) -> Iterator[Metric]:
    place = ["source", "endpoint"]
    held = [((counted.source, counted.endpoint), counted) for counted in stats.all()]
    requests = (((*key, str(status)), n) for key, counted in held for status, n in counted.requests.items())
    yield _counter("gateway_requests", "Requests answered.", [*place, "status"], requests)
    refused = (((*key, reason), n) for key, counted in held for reason, n in counted.refused.items())
    yield _counter("gateway_requests_refused", "Requests refused, by reason.", [*place, "reason"], refused)
    events = ((key, counted.events) for key, counted in held if counted.events)
    yield _counter("gateway_events_accepted", "Events answered with success.", place, events)
    times = {key: counted.seconds for key, counted in held}
    yield _histogram("gateway_request_seconds", "Time to answer.", place, times.items())


def _targets(states: Sequence[TargetState]) -> Iterator[Metric]:
    about = "1 for the state a target is in."
    yield _gauge("gateway_target_state", about, ["target", "state"], (((of.target, of.state), 1) for of in states))
    about = "Time in which new events were ready and only limits held them."
    limited = (((of.target, endpoint), seconds) for of in states for endpoint, seconds in of.limited.items())
    yield _counter("gateway_limiter_wait_seconds", about, ["target", "endpoint"], limited)
    about = "Events that held up their lanes for too long and that those behind them went past."
    yield _counter("gateway_events_overtaken", about, ["target"], (((of.target,), of.overtaken) for of in states))


def _delivery(stats: DeliveryStats) -> Iterator[Metric]:
    place = ["target", "endpoint"]
    held = stats.attempts.items()
    requests = (((*key, verdict), n) for key, made in held for verdict, n in made.requests.items())
    yield _counter("gateway_attempts", "Requests sent to targets.", [*place, "verdict"], requests)
    events = (((*key, verdict), n) for key, made in held for verdict, n in made.events.items())
    yield _counter("gateway_attempted_events", "Events in those requests.", [*place, "verdict"], events)
    times = {key: made.seconds for key, made in held}
    yield _histogram("gateway_attempt_seconds", "Time for a target to answer.", place, times.items())
    lost = ["source", "target", "path", "outcome"]
    yield _counter("gateway_losses", "Leaves that did not go across unchanged.", lost, stats.losses.items())


def _log(status: LogStatus) -> Iterator[Metric]:
    by_target = {target.target: target for target in status.targets}
    for field, about in (
        ("accepted", "Events accepted since the target is known."),
        ("delivered", "Events delivered."),
        ("duplicate", "Events recognised by the client's own key."),
    ):
        values = (((name,), getattr(target, field)) for name, target in by_target.items())
        yield _counter(f"gateway_{field}", about, ["target"], values)
    again = (((name,), target.again) for name, target in by_target.items())
    yield _counter("gateway_accepted_again", "Events replayed or imported; also in accepted.", ["target"], again)
    drops = (((name, rule), n) for name, target in by_target.items() for rule, n in target.dropped_by.items())
    yield _counter("gateway_dropped", "Events that a named rule dropped.", ["target", "rule"], drops)
    for field, about in (
        ("queued", "Events waiting."),
        ("parked", "Waiting events that were tried, or stand behind one that was."),
        ("dead", "Dead letters."),
        ("missing", "accepted - delivered - queued - dropped - duplicate - dead: must be 0."),
    ):
        values = (((name,), getattr(target, field)) for name, target in by_target.items())
        yield _gauge(f"gateway_{field}", about, ["target"], values)
    now = time.time()
    ages = (((name,), max(0.0, now - (target.oldest_queued_at or now))) for name, target in by_target.items())
    yield _gauge("gateway_oldest_queued_age_seconds", "Since the oldest waiting event was accepted.", ["target"], ages)
    yield _gauge("gateway_log_events", "Events in the log.", [], [((), status.events)])
    yield _gauge("gateway_log_bytes", "Bytes of events in the log.", [], [((), status.bytes)])


def _engine(engine: Engine) -> Iterator[Metric]:
    yield _gauge("gateway_log_wal_bytes", "Size of the write-ahead log.", [], [((), engine.wal_bytes)])
    forgotten = [((), engine.forgotten_keys)]
    yield _gauge("gateway_log_fault", "1 while events cannot be stored.", [], [((), int(engine.fault))])
    about = "Time to make events durable, of this process."
    yield _histogram("gateway_log_commit_seconds", about, [], [((), engine.committing)], COMMIT_BUCKETS_S)
    yield _counter("gateway_forgotten_keys", "Duplicate keys forgotten before the window's end.", [], forgotten)
    if engine.journal is not None:
        yield from _journal(engine.journal)


def _journal(journal: Journal) -> Iterator[Metric]:
    for name, about, value in (
        ("journal_bytes", "Size of the stream that nodes share.", journal.bytes),
        ("journal_max_bytes", "Size of that stream at which nothing more can be stored.", journal.max_bytes),
        ("journal_lagging_servers", "Servers that are gone, or do not have all of the stream.", journal.lagging),
        ("view_behind_messages", "Messages of the stream that this node has still to do.", journal.behind),
    ):
        yield _gauge(f"gateway_{name}", about, [], [((), value)])


def _configuration(in_force: InForce) -> Iterator[Metric]:
    version = [((in_force.version,), 1)]
    yield _gauge("gateway_config_info", "1 for the configuration in force.", ["version"], version)
    loaded = [((), in_force.loaded_at.timestamp())]
    yield _gauge("gateway_config_loaded_timestamp_seconds", "When it was loaded, in Unix seconds.", [], loaded)
    outcomes = [(("done",), in_force.reloads), (("refused",), in_force.refused)]
    yield _counter("gateway_config_reloads", "Reloads since the start of the process.", ["outcome"], outcomes)


def _receipts(counts: Counts) -> Iterator[Metric]:
    for field, about in (
        ("written", "Receipts kept since the start of the process."),
        ("shortened", "Of these, kept without their texts because there were too many at once."),
        ("dropped", "Receipts not kept: too many at once, or their file could not be written."),
    ):
        yield _counter(f"gateway_receipts_{field}", about, [], [((), getattr(counts, field))])
    yield _gauge("gateway_receipts_bytes", "Bytes in use of the file of receipts.", [], [((), counts.bytes)])
