"""Rules that are replaced while events wait that earlier ones sent."""

from datetime import UTC, datetime

import pytest

from gateway.errors import EncodeError
from gateway.event import Event, Origin
from gateway.routing import Router, Rule
from gateway.routing import in_force as module
from gateway.routing.in_force import RulesInForce
from gateway.routing.rules import rules_of

EVENT = Event(
    id="e",
    kind="track",
    name="Ordered",
    received_at=datetime(2026, 11, 21, tzinfo=UTC),
    source=Origin(name="shop", vendor="acme", endpoint="events"),
)


def rule(name: str, *targets: str, called: str, **more: object) -> Rule:
    return rules_of([{"name": name, "to": [{"target": one, "name": called} for one in targets], **more}])[0]


def in_force(*rules: Rule) -> RulesInForce:
    return RulesInForce(Router(rules, ("a", "b")), rules)


def replace(held: RulesInForce, *rules: Rule) -> None:
    held.replace(Router(rules, ("a", "b")), rules)


def called(held: RulesInForce, rule: str, target: str) -> str:
    return held.of(rule, target).transform(EVENT, rule, target).name


def test_a_rule_that_still_sends_there_counts_as_it_is_now() -> None:
    held = in_force(rule("x", "a", called="before"))
    replace(held, rule("x", "a", called="now"))
    assert called(held, "x", "a") == "now"


def test_a_rule_that_is_gone_or_sends_elsewhere_counts_as_it_was_last() -> None:
    held = in_force(rule("x", "a", "b", called="first"), rule("y", "a", called="y"))
    replace(held, rule("x", "a", "b", called="second"), rule("y", "a", called="y"))
    replace(held, rule("x", "b", called="third"))
    assert (called(held, "x", "a"), called(held, "x", "b"), called(held, "y", "a")) == ("second", "third", "y")
    replace(held, rule("z", "a", called="z"))
    assert (called(held, "x", "a"), called(held, "x", "b"), called(held, "z", "a")) == ("second", "third", "z")
    replace(held, rule("x", "a", called="again"))
    assert called(held, "x", "a") == "again"


def test_the_permission_it_asked_for_is_still_asked_for() -> None:
    held = in_force(rule("x", "a", called="x", require={"channel": "email"}))
    replace(held, rule("x", "b", called="x"))
    required = held.of("x", "a").required("x")
    assert required is not None
    assert required.channel == "email"
    assert held.of("x", "b").required("x") is None


def test_a_rule_nobody_ever_knew_is_an_error() -> None:
    held = in_force(rule("x", "a", called="x"))
    with pytest.raises(EncodeError, match="no longer sends"):
        called(held, "y", "a")


def test_new_events_are_decided_on_by_the_new_rules_alone() -> None:
    held = in_force(rule("x", "a", called="x"))
    replace(held, rule("y", "b", called="y"))
    assert held.router.decide(EVENT).deliver == (("b", "y"),)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LEFT", 3)
    held = in_force(rule("r0", "a", called="r0"))
    for number in range(1, 6):
        replace(held, rule(f"r{number}", "a", called=f"r{number}"))
    assert [called(held, f"r{number}", "a") for number in range(2, 6)] == ["r2", "r3", "r4", "r5"]
    with pytest.raises(EncodeError):
        called(held, "r1", "a")
