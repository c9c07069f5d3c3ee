"""Reads request bodies: bounded on the wire, bounded again once decompressed."""

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's ``wbits`` for each Content-Encoding (zlib.net/manual.html, inflateInit2, read 2026-11-21)."""


class TooLarge(Exception):
    """The body is larger than the endpoint takes."""


class BadEncoding(Exception):
    """The Content-Encoding is unknown here, or the bytes are not of it."""


class Disconnected(Exception):
    """The client went away before its request was whole."""


async def read(receive: Receive, limit: int) -> bytes:
    """Return the whole body.

    Raises:
        TooLarge: it has more than `limit` bytes; the rest is not read.
        Disconnected: the client went away.
    """
    message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > limit:
            raise TooLarge
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        if size > limit:
            raise TooLarge
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > limit:
        raise TooLarge
    return b"".join(parts)


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
