"""The direct way: what a client gets is what uvicorn gives, in the same order, and never before the log has it."""

import asyncio
import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.adapter import Adapter, Inbound, Once, Rejected, Reply, Request
from gateway.errors import LogUnavailable
from gateway.event import Event
from gateway.inbound.direct import DirectProtocol
from gateway.inbound.edge import Edge
from gateway.inbound.routes import Source, Sources
from gateway.inbound.stats import Stats
from gateway.log.port import Told
from gateway.telemetry import make_logger
from gateway.testing.standin import Memory
from tests.contract.adapter_cases import everyone
from tests.unit.inbound.wire import Wire, parsed

KEY = b"acme-key-1"
BODY = json.dumps({"batch": [{"verb": "hello", "contact": {"id": "u1"}}]}).encode()
PATH = b"/acme/v1/events"


class Held(Memory):
    """Keeps events; tells at once, or when the test says."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__()
        self.at_once = at_once
        self.waiting: list[Told] = []

    def append(self, source: Source, events: Sequence[Event], once: Mapping[str, Once], told: Told) -> None:
        super().append(source, events, once, told if self.at_once else lambda _: self.waiting.append(told))

    def tell(self, error: Exception | None = None) -> None:
        """Tell the first who waits."""
        self.waiting.pop(0)(error)


class Bench:
    """An edge with one source."""

    def __init__(self, *, at_once: bool = True, change: Callable[[Adapter], Adapter] = lambda adapter: adapter) -> None:
        adapter = change(everyone()["acme"])
        source = Source("shop", adapter, [{"api_key": KEY.decode()}], path="/acme")
        self.store = Held(at_once=at_once)
        self.store.serve(source)
        self.stats = Stats()
        self.edge = Edge(Sources([source]), self.store, Starlette(), make_logger("json", "error"), self.stats)

    def counted(self) -> dict[int, int]:
        """Return how often each status was answered."""
        return self.stats.of("shop", "events").requests


def request(body: bytes = BODY, *headers: bytes, line: bytes = b"POST " + PATH + b" HTTP/1.1") -> bytes:
    lines = [line, b"Host: gateway.test", b"X-Acme-Key: " + KEY, *headers]
    if not any(header.lower().startswith((b"transfer-", b"content-length")) for header in headers):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def number(n: int) -> bytes:
    return json.dumps({"batch": [{"verb": "hello", "contact": {"id": f"u{n}"}}] * n}).encode()


# --- the same as uvicorn ---------------------------------------------------------------------------------

CHUNKED = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (BODY[:9], BODY[9:])) + b"0\r\n\r\n"
WHOLE = {
    "whole": [request()],
    "no body": [request(b"")],
    "no length and no body": [request(b"", b"Content-Length: 0")],
    "chunked": [request(CHUNKED, b"Transfer-Encoding: chunked")],
    "http/1.0": [request(line=b"POST " + PATH + b" HTTP/1.0")],
    "http/1.0, kept": [request(BODY, b"Connection: keep-alive", line=b"POST " + PATH + b" HTTP/1.0")],
    "close": [request(BODY, b"Connection: close")],
    "a wrong key": [request(BODY, b"X-Acme-Key: other")],
    "no json": [request(b"{")],
    "too large": [request(b" " * 200_000)],
    "packed": [request(gzip.compress(BODY), b"Content-Encoding: gzip")],
    "query": [request(line=b"POST " + PATH + b"?a=1&b=%20 HTTP/1.1")],
    "slashes": [request(line=b"POST //acme//v1/events/ HTTP/1.1")],
    "percent": [request(line=b"POST /acme/v1/%65vents HTTP/1.1")],
    "absolute": [request(line=b"POST http://gateway.test" + PATH + b" HTTP/1.1")],
    "headers in capitals": [request().replace(b"X-Acme-Key", b"X-ACME-KEY")],
    "one after the other": [request(), request(number(2))],
}
OTHERS = {
    "in pieces": [request()[:40], request()[40:200], request()[200:]],
    "byte by byte": [request()[n : n + 1] for n in range(len(request()))],
    "expect": [request(BODY, b"Expect: 100-continue")],
    "expect, the body later": [
        request(BODY, b"Expect: 100-Continue")[: -len(BODY)],
        BODY,
    ],
    "piped": [request() + request(number(2)) + request(number(3))],
    "piped, in pieces": [request() + request(number(2))[:50], request(number(2))[50:] + request(number(3))],
    "piped, then close": [request() + request(number(2), b"Connection: close") + request(number(3))],
    "head": [request(b"", line=b"HEAD " + PATH + b" HTTP/1.1")],
    "another method": [request(line=b"DELETE " + PATH + b" HTTP/1.1")],
    "nobody's path": [request(line=b"POST /elsewhere HTTP/1.1")],
    "no endpoint": [request(line=b"POST /acme/nowhere HTTP/1.1")],
    "upgrade": [request(BODY, b"Connection: Upgrade", b"Upgrade: websocket")],
    "upgrade to http/2": [request(BODY, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c")],
    "garbage": [b"GARBAGE\r\n\r\n"],
    "garbage behind": [request(), b"GARBAGE\r\n\r\n"],
    "a broken chunk": [request(b"zz\r\n", b"Transfer-Encoding: chunked")],
    "a target that is none": [request(line=b"POST acme HTTP/1.1")],
    "a path that is not ascii": [request(line=b"POST /acme/\xff HTTP/1.1")],
}


async def exchange(protocol: type[HttpToolsProtocol], pieces: Sequence[bytes]) -> tuple[bytes, bool, list[str | None]]:
    """Return what was written, whether the connection was closed, and whose events were kept."""
    bench = Bench(change=gzip_taken)
    wire = Wire(bench.edge, protocol)
    for piece in pieces:
        wire.send(piece)
        await wire.settle()
    closed = wire.transport.closing
    wire.lose()
    await wire.settle()
    written = re.sub(rb"x-request-id: [0-9a-f-]{36}", b"x-request-id: ID", wire.written)
    return written, closed, [event.profile.user_id for event in bench.store.events]


def gzip_taken(adapter: Adapter) -> Adapter:
    return changed(adapter, encodings=frozenset({"gzip"}))


def changed(adapter: Adapter, **fields: Any) -> Adapter:
    return msgspec.structs.replace(adapter, **fields)


@pytest.mark.parametrize("pieces", {**WHOLE, **OTHERS}.values(), ids={**WHOLE, **OTHERS}.keys())
def test_a_client_gets_what_uvicorn_gives(pieces: list[bytes]) -> None:
    ours = asyncio.run(exchange(DirectProtocol, pieces))
    assert ours == asyncio.run(exchange(HttpToolsProtocol, pieces))
    assert ours[0]


@pytest.mark.parametrize("pieces", WHOLE.values(), ids=WHOLE.keys())
def test_what_is_whole_needs_no_task(pieces: list[bytes]) -> None:
    async def story() -> None:
        wire = Wire(Bench(change=gzip_taken).edge)
        for piece in pieces:
            wire.send(piece)
            assert wire.written
            assert not wire.state.tasks
        assert wire.state.total_requests == len(pieces)

    asyncio.run(story())


@pytest.mark.parametrize(
    "data", [request() + b"GARBAGE\r\n\r\n", request(BODY, b"Content-Length: %d" % len(BODY)) + b"GARBAGE"]
)
def test_garbage_does_not_cost_the_request_before_it_its_answer(data: bytes) -> None:
    """uvicorn lets go of an answer that is not written yet; here one that is ready stands before the refusal."""

    async def story() -> None:
        bench = Bench()
        wire = Wire(bench.edge)
        wire.send(data)
        await wire.settle()
        assert re.findall(rb"HTTP/1.1 (\d+)", wire.written) == [b"202", b"400"]
        assert wire.transport.closing

    asyncio.run(story())


def test_nothing_is_written_behind_a_refusal() -> None:
    async def story() -> None:
        bench = Bench(at_once=False)
        wire = Wire(bench.edge)
        wire.send(request() + b"GARBAGE\r\n\r\n")
        bench.store.tell()
        assert re.findall(rb"HTTP/1.1 (\d+)", wire.written) == [b"400"]
        assert wire.transport.closing

    asyncio.run(story())


# --- never before the log has it -------------------------------------------------------------------------


def test_success_waits_for_the_log() -> None:
    async def story() -> None:
        bench = Bench(at_once=False)
        wire = Wire(bench.edge)
        wire.send(request())
        await wire.settle()
        assert wire.written == b""
        bench.store.tell()
        assert parsed(wire.written).status_code == 202
        assert bench.counted() == {202: 1}

    asyncio.run(story())


def test_what_cannot_be_stored_is_the_vendors_503() -> None:
    async def story() -> None:
        bench = Bench(at_once=False)
        wire = Wire(bench.edge)
        wire.send(request())
        bench.store.tell(LogUnavailable("disk full"))
        assert parsed(wire.written).json() == {"error": "unavailable"}
        assert bench.stats.of("shop", "events").refused == {"unavailable": 1}
        assert bench.stats.of("shop", "events").events == 0

    asyncio.run(story())


def test_answers_come_in_the_order_of_requests() -> None:
    """What stands behind one that waits for the log is decoded only after its answer, and waits in the socket."""

    async def story() -> None:
        bench = Bench(at_once=False)
        wire = Wire(bench.edge)
        wire.send(request(number(1)) + request(number(2)), request(number(3)))
        await wire.settle()
        assert (wire.written, len(bench.store.waiting)) == (b"", 1)
        assert not wire.transport.reading
        for n in (1, 2, 3):
            bench.store.tell()
            await wire.settle()
            accepted = [int(found) for found in re.findall(rb'"accepted": ?(\d)', wire.written)]
            assert accepted == list(range(1, n + 1))
        assert wire.transport.reading

    asyncio.run(story())


def test_a_client_that_goes_away_leaves_its_event_and_nothing_else() -> None:
    async def story() -> None:
        bench = Bench(at_once=False)
        wire = Wire(bench.edge)
        wire.send(request())
        wire.lose()
        bench.store.tell()
        assert wire.written == b""
        assert bench.counted() == {202: 1}
        assert len(bench.store.events) == 1
        assert wire.protocol.timeout_keep_alive_task is None
        assert not wire.state.connections

    asyncio.run(story())


def test_half_a_request_of_a_client_that_goes_away_is_nothing() -> None:
    async def story() -> None:
        bench = Bench()
        wire = Wire(bench.edge)
        wire.send(request()[:-5])
        await wire.settle()
        wire.lose()
        await wire.settle()
        assert (wire.written, list(bench.store.events)) == (b"", [])
        assert not wire.state.tasks

    asyncio.run(story())


def test_a_client_that_reads_no_answers_is_waited_for() -> None:
    async def story() -> None:
        wire = Wire(Bench().edge)
        wire.send(request())
        wire.protocol.pause_writing()
        wire.send(request())
        await wire.settle()
        assert wire.written.count(b"HTTP/1.1 202") == 1
        wire.protocol.resume_writing()
        await wire.settle()
        assert wire.written.count(b"HTTP/1.1 202") == 2

    asyncio.run(story())


# --- the end of connections ------------------------------------------------------------------------------


def test_a_quiet_connection_is_closed_and_a_busy_one_is_not() -> None:
    async def story() -> None:
        bench = Bench(at_once=False)
        quiet, busy = Wire(bench.edge, keep_alive_s=0.05), Wire(bench.edge, keep_alive_s=0.05)
        for wire in (quiet, busy):
            wire.send(request())
            bench.store.tell()
        busy.send(request())
        await quiet.transport.closed.wait()
        await asyncio.sleep(0.1)
        assert not busy.transport.closing
        bench.store.tell()
        assert busy.written.count(b"HTTP/1.1 202") == 2
        await busy.transport.closed.wait()

    asyncio.run(asyncio.wait_for(story(), 10))


@pytest.mark.parametrize("pieces", [[request()[:-5], request()[-5:]], [request() + request()]], ids=["slow", "piped"])
def test_a_connection_that_went_uvicorns_way_is_closed_as_well(pieces: list[bytes]) -> None:
    async def story() -> None:
        wire = Wire(Bench().edge, keep_alive_s=0.05)
        wire.send(request(), *pieces)
        await wire.transport.closed.wait()
        assert b"HTTP/1.1 202" in wire.written

    asyncio.run(asyncio.wait_for(story(), 10))


def test_at_the_end_what_waits_is_answered_and_then_closed() -> None:
    async def story() -> None:
        bench = Bench(at_once=False)
        idle, waiting = Wire(bench.edge), Wire(bench.edge)
        waiting.send(request())
        for wire in (idle, waiting):
            wire.protocol.shutdown()
        assert (idle.transport.closing, waiting.transport.closing) == (True, False)
        bench.store.tell()
        answer = parsed(waiting.written)
        assert (answer.status_code, answer.headers["connection"]) == (202, "close")
        assert waiting.transport.closing

    asyncio.run(story())


# --- faults of ours --------------------------------------------------------------------------------------


def saying(answer: Reply) -> Callable[[Adapter], Adapter]:
    """Return what has an adapter refuse all requests with one answer."""

    def decode(_: Request) -> Any:
        raise Rejected(answer)

    def change(adapter: Adapter) -> Adapter:
        inbound: tuple[Inbound, ...] = tuple(msgspec.structs.replace(it, decode=decode) for it in adapter.inbound)
        return changed(adapter, inbound=inbound)

    return change


@pytest.mark.parametrize("header", [(b"X-A", b"1\r\nX-B: 2"), (b"X A", b"1"), (b"", b"1"), (b"X-A", b"\x00" * 200)])
def test_a_header_that_would_be_two_is_not_sent(header: tuple[bytes, bytes]) -> None:
    async def story() -> None:
        wire = Wire(Bench(change=saying(Reply(200, (header,)))).edge)
        wire.send(request())
        assert wire.written.startswith(b"HTTP/1.1 500 ")
        assert b"X-B" not in wire.written
        assert wire.transport.closing

    asyncio.run(story())


def test_an_adapter_without_words_is_a_bare_500() -> None:
    def silent(*_: Any) -> Any:
        raise RuntimeError("no words")

    async def story() -> None:
        bench = Bench(at_once=False, change=lambda adapter: changed(adapter, refuse=silent))
        wire = Wire(bench.edge)
        wire.send(request())
        bench.store.tell(LogUnavailable("disk full"))
        assert parsed(wire.written).status_code == 500
        assert bench.stats.of("shop", "events").refused == {"internal": 1}

    asyncio.run(story())
