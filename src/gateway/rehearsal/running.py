"""Runs the examples beside the rules: is each event sent as the rule's author expects?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.adapter import Event
from gateway.config.checks import Found, Section
from gateway.config.examples import RECEIVED_AT, REQUEST, expected_event, first_source, given_event, plain, request_file
from gateway.errors import ConfigError, Problem, UsageError
from gateway.rehearsal.asking import rules_reached
from gateway.rehearsal.comparing import Unlike, differences
from gateway.rehearsal.hearing import hear, read_request
from gateway.rehearsal.outcome import Outcome, World
from gateway.routing import Rule
from gateway.routing.entries import ExampleEntry

_ACCOUNT = ("id", "received_at", "source")
"""The gateway's own account of an event, which no example has to repeat."""


class Difference(Struct, frozen=True):
    """Something at one target that is not as expected."""

    target: str
    path: str
    """Empty for the event as a whole; beginning with ``request`` in the body of the request."""
    expected: Any
    found: Any
    rule: str | None
    """The rule that holds for the target; None: none."""
    event: int = 0
    """Which of the events that a request gives, from 0."""
    why: str = ""
    """Why nothing goes to the target."""


class Result(Struct, frozen=True):
    """What came of one example."""

    rule: str
    name: str
    file: str
    line: int
    differences: Sequence[Difference] = ()
    trouble: str = ""
    """Why there is nothing to compare: the request is refused, or gives no event."""
    notes: Sequence[str] = ()
    """What is as expected, and yet worth knowing."""
    reached: Sequence[str] = ()
    """The rules that had a say in it."""

    @property
    def right(self) -> bool:
        """Whether all is as expected."""
        return not self.differences and not self.trouble


def run_examples(world: World, rules: Found) -> list[Result]:
    """Run all examples of all rules.

    Args:
        rules: each with where it stands; files are relative to the file it stands in.

    Raises:
        ConfigError: files with requests cannot be used; every one of them is told.
    """
    runs = [_Run(world, rule, section, index) for rule, section in rules for index in range(len(rule.examples))]
    wrong = [run.problem for run in runs if run.problem is not None]
    if wrong:
        raise ConfigError(wrong)
    return [run.result() for run in runs]


class _Run:
    """One example."""

    def __init__(self, world: World, rule: Rule, section: Section, index: int) -> None:
        self._world = world
        self._rule = rule
        self._example: ExampleEntry = rule.examples[index]
        self._document = section.document
        self._place = (*section.place, "examples", index)
        self._name = self._example.name or f"example {index + 1}"
        self.problem: Problem | None = None
        """What is wrong with the file that it gives."""
        self._trouble = ""
        self._events = self._given()

    def _given(self) -> Sequence[Event]:
        config, file = self._world.config, request_file(self._example)
        if file is None:
            return [given_event(self._example, self._rule, config)]
        source = self._world.sources[file.source or first_source(self._rule, config)]
        try:
            data = (Path(self._document.name).parent / file.file).read_bytes()
            heard = hear(read_request(data, file.file), source, RECEIVED_AT)
        except OSError as error:
            text = f"{file.file!r} cannot be read: {error.strerror}"
            self.problem = self._document.problem((*self._place, "given", "file"), text)
            return ()
        except UsageError as error:
            self.problem = self._document.problem((*self._place, "given", "file"), str(error))
            return ()
        if not heard.accepted:
            body = heard.reply.body.decode("utf-8", "replace")
            self._trouble = f"the source {source.name!r} refuses the request: {heard.reply.status} {body}".rstrip()
        elif not heard.events:
            self._trouble = f"the source {source.name!r} makes no event of the request"
        return heard.events

    def result(self) -> Result:
        """Return what comes of it."""
        place = self._document.problem(self._place, "")
        said = Result(self._rule.name, self._name, place.file, place.line, trouble=self._trouble)
        if self._trouble:
            return said
        outcomes = [{one.target: one for one in self._world.outcomes(event)} for event in self._events]
        reached = sorted({rule for event in self._events for rule in rules_reached(self._world.router, event)})
        found = [one for several in self._compared(outcomes) for one in several]
        wrong = [one for one in found if isinstance(one, Difference)]
        notes = [one for one in found if isinstance(one, str)]
        return msgspec.structs.replace(said, differences=wrong, notes=list(dict.fromkeys(notes)), reached=reached)

    def _compared(self, outcomes: Sequence[Mapping[str, Outcome]]) -> Iterator[Iterable[Difference | str]]:
        for whole, targets in ((False, self._example.sends), (True, self._example.exactly)):
            for target, expected in targets.items():
                several = expected if isinstance(expected, list) else [expected] * len(outcomes)
                if len(several) != len(outcomes):
                    yield [Difference(target, "", f"{len(several)} events", f"{len(outcomes)} events", None)]
                    continue
                for number, (outcome, one) in enumerate(zip(outcomes, several, strict=True)):
                    yield _compared(number, outcome[target], one, whole)


def _compared(number: int, outcome: Outcome, expected: Any, whole: bool) -> Iterator[Difference | str]:
    """Yield where an outcome is not as expected, and what is worth a note."""

    def unlike(path: str, one: Any, other: Any) -> Difference:
        return Difference(outcome.target, path, one, other, outcome.rule, number, outcome.why)

    if expected is None:
        if outcome.goes and outcome.event is not None:
            yield unlike("", None, _told(outcome.event))
        return
    wants_request, wants_event = REQUEST in expected, bool(expected.keys() - {REQUEST}) or REQUEST not in expected
    if outcome.why or outcome.event is None:
        yield unlike("", expected, None)
        return
    if wants_event:
        event = {key: value for key, value in expected_event(expected).items() if key not in _ACCOUNT or not whole}
        yield from (unlike(*one) for one in differences(event, _told(outcome.event, whole), whole=whole))
    if wants_request and outcome.untold:
        yield msgspec.structs.replace(unlike(REQUEST, expected[REQUEST], None), why=outcome.untold)
    elif wants_request:
        yield from (unlike(*one) for one in _nearest(expected[REQUEST], outcome, whole))
    elif outcome.untold:
        yield f"{outcome.target}: changed as expected, yet the vendor cannot be told of it: {outcome.untold}"


def _told(event: Event, whole: bool = True) -> dict[str, Any]:
    """Return what an event says, without the gateway's own account of it where the whole of it is compared."""
    return {key: value for key, value in plain(event).items() if key not in _ACCOUNT or not whole}


def _nearest(expected: Any, outcome: Outcome, whole: bool) -> list[Unlike]:
    """Return where the request that is most like the expected one differs from it."""
    bodies = [request.body for request in outcome.requests] or [None]
    return min((list(differences(expected, body, REQUEST, whole=whole)) for body in bodies), key=len)
