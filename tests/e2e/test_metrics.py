"""A running gateway's /metrics has all that the alert rules are about."""

import httpx
import pytest

from tests.e2e.harness import KLAVIYO_HEADERS, World, klaviyo_event
from tests.unit.deploy.rules import selectors
from tests.unit.deploy.test_alerts import OF_ONE_MACHINE, RULES


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_alert_rules_are_about_metrics_that_are_there(here: World, workers: str) -> None:
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    gateway = here.serve("--workers", workers)
    url = f"{gateway.ready['listen']}/klaviyo/api/events"
    answer = httpx.post(url, json=klaviyo_event(1), headers=KLAVIYO_HEADERS, trust_env=False)
    assert answer.status_code == 202
    here.settled(1)
    text = httpx.get(f"{gateway.ready['admin']}/metrics", trust_env=False).text
    there = {line.partition(" ")[0].partition("{")[0] for line in text.splitlines() if not line.startswith("#")}
    assert {one.name for name in OF_ONE_MACHINE for one in selectors(RULES[name]["expr"])} <= there
    assert 'gateway_missing{target="crm"} 0.0' in text
    assert "gateway_log_fault 0.0" in text
