"""Which events of the log are to be sent to a target again, and by which rule."""

from datetime import datetime

import msgspec
from msgspec import Struct

from gateway import expressions
from gateway.config import Checked
from gateway.decision import UNROUTED
from gateway.errors import UsageError
from gateway.event import Event, lane, load
from gateway.log.engine import Engine
from gateway.log.port import DEFAULT_SHARE
from gateway.log.replays import ID_SLACK_MS, Again
from gateway.migration.moments import moment
from gateway.routing import Router
from gateway.routing.router import SUPPRESSED
from gateway.shape_check import unknown

ANOTHER_SOURCE = "from another source"
NOT_TRUE = "the condition is not true"
UNREADABLE = "the log holds no event here"
_ID_LENGTH = 36


class Question(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody wants to have sent again, in their own words."""

    target: str
    since: str
    """A moment (`gateway.migration.moment`), or the id of the first event."""
    until: str | None = None
    """A moment, or the id of the last event; None: the end of the log of now."""
    source: str | None = None
    where: str | None = None
    """An expression over `event` that has to be true."""
    rule: str | None = None
    """By which all of them go; None: by the rule that would send each there now."""
    share: float = DEFAULT_SHARE
    """Part of the target's limits."""

    def asked(self) -> str:
        """Return it as a text by which it is known again; the share may differ."""
        return msgspec.json.encode(msgspec.structs.replace(self, share=DEFAULT_SHARE)).decode()


def question_of(asked: str) -> Question:
    """Return the question that `Question.asked` wrote."""
    return msgspec.json.decode(asked, type=Question)


async def span_of(log: Engine, question: Question, now: datetime) -> tuple[int, int]:
    """Return the places (after, up to) of the events in question.

    Raises:
        UsageError: a bound is neither a moment nor an event that the log holds.
    """
    first = await _event_place(log, question.since)
    after = await log.place_before(_ms(question.since, now)) if first is None else first - 1
    if question.until is None:
        return after, await log.head()
    last = await _event_place(log, question.until)
    return after, await log.place_before(_ms(question.until, now)) if last is None else last


def _ms(text: str, now: datetime) -> int:
    return int(moment(text, now).timestamp() * 1000)


async def _event_place(log: Engine, text: str) -> int | None:
    """Return the place of the event with an id; None when the text is none."""
    if len(text) != _ID_LENGTH or text.count("-") != 4:
        return None
    place = await log.place_of_event(text)
    if place is None:
        minutes = ID_SLACK_MS // 60_000
        raise UsageError(f"the log holds no event {text} (within {minutes} minutes of the time in its id)")
    return place


class Choice:
    """Chooses, by the configuration of now.

    Raises:
        UsageError: the question names a target, a source or a rule that the configuration has not, or its condition
            is wrong.
    """

    def __init__(self, question: Question, config: Checked) -> None:
        self._target = question.target
        self._source = _known("source", question.source, list(config.sources))
        _known("target", question.target, list(config.targets))
        self._router = Router(config.rules, config.targets)
        rules = {rule.name: rule for rule in config.rules if any(s.target == question.target for s in rule.sends)}
        name = _known(f"rule that sends to {question.target!r}", question.rule, list(rules))
        self._rule = None if name is None else rules[name]
        self._where = None
        if question.where is not None:
            try:
                self._where = expressions.compile(question.where, wants="bool")
            except expressions.ExpressionError as error:
                raise UsageError(f"the condition is wrong: {error}") from None

    def of(self, seq: int, body: bytes) -> Again | str:
        """Return an event as it is to be sent again, or why it is not."""
        try:
            event = load(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return UNREADABLE
        if self._source is not None and event.source.name != self._source:
            return ANOTHER_SOURCE
        if self._where is not None and self._where(event) is not True:
            return NOT_TRUE
        rule, why_not = self._by(event)
        return why_not if rule is None else Again(seq, lane(event), rule)

    def _by(self, event: Event) -> tuple[str | None, str]:
        """Return the rule by which an event goes, or why it does not."""
        if self._rule is not None:
            withheld = self._rule.suppressed is not None and event in self._rule.suppressed
            return (None, f"{self._rule.name}: {SUPPRESSED}") if withheld else (self._rule.name, "")
        decision = self._router.decide(event)
        said = dict(decision.drop).get(self._target, UNROUTED)
        return dict(decision.deliver).get(self._target), f"not for it now: {said}"


def _known(what: str, name: str | None, names: list[str]) -> str | None:
    if name is not None and name not in names:
        raise UsageError(f"there is no {what} {name!r}; {unknown(name, names)}")
    return name
