"""The timeline of one event over the real process: `gateway explain ID`, `gateway tail`, and what a crash costs."""

import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from gateway.cli.processes import Process
from gateway.receipts import schema
from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, PATIENCE_S, World, kill, klaviyo_event, until

SECRET = KEYS["klaviyo"]["private_key"]


class Vendor(ThreadingHTTPServer):
    """Answers as told, one answer after the other, the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str], bytes]] = [(202, {}, b"")]
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Vendor

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answers = self.server.answers
        status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    made = Vendor()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def post(gateway: Process, number: int, **more: Any) -> None:
    answer = httpx.post(
        f"{gateway.ready['listen']}/klaviyo/api/events",
        json=klaviyo_event(number, **more),
        headers=KLAVIYO_HEADERS,
        trust_env=False,
    )
    assert answer.status_code == 202


def explained(here: World, wanted: str) -> dict[str, Any]:
    """Return the only event that is found."""
    done = here.cli("explain", wanted, "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    return dict(found)


def at_target(here: World, wanted: str, target: str = "mail") -> dict[str, Any]:
    return next(one for one in explained(here, wanted)["targets"] if one["target"] == target)


def test_accepted_retried_after_a_500_and_delivered(here: World, vendor: Vendor) -> None:
    echo = json.dumps({"you said": SECRET}).encode()
    vendor.answers = [(500, {"X-Note": "down", "Set-Cookie": "s=1"}, echo), (202, {"X-Request-Id": "r-9"}, b"taken")]
    routes = [{"name": "to mail", "match": {"source": "klaviyo"}, "to": "mail"}]
    here.configure(
        {"mail": {"vendor": "klaviyo", "base_url": vendor.url}, "idle": {"vendor": "blueshift"}}, routes=routes
    )
    gateway = here.serve()
    post(gateway, 1)
    until(lambda: at_target(here, "event-1")["outcome"] == "delivered")
    found = explained(here, "event-1")
    assert found["event"]["name"] == "Product Viewed"
    assert found["event"]["source"]["name"] == "klaviyo"
    mail, idle = found["targets"]
    assert (mail["target"], mail["rule"], mail["outcome"]) == ("mail", "to mail", "delivered")
    assert (idle["target"], idle["outcome"], idle["why"]) == ("idle", "dropped", "no rule sends it there")
    first, second = mail["attempts"]
    assert (first["status"], first["http"], first["attempt"]) == ("retry", 500, 1)
    assert first["answer"] == '{"you said": "***"}'
    assert first["headers"]["x-note"] == "down"
    assert "set-cookie" not in first["headers"]
    assert (second["status"], second["http"], second["attempt"], second["answer"]) == ("delivered", 202, 2, "taken")
    assert second["headers"] == {"x-request-id": "r-9"}
    assert (second["method"], second["path"]) == ("POST", "/api/events")
    assert json.loads(second["request"])["data"]["type"] == "event"
    assert second["request_bytes"] == len(second["request"])
    gateway.stop()
    by_id = here.cli("explain", found["id"])
    assert by_id.returncode == 0
    for text in ("To mail, by the rule 'to mail': delivered", "retry: HTTP 500", "POST /api/events", "answer 202"):
        assert text in by_id.stdout, by_id.stdout
    for path in here.folder.glob("gateway.db.receipts*"):
        assert SECRET.encode() not in path.read_bytes()


def test_what_waits_and_what_stands_behind_it(here: World, vendor: Vendor) -> None:
    vendor.answers = [(500, {}, b"")]
    here.configure({"mail": {"vendor": "klaviyo", "base_url": vendor.url}})
    gateway = here.serve()
    post(gateway, 7)
    until(lambda: at_target(here, "event-7")["outcome"] == "waiting")
    post(gateway, 14)
    until(lambda: at_target(here, "event-14")["outcome"] == "waiting")
    first, second = at_target(here, "event-7"), at_target(here, "event-14")
    assert "HTTP 500" in first["why"]
    assert first["until"] is not None
    assert f"behind the event {explained(here, 'event-7')['id']}" in second["why"]
    assert second["attempts"] == []


def test_a_dead_letter_has_its_number_and_the_answer(here: World, vendor: Vendor) -> None:
    vendor.answers = [(400, {}, b'{"errors": [{"detail": "no such metric"}]}')]
    here.configure({"mail": {"vendor": "klaviyo", "base_url": vendor.url}})
    gateway = here.serve()
    post(gateway, 1)
    until(lambda: at_target(here, "event-1")["outcome"] == "dead")
    mail = at_target(here, "event-1")
    letters = json.loads(here.cli("dead", "list", "--json").stdout)
    assert mail["dead_letter"] == letters[0]["id"]
    until(lambda: len(at_target(here, "event-1")["attempts"]) == 2)
    rejected, dead = at_target(here, "event-1")["attempts"]
    assert (rejected["status"], rejected["http"], dead["status"]) == ("rejected", 400, "dead")
    assert "no such metric" in rejected["answer"]
    assert here.cli("dead", "drop", str(mail["dead_letter"]), "--reason", "tests").returncode == 0
    assert "which a person has dropped since" in at_target(here, "event-1")["why"]


def test_nothing_found_says_what_was_searched(here: World) -> None:
    here.configure({})
    assert "there is no log" in here.cli("explain", "event-1").stderr
    here.serve()
    done = here.cli("explain", "event-1", "--since", "90m")
    assert done.returncode == 1
    assert "no event 'event-1' was found" in done.stderr
    assert "the log holds no event" in done.stderr
    assert here.cli("explain").returncode == 2
    assert here.cli("explain", "event-1", "--since", "soon").returncode == 2


def test_without_receipts_explain_says_so_and_no_file_is_made(here: World, vendor: Vendor) -> None:
    here.configure({"mail": {"vendor": "klaviyo", "base_url": vendor.url}}, receipts={"enabled": False})
    post(here.serve(), 1)
    here.settled(1)
    found = explained(here, "event-1")
    assert found["targets"][0]["outcome"] == "unknown"
    assert "there are no receipts: what was sent and answered is not known" in found["notes"]
    assert not (here.folder / "gateway.db.receipts").exists()


def test_a_kill_costs_no_event_and_receipts_at_most_of_the_last_moment(here: World, vendor: Vendor) -> None:
    here.configure({"mail": {"vendor": "klaviyo", "base_url": vendor.url}})
    gateway = here.serve()
    for number in range(20):
        post(gateway, number)
    here.settled(20)
    until(lambda: attempts_kept(here) >= 1)
    kept = attempts_kept(here)
    kill(gateway)
    assert attempts_kept(here) >= kept
    gateway = here.serve()
    post(gateway, 100)
    counts = here.settled(21)["mail"]
    assert (counts["accepted"], counts["missing"], counts["queued"]) == (21, 0, 0)
    until(lambda: at_target(here, "event-100")["outcome"] == "delivered")


def attempts_kept(here: World) -> int:
    path = here.folder / "gateway.db.receipts"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        return schema.last_number(connection)


def test_a_file_of_receipts_that_is_none_costs_no_delivery(here: World, vendor: Vendor) -> None:
    here.configure({"mail": {"vendor": "klaviyo", "base_url": vendor.url}})
    (here.folder / "gateway.db.receipts").write_bytes(b"not a database" * 100)
    gateway = here.serve()
    post(gateway, 1)
    assert here.settled(1)["mail"]["delivered"] == 1
    url = f"{gateway.ready['admin']}/metrics"
    until(lambda: "gateway_receipts_dropped_total 1.0" in httpx.get(url, trust_env=False).text)
    done = here.cli("explain", "event-1")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "receipts" in done.stderr


# --- tail ------------------------------------------------------------------------------------------------


def hears_ctrl_c() -> None:
    """Undo what a shell does to jobs in the background, and so to all that they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Tail:
    """A running `gateway tail`."""

    def __init__(self, here: World, *options: str) -> None:
        command = [sys.executable, "-m", "gateway", "tail", "--json", *options]
        self.popen = subprocess.Popen(
            command, cwd=here.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=hears_ctrl_c
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self._lines.put(line)

    def line(self, name: str) -> dict[str, Any]:
        """Return the next line about events of that name."""
        while True:
            line = dict(json.loads(self._lines.get(timeout=PATIENCE_S)))
            if line.get("name") == name:
                return line

    def quiet(self) -> bool:
        """Tell whether nothing was told yet."""
        return self._lines.empty()

    def interrupt(self) -> tuple[int, bytes]:
        os.kill(self.popen.pid, signal.SIGINT)
        with self.popen as ended:
            assert ended.stderr is not None
            try:
                code = ended.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                ended.kill()
                raise
            return code, ended.stderr.read()


def warm(tail: Tail, gateway: Process) -> None:
    """Accept events until the tail sees one: it begins with what comes after its start."""

    def seen() -> bool:
        post(gateway, 5_000, name="Warm up", unique_id=str(uuid.uuid4()))
        return not tail.quiet()

    until(seen)


def test_tail_follows_what_happens_and_ends_cleanly(here: World, vendor: Vendor) -> None:
    here.configure({"mail": {"vendor": "klaviyo", "base_url": vendor.url}})
    gateway = here.serve()
    options = [f"--status={status}" for status in ("accepted", "retry", "dead")]
    tail = Tail(here, "--source", "klaviyo", *options)
    warm(tail, gateway)
    until(lambda: here.status()["mail"]["queued"] == 0)
    vendor.answers = [(500, {}, b""), (202, {}, b"")]
    post(gateway, 1)
    accepted = tail.line("Product Viewed")
    retry = tail.line("Product Viewed")
    assert (accepted["what"], accepted["targets"]) == ("accepted", ["mail"])
    assert (retry["what"], retry["target"], retry["http"], retry["event"]) == ("retry", "mail", 500, accepted["event"])
    until(lambda: here.status()["mail"]["queued"] == 0)
    vendor.answers = [(400, {}, b"")]
    post(gateway, 2, name="Placed Order")
    second, dead = tail.line("Order Completed"), tail.line("Order Completed")
    assert (second["what"], dead["what"]) == ("accepted", "dead")
    assert (dead["event"], dead["dead_letter"]) == (second["event"], 1)
    assert tail.interrupt() == (0, b"")


def test_tail_wants_names_that_exist(here: World) -> None:
    here.configure({})
    done = here.cli("tail", "--source", "klavio")
    assert done.returncode == 2
    assert "klaviyo" in done.stderr


# --- the admin listener ----------------------------------------------------------------------------------


def test_receipts_and_a_tail_on_the_admin_listener(here: World, vendor: Vendor) -> None:
    here.configure({"mail": {"vendor": "klaviyo", "base_url": vendor.url}}, admin={"port": 0, "token": "adm1n-token"})
    gateway = here.serve()
    admin = gateway.ready["admin"]
    assert httpx.get(f"{admin}/receipts/event-1", trust_env=False).status_code == 401
    assert httpx.get(f"{admin}/tail", trust_env=False).status_code == 401
    with httpx.Client(base_url=admin, headers={"Authorization": "Bearer adm1n-token"}, trust_env=False) as client:
        assert (client.get("/receipts/event-1").status_code, client.get("/receipts/event-1").json()) == (404, [])
        assert client.get("/receipts/event-1?since_hours=x").status_code == 400
        assert client.get("/tail?status=nothing").status_code == 400
        for _ in range(10):
            with client.stream("GET", "/tail?status=accepted") as left:
                assert next(left.iter_lines()) == ""
        with client.stream("GET", "/tail?target=mail&status=delivered") as stream:
            lines = stream.iter_lines()
            assert next(lines) == ""
            post(gateway, 1)
            line = json.loads(next(line for line in lines if line))
            assert (line["what"], line["target"], line["name"]) == ("delivered", "mail", "Product Viewed")
            (found,) = client.get("/receipts/event-1").json()
            assert found["id"] == line["event"]
            assert found["targets"][0]["attempts"][0]["answer"] == ""
            assert client.get("/status").json()["receipts"]["written"] == 1
            gateway.popen.terminate()
            assert [line for line in lines if line] == []
        assert gateway.popen.wait(8) == 0
