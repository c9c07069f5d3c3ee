"""A configuration tried out: examples beside the rules, what they do not cover, and what becomes of one request.

Nothing is sent and nothing is stored. Where an event goes and how it is changed is asked of the router itself.
"""

from gateway.rehearsal.asking import Asked, Where, asked
from gateway.rehearsal.coverage import Coverage, OddName, Unreachable, coverage
from gateway.rehearsal.hearing import Heard, hear, read_request, source_of
from gateway.rehearsal.junit import junit
from gateway.rehearsal.outcome import Outcome, World
from gateway.rehearsal.running import Difference, Result, run_examples
from gateway.rehearsal.showing import listed, shown

__all__ = [
    "Asked",
    "Coverage",
    "Difference",
    "Heard",
    "OddName",
    "Outcome",
    "Result",
    "Unreachable",
    "Where",
    "World",
    "asked",
    "coverage",
    "hear",
    "junit",
    "listed",
    "read_request",
    "run_examples",
    "shown",
    "source_of",
]
