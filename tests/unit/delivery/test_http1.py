"""The lean client against every shape an HTTP/1.1 answer may have."""

import asyncio
import socket
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery import http1
from gateway.delivery.http1 import Connection, LeanTransport, Message, Patience, Prepared
from tests.unit.delivery.wire import raw, serving

PATIENCE = Patience(1.0, 1.0, 2.0)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
INTERIM = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 202 OK\r\nContent-Length: 1\r\n\r\nz"
)


def prepared(url: str, **headers: str) -> Prepared:
    return Prepared("POST", httpx.URL(url), httpx.Headers(headers))


async def ask(url: str, times: int = 1) -> list[Message]:
    """Send requests one after the other over one transport."""
    transport = LeanTransport()
    try:
        return [await transport.send(prepared(url), b"[]", PATIENCE) for _ in range(times)]
    finally:
        await transport.aclose()


def talk(answer: bytes, *, close: bool = False, times: int = 1) -> tuple[list[Message], int]:
    """Return what becomes of an answer, and how many connections it took."""

    async def story() -> tuple[list[Message], int]:
        async def react(writer: asyncio.StreamWriter) -> bytes:
            writer.write(answer)
            await writer.drain()
            if close:
                writer.close()
            return b""

        async with serving(lambda seen, writer: react(writer)) as server:
            return await ask(server.url(), times), server.connections

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("answer", "close", "status", "body"),
    [
        (CHUNKED, False, 200, b"abcde"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", False, 304, b""),
        (INTERIM, False, 202, b"z"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", True, 200, b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", True, 200, b"old"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", False, 200, b"ok"),
        (b"HTTP/1.1 429 \r\nContent-Length: 0\r\n\r\n", False, 429, b""),
    ],
)
def test_answers_of_every_shape_are_read_whole(answer: bytes, close: bool, status: int, body: bytes) -> None:
    (message,), _ = talk(answer, close=close)
    assert (message.status, message.body) == (status, body)


def test_headers_of_an_interim_answer_are_not_the_answers() -> None:
    answer = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 202 OK\r\nContent-Length: 0\r\nA: b\r\n\r\n"
    (message,), _ = talk(answer)
    assert message.headers == [(b"Content-Length", b"0"), (b"A", b"b")]


def test_headers_are_kept_as_they_are() -> None:
    (message,), _ = talk(b"HTTP/1.1 429 No\r\nServer: caf\xe9\r\nA: b\r\na: c\r\nContent-Length: 0\r\n\r\n")
    assert message.headers[:3] == [(b"Server", b"caf\xe9"), (b"A", b"b"), (b"a", b"c")]


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 3),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 3),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more than was asked for", 3),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", 3),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Len", 3),
    ],
)
def test_a_connection_is_kept_only_when_it_is_clean(answer: bytes, connections: int) -> None:
    messages, opened = talk(answer, times=3)
    assert [message.body for message in messages] == [b"ok"] * 3
    assert opened == connections


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_answer_is_an_error(answer: bytes) -> None:
    with pytest.raises(httpx.TransportError):
        talk(answer, close=True)


@settings(max_examples=40, deadline=None)
@given(answer=st.binary(max_size=80) | st.binary(max_size=80).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail))
def test_any_bytes_are_an_answer_or_an_error(answer: bytes) -> None:
    try:
        (message,), _ = talk(answer, close=True)
    except httpx.TransportError:
        return
    assert 100 <= message.status <= 999


def test_an_idle_connection_that_the_server_closed_is_not_used() -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: _answer_and_close(writer)) as server:
            transport = LeanTransport()
            for _ in range(3):
                assert (await transport.send(prepared(server.url()), b"", PATIENCE)).status == 202
                await asyncio.sleep(0.05)
            await transport.aclose()
            assert server.connections == 3

    asyncio.run(story())


async def _answer_and_close(writer: asyncio.StreamWriter) -> bytes:
    writer.write(raw())
    await writer.drain()
    writer.close()
    return b""


def test_an_old_idle_connection_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "KEEP_ALIVE", 0.0)
    _, connections = talk(raw(), times=2)
    assert connections == 2


def test_a_request_that_is_given_up_takes_its_connection_with_it() -> None:
    async def story() -> None:
        async def slow() -> bytes:
            await asyncio.sleep(0.2)
            return raw(body=b"late")

        async with serving(lambda seen, writer: slow() if len(server.seen) == 1 else raw(body=b"mine")) as server:
            transport = LeanTransport()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(transport.send(prepared(server.url()), b"", PATIENCE), 0.05)
            assert (await transport.send(prepared(server.url()), b"", PATIENCE)).body == b"mine"
            await asyncio.sleep(0.2)
            assert (await transport.send(prepared(server.url()), b"", PATIENCE)).body == b"mine"
            await transport.aclose()

    asyncio.run(story())


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0b"])
def test_a_header_cannot_break_out_of_its_line(value: str) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        prepared("http://127.0.0.1:1/", authorization=value)


def test_only_http_is_spoken() -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        prepared("ftp://127.0.0.1/")


def test_the_next_address_is_tried_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: raw()) as server:

            async def found(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
                addresses = ["127.0.0.2", "127.0.0.1"] if host == "vendor.example" else [host]
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
            (message,) = await ask(f"http://vendor.example:{server.port}/x")
            assert message.status == 202
            assert server.seen[0].headers["host"] == f"vendor.example:{server.port}"

    asyncio.run(story())


@pytest.mark.parametrize("failure", [OSError("no such host"), UnicodeError("label too long"), TimeoutError()])
def test_a_host_that_cannot_be_found_is_an_error(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    async def story() -> None:
        async def lost(*args: object, **options: object) -> list[object]:
            raise failure

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lost)
        with pytest.raises((httpx.ConnectError, httpx.ConnectTimeout)):
            await ask("http://vendor.example/")

    asyncio.run(story())


def test_data_nobody_asked_for_ends_the_connection() -> None:
    """A server that speaks first could otherwise have its words taken for the next request's answer."""

    async def story() -> None:
        ended: list[bool] = []

        class Recorder(asyncio.Transport):
            def abort(self) -> None:
                ended.append(True)

        connection = Connection(100)
        connection.connection_made(Recorder())
        connection.data_received(raw(body=b"forged"))
        assert ended == [True]
        assert not connection.usable

    asyncio.run(story())


def test_the_interface_is_httpxs() -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: raw(body=b'{"a": 1}', content_type="application/json")) as server:
            transport: Callable[[], httpx.AsyncBaseTransport] = LeanTransport
            async with httpx.AsyncClient(transport=transport()) as client:
                response = await client.put(server.url() + "/x?y=z", json=[1], headers={"X": "y"})
            assert response.json() == {"a": 1}
            assert server.seen[0].line == "PUT /x?y=z HTTP/1.1"
            assert server.seen[0].body == b"[1]"

    asyncio.run(story())
