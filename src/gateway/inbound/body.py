"""Reads request bodies: bounded on the wire, bounded again once decompressed."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's ``wbits`` for each Content-Encoding (zlib.net/manual.html, inflateInit2, read 2026-11-21)."""


ROOM_BYTES: Final = 256 << 20
"""Memory for all bodies that are being read."""
BODY_S: Final = 60.0
"""Time a client has to send its body."""


class TooLarge(Exception):
    """The body is larger than the endpoint takes."""


class BadEncoding(Exception):
    """The Content-Encoding is unknown here, or the bytes are not of it."""


class Disconnected(Exception):
    """The client went away before its request was whole."""


class Overloaded(Exception):
    """No room for this body now, or no patience: many large ones are being read, or this one comes too slowly."""


class Room:
    """Bounds the memory of all bodies that come in several pieces, and the time each may take."""

    def __init__(self, most: int = ROOM_BYTES, seconds: float = BODY_S) -> None:
        self.free = most
        self.seconds = seconds


def whole(message: MutableMapping[str, Any], limit: int) -> bytes | None:
    """Return a body that came in one piece, the first message; None when there is more to `read`.

    Raises:
        TooLarge: it has more than `limit` bytes.
        Disconnected: the client went away.
    """
    if message["type"] != "http.request":
        raise Disconnected
    if message.get("more_body"):
        return None
    body: bytes = message.get("body", b"")
    if len(body) > limit:
        raise TooLarge
    return body


async def read(message: MutableMapping[str, Any], receive: Receive, limit: int, room: Room) -> bytes:
    """Return a body of which `message` is the first piece.

    Raises:
        TooLarge: it has more than `limit` bytes; the rest is not read.
        Overloaded: other bodies take all the room, or this one takes too long.
        Disconnected: the client went away.
    """
    try:
        async with asyncio.timeout(room.seconds):
            return await _pieces(message.get("body", b""), receive, limit, room)
    except TimeoutError:
        raise Overloaded from None


async def _pieces(first: bytes, receive: Receive, limit: int, room: Room) -> bytes:
    parts: list[bytes] = []
    size = 0
    piece, more = first, True
    try:
        while True:
            parts.append(piece)
            size += len(piece)
            room.free -= len(piece)
            if size > limit:
                raise TooLarge
            if room.free < 0:
                raise Overloaded
            if not more:
                return b"".join(parts)
            message = await receive()
            if message["type"] != "http.request":
                raise Disconnected
            piece, more = message.get("body", b""), message.get("more_body", False)
    finally:
        room.free += size


def decompress(body: bytes, encoding: str, accepted: frozenset[str], limit: int) -> bytes:
    """Return the body without its Content-Encoding.

    Raises:
        BadEncoding: `encoding` is not among `accepted`, or the bytes are broken or cut off.
        TooLarge: more than `limit` bytes come out.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding.removeprefix("x-") not in accepted or encoding not in _WINDOW_BITS:
        raise BadEncoding
    unpacker = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        out = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise BadEncoding from None
    if len(out) > limit:
        raise TooLarge
    if not unpacker.eof:
        raise BadEncoding
    return out
