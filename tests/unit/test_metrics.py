"""Metrics: every count under its name, in a bounded number of series."""

import time
from datetime import UTC, datetime

import pytest

from gateway.delivery import TargetState
from gateway.inbound.stats import Stats
from gateway.loading import InForce
from gateway.log.port import Journal, LogStatus, TargetStatus
from gateway.log.timing import Timing
from gateway.metrics import LONGEST_PATH, PATHS, DeliveryStats, Engine, render
from gateway.receipts import Counts

CRM = TargetStatus(
    target="crm",
    accepted=10,
    delivered=4,
    queued=3,
    parked=1,
    dropped=1,
    dropped_by={"tests": 1},
    duplicate=1,
    dead=1,
    cursor=7,
    oldest_queued_at=1.0,
    again=2,
)
STATUS = LogStatus(targets=[CRM], events=9, bytes=900, head=9)
HELD = TargetState(
    target="crm", state="held", reason="", paused={}, in_flight=0, unsettled=0, lag=None, waiting_lanes=0, waiting={},
    memory=0, limited={"events": 12.5}, overtaken=2,
)  # fmt: skip


def rendered(inbound: Stats | None = None, delivery: DeliveryStats | None = None) -> set[str]:
    text = render(inbound or Stats(), delivery or DeliveryStats(), STATUS, [HELD], Engine(4096, 2))
    return set(text.decode().splitlines())


def test_the_conservation_sum_of_each_target() -> None:
    assert rendered() >= {
        'gateway_accepted_total{target="crm"} 10.0',
        'gateway_delivered_total{target="crm"} 4.0',
        'gateway_queued{target="crm"} 3.0',
        'gateway_parked{target="crm"} 1.0',
        'gateway_dropped_total{rule="tests",target="crm"} 1.0',
        'gateway_duplicate_total{target="crm"} 1.0',
        'gateway_dead{target="crm"} 1.0',
        'gateway_accepted_again_total{target="crm"} 2.0',
        'gateway_missing{target="crm"} 0.0',
        'gateway_target_state{state="held",target="crm"} 1.0',
        'gateway_events_overtaken_total{target="crm"} 2.0',
        "gateway_log_wal_bytes 4096.0",
        "gateway_forgotten_keys_total 2.0",
    }


def test_the_configuration_in_force_and_what_became_of_reloads() -> None:
    in_force = InForce("0123456789ab", datetime.fromtimestamp(1_795_000_000, UTC), reloads=3, refused=1)
    text = render(Stats(), DeliveryStats(), STATUS, [], Engine(0, 0), in_force).decode()
    assert set(text.splitlines()) >= {
        'gateway_config_info{version="0123456789ab"} 1.0',
        "gateway_config_loaded_timestamp_seconds 1.795e+09",
        'gateway_config_reloads_total{outcome="done"} 3.0',
        'gateway_config_reloads_total{outcome="refused"} 1.0',
    }


def test_requests_of_several_workers_add_up() -> None:
    one, other = Stats(), Stats()
    one.of("shop", "events").add(202, 1, 0.002)
    other.of("shop", "events").add(202, 3, 0.2)
    other.of("shop", "events").add(400, 0, 0.001)
    lines = rendered(Stats([one.all(), other.all()]))
    assert lines >= {
        'gateway_requests_total{endpoint="events",source="shop",status="202"} 2.0',
        'gateway_requests_total{endpoint="events",source="shop",status="400"} 1.0',
        'gateway_events_accepted_total{endpoint="events",source="shop"} 4.0',
        'gateway_request_seconds_bucket{endpoint="events",le="0.0025",source="shop"} 2.0',
        'gateway_request_seconds_bucket{endpoint="events",le="+Inf",source="shop"} 3.0',
    }


