"""The rules in force, and what delivery still needs of those before them."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gateway.routing.router import Router
from gateway.routing.rules import Rule

MOST_LEFT: Final = 10_000
"""Pairs of rule and target that are remembered after they are gone."""


class RulesInForce:
    """Rules that may be replaced while events wait that earlier ones decided on.

    An event is delivered as the rule that sent it says. Where that rule still sends to the target, the rule as it is
    now; where it does not, as it was last.
    """

    def __init__(self, router: Router, rules: Sequence[Rule]) -> None:
        self.router = router
        """Decides on new events."""
        self._rules = rules
        self._left: dict[tuple[str, str], Router] = {}

    def replace(self, router: Router, rules: Sequence[Rule]) -> None:
        """Put other rules in force."""
        still = set(_pairs(rules))
        for rule in self._rules:
            gone = [pair for pair in _pairs([rule]) if pair not in still]
            if gone:
                self._left |= dict.fromkeys(gone, Router([_for_delivery(rule)], ()))
        for pair in still & self._left.keys():
            del self._left[pair]
        for pair in list(self._left)[: max(0, len(self._left) - MOST_LEFT)]:
            del self._left[pair]
        self.router, self._rules = router, rules

    def of(self, rule: str, target: str) -> Router:
        """Return the rules by which an event goes to a target that the named rule sent there."""
        if self._left:
            return self._left.get((rule, target), self.router)
        return self.router


def _pairs(rules: Iterable[Rule]) -> Iterable[tuple[str, str]]:
    return ((rule.name, send.target) for rule in rules for send in rule.sends)


def _for_delivery(rule: Rule) -> Rule:
    """Return a rule without what only decides; lists of people may be large."""
    return msgspec.structs.replace(rule, where=None, split=None, suppressed=None, examples=())
