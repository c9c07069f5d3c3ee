"""A disk that is full, cannot be written, is slow or holds garbage: no success is told that is none, and it heals."""

import json
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import registry
from gateway.cli.processes import Process
from gateway.inbound.routes import Source
from gateway.testing.faults import FaultyVendor, Served
from tests.contract import adapter_cases
from tests.e2e.crash_rounds import add_wide, number_of, remove_wide, unlimited
from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, kill, klaviyo_event, until
from tests.e2e.troubled import launch

MAX_PENDING = 64 << 20
"""Bytes that may wait for their commit, as `SqliteLog.open` has it."""


@pytest.fixture
def mail() -> FaultyVendor:
    klaviyo = unlimited(registry.adapter("klaviyo"))
    return FaultyVendor(klaviyo, [KEYS["klaviyo"]], key=number_of, keep_bodies=False)


class Place:
    """A gateway with one target, and what its clients were told."""

    def __init__(self, here: World, mail: FaultyVendor, db: Path | None = None) -> None:
        self.here = here
        self.mail = mail
        self.served = Served(mail)
        self.db = db or here.folder / "gateway.db"
        self.word = here.folder / "word"
        self.accepted: set[int] = set()
        self.refused: set[int] = set()
        self._number = 0
        add_wide(here)
        target = {"vendor": "wide", "base_url": self.served.url, "credentials": KEYS["klaviyo"]}
        here.configure({"mail": target}, log={"sqlite": str(self.db)})

    @property
    def gateway(self) -> Process:
        """The process that runs."""
        assert self.here.gateway is not None
        return self.here.gateway

    def serve(self, *, troubled: bool = False) -> Process:
        if troubled:
            return serve_troubled(self.here, self.word)
        return self.here.serve()

    def end(self) -> None:
        self.served.end()
        remove_wide()

    def send(self, padding: int = 0) -> httpx.Response:
        """Send one event and note what was said of it."""
        self._number += 1
        number = self._number
        event = klaviyo_event(number, properties={"number": number, "filler": [" " * 90_000] * (padding // 90_000)})
        answer = httpx.post(
            f"{self.gateway.ready['listen']}/klaviyo/api/events",
            content=json.dumps(event),
            headers=KLAVIYO_HEADERS,
            timeout=60,
            trust_env=False,
        )
        if answer.status_code == 202:
            self.accepted.add(number)
        else:
            is_klaviyos_503(answer)
            self.refused.add(number)
        return answer

    def ready(self) -> tuple[int, str]:
        """Return what /readyz says."""
        answer = httpx.get(f"{self.gateway.ready['admin']}/readyz", trust_env=False, timeout=30)
        return answer.status_code, answer.text

    def _settled(self) -> dict[str, Any] | None:
        """Return the counts, once nothing waits."""
        answer = httpx.get(f"{self.gateway.ready['admin']}/status", trust_env=False, timeout=30)
        counts: dict[str, Any] = answer.json()["log"]["targets"][0]
        return None if counts["queued"] or counts["accepted"] < len(self.accepted) else counts

    def check(self) -> None:
        """Wait until all is delivered, and hold it to the promise."""
        counts = until(self._settled)
        away = sum(counts[name] for name in ("delivered", "dropped", "duplicate", "dead"))
        assert (counts["accepted"] - away, counts["dead"]) == (0, 0)
        arrived = {int(key) for key in self.mail.keys()}  # noqa: SIM118 - a method of the stand-in
        assert self.accepted <= arrived
        assert not arrived & self.refused, "what was refused arrived"
        assert counts["delivered"] == len(arrived)


@pytest.fixture
def place(here: World, mail: FaultyVendor) -> Iterator[Place]:
    made = Place(here, mail)
    yield made
    made.end()


def serve_troubled(here: World, word: Path) -> Process:
    here.gateway = launch(here.folder, word, "serve", "-c", str(here.folder / "gateway.yaml"))
    here.started.append(here.gateway)
    return here.gateway


def is_klaviyos_503(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["errors"][0]["code"] == "service_unavailable"


def until_refused(place: Place, padding: int) -> None:
    for _ in range(500):
        if place.send(padding).status_code == 503:
            return
    raise AssertionError("the disk never became full")


def recovers(place: Place) -> None:
    """It finds out by itself, without a request that asks."""
    until(lambda: place.ready()[0] == 200, 15)
    assert place.send().status_code == 202


# --- full ------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, size: str = "8m") -> Iterator[Path]:
    """Mount a disk of that size; skip where nobody may."""
    disk = folder / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> Path:
    """Leave no room; return what has to go so that there is some."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def test_a_disk_that_is_full(here: World, mail: FaultyVendor) -> None:
    with small_disk(here.folder) as disk:
        place = Place(here, mail, disk / "gateway.db")
        try:
            place.serve()
            for _ in range(5):
                assert place.send().status_code == 202
            filler = fill(disk)
            until_refused(place, 200_000)
            status, why = place.ready()
            assert (status, "full" in why) == (503, True), why
            filler.unlink()
            recovers(place)
            place.check()
            place.gateway.stop()
        finally:
            place.end()


def test_a_quota_that_is_used_up(place: Place) -> None:
    """The same where nothing can be mounted: the process may not write beyond a size."""
    gateway = place.serve()
    for _ in range(5):
        assert place.send().status_code == 202
    _, hard = resource.prlimit(gateway.popen.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.popen.pid, resource.RLIMIT_FSIZE, (2_000_000, hard))
    until_refused(place, 200_000)
    status, why = place.ready()
    assert (status, why.strip() != "") == (503, True)
    trouble = httpx.get(f"{gateway.ready['admin']}/status", trust_env=False).json()["trouble"]
    assert trouble == why.strip()
    resource.prlimit(gateway.popen.pid, resource.RLIMIT_FSIZE, (hard, hard))
    recovers(place)
    place.check()


# --- not to be written -----------------------------------------------------------------------------------


def test_a_file_that_cannot_be_written(place: Place) -> None:
    place.serve(troubled=True)
    assert place.send().status_code == 202
    place.word.write_text("readonly")
    for _ in range(3):
        assert place.send().status_code == 503
    status, why = place.ready()
    assert (status, "readonly" in why) == (503, True), why
    place.word.unlink()
    recovers(place)
    place.check()


def test_a_log_that_cannot_be_written_at_the_start_is_one_clear_line(here: World, mail: FaultyVendor) -> None:
    with small_disk(here.folder) as disk:
        place = Place(here, mail, disk / "gateway.db")
        try:
            place.serve().stop()
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            done = here.cli("serve", "-c", "gateway.yaml")
            assert done.returncode != 0
            assert "cannot be used as a log" in done.stderr or "ead-only" in done.stderr
            assert "Traceback" not in done.stderr
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
            place.serve()
            assert place.send().status_code == 202
            place.check()
            place.gateway.stop()
        finally:
            place.end()


# --- garbage ---------------------------------------------------------------------------------------------


def torn(tail: str, wal: bytes) -> bytes:
    return {"garbage": os.urandom(10_000), "half a frame": wal[32 : 32 + 3_000], "zeros": bytes(8_192)}[tail]


def test_what_a_power_cut_left_behind_the_last_commit(place: Place) -> None:
    """A write that was cut off lies behind the last whole one; all that was acknowledged is before it."""
    place.served.down()
    for number, tail in enumerate(("garbage", "half a frame", "zeros"), start=1):
        gateway = place.serve()
        for _ in range(20):
            place.send()
        kill(gateway)
        assert len(place.accepted) == 20 * number
        wal = place.db.with_name("gateway.db-wal")
        assert wal.stat().st_size > 5_000, "the WAL holds nothing"
        with wal.open("ab") as file:
            file.write(torn(tail, wal.read_bytes()))
    place.served.up()
    place.serve()
    assert place.send().status_code == 202
    place.check()
    assert len(place.accepted) == 61


def test_a_file_that_turns_into_garbage_is_not_stored_into(place: Place) -> None:
    """While it can be written and not be read, clients hear 503, and a person hears why."""
    gateway = place.serve()
    for _ in range(5):
        assert place.send(10_000).status_code == 202
    place.check()
    right = place.db.read_bytes()
    place.db.write_bytes(os.urandom(len(right)))
    until(lambda: place.send().status_code == 503, 20)
    time.sleep(1)
    assert {place.send().status_code for _ in range(20)} == {503}
    status, why = place.ready()
    assert (status, "cannot be read" in why) == (503, True), why
    for path in ("/status", "/metrics"):
        answer = httpx.get(f"{gateway.ready['admin']}{path}", trust_env=False, timeout=30)
        assert answer.status_code == 503
        assert "cannot be read" in answer.text


def test_a_file_that_holds_garbage(place: Place) -> None:
    """Nothing is told to be stored that cannot be read again; with the file repaired it goes on."""
    place.serve()
    for _ in range(5):
        assert place.send().status_code == 202
    place.check()
    place.gateway.stop()
    right = place.db.read_bytes()
    place.db.write_bytes(right[:100] + os.urandom(len(right) - 100))
    done = place.here.cli("serve", "-c", "gateway.yaml")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "cannot be used as a log" in done.stderr
    place.db.write_bytes(right)
    place.serve()
    assert place.send().status_code == 202
    place.check()


# --- the thread that writes ------------------------------------------------------------------------------


def test_a_writer_that_dies_is_replaced(place: Place) -> None:
    place.serve(troubled=True)
    for _ in range(3):
        assert place.send().status_code == 202
        place.word.write_text("strike")
        until(lambda: not place.word.exists() or place.send() is None, 10)
    recovers(place)
    place.check()


# --- slow ------------------------------------------------------------------------------------------------


def test_a_slow_disk_costs_time_and_not_one_commit_for_each(place: Place) -> None:
    place.serve(troubled=True)
    place.send()
    place.word.write_text("slow 0.2")
    before = time.monotonic()
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: place.send(), range(60)))
    assert {answer.status_code for answer in answers} == {202}
    assert time.monotonic() - before < 60 * 0.2, "each waited for a commit of its own"
    place.word.unlink()
    place.check()


def test_what_waits_is_bounded(place: Place) -> None:
    """A disk that hangs: beyond 64 MiB of waiting events clients hear 503, and the rest is stored when it goes on."""
    place.serve(troubled=True)
    place.send()
    place.word.write_text("stall")
    with ThreadPoolExecutor(28) as pool:
        sent = [pool.submit(place.send, 4_000_000) for _ in range(28)]
        until(lambda: sum(one.done() for one in sent) >= 28 - MAX_PENDING // 4_000_000, 30)
        refused = [one for one in sent if one.done()]
        assert {one.result().status_code for one in refused} == {503}
        assert place.accepted == {1}, "a success was told before the commit"
        place.word.unlink()
        answers = [one.result().status_code for one in sent]
    assert answers.count(202) >= 12
    place.check()


# --- every vendor ----------------------------------------------------------------------------------------


def recorded() -> tuple[dict[str, Any], list[tuple[str, adapter_cases.Case]]]:
    """Return sources for the recorded requests of all vendors that store something, and the requests by source."""
    sources: dict[str, Any] = {}
    found = []
    for slug, adapter in registry.adapters().items():
        for case in adapter_cases.cases(slug):
            outcome = adapter_cases.replay(adapter, case)
            if not outcome.events or outcome.endpoint is None:
                continue
            source: dict[str, Any] = {"vendor": slug, "credentials": [account(adapter, case, outcome)]}
            if case.options:
                source["options"] = case.options
            name = next((name for name, known in sources.items() if known == source), f"s{len(sources)}")
            sources[name] = source
            found.append((name, case))
    return sources, found


def account(adapter: Any, case: adapter_cases.Case, outcome: adapter_cases.Outcome) -> dict[str, str]:
    asked = adapter_cases.request(adapter, case.request, options=case.options)
    auth = outcome.endpoint.auth if outcome.endpoint else None
    source = Source("shop", adapter, ())
    place = source.endpoint(asked.method, asked.path)
    asked.params = place.params if place else {}
    presented = auth.present(asked) if auth else "anybody"
    return adapter_cases.account_of(adapter, presented, case.credentials)


def test_every_vendors_clients_hear_503_in_their_own_words(here: World) -> None:
    """Whatever a vendor's client can send that stores something: a success while well, and its 503 while not."""
    sources, requests = recorded()
    here.configure({}, sources=sources)
    word = here.folder / "word"
    gateway = serve_troubled(here, word)
    with httpx.Client(base_url=gateway.ready["listen"], trust_env=False, timeout=30) as client:

        def ask(name: str, case: adapter_cases.Case) -> httpx.Response:
            given = case.request
            return client.request(
                given["method"], f"/{name}{given['path']}", headers=given.get("headers"), content=case.body
            )

        well = {(name, case.path): ask(name, case) for name, case in requests}
        word.write_text("readonly")
        asked = set()
        for name, case in requests:
            before = well[name, case.path]
            if not before.is_success:
                continue
            answer = ask(name, case)
            asked.add(case.vendor)
            assert answer.status_code == 503, (case.path.name, answer.status_code, answer.content)
            assert int(answer.headers["retry-after"]) >= 1, case.path.name
            assert answer.content != before.content or not before.content
    assert asked == set(registry.adapters())
    assert len(well) > 50
