"""The edge: every request gets the vendor's own answer, and success only after the events are safe."""

import asyncio
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from gateway.adapter import Adapter, Once, People, Window
from gateway.errors import LogUnavailable
from gateway.event import Event
from gateway.inbound.edge import Edge
from gateway.inbound.routes import Source, Sources, normal_path
from gateway.inbound.stats import Stats
from gateway.log.port import Told
from gateway.telemetry import Logger, RequestLine, make_logger
from gateway.testing.standin import MemoryPeople
from tests.contract.adapter_cases import everyone
from tests.unit.inbound.wire import ask

KEY = "acme-key-1"
BODY = {"batch": [{"verb": "hello", "contact": {"id": "u1"}}, {"verb": "x", "contact": {"id": "u2"}}]}


class Store:
    """Keeps events, or fails as told."""

    def __init__(self, adapter: Adapter, error: Exception | None = None) -> None:
        self.events: list[Event] = []
        self.error = error
        self._people = MemoryPeople(adapter)

    def append(self, source: Source, events: Sequence[Event], once: Mapping[str, Once], told: Told) -> None:
        if self.error is not None:
            raise self.error
        self.events += events
        told(None)

    async def known(self) -> None:
        return

    def people(self, source: str) -> People:
        return self._people


@pytest.fixture(autouse=True, params=["asgi", "direct"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each test hold for both ways in which a request can come."""
    monkeypatch.setattr(Bench, "direct", request.param == "direct")


class Bench:
    """An edge with one source, and a client in front of it."""

    direct = False

    def __init__(
        self,
        error: Exception | None = None,
        adapter: Adapter | None = None,
        logger: Logger | None = None,
        **source: Any,
    ) -> None:
        adapter = adapter or everyone()["acme"]
        self.store = Store(adapter, error)
        self.stats = Stats()
        given = {"path": "/acme", **source}
        sources = Sources([Source("shop", adapter, [{"api_key": "another"}, {"api_key": KEY}], **given)])
        self.edge = Edge(sources, self.store, Starlette(), logger or make_logger("json", "error"), self.stats)

    def __call__(self, method: str, url: str, **request: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self.edge)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
                if self.direct:
                    return await ask(self.edge, client.build_request(method, url, **request))
                return await client.request(method, url, **request)

        return asyncio.run(go())


def send(bench: Bench, url: str = "/acme/v1/events", **request: Any) -> httpx.Response:
    request = {"json": BODY, "headers": {"X-Acme-Key": KEY}, **request}
    return bench("POST", url, **request)


def events_path() -> str:
    return next(e.path for e in everyone()["acme"].inbound if e.name == "events")


URL = "/acme" + events_path()


def test_success_comes_with_the_events_stored_in_order() -> None:
    bench = Bench()
    answer = send(bench, URL)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    assert [event.profile.user_id for event in bench.store.events] == ["u1", "u2"]
    assert [event.source.name for event in bench.store.events] == ["shop", "shop"]
    assert len(answer.headers["x-request-id"]) == 36


@pytest.mark.parametrize("url", [URL + "/", "/" + URL, "/acme//" + events_path(), URL + "//"])
def test_slashes_are_forgiven(url: str) -> None:
    assert send(Bench(), "http://gateway.test" + url).status_code == 202


def test_when_the_log_cannot_store_the_answer_is_the_vendors_503() -> None:
    answer = send(Bench(LogUnavailable("disk full")), URL)
    assert (answer.status_code, answer.json()) == (503, {"error": "unavailable"})
    assert answer.headers["retry-after"].isdigit()


def test_a_fault_of_ours_is_a_500_without_a_traceback(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    answer = send(Bench(RuntimeError("the secret is acme-key-1")), URL)
    assert (answer.status_code, answer.json()) == (500, {"error": "internal"})


@pytest.mark.parametrize("headers", [{}, {"X-Acme-Key": ""}, {"X-Acme-Key": "acme-key-2"}])
def test_a_wrong_credential_leaves_nothing_behind(headers: dict[str, str]) -> None:
    bench = Bench()
    assert send(bench, URL, headers=headers).status_code == 401
    assert bench.store.events == []


def test_any_of_the_configured_accounts_may_come() -> None:
    assert send(Bench(), URL, headers={"X-Acme-Key": "another"}).status_code == 202


def test_unknown_paths_and_methods_get_the_vendors_words() -> None:
    assert send(Bench(), "/acme/nowhere").json() == {"error": "not_found"}
    refused = Bench()("DELETE", URL)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_outside_every_source_there_is_nothing() -> None:
    assert send(Bench(), "/other").status_code == 404
    assert send(Bench(), "/acmeother" + events_path()).status_code == 404


def test_bodies_are_bounded_before_and_after_decompression() -> None:
    limit = next(e.max_body for e in everyone()["acme"].inbound if e.name == "events")
    assert send(Bench(), URL, json=None, content=b" " * (limit + 1)).json() == {"error": "too_large"}


def test_gzip_is_taken_where_the_vendor_takes_it() -> None:
    adapter = msgspec.structs.replace(everyone()["acme"], encodings=frozenset({"gzip"}))
    packed = gzip.compress(json.dumps(BODY).encode())
    headers = {"X-Acme-Key": KEY, "Content-Encoding": "gzip"}
    assert send(Bench(adapter=adapter), URL, json=None, content=packed, headers=headers).status_code == 202
    bomb = gzip.compress(bytes(20_000_000))
    assert send(Bench(adapter=adapter), URL, json=None, content=bomb, headers=headers).status_code == 413
    assert send(Bench(adapter=adapter), URL, json=None, content=b"x", headers=headers).status_code == 415


def test_sources_are_found_by_host_before_path() -> None:
    bench = Bench(path="", hosts=("events.acme.example",))
    assert send(bench, "http://events.acme.example:8080" + events_path()).status_code == 202
    assert send(bench, "http://other.example" + events_path()).status_code == 404


def limited(**source: Any) -> Bench:
    acme = everyone()["acme"]
    window = Window(count=1, seconds=3600, source="https://docs.acme.example", read="2026-11-21")
    inbound = tuple(msgspec.structs.replace(endpoint, windows=(window,)) for endpoint in acme.inbound)
    return Bench(adapter=msgspec.structs.replace(acme, inbound=inbound), **source)


def test_limits_are_enforced_only_when_asked() -> None:
    free = limited()
    assert [send(free, URL).status_code for _ in range(3)] == [202, 202, 202]
    strict = limited(enforce_limits=True)
    answers = [send(strict, URL) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 429, 429]
    assert answers[1].headers["retry-after"] == "3600"
    assert len(strict.store.events) == 2


def test_every_answer_is_counted() -> None:
    bench = Bench()
    send(bench, URL)
    send(bench, URL, headers={})
    send(bench, "/other")
    assert bench.stats.of("shop", "events").requests == {202: 1, 401: 1}
    assert bench.stats.of("shop", "events").events == 2
    assert bench.stats.of("", "").requests == {404: 1}


def test_every_refusal_has_its_reason(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    bench = limited(enforce_limits=True, logger=make_logger("json", "info"))
    send(bench, URL)
    send(bench, URL)
    send(bench, URL, headers={})
    send(bench, URL, headers={"X-Acme-Key": "another's"})
    send(bench, URL, json=None, content=b" " * 20_000_000)
    send(bench, "/acme/nowhere")
    bench("DELETE", URL)
    for error in (LogUnavailable("full"), RuntimeError("broken")):
        broken = Bench(error)
        send(broken, URL)
        assert list(broken.stats.of("shop", "events").refused) == [
            "unavailable" if isinstance(error, LogUnavailable) else "internal"
        ]
    events, unknown = bench.stats.of("shop", "events").refused, bench.stats.of("shop", "").refused
    assert events == {"throttled": 1, "bad_credential": 2, "too_large": 1}
    assert unknown == {"not_found": 1, "method_not_allowed": 1}
    lines = [json.loads(line) for line in capsysbinary.readouterr().err.splitlines()]
    said = [line.get("refused") for line in lines if line["event"] == "request"]
    assert said[:4] == [None, "throttled", "bad_credential", "bad_credential"]
    assert "refused" not in lines[0]
    free = Bench()
    send(free, URL, json=None, content=b"{")
    assert free.stats.of("shop", "events").refused == {"invalid": 1}


@pytest.mark.parametrize(
    ("path", "normal"), [("//api///events//", "/api/events"), ("/", "/"), ("", "/"), ("/a/b", "/a/b")]
)
def test_normal_path(path: str, normal: str) -> None:
    assert normal_path(path) == normal


def test_lines_hold_neither_credentials_nor_people(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    bench = Bench(logger=make_logger("json", "info", [KEY]))
    send(bench, URL + f"?key={KEY}", json={"batch": [{"verb": "x", "contact": {"mail": "nora@example.com"}}]})
    written = capsysbinary.readouterr().err
    line = json.loads(written)
    assert (line["event"], line["source"], line["status"], line["events"]) == ("request", "shop", 202, 1)
    assert KEY not in written.decode()
    assert "nora" not in written.decode()


def test_a_fault_of_ours_is_logged_after_the_lines_before_it(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    bench = Bench(logger=make_logger("json", "info"))
    send(bench, URL)
    bench.store.error = RuntimeError("broken")
    send(bench, URL)
    lines = [json.loads(line) for line in capsysbinary.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["request", "fault", "request"]
    assert "RuntimeError: broken" in lines[1]["exception"]
    assert lines[1]["request_id"] == lines[2]["request_id"]


def test_what_a_path_holds_of_a_person_is_in_no_line() -> None:
    adapter = everyone()["blueshift"]
    lines: list[RequestLine] = []
    logger = make_logger("json", "info")
    logger.requests = lines.append
    source = Source("shop", adapter, [{"user_api_key": KEY}], path="/blue")
    edge = Edge(Sources([source]), Store(adapter), Starlette(), logger, Stats())

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://test") as client:
            await client.get("/blue/api/v1/customers/ann-9f2c", auth=(KEY, ""))

    asyncio.run(ask())
    assert [line.path for line in lines] == ["/api/v1/customers/{uuid}"]
