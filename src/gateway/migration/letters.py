"""Dead letters as lines of JSON: whole, without secrets, and back again."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateway.errors import UsageError
from gateway.event import load
from gateway.log.port import DeadLetter

FORMAT: Final = 1
MASK: Final = "***"
SHORTEST_SECRET: Final = 4
"""Characters; shorter ones are in every other word."""


class Line(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One dead letter in a file."""

    dead_letter: int
    """Version of this form."""
    target: str
    event_id: str
    rule: str
    reason: str
    died_at: datetime
    attempts: int
    lane: str
    seq: int
    """Its place in the log that it comes from."""
    event: msgspec.Raw | UnsetType = UNSET
    """The event as it was accepted."""
    event_bytes: bytes | None = None
    """In base64, instead of `event`, where the log held something else."""
    endpoint: str | None = None
    request: str | None = None
    request_bytes: bytes | None = None
    """In base64, instead of `request`, where it was no text."""
    status: int | None = None
    answer: str | None = None
    answer_bytes: bytes | None = None
    """In base64, instead of `answer`, where it was no text."""


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Line).decode
_COPIED: Final = (
    "target", "event_id", "rule", "reason", "died_at", "attempts", "lane", "seq", "endpoint", "status",
)  # fmt: skip


def to_line(letter: DeadLetter, secrets: Collection[str]) -> bytes:
    """Return a letter as a line of JSON, with a line's end; secrets are blotted out wherever they stand."""
    hidden = sorted((secret for secret in secrets if len(secret) >= SHORTEST_SECRET), key=len, reverse=True)
    request, request_bytes = _text(letter.request, hidden)
    answer, answer_bytes = _text(letter.answer, hidden)
    event, event_bytes = _event(letter.body, hidden)
    line = Line(
        dead_letter=FORMAT,
        **{name: getattr(letter, name) for name in _COPIED},
        event=event,
        event_bytes=event_bytes,
        request=request,
        request_bytes=request_bytes,
        answer=answer,
        answer_bytes=answer_bytes,
    )
    line.reason = _blotted(line.reason, hidden)
    return _encode(line) + b"\n"


def _text(data: bytes | None, secrets: Iterable[str]) -> tuple[str | None, bytes | None]:
    if data is None:
        return None, None
    data = _blotted_bytes(data, secrets)
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return None, data


def _event(body: bytes, secrets: Iterable[str]) -> tuple[msgspec.Raw | UnsetType, bytes | None]:
    try:
        load(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return UNSET, _blotted_bytes(body, secrets)
    clean = _clean(msgspec.json.decode(body), secrets)
    return msgspec.Raw(body if clean is None else _encode(clean)), None


def _clean(value: Any, secrets: Iterable[str]) -> Any:
    """Return a value without secrets in its texts; None when there are none in it."""
    cleaned = _blotted_tree(value, secrets)
    return None if cleaned == value else cleaned


def _blotted_tree(value: Any, secrets: Iterable[str]) -> Any:
    if isinstance(value, str):
        return _blotted(value, secrets)
    if isinstance(value, dict):
        return {name: _blotted_tree(inner, secrets) for name, inner in value.items()}
    if isinstance(value, list):
        return [_blotted_tree(inner, secrets) for inner in value]
    return value


def _blotted_bytes(data: bytes, secrets: Iterable[str]) -> bytes:
    for secret in secrets:
        data = data.replace(secret.encode(), MASK.encode()).replace(_encode(secret)[1:-1], MASK.encode())
    return data


def _blotted(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK).replace(_encode(secret)[1:-1].decode(), MASK)
    return text


def from_lines(lines: Iterable[bytes], name: str) -> Iterator[DeadLetter]:
    """Yield the letters of a file that `to_line` wrote.

    Args:
        name: of the file, for messages.

    Raises:
        UsageError: a line is something else; says which.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _letter(_decode(line))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
                raise UsageError(f"{name}, line {number}: no dead letter: {error}") from None


def _letter(line: Line) -> DeadLetter:
    if line.dead_letter != FORMAT:
        raise ValueError(f"its form is {line.dead_letter}, and this gateway knows {FORMAT}")
    if line.died_at.tzinfo is None:
        raise ValueError("died_at has no time zone")
    return DeadLetter(
        **{name: getattr(line, name) for name in _COPIED},
        body=_body(line),
        request=line.request_bytes if line.request is None else line.request.encode(),
        answer=line.answer_bytes if line.answer is None else line.answer.encode(),
    )


def _body(line: Line) -> bytes:
    if isinstance(line.event, UnsetType):
        if line.event_bytes is None:
            raise ValueError("it has no event")
        return line.event_bytes
    body = bytes(line.event)
    event = load(body)
    if event.id != line.event_id:
        raise ValueError(f"its event is {event.id}, not {line.event_id}")
    return body
