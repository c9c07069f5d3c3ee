"""Logs: structlog lines on stderr, JSON or for a terminal, without secrets and personal data.

One wide line per request and per delivery attempt; a person's identifiers are never among its fields.
"""

import logging
import sys
from collections.abc import Iterable
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
    mask = _Mask(secrets)
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask,
    ]
    factory: Any
    if form == "json":
        processors.append(_render)
        factory = structlog.BytesLogger(sys.stderr.buffer)
    else:
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
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


class _Mask:
    """Replaces secrets in every text of a line; costs nothing where there are none."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True)

    def __call__(self, _logger: Any, _name: str, line: Any) -> Any:
        for key, value in line.items():
            if type(value) is str:
                for secret in self._secrets:
                    if secret in value:
                        value = value.replace(secret, "***")  # noqa: PLW2901  several secrets, one text
                        line[key] = value
        return line


def _render(_logger: Any, _name: str, line: Any) -> bytes:
    return _encoder.encode(line)


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
