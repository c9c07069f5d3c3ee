"""Deciding at accept and transforming at delivery."""

from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given as holds_for
from hypothesis import settings
from hypothesis import strategies as st

from gateway.decision import UNROUTED, Decision
from gateway.errors import EncodeError
from gateway.event import Commerce, Event, Origin, Profile
from gateway.routing import Router, Rule, rules_of
from gateway.routing.index import NameIndex


def event(name: str = "Order Completed", source: str = "shop", **more: Any) -> Event:
    given: dict[str, Any] = {
        "id": "0190a0a0-0000-7000-8000-000000000001",
        "kind": "track",
        "name": name,
        "received_at": datetime(2026, 11, 21, tzinfo=UTC),
        "source": Origin(name=source, vendor="acme", endpoint="events"),
        **more,
    }
    return Event(**given)


def rules(*given: dict[str, Any]) -> list[Rule]:
    return rules_of(given)


def test_every_fitting_rule_adds_its_targets_and_the_first_holds_for_each() -> None:
    router = Router(
        rules(
            {"name": "orders", "match": {"name": "Order *"}, "to": "crm"},
            {"name": "all", "to": ["crm", "mail"]},
        ),
        ["crm", "mail", "idle"],
    )
    assert router.decide(event()) == Decision((("crm", "orders"), ("mail", "all")), (("idle", UNROUTED),))
    assert router.decide(event("Viewed")) == Decision((("crm", "all"), ("mail", "all")), (("idle", UNROUTED),))


def test_a_drop_rule_hides_events_from_later_rules_and_is_named() -> None:
    router = Router(
        rules(
            {"name": "tests", "match": {"source": "stag*"}, "drop": "not production"},
            {"name": "all", "to": "crm"},
        ),
        ["crm"],
    )
    assert router.decide(event(source="staging")) == Decision((), (("crm", "tests"),))
    assert router.decide(event(source="shop")) == Decision((("crm", "all"),), ())


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({}, True),
        ({"source": "shop"}, True),
        ({"source": ["web", "shop"]}, True),
        ({"source": "sho"}, False),
        ({"kind": "track"}, True),
        ({"kind": ["identify", "page"]}, False),
        ({"name": "Order *"}, True),
        ({"name": ["Refund*", "*Completed"]}, True),
        ({"name": "order completed"}, False),
        ({"name": []}, False),
        ({"name": "Order [BC]ompleted"}, True),
        ({"source": "shop", "name": "Nope"}, False),
    ],
)
def test_match(match: dict[str, Any], fits: bool) -> None:
    router = Router(rules({"name": "r", "match": match, "to": "crm"}), ["crm"])
    assert bool(router.decide(event()).deliver) is fits


_text = st.text("ab *?[!]", max_size=5)


@settings(max_examples=300, deadline=None)
@holds_for(st.lists(st.one_of(st.none(), _text, st.lists(_text, max_size=3)), max_size=8), _text)
def test_the_index_finds_what_trying_each_pattern_finds(rules: list[str | list[str] | None], name: str) -> None:
    several = [[patterns] if isinstance(patterns, str) else patterns for patterns in rules]
    wanted = [
        number
        for number, patterns in enumerate(several)
        if patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)
    ]
    assert list(NameIndex(enumerate(rules)).fitting(name)) == wanted


def test_equal_decisions_are_one_object() -> None:
    router = Router(rules({"name": "r", "to": "crm"}), ["crm"])
    assert router.decide(event("A")) is router.decide(event("B"))


def test_names_of_clients_do_not_fill_the_memory() -> None:
    router = Router(rules({"name": "r", "to": "crm"}), ["crm"])
    for number in range(20_500):
        assert router.decide(event(f"n{number}")).deliver
    assert router.decide(event("x" * 1_000_000)).deliver
    assert len(router._memo) <= 10_000
    assert max(len(name) for _, _, name in router._memo) <= 256


def changed(send: dict[str, Any], given: Event) -> Event:
    router = Router(rules({"name": "r", "to": [{"target": "crm", **send}]}), ["crm"])
    return router.transform(given, "r", "crm")


def test_set_makes_missing_parts_and_takes_the_type_of_the_place() -> None:
    after = changed({"set": {"commerce.total": 12.10, "properties.store.id": "eu-1", "context.page.url": "x"}}, event())
    assert after.commerce == Commerce(total=Decimal("12.1"))
    assert after.properties == {"store": {"id": "eu-1"}}
    assert after.context.page is not None
    assert after.context.page.url == "x"


def test_drop_takes_out_fields_and_free_keys_and_leaves_the_rest() -> None:
    given = event(profile=Profile(email="a@example.com", phone="+1"), properties={"a": {"b": 1, "c": 2}, "d": 3})
    after = changed({"drop": ["profile.phone", "properties.a.b", "properties.missing", "commerce.total"]}, given)
    assert after.profile == Profile(email="a@example.com")
    assert after.properties == {"a": {"c": 2}, "d": 3}
    assert after.commerce is None
    assert given.properties == {"a": {"b": 1, "c": 2}, "d": 3}


def test_rename_moves_a_value_and_name_gives_a_new_name() -> None:
    given = event(properties={"shop_ref": 7})
    after = changed({"rename": {"properties.shop_ref": "commerce.order_id"}, "name": "purchase"}, given)
    assert (after.name, after.commerce, after.properties) == ("purchase", Commerce(order_id="7"), {})


def test_a_rename_that_cannot_be_is_told_and_not_guessed() -> None:
    with pytest.raises(EncodeError, match=r"properties.x cannot become commerce.total"):
        changed({"rename": {"properties.x": "commerce.total"}}, event(properties={"x": "many"}))


def test_a_rule_that_is_gone_lets_nothing_through() -> None:
    """Its changes may have been what kept personal data in."""
    with pytest.raises(EncodeError, match="no longer sends"):
        Router([], ["crm"]).transform(event(), "r", "crm")
