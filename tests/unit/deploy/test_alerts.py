"""The alert rules: well formed, about metrics that there are, and firing when they should."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import yamlfile
from gateway.delivery import TargetState
from gateway.inbound.stats import Stats
from gateway.loading import InForce
from gateway.log.port import Journal, LogStatus, TargetStatus
from gateway.metrics import DeliveryStats, Engine, render
from tests.unit.deploy.rules import Series, fires, seconds, selectors

FILES = [Path(__file__).parents[3] / "deploy/prometheus" / name for name in ("alerts.yaml", "cluster-alerts.yaml")]
DOCUMENTS = [yamlfile.read(path) for path in FILES]
ALL: list[dict[str, Any]] = [rule for it in DOCUMENTS for group in it.value["groups"] for rule in group["rules"]]
RULES: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in ALL if "alert" in rule}
OF_ONE_MACHINE = [rule["alert"] for group in DOCUMENTS[0].value["groups"] for rule in group["rules"]]
(RECORDED,) = [rule for rule in ALL if "record" in rule]
HOUR = 3600.0


def real_metrics() -> dict[str, set[str]]:
    """Return the names of a whole answer of /metrics, each with its labels, and what Prometheus adds."""
    inbound, delivery = Stats(), DeliveryStats()
    inbound.of("shop", "events").add(503, 1, 0.1)
    delivery.of("crm", "events").add("done", 1, 0.1)
    delivery.loss("shop", "crm", "profile.phone", "dropped")
    crm = TargetStatus(
        target="crm", accepted=1, delivered=0, queued=1, parked=0, dropped=0, dropped_by={"tests": 0}, duplicate=0,
        dead=0, cursor=0, oldest_queued_at=1.0,
    )  # fmt: skip
    status = LogStatus(targets=[crm], events=1, bytes=1, head=1)
    held = TargetState(
        target="crm", state="held", reason="", paused={}, in_flight=0, unsettled=0, lag=None, waiting_lanes=0,
        waiting={}, memory=0, limited={"events": 12.5}, overtaken=2,
    )  # fmt: skip
    journal = Journal(bytes=1, max_bytes=2, behind=0, lagging=0)
    text = render(inbound, delivery, status, [held], Engine(1, 1, journal=journal), InForce("v1")).decode()
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, rest = line.partition(" ")[0].partition("{")
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', rest))
    for labels in found.values():
        labels.add("instance")
    return found | {"up": {"job", "instance"}}


def test_the_file_is_well_formed_and_every_rule_says_what_to_do() -> None:
    assert not any(document.problems for document in DOCUMENTS)
    assert len(RULES) == len([rule for rule in ALL if "record" not in rule])
    for name, rule in RULES.items():
        assert name.startswith("Gateway")
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description", "action"}
        assert seconds(rule.get("for", "0s")) >= 0


@pytest.mark.parametrize("name", RULES)
def test_the_metrics_are_there_with_their_labels(name: str) -> None:
    known = real_metrics()
    used = selectors(RULES[name]["expr"])
    for one in used:
        assert one.name in known
        assert {label for label, _ in one.labels} <= known[one.name]
    for label in re.findall(r"\$labels\.(\w+)", str(RULES[name]["annotations"])):
        assert all(label in known[one.name] for one in used)


def line(name: str, start: float, per_second: float = 0.0, **labels: str) -> Series:
    """Return a series over an hour, a sample a minute."""
    return [(name, labels, [(at, start + per_second * at) for at in range(0, int(HOUR) + 1, 60)])]


def step(name: str, before: float, after: float, at: float, **labels: str) -> Series:
    """Return a series that changes once."""
    return [(name, labels, [(t, before if t < at else after) for t in range(0, int(HOUR) + 1, 60)])]


FIRING: dict[str, tuple[Series, Series]] = {
    "GatewayTargetHeld": (
        line("gateway_target_state", 1, target="crm", state="held"),
        line("gateway_target_state", 1, target="crm", state="running"),
    ),
    "GatewayTargetDown": (
        line("gateway_target_state", 1, target="crm", state="open"),
        [("gateway_target_state", {"target": "crm", "state": "open"}, [(HOUR - 60, 1), (HOUR, 1)])],
    ),
    "GatewayOldestEventTooOld": (
        line("gateway_oldest_queued_age_seconds", 0, 1, target="crm"),
        line("gateway_oldest_queued_age_seconds", 60, target="crm"),
    ),
    "GatewayDeadLettersGrowing": (
        step("gateway_dead", 3, 5, HOUR - 600, target="crm"),
        step("gateway_dead", 5, 3, HOUR - 600, target="crm"),
    ),
    "GatewayLogCannotStore": (line("gateway_log_fault", 1), step("gateway_log_fault", 1, 0, HOUR - 60)),
    "GatewayConservationBroken": (line("gateway_missing", -1, target="crm"), line("gateway_missing", 0, target="crm")),
    "GatewayTargetAtItsLimits": (
        line("gateway_limiter_wait_seconds_total", 0, 0.97, target="crm", endpoint="events"),
        line("gateway_limiter_wait_seconds_total", 1000, 0.5, target="crm", endpoint="events"),
    ),
    "GatewayReloadRefused": (
        step("gateway_config_reloads_total", 0, 1, HOUR - 300, outcome="refused"),
        step("gateway_config_reloads_total", 0, 1, HOUR - 300, outcome="done"),
    ),
    "GatewayCommitsSlow": (
        [*line("gateway_log_commit_seconds_sum", 0, 3.0), *line("gateway_log_commit_seconds_count", 0, 10.0)],
        [*line("gateway_log_commit_seconds_sum", 0, 0.1), *line("gateway_log_commit_seconds_count", 0, 10.0)],
    ),
    "GatewayWriteAheadLogGrows": (line("gateway_log_wal_bytes", 2e9), line("gateway_log_wal_bytes", 64e6)),
    "GatewayNodeMissing": (
        [*line("up", 0, job="event-gateway", instance="a"), *line("up", 1, job="event-gateway", instance="b")],
        line("up", 1, job="event-gateway", instance="a"),
    ),
    "GatewayTargetWithoutOwner": (
        [
            *line("gateway_queued", 5, target="crm", instance="a"),
            *line("gateway_queued", 0, target="mail", instance="a"),
            *line("gateway_target_state", 1, target="mail", state="running", instance="b"),
        ],
        [
            *line("gateway_queued", 5, target="crm", instance="a"),
            *line("gateway_target_state", 1, target="crm", state="open", instance="b"),
        ],
    ),
    "GatewayServerLagging": (
        line("gateway_journal_lagging_servers", 1, instance="a"),
        step("gateway_journal_lagging_servers", 1, 0, HOUR - 60, instance="a"),
    ),
    "GatewayStreamFilling": (
        [*line("gateway_journal_bytes", 1.9e9), *line("gateway_journal_max_bytes", 2e9)],
        [*line("gateway_journal_bytes", 1.1e9), *line("gateway_journal_max_bytes", 2e9)],
    ),
    "GatewayViewBehind": (
        line("gateway_view_behind_messages", 9000, instance="a"),
        step("gateway_view_behind_messages", 9000, 3, HOUR - 120, instance="a"),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_it_fires_when_it_should_and_not_otherwise(name: str) -> None:
    wrong, right = FIRING[name]
    rule = RULES[name]
    for_s = seconds(rule.get("for", "0s"))
    assert fires(rule["expr"], for_s, wrong, HOUR)
    assert not fires(rule["expr"], for_s, right, HOUR)
    assert not fires(rule["expr"], for_s, [], HOUR)


# --- the same, by Prometheus itself ----------------------------------------------------------------------


def written(series: Series) -> list[dict[str, str]]:
    """Return series in promtool's form: a value a minute from the first, `_` where there is none."""
    found = []
    for name, labels, samples in series:
        values = dict(samples)
        label_text = ",".join(f'{key}="{value}"' for key, value in labels.items())
        steps = [str(values.get(minute * 60, "_")) for minute in range(int(HOUR / 60) + 1)]
        found.append({"series": f"{name}{{{label_text}}}", "values": " ".join(steps)})
    return found


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on this machine")
def test_prometheus_agrees(tmp_path: Path) -> None:
    tests = []
    for name, cases in FIRING.items():
        for series, firing in zip(cases, (True, False), strict=True):
            query = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
            samples = [{"labels": "{}", "value": 1}] if firing else []
            asked = [{"expr": query, "eval_time": "60m", "exp_samples": samples}]
            tests.append({"interval": "1m", "input_series": written(series), "promql_expr_test": asked})
    check(tmp_path, tests)


