"""Logs: structlog lines on stderr, JSON or for a terminal, without secrets and personal data.

One wide line per request and per delivery attempt; a person's identifiers are never among its fields.
"""

import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
import structlog

Logger = structlog.typing.FilteringBoundLogger

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SHORTEST_SECRET: Final = 4

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
    factory: Any
    if form == "json":
        processors = [_JsonLine(secrets)]
        factory = structlog.BytesLogger(sys.stderr.buffer)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        processors = [_stamped, _masked_by(secrets), renderer]
        factory = structlog.PrintLogger(sys.stderr)
    logger: Logger = structlog.wrap_logger(
        factory,
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=True,
    )
    bound = logger.bind()
    _adopt_libraries(bound)
    return bound


def _worth_hiding(secrets: Iterable[str]) -> list[str]:
    """Return the secrets longest first, so that one within another does not leave its rest."""
    return sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True)


def _stamped(_logger: Any, name: str, line: Any) -> Any:
    line["level"] = name
    line["timestamp"] = datetime.now(UTC).isoformat()
    return line


class _JsonLine:
    """Makes one line in one step, since every request pays for it; secrets are blotted out in its bytes."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [msgspec.json.encode(secret)[1:-1] for secret in _worth_hiding(secrets)]

    def __call__(self, logger: Any, name: str, line: Any) -> bytes:
        if "exc_info" in line:
            line = structlog.processors.format_exc_info(logger, name, line)
        line["level"] = name
        line["timestamp"] = datetime.now(UTC)
        text = _encoder.encode(line)
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, b"***")
        return text


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
