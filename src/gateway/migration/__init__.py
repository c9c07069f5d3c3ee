"""Bringing events to a target that are not new: dead letters from a file, and history out of the log."""

from gateway.migration.history import Choice, Question, span_of
from gateway.migration.letters import from_lines, to_line
from gateway.migration.moments import moment
from gateway.migration.replaying import Forecast, Pace, forecast, go_on, to_its_end

__all__ = [
    "Choice",
    "Forecast",
    "Pace",
    "Question",
    "forecast",
    "from_lines",
    "go_on",
    "moment",
    "span_of",
    "to_its_end",
    "to_line",
]
