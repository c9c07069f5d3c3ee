"""Logs: structlog lines on stderr, JSON or for a terminal, without secrets and personal data.

One wide line per request and per delivery attempt; a person's identifiers are never among its fields.
"""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, Literal, Protocol

import msgspec
import structlog
from msgspec import UNSET, Struct, UnsetType


class RequestLine(Struct, gc=False):
    """The line of one answered request."""

    source: str
    endpoint: str | None
    method: str
    path: str | None
    status: int
    events: int
    bytes: int
    ms: float
    request_id: str
    timestamp: datetime
    refused: str | UnsetType = UNSET
    """Why, when the request was not accepted."""
    event: Literal["request"] = "request"
    level: Literal["info"] = "info"


class AttemptLine(Struct, gc=False):
    """The line of one request to a target."""

    target: str
    endpoint: str
    status: int | None
    verdict: str
    why: str
    events: int
    first: str | None
    """Id of the first of its events."""
    attempt: int
    bytes: int
    ms: float
    timestamp: datetime
    event: Literal["attempt"] = "attempt"
    level: Literal["info"] = "info"


Line = RequestLine | AttemptLine


class Logger(structlog.typing.FilteringBoundLogger, Protocol):
    """structlog's, and a shorter way for the lines that every event pays for."""

    requests: Callable[[RequestLine], None] | None
    """Writes the line of a request; None when lines of its level are left out."""
    attempts: Callable[[AttemptLine], None] | None
    """The same for a request to a target."""


_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SHORTEST_SECRET: Final = 4
_MOST_HELD: Final = 500
"""Lines that wait for the end of the event loop's turn."""

_encoder = msgspec.json.Encoder(enc_hook=repr)


def make_logger(
    form: Literal["json", "console"] | None = None, level: str = "info", secrets: Iterable[str] = ()
) -> Logger:
    """Return the gateway's logger; `secrets` are blotted out wherever they appear.

    Lines of libraries (asyncio, uvicorn) from ``warning`` on come out of the same place in the same form.
    """
    if form is None:
        form = "console" if sys.stderr.isatty() else "json"
    processors: list[structlog.typing.Processor]
    out: Any
    if form == "json":
        out = _Lines(sys.stderr.buffer, secrets)
        processors = [_json_line]
    else:
        out = structlog.PrintLogger(sys.stderr)
        processors = [_stamped, _masked_by(secrets), structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    filtering = structlog.make_filtering_bound_logger(_LEVELS[level])
    wrapper = type("Bound", (filtering,), {"requests": None, "attempts": None})
    bound: Logger = structlog.wrap_logger(out, processors=processors, wrapper_class=wrapper).bind()
    if _LEVELS[level] <= _LEVELS["info"]:
        bound.requests = bound.attempts = out.add if form == "json" else _plain(bound)
    _adopt_libraries(bound)
    return bound


def _worth_hiding(secrets: Iterable[str]) -> list[str]:
    """Return the secrets longest first, so that one within another does not leave its rest."""
    return sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True)


def _stamped(_logger: Any, name: str, line: Any) -> Any:
    line["level"] = name
    line["timestamp"] = datetime.now(UTC).isoformat()
    return line


def _json_line(logger: Any, name: str, line: Any) -> bytes:
    if "exc_info" in line:
        line = structlog.processors.format_exc_info(logger, name, line)
    line["level"] = name
    line["timestamp"] = datetime.now(UTC)
    return _encoder.encode(line)


class _Lines:
    """Where JSON lines end, without secrets. Those of requests and attempts wait for the end of the loop's turn."""

    def __init__(self, file: BinaryIO, secrets: Iterable[str]) -> None:
        self._file = file
        self._secrets = [msgspec.json.encode(secret)[1:-1] for secret in _worth_hiding(secrets)]
        self._held: list[Line] = []
        self._writing = threading.RLock()

    def add(self, line: Line) -> None:
        """Write a line with the others of this turn of the event loop."""
        self._held.append(line)
        if len(self._held) == 1:
            asyncio.get_running_loop().call_soon(self._flush)
        elif len(self._held) >= _MOST_HELD:
            self._flush()

    def _flush(self) -> None:
        with self._writing:
            lines = self._held[:]
            del self._held[: len(lines)]
            if lines:
                self._write(_encoder.encode_lines(lines))

    def _write(self, text: bytes) -> None:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, b"***")
        self._file.write(text)
        self._file.flush()

    def msg(self, line: bytes) -> None:
        """Write a line, after those that came before it."""
        with self._writing:
            self._flush()
            self._write(line + b"\n")

    debug = info = warning = error = msg


def _plain(logger: Logger) -> Callable[[Line], None]:
    """Return what says such a line as structlog says all others."""

    def say(line: Line) -> None:
        fields = {key: value for key, value in msgspec.structs.asdict(line).items() if value is not UNSET}
        logger.info(fields.pop("event"), **{key: fields[key] for key in fields if key not in ("level", "timestamp")})

    return say


def _masked_by(secrets: Iterable[str]) -> structlog.typing.Processor:
    hidden = _worth_hiding(secrets)

    def mask(_logger: Any, _name: str, line: Any) -> Any:
        for key, value in line.items():
            if isinstance(value, str):
                for secret in hidden:
                    line[key] = line[key].replace(secret, "***")
        return line

    return mask


class _Forward(logging.Handler):
    def __init__(self, logger: Logger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        say = self._logger.error if record.levelno >= logging.ERROR else self._logger.warning
        say("library", logger=record.name, message=record.getMessage(), exc_info=record.exc_info)


def _adopt_libraries(logger: Logger) -> None:
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _Forward)]
    root.addHandler(_Forward(logger))
