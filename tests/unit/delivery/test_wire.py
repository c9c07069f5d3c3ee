"""Over real sockets: what goes out, what comes back, and what must never happen."""

import asyncio
import gzip
import ssl
import subprocess
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from gateway.delivery.calls import Call
from gateway.delivery.http1 import LeanTransport
from gateway.delivery.line import Line, Unanswered
from gateway.delivery.proxied import AiohttpTransport
from gateway.delivery.spec import TargetSpec
from gateway.delivery.transport import default_transport
from tests.unit.delivery.vendor_adapter import adapter, outbound, window
from tests.unit.delivery.wire import Seen, call, raw, serving
from tests.unit.delivery.world import World, by_lane, event

LIMIT = 1024 * 1024
Make = Callable[..., httpx.AsyncBaseTransport]


BOTH: list[Make] = [LeanTransport, AiohttpTransport]


@pytest.fixture(params=BOTH)
def make(request: pytest.FixtureRequest) -> Make:
    """Return what makes a transport: each test holds for both."""
    made: Make = request.param
    return made


class RealWorld(World):
    """Delivers over real connections in real time."""

    def wall(self) -> float:
        return asyncio.get_running_loop().time()


def test_a_request_carries_the_adapters_headers_and_no_others(make: Make) -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: raw()) as server:
            await call(make(), server.url() + "/prefix", b"[1]", "/way?a=%2F&b=c%20d")
            (seen,) = server.seen
        assert seen.line == "POST /prefix/way?a=%2F&b=c%20d HTTP/1.1"
        assert seen.body == b"[1]"
        assert seen.headers == {
            "host": f"127.0.0.1:{server.port}",
            "user-agent": "event-gateway",
            "accept": "*/*",
            "accept-encoding": "identity",
            "authorization": "Key k",
            "content-type": "application/json",
            "content-length": "3",
        }

    asyncio.run(story())


def test_connections_are_kept_alive(make: Make) -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: raw()) as server:
            transport = make()
            world = RealWorld(transport, base_url=server.url(), concurrency=3)  # type: ignore[arg-type]  # a real one
            await world.deliver([event(n, who=f"person {n}") for n in range(50)], patience=10)
            assert len(server.seen) == 50
            assert server.connections <= 3

    asyncio.run(story())


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_an_answer_and_is_never_followed(make: Make, status: str) -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: raw()) as elsewhere:
            place = elsewhere.url() + "/steal"
            async with serving(lambda seen, writer: raw(status, location=place)) as server:
                answer = await call(make(), server.url())
            assert str(answer.status) == status[:3]
            assert answer.headers["location"] == place
            assert elsewhere.seen == []

    asyncio.run(story())


def test_cookies_are_forgotten(make: Make) -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: raw(set_cookie="a=b; Path=/")) as server:
            transport = make()
            spec = TargetSpec(name="crm", adapter=adapter(), credentials={"key": "k"}, base_url=server.url())
            one = Call(outbound(), spec, Line(spec, transport))
            await one.send(b"[]")
            await one.send(b"[]")
            await transport.aclose()
        assert "cookie" not in server.seen[1].headers

    asyncio.run(story())


def test_the_environments_proxy_counts_only_when_asked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: raw("407 Proxy")) as proxy, serving(lambda s, w: raw()) as server:
            monkeypatch.setenv("HTTP_PROXY", proxy.url())
            monkeypatch.setenv("NO_PROXY", "")
            assert (await call(make(), server.url())).status == 202
            transport = AiohttpTransport(trust_env=True)
            response = await transport.handle_async_request(httpx.Request("GET", server.url()))
            assert response.status_code == 407
            await response.aclose()
            await transport.aclose()

    asyncio.run(story())


@pytest.mark.parametrize(("trust_env", "kind"), [(False, LeanTransport), (True, AiohttpTransport)])
def test_only_a_target_behind_a_proxy_goes_through_aiohttp(trust_env: bool, kind: type) -> None:
    spec = TargetSpec(name="crm", adapter=adapter(), credentials={"key": "k"}, trust_env=trust_env)
    assert type(default_transport(spec)) is kind


def test_a_giant_answer_is_cut_and_its_connection_closed(make: Make) -> None:
    async def story() -> None:
        closed = asyncio.Event()

        async def flood(writer: asyncio.StreamWriter) -> bytes:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n")
            try:
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
            except ConnectionError:
                closed.set()
                raise

        async with serving(lambda seen, writer: flood(writer)) as server:
            answer = await call(make(), server.url())
            assert answer.body == b"x" * LIMIT
            await asyncio.wait_for(closed.wait(), 5)

    asyncio.run(story())


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_answer_is_read_but_a_bomb_is_cut(make: Make, encoding: str) -> None:
    async def story() -> None:
        bomb = b"0" * (64 * LIMIT)
        packed = gzip.compress(bomb) if encoding == "gzip" else zlib.compress(bomb)
        async with serving(lambda seen, writer: raw(body=packed, content_encoding=encoding)) as server:
            assert (await call(make(), server.url())).body == bomb[:LIMIT]

    asyncio.run(story())


