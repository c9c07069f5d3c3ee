"""What is not covered: rules out of reach are those that can be shown to be."""

from pathlib import Path
from typing import Any

import pytest

from gateway import registry
from gateway.config import load_with_places
from gateway.rehearsal import Coverage, coverage, run_examples
from gateway.routing import rules_of
from tests.unit.rehearsal.trial import world_of, written

SOURCES = {"shop": registry.adapter("klaviyo"), "app": registry.adapter("blueshift")}
TARGETS = ("crm", "mail")


def covered(*rules: dict[str, Any]) -> Coverage:
    return coverage(rules_of(rules), SOURCES, TARGETS, [])


def shadows(*earlier: dict[str, Any], of: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the rules that always hold before the last one; None when it can have a say."""
    names = [{"name": f"r{number}", **rule} for number, rule in enumerate(earlier)]
    found = {one.rule: one.by for one in covered(*names, {"name": "last", **of}).unreachable_rules}
    return found.get("last")


@pytest.mark.parametrize(
    ("earlier", "late", "by"),
    [
        ([{"drop": "x"}], {"to": "crm"}, ("r0",)),
        ([{"drop": "x", "match": {"name": "A*"}}], {"to": "crm", "match": {"name": "AB*"}}, ("r0",)),
        ([{"drop": "x", "match": {"name": ["A", "B"]}}], {"to": "crm", "match": {"name": ["B", "A"]}}, ("r0",)),
        ([{"to": "crm"}, {"to": "mail"}], {"to": ["crm", "mail"]}, ("r0", "r1")),
        ([{"to": "crm"}, {"to": "mail"}], {"drop": "x"}, ("r0", "r1")),
        ([{"split": {"percent": {"crm": 50, "mail": 50}}}], {"to": "mail"}, ("r0",)),
        ([{"to": "crm"}], {"to": "mail", "otherwise": True}, ("r0",)),
        ([{"drop": "x", "match": {"source": "shop"}}, {"drop": "x", "match": {"source": "app"}}], {"to": "crm"},
         ("r0", "r1")),
        ([{"drop": "x", "match": {"kind": "track"}}], {"to": "crm", "match": {"kind": ["track"]}}, ("r0",)),
        ([{"drop": "x", "match": {"not": {"name": "T*"}}}], {"to": "crm", "match": {"name": "A"}}, ("r0",)),
        ([{"drop": "x", "match": {"not": {"name": "Te*"}}}], {"to": "crm", "match": {"not": {"name": "T*"}}}, ("r0",)),
        ([], {"to": "crm", "match": {"source": "sh?"}}, ()),
        ([], {"to": "crm", "match": {"name": "A", "not": {"name": "A"}}}, ()),
        ([], {"to": "crm", "match": {"source": "shop", "not": {"source": "s*"}}}, ()),
    ],
)  # fmt: skip
def test_a_rule_is_out_of_reach_where_others_always_hold(
    earlier: list[dict[str, Any]], late: dict[str, Any], by: tuple[str, ...]
) -> None:
    assert shadows(*earlier, of=late) == by


@pytest.mark.parametrize(
    ("earlier", "late"),
    [
        ([{"drop": "x", "match": {"name": "AB*"}}], {"to": "crm", "match": {"name": "A*"}}),
        ([{"drop": "x", "match": {"source": "shop"}}], {"to": "crm"}),
        ([{"drop": "x", "otherwise": True}], {"to": "crm"}),
        ([{"drop": "x", "where": "event.name == 'A'"}], {"to": "crm"}),
        ([{"to": "crm"}], {"to": ["crm", "mail"]}),
        ([{"to": "crm"}], {"drop": "x"}),
        ([{"drop": "x", "match": {"not": {"name": "T*"}}}], {"to": "crm", "match": {"name": "Te"}}),
        ([{"drop": "x", "match": {"not": {"name": "T*"}}}], {"to": "crm"}),
        ([{"drop": "x", "match": {"kind": "track"}}], {"to": "crm"}),
    ],
)
def test_a_rule_that_may_have_a_say_is_not_said_to_be_out_of_reach(
    earlier: list[dict[str, Any]], late: dict[str, Any]
) -> None:
    assert shadows(*earlier, of=late) is None


def test_targets_and_sources_without_a_rule() -> None:
    found = covered({"name": "a", "match": {"source": "shop"}, "to": "crm"})
    assert (found.targets_without_rule, found.sources_without_rule) == (("mail",), ("app",))
    found = covered({"name": "a", "drop": "x"}, {"name": "b", "to": ["crm", "mail"]})
    assert (found.targets_without_rule, found.sources_without_rule) == (TARGETS, ())


def test_odd_names_come_with_what_is_near_and_what_they_come_in_as() -> None:
    names = ["Order Compleeted", "Placed Order", "Order *", "Page", "My Own Thing"]
    found = covered({"name": "a", "match": {"source": "shop", "name": names}, "to": "crm"}).odd_names
    assert [one.name for one in found] == ["Order Compleeted", "Placed Order", "My Own Thing"]
    assert found[0].near[0] == "Order Completed"
    assert found[1].comes_in_as == "Order Completed"


def test_rules_that_an_example_reaches_are_covered(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
- {name: orders, match: {name: "Order *"}, to: crm}
- {name: never, match: {name: Viewed}, to: mail}
- name: people
  match: {kind: identify}
  drop: x
  examples:
    - {given: {name: Order Completed}, sends: {crm: {}}}
    - {given: {kind: identify, name: Identify}, sends: {crm: null}}
""",
    )
    world, (config, places) = world_of(path), load_with_places(path)
    found = coverage(config.rules, SOURCES, list(config.targets), run_examples(world, places))
    assert found.rules_without_example == ("never",)