AGE = "gateway_oldest_queued_age_seconds"
WAITING: dict[str, tuple[Series, float]] = {
    "the greatest that any node tells": (
        [
            *line(AGE, 400, target="crm", instance="a"),
            *line(AGE, 420, target="crm", instance="b"),
            *line("gateway_target_state", 1, target="crm", state="running", instance="b"),
        ],
        420,
    ),
    "not of a target that is down": (
        [*line(AGE, 400, target="crm"), *line("gateway_target_state", 1, target="crm", state="open")],
        0,
    ),
    "not of one at its limits": (
        [
            *line(AGE, 400, target="crm", instance="a"),
            *line("gateway_target_state", 1, target="crm", state="running", instance="a"),
            *line("gateway_limiter_wait_seconds_total", 0, 0.9, target="crm", endpoint="events", instance="a"),
        ],
        0,
    ),
}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on this machine")
def test_the_age_that_more_nodes_could_mend(tmp_path: Path) -> None:
    """It is what the autoscaler goes by."""
    tests = []
    for series, age in WAITING.values():
        samples = [{"labels": RECORDED["record"], "value": age}]
        asked = {"expr": RECORDED["record"], "eval_time": "60m", "exp_samples": samples}
        tests.append({"interval": "1m", "input_series": written(series), "promql_expr_test": [asked]})
    check(tmp_path, tests)


def check(folder: Path, tests: list[dict[str, Any]]) -> None:
    path = folder / "alerts.test.yaml"
    files = [str(file) for file in FILES]
    path.write_bytes(msgspec.yaml.encode({"rule_files": files, "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
