"""Splits: sticky, monotone, exact in number, and one target for each profile."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.event import Event, Profile
from gateway.routing import Router, rules_of
from gateway.routing.entries import SplitEntry
from gateway.routing.split import Split
from tests.unit.routing.test_router import event

PEOPLE = [event(profile=Profile(user_id=f"u{number}")) for number in range(400)]


def chosen(percent: dict[str, float], people: list[Event] = PEOPLE) -> list[str]:
    split = Split(SplitEntry(percent))
    return [split.choose(one) for one in people]


@st.composite
def shares(draw: st.DrawFn, targets: int = 3) -> dict[str, float]:
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=targets - 1, max_size=targets - 1)))
    ends = [0, *cuts, 100]
    return {f"t{at}": float(ends[at + 1] - ends[at]) for at in range(targets)}


@settings(max_examples=40, deadline=None)
@given(shares(), st.text(min_size=1, max_size=20))
def test_a_profile_stays_where_it_is(percent: dict[str, float], who: str) -> None:
    """Over restarts, other events, and whatever else is known of it."""
    first = Split(SplitEntry(percent)).choose(event(profile=Profile(user_id=who)))
    again = Split(SplitEntry(dict(reversed(percent.items())))).choose(
        event("Other", profile=Profile(user_id=who, email="x@example.com"))
    )
    assert first == again
    assert percent[first] > 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100), st.integers(0, 100))
def test_raising_a_share_only_adds_profiles_and_lowering_takes_the_same(low: int, high: int) -> None:
    low, high = sorted((low, high))
    before = chosen({"old": 100 - low, "new": low})
    after = chosen({"old": 100 - high, "new": high})
    moved = {(one, other) for one, other in zip(before, after, strict=True) if one != other}
    assert moved <= {("old", "new")}
    assert chosen({"old": 100 - low, "new": low}) == before


@settings(max_examples=40, deadline=None)
@given(shares(), st.sampled_from(["t0", "t1", "t2"]), st.sampled_from(["t0", "t1", "t2"]), st.integers(1, 100))
def test_between_two_shares_nobody_else_moves(percent: dict[str, float], giver: str, taker: str, part: int) -> None:
    """Nobody comes to the one that gives, and nobody leaves the one that takes."""
    given_away = percent[giver] * part / 100
    if giver == taker or not given_away:
        return
    before = chosen(percent)
    after = chosen({**percent, giver: percent[giver] - given_away, taker: percent[taker] + given_away})
    for one, other in zip(before, after, strict=True):
        if one != other:
            assert one != taker
            assert other != giver


@pytest.mark.parametrize("percent", [{"a": 90.0, "b": 10.0}, {"a": 50.0, "b": 30.0, "c": 20.0}, {"a": 99.5, "b": 0.5}])
def test_shares_are_kept(percent: dict[str, float]) -> None:
    people = [event(profile=Profile(email=f"person{number}@example.com")) for number in range(20_000)]
    counts = Counter(chosen(percent, people))
    assert all(abs(counts[target] / 200 - share) < 1 for target, share in percent.items())


def test_a_share_of_nothing_or_everything_is_exact() -> None:
    assert set(chosen({"old": 100, "new": 0})) == {"old"}
    assert set(chosen({"old": 0, "new": 100})) == {"new"}


def test_an_address_is_one_person_however_it_is_written() -> None:
    split = Split(SplitEntry({"a": 50, "b": 50}, by="email"))
    for number in range(50):
        plain = event(profile=Profile(email=f"p{number}@example.com", user_id="one"))
        shouted = event(profile=Profile(email=f" P{number}@Example.com", user_id="other"))
        assert split.choose(plain) == split.choose(shouted)


@given(st.builds(Profile, user_id=st.none() | st.text(max_size=5), email=st.none() | st.text(max_size=5)))
def test_exactly_one_target_of_a_split_gets_an_event(who: Profile) -> None:
    rules: list[dict[str, Any]] = [
        {"name": "move", "to": ["old", "new", "log"], "split": {"percent": {"old": 70, "new": 30}}},
        {"name": "all", "to": ["old", "new"]},
    ]
    decision = Router(rules_of(rules), ["old", "new", "log"]).decide(event(profile=who))
    targets = {target for target, _ in decision.deliver}
    assert len(targets & {"old", "new"}) == 1
    assert "log" in targets
    assert [rule for _, rule in decision.drop] == ["move: split"]