def test_attempts_and_losses() -> None:
    stats = DeliveryStats()
    stats.of("crm", "bulk").add("done", 30, 0.1)
    stats.loss("shop", "crm", "profile.phone", "dropped")
    assert rendered(delivery=stats) >= {
        'gateway_attempts_total{endpoint="bulk",target="crm",verdict="done"} 1.0',
        'gateway_attempted_events_total{endpoint="bulk",target="crm",verdict="done"} 30.0',
        'gateway_losses_total{outcome="dropped",path="profile.phone",source="shop",target="crm"} 1.0',
    }


def test_names_that_clients_choose_do_not_make_series_without_end() -> None:
    stats = DeliveryStats()
    for number in range(PATHS + 500):
        stats.loss("shop", "crm", f"properties.{number}" + "x" * 10_000, "dropped")
    assert len(stats.losses) == PATHS + 1
    assert stats.losses["shop", "crm", "(other)", "dropped"] == 500
    assert max(len(path) for _, _, path, _ in stats.losses) <= LONGEST_PATH


def test_refusals_by_reason() -> None:
    stats = Stats()
    for status, reason, count in ((202, None, 5), (400, "invalid", 2), (200, "invalid", 1), (503, "unavailable", 3)):
        for _ in range(count):
            stats.of("shop", "events").add(status, 0, 0.001, reason)
    stats = Stats([stats.all(), stats.all()])
    assert {line for line in rendered(stats) if line.startswith("gateway_requests_refused_total")} == {
        'gateway_requests_refused_total{endpoint="events",reason="invalid",source="shop"} 6.0',
        'gateway_requests_refused_total{endpoint="events",reason="unavailable",source="shop"} 6.0',
    }


def test_the_age_of_what_waits_longest_and_what_limits_hold() -> None:
    text = render(Stats(), DeliveryStats(), STATUS, [HELD], Engine(0, 0)).decode()
    assert 'gateway_limiter_wait_seconds_total{endpoint="events",target="crm"} 12.5' in text
    (age,) = (line for line in text.splitlines() if line.startswith("gateway_oldest_queued_age_seconds{"))
    assert float(age.split()[1]) == pytest.approx(time.time() - 1.0, abs=60)


def test_commits_and_whether_the_log_can_store() -> None:
    committing = Timing()
    for seconds in (0.0004, 0.004, 20.0):
        committing.add(seconds)
    text = render(Stats(), DeliveryStats(), STATUS, [], Engine(0, 0, committing, fault=True)).decode()
    assert set(text.splitlines()) >= {
        "gateway_log_fault 1.0",
        'gateway_log_commit_seconds_bucket{le="0.0005"} 1.0',
        'gateway_log_commit_seconds_bucket{le="0.005"} 2.0',
        'gateway_log_commit_seconds_bucket{le="10.0"} 2.0',
        'gateway_log_commit_seconds_bucket{le="+Inf"} 3.0',
        "gateway_log_commit_seconds_sum 20.0044",
    }


def test_the_stream_that_nodes_share_is_told_of_where_there_is_one() -> None:
    journal = Journal(bytes=500, max_bytes=1000, behind=7, lagging=1)
    text = render(Stats(), DeliveryStats(), STATUS, [], Engine(0, 0, journal=journal)).decode()
    assert set(text.splitlines()) >= {
        "gateway_journal_bytes 500.0",
        "gateway_journal_max_bytes 1000.0",
        "gateway_journal_lagging_servers 1.0",
        "gateway_view_behind_messages 7.0",
    }
    assert "journal" not in "".join(rendered())


def test_receipts_that_are_kept_and_those_that_are_not() -> None:
    counts = Counts(written=7, shortened=2, dropped=1, bytes=4096, fault=None)
    text = render(Stats(), DeliveryStats(), STATUS, [], Engine(0, 0), receipts=counts).decode()
    assert set(text.splitlines()) >= {
        "gateway_receipts_written_total 7.0",
        "gateway_receipts_shortened_total 2.0",
        "gateway_receipts_dropped_total 1.0",
        "gateway_receipts_bytes 4096.0",
    }
