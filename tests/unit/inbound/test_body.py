"""Bodies are bounded on the wire and again once decompressed."""

import asyncio
import gzip
import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.inbound import body as bodies
from gateway.inbound.body import BadEncoding, Disconnected, Overloaded, Room, TooLarge, decompress

GZIP = frozenset({"gzip", "deflate"})


def receiving(*parts: bytes, gone: bool = False) -> Any:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": gone or index < len(parts) - 1}
        for index, part in enumerate(parts)
    ]
    if gone:
        messages.append({"type": "http.disconnect"})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return receive


async def read(receive: Any, limit: int, room: Room) -> bytes:
    """Read as the edge does."""
    first = await receive()
    body = bodies.whole(first, limit)
    return await bodies.read(first, receive, limit, room) if body is None else body


@pytest.mark.parametrize("parts", [[b"12345"], [b"12", b"", b"345"]])
def test_a_body_up_to_the_limit_is_read(parts: Sequence[bytes]) -> None:
    assert asyncio.run(read(receiving(*parts), 5, Room())) == b"12345"


@pytest.mark.parametrize("parts", [[b"123456"], [b"12", b"3456"], [b"123456", b"7", b"8"]])
def test_a_longer_body_is_refused(parts: Sequence[bytes]) -> None:
    with pytest.raises(TooLarge):
        asyncio.run(read(receiving(*parts), 5, Room()))


def test_a_client_that_goes_away_is_noticed() -> None:
    with pytest.raises(Disconnected):
        asyncio.run(read(receiving(b"12", gone=True), 5, Room()))


def test_all_bodies_together_are_bounded_and_give_their_room_back() -> None:
    room = Room(most=10)
    with pytest.raises(Overloaded):
        asyncio.run(read(receiving(b"123456", b"7890123"), 100, room))
    assert asyncio.run(read(receiving(b"123456", b"789"), 100, room)) == b"123456789"
    assert room.free == 10


def test_a_client_that_does_not_go_on_is_left() -> None:
    first = [{"type": "http.request", "body": b"1", "more_body": True}]

    async def receive() -> dict[str, Any]:
        return first.pop() if first else await asyncio.Event().wait()  # type: ignore[return-value]  # never returns

    with pytest.raises(Overloaded):
        asyncio.run(read(receive, 5, Room(seconds=0.01)))


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),
        (" GZIP ", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("identity", b"hello"),
        ("", b"hello"),
    ],
)
def test_decompress(encoding: str, packed: bytes) -> None:
    assert decompress(packed, encoding, GZIP, 100) == b"hello"


def test_a_bomb_is_stopped_at_the_limit() -> None:
    with pytest.raises(TooLarge):
        decompress(gzip.compress(bytes(50_000_000)), "gzip", GZIP, 1_000_000)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", b"nonsense"), ("gzip", gzip.compress(b"hello", mtime=0)[:-3]), ("br", b"x"), ("gzip, gzip", b"x")],
)
def test_broken_or_unknown_encodings_are_refused(encoding: str, packed: bytes) -> None:
    with pytest.raises(BadEncoding):
        decompress(packed, encoding, GZIP, 100)


def test_an_encoding_the_vendor_does_not_take_is_refused() -> None:
    with pytest.raises(BadEncoding):
        decompress(gzip.compress(b"hello", mtime=0), "gzip", frozenset(), 100)