@pytest.mark.parametrize("encoding", ["gzip", "br", "a lie"])
def test_a_body_that_is_not_what_it_says_is_kept_as_it_is(make: Make, encoding: str) -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: raw("400 Bad", b"\xff\xfe<html>", content_encoding=encoding)) as server:
            answer = await call(make(), server.url())
            assert (answer.status, answer.body) == (400, b"\xff\xfe<html>")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("content", "headers"),
    [(b"", {"content_type": "text/html"}), (b"\x00\xff", {"content_type": "image/gif; charset=nonsense"})],
)
def test_any_content_type_will_do(make: Make, content: bytes, headers: dict[str, str]) -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: raw("200 OK", content, **headers)) as server:
            assert (await call(make(), server.url())).body == content

    asyncio.run(story())


async def _hang(writer: asyncio.StreamWriter) -> bytes:
    await asyncio.sleep(60)
    return b""


async def _drip(writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.05)


async def _stall(writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")
    return await _hang(writer)


async def _half(writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")
    writer.close()
    return b""


async def _reset(writer: asyncio.StreamWriter) -> bytes:
    transport = writer.transport
    assert isinstance(transport, asyncio.Transport)
    transport.abort()
    return b""


async def _nonsense(writer: asyncio.StreamWriter) -> bytes:
    return b"SSH-2.0-OpenSSH_9.6\r\n\r\n"


@pytest.mark.parametrize(
    ("react", "why"),
    [
        (_hang, "ReadTimeout"),
        (_drip, "ReadTimeout"),
        (_stall, "ReadTimeout"),
        (_half, "RemoteProtocolError"),
        (_reset, "no answer"),
        (_nonsense, "RemoteProtocolError"),
    ],
)
def test_half_an_answer_is_no_answer(make: Make, react: object, why: str) -> None:
    async def story() -> None:
        def answer(seen: Seen, writer: asyncio.StreamWriter) -> Awaitable[bytes]:
            assert callable(react)
            result: Awaitable[bytes] = react(writer)
            return result

        async with serving(answer) as server:
            with pytest.raises(Unanswered, match=why):
                await call(make(), server.url())

    asyncio.run(story())


def test_nobody_listens(make: Make) -> None:
    async def story() -> None:
        async with serving(lambda seen, writer: raw()) as server:
            url = server.url()
        with pytest.raises(Unanswered, match="ConnectError"):
            await call(make(), url)

    asyncio.run(story())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for 127.0.0.1 that no system trusts, its key in the same file."""
    path = tmp_path_factory.mktemp("tls") / "self_signed.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    made = subprocess.run([*command.split(), "-keyout", "-"], check=True, capture_output=True)
    path.write_bytes(made.stdout)
    return path


def test_a_certificate_nobody_vouches_for_is_refused(make: Make, certificate: Path) -> None:
    async def story() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        async with serving(lambda seen, writer: raw(), context) as server:
            with pytest.raises(Unanswered, match="CERTIFICATE_VERIFY_FAILED"):
                await call(make(), server.url("https"))
            assert server.seen == []
            assert (await call(make(ca_file=str(certificate)), server.url("https"))).status == 202
            with pytest.raises(Unanswered, match="CERTIFICATE_VERIFY_FAILED"):
                await call(make(ca_file=str(certificate)), server.url("https").replace("127.0.0.1", "localhost"))
            assert len(server.seen) == 1

    asyncio.run(story())


def test_throttling_failures_and_resets_of_a_real_server_lose_nothing(make: Make) -> None:
    """429 with and without Retry-After, 500, 413, resets, a named event: all in one stream, lane by lane in order."""

    async def story() -> None:
        accepted: list[str] = []
        troubles = [
            raw("429 Too Many Requests", retry_after="0"),
            raw("500 Internal Server Error"),
            raw("413 Content Too Large"),
            None,
            raw("408 Request Timeout", retry_after="0"),
            raw("400 Bad Request", b'{"bad": {"0": "no such thing"}}'),
        ] * 2

        def react(seen: Seen, writer: asyncio.StreamWriter) -> bytes | Awaitable[bytes]:
            ids = httpx.Response(200, content=seen.body).json()
            if troubles and len(server.seen) % 2:
                trouble = troubles.pop(0)
                return _reset(writer) if trouble is None else trouble
            accepted.extend(ids)
            return raw()

        async with serving(react) as server:
            world = RealWorld(
                make(),  # type: ignore[arg-type]  # a real one
                adapter=adapter(outbound(max_events=7, windows=(window(40, 0.2),))),
                base_url=server.url(),
                concurrency=3,
                backoff_base=0.02,
            )
            events = [event(n, who=f"person {n % 9}") for n in range(200)]
            await world.deliver(events, patience=30)
        dead = {letter.event_id for letter in await world.log.dead_letters()}
        kept = [one.id for one in events if one.id not in dead]
        assert 1 <= len(dead) <= 4
        assert by_lane(accepted, events) == by_lane(kept, events)
        assert not troubles

    asyncio.run(story())
