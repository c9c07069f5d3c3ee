"""Another configuration while the gateway runs: whole or not at all, and no event astray."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, free_port, klaviyo_event, received, until

BROKEN = (
    ("log: {sqlite: gateway.db}\nsources: [\n", "is not YAML"),
    ("log: {sqlite: gateway.db}\nsources: {}\nroutes: [{name: x, to: nowhere}]\n", "no target is called 'nowhere'"),
)


class Shop:
    """A gateway whose configuration changes: every event goes to one of two targets."""

    def __init__(self, here: World) -> None:
        self.here = here
        self.urls = {name: here.standin("blueshift") for name in ("a", "b")}
        self.admin = f"http://127.0.0.1:{(port := free_port())}"
        self.fixed = {"admin": {"port": port}}

    def target(self, name: str, **more: Any) -> dict[str, Any]:
        return {"vendor": "blueshift", "base_url": self.urls[name], **more}

    def write(self, goal: str, targets: dict[str, Any] | None = None, **more: Any) -> None:
        """Write a configuration under which all events go to one target, by a rule of its own."""
        routes = [{"name": f"to {goal}", "to": goal}]
        both = {name: self.target(name) for name in self.urls}
        self.here.configure(targets or both, **{"routes": routes, **self.fixed, **more})

    def write_broken(self, text: str) -> None:
        (self.here.folder / "gateway.yaml").write_text(text)

    def serve(self, *options: str) -> str:
        return self.here.serve(*options).ready["listen"]

    def configuration(self) -> dict[str, Any]:
        told: dict[str, Any] = httpx.get(f"{self.admin}/configuration", trust_env=False).json()
        return told

    def hang_up(self, counter: str) -> None:
        """Send SIGHUP and wait until a reload is done, or refused."""
        assert self.here.gateway is not None
        before = self.configuration()[counter]
        os.kill(self.here.gateway.popen.pid, signal.SIGHUP)
        until(lambda: self.configuration()[counter] > before)

    def numbers_at(self, name: str) -> Counter[int]:
        return Counter(event["properties"]["number"] for event in received(self.urls[name], 10_000)["last"])


@pytest.fixture
def shop(here: World) -> Shop:
    return Shop(here)


def post(url: str, number: int, client: httpx.Client | None = None) -> int:
    send = client.post if client else httpx.post
    more: dict[str, Any] = {} if client else {"trust_env": False}
    body, headers = klaviyo_event(number), KLAVIYO_HEADERS
    return send(f"{url}/klaviyo/api/events", json=body, headers=headers, timeout=20, **more).status_code


class Sent(NamedTuple):
    number: int
    status: int
    begun: float
    ended: float


@contextmanager
def sending(url: str, *, connections: int = 1, anew: bool = False) -> Iterator[list[Sent]]:
    """Send numbered events all the time, over a few connections or over a new one each."""
    sent: list[Sent] = []
    stop = threading.Event()

    def go_on(first: int) -> None:
        headers = {"Connection": "close"} if anew else {}
        with httpx.Client(trust_env=False, headers=headers) as client:
            number = first
            while not stop.is_set():
                begun = time.monotonic()
                status = post(url, number, client)
                sent.append(Sent(number, status, begun, time.monotonic()))
                number += connections
                stop.wait(0.01)

    threads = [threading.Thread(target=go_on, args=(first,)) for first in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "workers"])
def test_every_event_goes_where_the_configuration_said_that_was_in_force(shop: Shop, options: tuple[str, ...]) -> None:
    shop.write("a")
    url = shop.serve(*options)
    periods = []
    since, goal = time.monotonic(), "a"
    with sending(url, connections=2, anew=bool(options)) as sent:
        for round_ in range(20):
            if round_ % 4 == 3:
                shop.write_broken(BROKEN[round_ // 4 % 2][0])
                shop.hang_up("refused")
            time.sleep(0.15)
            periods.append((goal, since, time.monotonic()))
            goal = "ab"[(round_ + 1) % 2]
            shop.write(goal)
            shop.hang_up("reloads")
            since = time.monotonic()
        time.sleep(0.1)
        periods.append((goal, since, time.monotonic()))
    assert {one.status for one in sent} == {202}
    counts = shop.here.settled(len(sent))
    assert {name: counts[name]["missing"] for name in "ab"} == {"a": 0, "b": 0}
    at = {name: shop.numbers_at(name) for name in "ab"}
    assert at["a"] + at["b"] == Counter(one.number for one in sent), "each exactly once, at one of the two"
    told = 0
    for goal, since, until_then in periods:
        for one in sent:
            if since <= one.begun and one.ended <= until_then:
                assert one.number in at[goal]
                told += 1
    assert told > len(sent) / 4
    assert counts["a"]["delivered"] + counts["b"]["delivered"] == len(sent)
    state = shop.configuration()
    assert (state["reloads"], state["refused"]) == (20, 5)
    assert set(state.get("workers", [state["version"]])) == {state["version"]}


def test_events_that_wait_are_sent_by_the_rule_that_is_gone(shop: Shop) -> None:
    tight = {"limits": {"windows": [{"requests": 1, "seconds": 1}]}, "concurrency": 1}
    targets = {"a": shop.target("a", **tight), "b": shop.target("b")}
    shop.write("a", targets, routes=[{"name": "first", "to": [{"target": "a", "name": "renamed"}]}])
    url = shop.serve()
    for number in range(6):
        assert post(url, number) == 202
    shop.write("b", targets)
    shop.hang_up("reloads")
    assert post(url, 6) == 202
    counts = shop.here.settled(7)
    assert (counts["a"]["delivered"], counts["a"]["dead"], counts["b"]["delivered"]) == (6, 0, 1)
    assert received(shop.urls["a"])["by_name"] == {"renamed": 6}


def test_a_changed_credential_counts_at_once(shop: Shop) -> None:
    wrong = shop.target("a", credentials={"event_api_key": "some-other-key"})
    shop.write("a", {"a": wrong})
    url = shop.serve()
    for number in range(5):
        assert post(url, number) == 202
    status = f"{shop.admin}/status"
    until(lambda: httpx.get(status, trust_env=False).json()["targets"][0]["state"] == "held")
    shop.write("a", {"a": shop.target("a")})
    done = shop.here.cli("reload")
    assert done.returncode == 0, done.stderr
    assert "target a: changed" in done.stdout
    assert shop.here.settled(5)["a"]["delivered"] == 5
    assert shop.numbers_at("a") == Counter(range(5))


@contextmanager
def slow_vendor(seconds: float) -> Iterator[tuple[str, Counter[int]]]:
    """Yield the URL of a server that answers 200 late, and how often each numbered event came to it."""
    came: Counter[int] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
            came.update(event["number"] for event in body.get("events", [body]))
            time.sleep(seconds)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", came
        finally:
            server.shutdown()
            thread.join()


def test_what_is_in_flight_when_a_target_changes_is_not_sent_again(shop: Shop) -> None:
    with slow_vendor(0.5) as (slow, came):

        def write(concurrency: int) -> None:
            shop.write("a", {"a": shop.target("a", concurrency=concurrency, base_url=slow)})

        write(3)
        url = shop.serve()
        with sending(url) as sent:
            for concurrency in range(4, 10):
                time.sleep(0.2)
                write(concurrency)
                shop.hang_up("reloads")
        counts = shop.here.settled(len(sent))["a"]
        assert (counts["delivered"], counts["missing"]) == (len(sent), 0)
        assert came == Counter(one.number for one in sent)


def test_what_waits_for_a_removed_target_stays_counted_and_goes_out_once_it_is_back(shop: Shop) -> None:
    wrong = {"a": shop.target("a", credentials={"event_api_key": "some-other-key"}), "b": shop.target("b")}
    shop.write("a", wrong)
    url = shop.serve()
    for number in range(5):
        assert post(url, number) == 202
    shop.write("b", {"b": shop.target("b")})
    done = shop.here.cli("reload")
    assert "target a: removed" in done.stdout
    assert post(url, 5) == 202
    until(lambda: shop.here.status()["b"]["delivered"] == 1)
    left = shop.here.status()["a"]
    assert (left["queued"], left["missing"]) == (5, 0)
    shop.write("b")
    assert "target a: added" in shop.here.cli("reload").stdout
    assert shop.here.settled(6)["a"]["delivered"] == 5
    assert shop.numbers_at("a") == Counter(range(5))


def test_a_new_target_begins_with_the_next_event(shop: Shop) -> None:
    shop.write("a", {"a": shop.target("a")})
    url = shop.serve("--workers", "2")
    assert post(url, 0) == 202
    shop.write("b", routes=[{"name": "both", "to": ["a", "b"]}])
    assert "target b: added" in shop.here.cli("reload").stdout
    assert post(url, 1) == 202
    shop.here.settled(1)
    assert (shop.numbers_at("a"), shop.numbers_at("b")) == (Counter([0, 1]), Counter([1]))


def test_sources_come_change_and_go(shop: Shop) -> None:
    keys = {**KEYS["klaviyo"], "private_key": "pk_ffffffffffffffffffffffffffffffffff"}
    more = {"vendor": "klaviyo", "path": "/second", "credentials": [keys]}
    first = {"vendor": "klaviyo", "credentials": [KEYS["klaviyo"]]}
    shop.write("a", sources={"klaviyo": first})
    url = shop.serve()

    def second(private_key: str) -> int:
        headers = {**KLAVIYO_HEADERS, "Authorization": f"Klaviyo-API-Key {private_key}"}
        return httpx.post(
            f"{url}/second/api/events", json=klaviyo_event(1), headers=headers, trust_env=False
        ).status_code

    assert second(keys["private_key"]) == 404
    shop.write("a", sources={"klaviyo": first, "second": more})
    assert "source second: added" in shop.here.cli("reload").stdout
    assert second(keys["private_key"]) == 202
    assert second(KEYS["klaviyo"]["private_key"]) == 401
    shop.write("a", sources={"klaviyo": first, "second": {**more, "credentials": [KEYS["klaviyo"]]}})
    assert "source second: changed" in shop.here.cli("reload").stdout
    assert (second(keys["private_key"]), second(KEYS["klaviyo"]["private_key"])) == (401, 202)
    shop.write("a", sources={"klaviyo": first})
    assert "source second: removed" in shop.here.cli("reload").stdout
    assert second(KEYS["klaviyo"]["private_key"]) == 404
    assert keys["private_key"] not in shop.here.log_text()


def test_a_refused_reload_tells_everything_wrong_and_changes_nothing(shop: Shop) -> None:
    shop.write("a")
    url = shop.serve()
    version = shop.configuration()["version"]
    wrong = [{"name": "one", "to": "nowhere"}, {"name": "two", "to": "bb"}]
    shop.write("b", routes=wrong, sources={"shop": {"vendor": "klavio", "credentials": [KEYS["klaviyo"]]}})
    done = shop.here.cli("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"version {version} serves on" in done.stderr
    for said in ("no target is called 'nowhere'", "no target is called 'bb'", "did you mean 'klaviyo'?"):
        assert said in done.stderr
    assert "gateway.yaml:" in done.stderr
    shop.write_broken(BROKEN[0][0])
    done = shop.here.cli("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not YAML" in done.stderr
    assert post(url, 1) == 202
    assert shop.here.gateway is not None
    shop.write("b", routes=wrong)
    assert shop.here.cli("reload", "--json").returncode == 1
    shop.write("a")
    counts = shop.here.settled(1)
    assert (counts["a"]["delivered"], counts["b"]["delivered"]) == (1, 0)
    shown = shop.here.cli("status").stdout
    assert f"version {version}" in shown
    assert "0 reloads, 2 refused" in shown
    assert "no target is called 'nowhere'" in shown
    lines = httpx.get(f"{shop.admin}/metrics", trust_env=False).text.splitlines()
    assert f'gateway_config_info{{version="{version}"}} 1.0' in lines
    assert 'gateway_config_reloads_total{outcome="refused"} 2.0' in lines


def test_what_needs_a_restart_is_refused_by_name(shop: Shop) -> None:
    shop.write("a")
    shop.serve()
    shop.write("a", listen={"port": 1}, log={"sqlite": "other.db", "retention": {"hours": 1}})
    done = shop.here.cli("reload")
    assert done.returncode == 1
    for key in ("listen.port", "log.sqlite", "log.retention.hours"):
        assert f"'{key}' cannot be changed while the gateway runs" in done.stderr
    assert not (shop.here.folder / "other.db").exists()


def test_reload_needs_the_token_and_a_gateway(shop: Shop) -> None:
    shop.fixed["admin"]["token"] = "a-token-of-ours"  # type: ignore[assignment]
    shop.write("a")
    nobody = shop.here.cli("reload")
    assert nobody.returncode == 1
    assert f"no gateway answers at {shop.admin}" in nobody.stderr
    shop.serve()
    assert httpx.post(f"{shop.admin}/reload", trust_env=False).status_code == 401
    assert shop.here.cli("reload").returncode == 0
    shop.fixed["admin"]["token"] = "another-token"  # type: ignore[assignment]
    shop.write("a")
    done = shop.here.cli("reload")
    assert done.returncode == 1
    assert "wants another admin token" in done.stderr


def test_watched_files_are_taken_when_they_change(shop: Shop) -> None:
    routes = shop.here.folder / "routes"
    routes.mkdir()
    routes.joinpath("all.yaml").write_text("- {name: all, to: a}\n")
    shop.write("a", routes=["routes"])
    url = shop.serve("--watch")
    assert post(url, 0) == 202
    routes.joinpath("all.yaml").write_text("- {name: all, to: c}\n")
    until(lambda: shop.configuration()["refused"] == 1)
    assert "all.yaml:1:19: no target is called 'c'" in shop.configuration()["last_refusal"]["why"]
    routes.joinpath("all.yaml").write_text("- {name: all, to: b}\n")
    until(lambda: shop.configuration()["reloads"] == 1)
    assert post(url, 1) == 202
    unwanted = shop.here.folder / "unwanted.txt"
    unwanted.write_text("")
    routes.joinpath("0.yaml").write_text("- {name: first, to: a, suppress: ../unwanted.txt}\n")
    until(lambda: shop.configuration()["reloads"] == 2)
    assert post(url, 2) == 202
    unwanted.write_text("p3@example.com\n")
    until(lambda: shop.configuration()["reloads"] == 3)
    assert post(url, 3) == 202
    counts = shop.here.settled(4)
    assert counts["a"]["dropped_by"]["first: suppressed"] == 1
    assert (shop.numbers_at("a"), shop.numbers_at("b")) == (Counter([0, 2]), Counter([1, 2, 3]))
    time.sleep(2.5)
    assert shop.configuration()["reloads"] == 3, "what has not changed is not read again"


def test_a_rule_that_asks_for_permission_may_come_later(shop: Shop) -> None:
    shop.write("a")
    url = shop.serve()
    subscribe = klaviyo_event(1, "Subscribed to Back in Stock")
    assert httpx.post(f"{url}/klaviyo/api/events", json=subscribe, headers=KLAVIYO_HEADERS, trust_env=False).is_success
    shop.write("a", routes=[{"name": "asking", "to": "b", "require": {"channel": "email"}}])
    assert shop.here.cli("reload").returncode == 0
    assert post(url, 2) == 202
    counts = shop.here.settled(2)["b"]
    assert counts["dropped_by"]["asking: no permission for email"] == 1


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_worker_that_dies_comes_back_with_the_version_of_all_others(shop: Shop) -> None:
    shop.write("a")
    url = shop.serve("--workers", "2")
    assert shop.here.gateway is not None
    pid = shop.here.gateway.popen.pid
    shop.write_broken(BROKEN[1][0])
    os.kill(children(pid)[0], signal.SIGKILL)
    until(lambda: shop.configuration()["refused"] == 1)
    assert len(shop.configuration()["workers"]) == 1
    for number in range(10):
        assert post(url, number) == 202
    shop.write("b")
    until(lambda: shop.configuration()["reloads"] == 1)
    until(lambda: len(shop.configuration()["workers"]) == 2)
    state = shop.configuration()
    assert (set(state["workers"]), state["refused"]) == ({state["version"]}, 1)
    for number in range(10, 30):
        assert post(url, number) == 202
    shop.here.settled(30)
    assert (shop.numbers_at("a"), shop.numbers_at("b")) == (Counter(range(10)), Counter(range(10, 30)))
