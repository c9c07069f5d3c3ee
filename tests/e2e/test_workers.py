"""Several processes accept, one delivers: one log, one answer to every question."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.harness import KLAVIYO_HEADERS, World, kill, klaviyo_event, received, until


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def send(url: str, numbers: range) -> list[int]:
    """Send each event over a connection of its own, so that every worker gets some."""

    def one(number: int) -> int:
        answer = httpx.post(
            f"{url}/klaviyo/api/events", json=klaviyo_event(number), headers=KLAVIYO_HEADERS, trust_env=False
        )
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, numbers))


@pytest.fixture
def crm(here: World) -> str:
    url = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": url}})
    return url


def test_workers_share_the_log_and_see_each_others_duplicates(here: World, crm: str) -> None:
    gateway = here.serve("--workers", "2")
    assert len(children(gateway.popen.pid)) == 2
    assert set(send(gateway.ready["listen"], range(60))) == {202}
    assert set(send(gateway.ready["listen"], range(60))) == {202}
    counts = here.settled(120)["crm"]
    assert (counts["delivered"], counts["duplicate"], counts["missing"]) == (60, 60, 0)
    assert received(crm, 0)["events"] == 60


def test_metrics_are_those_of_all_workers(here: World, crm: str) -> None:
    gateway = here.serve("--workers", "2")
    send(gateway.ready["listen"], range(40))
    line = 'gateway_requests_total{endpoint="events",source="klaviyo",status="202"} 40.0'
    until(lambda: line in httpx.get(f"{gateway.ready['admin']}/metrics", trust_env=False).text)


def test_a_worker_that_dies_is_replaced(here: World, crm: str) -> None:
    gateway = here.serve("--workers", "2")
    before = children(gateway.popen.pid)
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(set(children(gateway.popen.pid)) - {before[0]}) == 2)
    until(lambda: httpx.get(f"{gateway.ready['admin']}/readyz", trust_env=False).status_code == 200)
    assert set(send(gateway.ready["listen"], range(20))) == {202}
    assert here.settled(20)["crm"]["missing"] == 0


def test_no_worker_outlives_its_parent(here: World, crm: str) -> None:
    gateway = here.serve("--workers", "2")
    orphans = children(gateway.popen.pid)
    kill(gateway)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    here.serve("--workers", "2")


def test_after_sigterm_all_are_gone_and_nothing_is_sent_twice(here: World, crm: str) -> None:
    gateway = here.serve("--workers", "2")
    workers = children(gateway.popen.pid)
    send(gateway.ready["listen"], range(30))
    gateway.popen.terminate()
    assert gateway.popen.wait(20) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    here.serve()
    here.settled(30)
    assert received(crm, 0)["events"] == 30
