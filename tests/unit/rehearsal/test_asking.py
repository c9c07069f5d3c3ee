"""What each rule made of an event: the words agree with the decision."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decision import UNROUTED
from gateway.event import Commerce, Event, Item, Origin, Profile
from gateway.rehearsal.asking import Asked, asked, rules_reached
from gateway.rehearsal.coverage import coverage
from gateway.routing import Router, Rule, rules_of

TARGETS = ("crm", "mail", "sms")


class Fixed:
    """A condition that says the same of every event."""

    def __init__(self, answer: Any, *reads: str) -> None:
        self.text = "event.commerce.total > 100.0"
        self.reads = reads
        self._answer = answer

    def run(self, event: Event) -> Any:
        return self._answer

    __call__ = run


def event(name: str = "Order Completed", source: str = "shop", **more: Any) -> Event:
    given: dict[str, Any] = {
        "id": "01900000-0000-7000-8000-000000000001",
        "kind": "track",
        "name": name,
        "received_at": datetime(2026, 11, 21, tzinfo=UTC),
        "source": Origin(name=source, vendor="acme", endpoint="events"),
        "profile": Profile(user_id="u-1", email="ann@example.com"),
        **more,
    }
    return Event(**given)


def told(rules: list[Rule], about: Event | None = None) -> list[Asked]:
    return list(asked(Router(rules, TARGETS), about or event()))


def rule(name: str = "r", **more: Any) -> dict[str, Any]:
    return {"name": name, "to": "crm", **more} if "drop" not in more else {"name": name, **more}


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ({"name": "Viewed"}, "the name 'Order Completed' is not 'Viewed'"),
        ({"name": ["A*", "B"]}, "the name 'Order Completed' is not 'A*' or 'B'"),
        ({"name": []}, "the name 'Order Completed' is not nothing"),
        ({"source": "app"}, "the source 'shop' is not 'app'"),
        ({"kind": ["page"]}, "the kind 'track' is not 'page'"),
        ({"not": {"name": "Order *"}}, "not for the name 'Order Completed': it fits 'Order *'"),
        ({"source": "app", "kind": "page"}, "the source 'shop' is not 'app'; the kind 'track' is not 'page'"),
    ],
)
def test_a_rule_that_is_not_for_an_event_says_by_which_part(match: dict[str, Any], why: str) -> None:
    (one,) = told(rules_of([rule(match=match)]))
    assert (one.outcome, one.why) == ("passes", why)


def test_a_condition_is_told_with_what_it_read() -> None:
    plain = rules_of([rule()])[0]
    condition = Fixed(False, "commerce.total", "profile.email", "commerce.items[].sku", "properties.missing")
    (one,) = told(
        [msgspec.structs.replace(plain, where=condition)],
        event(commerce=Commerce(total=Decimal("12.1"), items=(Item(sku="A"), Item()))),
    )
    assert (one.outcome, one.why) == ("passes", "the condition is not true")
    assert one.where is not None
    assert (one.where.text, one.where.true) == (condition.text, False)
    assert one.where.reads == {
        "commerce.total": Decimal("12.1"),
        "profile.email": "ann@example.com",
        "commerce.items[].sku": ["A", None],
        "properties.missing": None,
    }


def test_a_condition_that_holds_is_told_as_well() -> None:
    (one,) = told([msgspec.structs.replace(rules_of([rule()])[0], where=Fixed(True))])
    assert (one.outcome, one.sends, one.where and one.where.true) == ("sends", ("crm",), True)


def test_what_an_earlier_rule_took_or_dropped_is_told() -> None:
    first, second, third, fourth, fifth = told(
        rules_of(
            [
                rule("orders"),
                rule("more", to=["crm", "mail"]),
                rule("rest", otherwise=True),
                rule("stop", drop="enough"),
                rule("never"),
            ]
        )
    )
    assert first.sends == ("crm",)
    assert (second.sends, second.taken) == (("mail",), {"crm": "orders"})
    assert third.why == "only for events that no rule before took; 'orders', 'more' did"
    assert (fourth.outcome, fourth.why) == ("drops", "enough")
    assert fifth.why == "not asked: 'stop' dropped the event"


def test_a_split_tells_whose_share_it_is_and_a_list_that_it_withholds(tmp_path: Path) -> None:
    (one,) = told(rules_of([{"name": "s", "split": {"percent": {"crm": 100, "mail": 0}}}]))
    assert one.sends == ("crm",)
    assert one.held == {"mail": "this profile's share is 'crm' (crm 100 %)"}
    (tmp_path / "people").write_text("ann@example.com\n")
    (one,) = told(rules_of([rule(suppress=str(tmp_path / "people"))]))
    assert (one.outcome, list(one.held)) == ("holds", ["crm"])


# --- in agreement with the router, and with what can be shown of the rules -------------------------------

_patterns = st.none() | st.lists(st.sampled_from(["A", "B", "AB", "A*", "*B", "*", "A?"]), max_size=2)
_sources = st.none() | st.sampled_from(["shop", "app", "s*", ["shop", "app"]])
_kinds = st.none() | st.sampled_from(["track", ["page", "track"]])
_parts = st.fixed_dictionaries({"source": _sources, "kind": _kinds, "name": _patterns})
_goals = st.one_of(
    st.fixed_dictionaries({"drop": st.just("no")}),
    st.fixed_dictionaries({"to": st.lists(st.sampled_from(TARGETS), max_size=3, unique=True)}),
    st.just({"split": {"percent": {"crm": 50, "mail": 50}}}),
)


@st.composite
def _rules(draw: st.DrawFn) -> list[Rule]:
    rules = []
    for number in range(draw(st.integers(0, 6))):
        match: dict[str, Any] = draw(_parts)
        if draw(st.booleans()):
            match["not"] = draw(_parts)
        values = {"name": f"r{number}", "match": match, "otherwise": draw(st.booleans()), **draw(_goals)}
        (made,) = rules_of([values])
        rules.append(msgspec.structs.replace(made, where=Fixed(draw(st.booleans()))) if draw(st.booleans()) else made)
    return rules


EVENTS = [
    event(name, source, kind=kind, profile=Profile(user_id=who))
    for name in ("A", "B", "AB", "C", "Page")
    for source in ("shop", "app")
    for kind in ("track", "page", "identify")
    for who in ("u-1", "u-2", "u-4")
]


@settings(max_examples=150, deadline=None)
@given(_rules())
def test_the_words_agree_with_the_decision(rules: list[Rule]) -> None:
    router = Router(rules, TARGETS)
    for one in EVENTS[::7]:
        decision, steps = router.decide(one), list(asked(router, one))
        assert {target: step.rule for step in steps for target in step.sends} == dict(decision.deliver)
        held = {target for step in steps for target in step.held}
        dropping = [step.rule for step in steps if step.outcome == "drops"]
        for target, why in decision.drop:
            assert (target in held) is (why not in (UNROUTED, *dropping))
            assert why == UNROUTED or target in held or [why] == dropping
        assert [step.rule for step in steps] == [rule.name for rule in rules]


@settings(max_examples=300, deadline=None)
@given(_rules())
def test_a_rule_said_to_be_out_of_reach_has_no_say_in_any_event(rules: list[Rule]) -> None:
    router = Router(rules, TARGETS)
    found = coverage(rules, {"shop": NO_VENDOR, "app": NO_VENDOR}, TARGETS, [])
    unreachable = {one.rule for one in found.unreachable_rules}
    assert not unreachable & {name for one in EVENTS for name in rules_reached(router, one)}


class _NoVendor:
    slug = "nobody"

    class vocabulary:  # noqa: N801  as an adapter has it
        @staticmethod
        def shapes() -> list[Any]:
            return []

        @staticmethod
        def decode(name: str) -> Any:
            return Origin(name=name, vendor="", endpoint="")


NO_VENDOR: Any = _NoVendor()
