"""The ledger accounts for every leaf of what a client sent, truly; for every pair of vendors."""

import json
from collections import Counter
from copy import deepcopy
from typing import Any, Final

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.adapter import Adapter
from gateway.ledger import LedgerRow, Payload
from gateway.ledger.payload import leaves
from gateway.ledger.rows import undeclared
from gateway.ledger.trace import PATH
from gateway.translation import Translation, translate
from tests.contract.adapter_cases import Case, cases, everyone

ADAPTERS: Final = everyone()
ACCEPTED: Final = [case for slug in ADAPTERS for case in cases(slug) if case.expected.exists()]
PAIRS: Final = [(case, goal) for case in ACCEPTED for goal in ADAPTERS.values()]

every_pair = pytest.mark.parametrize(
    ("case", "goal"), PAIRS, ids=[f"{case.vendor}-{case.path.stem}-to-{goal.slug}" for case, goal in PAIRS]
)
every_case = pytest.mark.parametrize("case", ACCEPTED, ids=[f"{case.vendor}-{case.path.stem}" for case in ACCEPTED])


def translated(case: Case, goal: Adapter, body: Any = None) -> Translation:
    given = {**case.request, "body": case.request.get("body") if body is None else body}
    return translate(given, ADAPTERS[case.vendor], goal, options=case.options, credentials=case.credentials)


def said(case: Case, body: Any = None) -> Counter[str]:
    """Return the paths of what a request says in its body and its query."""
    raw = case.body if body is None else json.dumps(body).encode()
    return Counter(leaf.path for leaf in Payload(raw, case.request["path"].partition("?")[2]).leaves())


def accounted(result: Translation) -> Counter[str]:
    return Counter(row.path for row in result.ledger if not row.path.startswith("{"))


@every_pair
def test_every_leaf_has_one_row_and_every_row_is_true(case: Case, goal: Adapter) -> None:
    result = translated(case, goal)
    if not result.events:
        return
    assert accounted(result) == said(case)
    places = {leaf.path for request in result.requests for leaf in leaves(request.body)}
    for row in result.ledger:
        check(row, places, goal)
    assert {row.event for row in result.ledger} <= {None, *(event.id for event in result.events)}


def check(row: LedgerRow, places: set[str], goal: Adapter) -> None:
    if row.outcome == "dropped":
        assert row.to is None
        assert row.reason, row
        assert row.reason != undeclared(goal), f"{goal.slug} drops it and does not tell: {row}"
        return
    assert row.to is not None, row
    assert row.to == PATH or row.to in places or any(place.startswith(row.to) for place in places), row
    if row.outcome == "coerced":
        assert row.reason, row


@every_case
@settings(deadline=None, max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
def test_whatever_is_left_out_or_added_is_accounted_for(case: Case, data: st.DataObject) -> None:
    """Requests like the recorded one, with leaves gone, changed, or not known to anybody."""
    body = deepcopy(case.request.get("body"))
    if not isinstance(body, (dict, list)):
        return
    for leaf in data.draw(st.lists(st.sampled_from(leaves(body)), max_size=4)):
        _spoil(body, leaf.steps, data.draw(st.sampled_from(["gone", "new", "other"])))
    goal = data.draw(st.sampled_from(list(ADAPTERS.values())))
    result = translated(case, goal, body)
    if result.events:
        assert accounted(result) == said(case, body)


def _spoil(body: Any, steps: tuple[Any, ...], how: str) -> None:
    """Take a leaf out, or put something else in its place or beside it."""
    place = body
    for step in steps[:-1]:
        if (isinstance(place, list) and isinstance(step, int)) or (isinstance(place, dict) and step in place):
            place = place[step]
        else:
            return
    if isinstance(place, dict) and steps and steps[-1] in place:
        if how == "gone":
            del place[steps[-1]]
        elif how == "new":
            place["never heard of"] = {"a": [1, "b"]}
        else:
            place[steps[-1]] = "another"
