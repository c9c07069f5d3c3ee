"""What an answer looks like on the wire: for ASGI as a list of headers, for a socket as bytes."""

import re
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from gateway.adapter import Reply

Headers = Sequence[tuple[bytes, bytes]]

_NO_BODY: Final = (b"Content-Length", b"0")
_LONGEST_KEPT: Final = 100
"""Bytes of a header that is remembered as it was written: most answers of a source have the same few."""
_WRONG_NAME: Final = re.compile(b"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_WRONG_VALUE: Final = re.compile(b"[\x00-\x08\x0a-\x1f\x7f]")


def headers_of(answer: Reply, more: Headers, number: str) -> list[tuple[bytes, bytes]]:
    """Return all headers of an answer to the request of that id; its own X-Request-Id stays."""
    headers = [*answer.headers, *more, (b"Content-Length", b"%d" % len(answer.body)) if answer.body else _NO_BODY]
    if not _is_numbered(answer):
        headers.append((b"X-Request-Id", number.encode()))
    return headers


def rendered(answer: Reply, more: Headers, number: str, common: Headers) -> bytes:
    """Return the head of an answer as it is sent, without the empty line at its end.

    Args:
        answer: what is said; the same headers are made of it as by `headers_of`.
        more: further headers.
        number: the request's id.
        common: headers of every answer, which come first.

    Raises:
        ValueError: a header would not stay one line.
    """
    lines = [_STATUS[answer.status]]
    lines += [_line(name, value) for name, value in (*common, *answer.headers, *more)]
    lines.append(b"content-length: %d\r\n" % len(answer.body))
    if not _is_numbered(answer):
        lines.append(f"x-request-id: {number}\r\n".encode())
    return b"".join(lines)


def _is_numbered(answer: Reply) -> bool:
    headers = answer.headers
    return bool(headers) and any(name.lower() == b"x-request-id" for name, _ in headers)


def _line(name: bytes, value: bytes) -> bytes:
    return _kept(name, value) if len(name) + len(value) <= _LONGEST_KEPT else _written(name, value)


def _written(name: bytes, value: bytes) -> bytes:
    if not name or _WRONG_NAME.search(name) or _WRONG_VALUE.search(value):
        raise ValueError(f"the header {name!r} cannot be sent")
    return b"%b: %b\r\n" % (name.lower(), value)


_kept: Final = lru_cache(maxsize=4096)(_written)


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


_STATUS: Final = {status: _status_line(status) for status in range(100, 600)}
