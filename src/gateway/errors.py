"""Every error the gateway raises on purpose, sorted by what to do about it.

GatewayError
├── UsageError          a person typed something wrong: one clear line, exit code 2
│   ├── ConfigError     a file is wrong: every problem with file, line and column
│   └── AdapterError    an adapter cannot be found or does not load
├── LogError            the log
│   ├── LogUnavailable  it cannot accept now (disk, backpressure): answer 503, try again
│   ├── LogLocked       another process owns it
│   └── LogMoved        it cannot be used, because of a move
├── Withheld            an event that a target is not to get after all
└── EncodeError         an event that a target can never take, whatever is retried
    └── ToldElsewhere   one that another event tells of
"""

from dataclasses import dataclass


class GatewayError(Exception):
    """Base of all errors raised on purpose."""


class UsageError(GatewayError):
    """The person who runs the gateway has to change something; the message says what."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration file. Lines and columns count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str
    source: str = ""
    """The offending line, for the caret."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        text = f"{place}: {self.message}"
        if self.source:
            caret = " " * (self.column - 1) + "^"
            text += f"\n    {self.source}\n    {caret}"
        return text


class ConfigError(UsageError):
    """One or more problems in configuration, all found in one pass."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class AdapterError(UsageError):
    """An adapter is missing, defined twice, or fails to import; the message names the place."""


class LogError(GatewayError):
    """The log cannot do what was asked."""


class LogUnavailable(LogError):
    """The log cannot accept events now; nothing was stored and the client should come back."""


class LogLocked(LogError, UsageError):
    """Another process holds the log; the message names it."""


class LogMoved(LogError, UsageError):
    """The log was moved, or is not whole yet; the message names the other one."""


class Withheld(GatewayError):
    """This event is not for this target after all; it is counted as dropped under the message."""


class EncodeError(GatewayError):
    """This event can never be expressed for this target; it is dead-lettered with the message as reason."""


class ToldElsewhere(EncodeError):
    """Another event tells the target of this one as well; it is counted as dropped under the message."""
