"""What each rule of a configuration can lose, between each source and each target."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.adapter import Adapter, EncodeError, Event, Settings
from gateway.fidelity.capabilities import CAPABILITIES, Capability
from gateway.fidelity.judging import Fidelity, Pair, carried_to, source_of, spoken, value_at
from gateway.inbound.routes import Source
from gateway.routing import Router, Rule, names_of


class Route(NamedTuple):
    """One rule between one source and one target."""

    rule: str
    source: str
    target: str
    pair: Pair


def routes(
    rules: Sequence[Rule], sources: Mapping[str, Adapter], targets: Mapping[str, tuple[Adapter, Settings]]
) -> Iterator[Route]:
    """Yield what gets across by each rule, of what its sources' clients can say."""
    router = Router(rules, targets)
    for source, origin in sources.items():
        client = source_of(origin)
        told = {capability: list(_told(client, source, capability, rules)) for capability in CAPABILITIES}
        for target, (goal, settings) in targets.items():
            pairs: dict[str, dict[Capability, Fidelity]] = {}
            for capability, events in told.items():
                for rule, changed in _by_rule(router, target, events, capability.path).items():
                    pairs.setdefault(rule, {})[capability] = carried_to(goal, settings, changed, capability.path)
            yield from (Route(rule, source, target, pairs[rule]) for rule in sorted(pairs))


def _told(client: Source, source: str, capability: Capability, rules: Sequence[Rule]) -> Iterator[Event]:
    """Yield the events of a source that say something, under the names that rules ask for as well."""
    for event in spoken(client, capability):
        own = msgspec.structs.replace(event, source=msgspec.structs.replace(event.source, name=source))
        yield own
        if capability.section != "Events" and event.kind == "track":
            yield from (msgspec.structs.replace(own, name=name) for name in sorted(names_of(rules)) if name != own.name)


def _by_rule(router: Router, target: str, events: Sequence[Event], path: str) -> dict[str, list[Event]]:
    """Return events as the rules change them that send them to a target, but for those whose rule takes it out."""
    found: dict[str, list[Event]] = {}
    for event in events:
        rule = dict(router.decide(event).deliver).get(target)
        if rule is None:
            continue
        try:
            changed = router.transform(event, rule, target)
        except EncodeError:  # what a rule cannot change is told where it happens
            continue
        if value_at(changed, path) is not None:
            found.setdefault(rule, []).append(changed)
    return found
