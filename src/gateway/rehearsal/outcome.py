"""What becomes of an event at each target, without anything being sent.

A permission that a rule asks for counts as given, unless the event itself says otherwise in `consent`: who has given
which is only known where the gateway runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.adapter import Event, Loss
from gateway.config import Checked
from gateway.config.examples import plain
from gateway.decision import UNROUTED
from gateway.delivery import TargetSpec
from gateway.delivery.losses import policy_of
from gateway.errors import EncodeError
from gateway.inbound.routes import Source
from gateway.offline import OutboundRequest
from gateway.rehearsal.comparing import Unlike, changes
from gateway.rehearsal.sending import Sent, Stage
from gateway.routing import Router, Rule
from gateway.routing.entries import RequireEntry
from gateway.routing.router import SPLIT, SUPPRESSED


class Outcome(Struct, frozen=True):
    """What becomes of one event at one target."""

    target: str
    rule: str | None
    """The rule that sends it there; None: none does."""
    why: str
    """Why nothing goes there; empty when something does."""
    event: Event | None = None
    """As the rule changes it; None where it does not come so far."""
    changes: Sequence[Unlike] = ()
    """What each change of the rule did, in their order."""
    requests: Sequence[OutboundRequest] = ()
    losses: Sequence[Loss] = ()
    untold: str = ""
    """Why the vendor cannot be told of the changed event, although the rule sends it."""
    notes: Sequence[str] = ()

    @property
    def goes(self) -> bool:
        """Whether anything goes out."""
        return not self.why and not self.untold


class World:
    """A configuration, ready to be tried out."""

    def __init__(self, config: Checked, sources: Mapping[str, Source], targets: Mapping[str, TargetSpec]) -> None:
        self.config = config
        self.sources = sources
        self.router = Router(config.rules, config.targets)
        self._stages = {name: Stage(spec) for name, spec in targets.items()}
        self._rules = {rule.name: rule for rule in config.rules}

    def outcomes(self, event: Event) -> Iterator[Outcome]:
        """Yield what becomes of an event at every target, in the order of the configuration."""
        decision = self.router.decide(event)
        rules, reasons = dict(decision.deliver), dict(decision.drop)
        for target in self.config.targets:
            if target in rules:
                yield self._delivered(event, rules[target], target)
            else:
                yield Outcome(target, None, self._why_not(reasons[target]))

    def _delivered(self, event: Event, rule: str, target: str) -> Outcome:
        required = self.router.required(rule)
        notes = []
        if required is not None:
            words = f"the permission for {_permission(required)} that {rule!r} asks for"
            if is_refused(event, required):
                return Outcome(target, rule, f"{words} is taken back by the event itself")
            notes.append(f"{words} counts as given here")
        found: list[Unlike] = []
        now = event
        try:
            for after in self.router.stages(event, rule, target):
                found += changes(plain(now), plain(after))
                now = after
        except EncodeError as error:
            return Outcome(target, rule, f"the rule {rule!r} cannot change it: {error}", changes=found)
        return self._sent(rule, target, now, found, notes)

    def _sent(self, rule: str, target: str, event: Event, found: Sequence[Unlike], notes: Sequence[str]) -> Outcome:
        sent = self._stages[target].send(event)
        refused = self._refused(rule, target, sent)
        return Outcome(target, rule, refused, event, found, sent.requests, sent.losses, sent.trouble, notes)

    def _refused(self, rule: str, target: str, sent: Sent) -> str:
        policies = self.router.policies(rule, target)
        lost = [loss for loss in sent.losses if policy_of(policies, loss) == "refuse"]
        told = "; ".join(f"{loss.path or 'the event'}: {loss.reason}" for loss in lost)
        return f"the rule {rule!r} refuses to lose {told}" if lost else ""

    def _why_not(self, said: str) -> str:
        """Put into words why no rule sends an event to a target, from what the decision says."""
        if said == UNROUTED:
            return "no rule sends it there"
        rule: Rule | None = self._rules.get(said)
        if rule is not None:
            return f"the rule {said!r} drops it: {rule.drop}"
        name, _, how = said.rpartition(": ")
        return f"the rule {name!r} {_HELD.get(how, f'holds it back: {how}')}"


_HELD: Mapping[str, str] = {
    SPLIT: "gives the events of this profile to another target of its split",
    SUPPRESSED: "withholds it: the person is on its list",
}


def _permission(required: RequireEntry) -> str:
    return f"{required.channel} ({required.group})" if required.group else required.channel


def is_refused(event: Event, required: RequireEntry) -> bool:
    """Tell whether an event takes back the permission that a rule asks for.

    As everywhere, what is said of all channels counts for each, and what is said of a channel for each group of it;
    a rule without a group looks at what is said of groups only where nothing is said of the whole. Of several changes
    the latest holds, without times the last.
    """
    said = [one for one in event.consent if one.channel in (None, required.channel)]
    fitting = [one for one in said if one.group in (None, required.group)]
    if not fitting and required.group is None:
        fitting = said
    if not fitting:
        return False
    default = event.occurred_at or event.received_at
    latest: Any = max(enumerate(fitting), key=lambda one: (one[1].at or default, one[0]))[1]
    return not latest.granted
