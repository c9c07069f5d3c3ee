"""What each rule made of an event, and why: the router's own steps, put into words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from gateway.adapter import Event
from gateway.decision import UNROUTED
from gateway.rehearsal.showing import listed
from gateway.routing import Router, Rule
from gateway.routing.router import NOBODY, SPLIT, SUPPRESSED, Step
from gateway.routing.rules import Misfit


class Where(Struct, frozen=True):
    """A rule's condition, asked of an event."""

    text: str
    true: bool
    reads: Mapping[str, Any]
    """What the event has where the condition looks."""


class Asked(Struct, frozen=True):
    """What one rule made of an event."""

    rule: str
    outcome: Literal["sends", "holds", "drops", "passes"]
    """`passes`: the rule changed nothing, and the next was asked."""
    why: str
    sends: tuple[str, ...] = ()
    """Targets that got the event by this rule."""
    held: Mapping[str, str] = {}
    """Targets from which the rule holds the event back, each with the reason."""
    taken: Mapping[str, str] = {}
    """Targets that the rule names and for which an earlier one holds, each with that rule."""
    where: Where | None = None


def asked(router: Router, event: Event) -> Iterator[Asked]:
    """Yield what each rule made of an event, in their order."""
    return (_asked(step, event) for step in router.steps(event))


def rules_reached(router: Router, event: Event) -> set[str]:
    """Return the rules that had a say in where an event goes."""
    return {step.rule.name for step in router.steps(event) if step.had_a_say}


def _asked(step: Step, event: Event) -> Asked:
    rule = step.rule
    ended_by = dict(step.before.drop)[NOBODY]
    if ended_by != UNROUTED:
        return Asked(rule.name, "passes", f"not asked: {ended_by!r} dropped the event")
    misfits = list(rule.misfits(event.source.name, event.kind, event.name))
    if misfits:
        return Asked(rule.name, "passes", "; ".join(_misfit(one) for one in misfits))
    if rule.otherwise and (takers := _takers(step)):
        return Asked(rule.name, "passes", f"only for events that no rule before took; {listed(takers)} did")
    where = _where(rule, event)
    if where is not None and not where.true:
        return Asked(rule.name, "passes", "the condition is not true", where=where)
    if rule.drop is not None:
        return Asked(rule.name, "drops", rule.drop, where=where)
    return _sent(step, event, where)


def _takers(step: Step) -> list[str]:
    """Return the rules that gave the event to a target or held it back from one."""
    given = [name for _, name in step.before.deliver]
    held = [name for _, name in step.before.drop if name != UNROUTED]
    return list(dict.fromkeys([*given, *held]))


def _sent(step: Step, event: Event, where: Where | None) -> Asked:
    rule, before, after = step.rule, dict(step.before.deliver), dict(step.after.deliver)
    held_before, held_after = (
        {target: why for target, why in drop if why != UNROUTED} for drop in (step.before.drop, step.after.drop)
    )
    named = [send.target for send in rule.sends]
    sends = tuple(target for target in named if target in after and target not in before)
    held = {t: _held(rule, event, held_after[t]) for t in named if t in held_after and t not in held_before}
    taken = {t: before.get(t) or held_before[t] for t in named if t in before or t in held_before}
    outcome: Literal["sends", "holds", "passes"] = "sends" if sends else "holds" if held else "passes"
    why = "" if sends or held else "earlier rules hold for all its targets"
    return Asked(rule.name, outcome, why, sends, held, taken, where)


def _held(rule: Rule, event: Event, said: str) -> str:
    """Put into words why a rule holds an event back from a target."""
    if said == f"{rule.name}: {SUPPRESSED}":
        return "the person is on the rule's list of those whose events are withheld"
    if rule.split is not None and said == f"{rule.name}: {SPLIT}":
        shares = ", ".join(f"{target} {share:g} %" for target, share in rule.split.shares.items())
        return f"this profile's share is {rule.split.choose(event)!r} ({shares})"
    return said


def _misfit(misfit: Misfit) -> str:
    part, value, patterns = misfit
    several = [patterns] if isinstance(patterns, str) else patterns
    asked_for = " or ".join(repr(pattern) for pattern in several) or "nothing"
    if part.startswith("not."):
        return f"not for the {part[4:]} {value!r}: it fits {asked_for}"
    return f"the {part} {value!r} is not {asked_for}"


# --- conditions ------------------------------------------------------------------------------------------


def _where(rule: Rule, event: Event) -> Where | None:
    if rule.where is None:
        return None
    reads = {path: _read(event, path.split(".")) for path in sorted(rule.where.reads)}
    return Where(rule.where.text, rule.where(event) is True, reads)


def _read(value: Any, steps: Sequence[str]) -> Any:
    """Return what stands at a path, None for nothing; behind ``[]`` what stands there in each element."""
    for number, step in enumerate(steps):
        name = step.removesuffix("[]")
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        if name != step and isinstance(value, (list, tuple)):
            return [_read(one, steps[number + 1 :]) for one in value]
        if value is None:
            return None
    return value
