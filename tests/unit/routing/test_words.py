"""The words of a rule: what each changes, in the order in which they are written."""

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.decision import UNROUTED
from gateway.errors import EncodeError
from gateway.event import Commerce, Context, Event, Item, Page, Profile
from gateway.routing import Router, Wrong, compile_rule, rules_of
from tests.unit.routing.test_router import event

ANN = Profile(email=" Ann@Example.com ", phone="+420 777-123 456", user_id="u1", traits={"vip": True, "size": "S"})


def changed(send: dict[str, Any], given: Event) -> Event:
    return Router(rules_of([{"name": "r", "to": [{"target": "crm", **send}]}]), ["crm"]).transform(given, "r", "crm")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def problems(rule: dict[str, Any], folder: Path = Path()) -> list[Wrong]:
    found: list[Wrong] = []
    compile_rule({"name": "r", **rule}, folder, found.append)
    return found


def test_changes_are_made_in_the_order_in_which_they_are_written() -> None:
    first = changed({"set": {"properties.a": "1"}, "rename": {"properties.a": "properties.b"}}, event())
    then = changed({"rename": {"properties.a": "properties.b"}, "set": {"properties.a": "1"}}, event())
    assert (first.properties, then.properties) == ({"b": "1"}, {"a": "1"})
    named = changed({"name": "First", "set": {"name": "Second"}}, event())
    assert named.name == "Second"


def test_one_target_needs_no_list() -> None:
    router = Router(rules_of([{"name": "r", "to": {"target": "crm", "name": "purchase"}}]), ["crm"])
    assert router.decide(event()).deliver == (("crm", "r"),)
    assert router.transform(event(), "r", "crm").name == "purchase"
    (wrong,) = problems({"to": {"target": "crm", "drop": ["profile.emial"]}})
    assert wrong.place == ("to", "drop", 0)


def test_keep_leaves_only_what_it_names() -> None:
    given = event(
        profile=ANN,
        commerce=Commerce(order_id="o", tax=Decimal(2), items=(Item(sku="a"),)),
        context=Context(ip="1.2.3.4", page=Page(url="u", title="t")),
        properties={"a": 1, "b": {"c": 2, "d": 3}},
        residue={"acme": {"x": 1}},
        dedupe_key="k",
    )
    kept = ["profile.email", "commerce.order_id", "context.page.url", "properties.b.c", "properties.none"]
    after = changed({"keep": kept}, given)
    assert after.profile == Profile(email=ANN.email)
    assert after.commerce == Commerce(order_id="o")
    assert after.context == Context(page=Page(url="u"))
    assert (after.properties, after.residue) == ({"b": {"c": 2}}, {})
    assert (after.id, after.name, after.dedupe_key, after.occurred_at) == (given.id, given.name, "k", None)


def test_hash_normalises_as_vendors_ask() -> None:
    given = event(profile=ANN, properties={"n": 7, "list": ["a ", "b"], "flag": True})
    paths = ["profile.email", "profile.phone", "profile.user_id", "properties.n", "properties.list", "properties.flag"]
    after = changed({"hash": paths}, given)
    assert after.profile.email == sha("ann@example.com")
    assert after.profile.phone == sha("+420777123456")
    assert after.profile.user_id == sha("u1")
    assert after.properties == {"n": sha("7"), "list": [sha("a"), sha("b")], "flag": True}


def test_mask_leaves_a_hint() -> None:
    given = event(profile=Profile(email="ann@example.com", phone="+420777123456", first_name="Ann"))
    after = changed({"mask": ["profile.email", "profile.phone", "profile.first_name", "profile.title"]}, given).profile
    assert (after.email, after.phone, after.first_name, after.title) == ("a***@example.com", "***56", "***", None)


def test_map_gives_values_for_values() -> None:
    table = {"values": {"S": "small", "true": "yes", "7": 8}}
    tables = {"profile.traits.size": table, "profile.traits.vip": table, "properties.n": table, "properties.o": table}
    after = changed({"map": tables}, event(profile=ANN, properties={"n": 7, "o": "other"}))
    assert after.profile.traits == {"size": "small", "vip": "yes"}
    assert after.properties == {"n": 8, "o": "other"}
    given = event(properties={"o": "other", "p": "other"})
    defaults = {"properties.o": {**table, "default": "else"}, "properties.p": {**table, "default": None}}
    assert changed({"map": defaults}, given).properties == {"o": "else", "p": None}


def test_each_changes_every_line_item() -> None:
    items = (Item(sku="a", name="A", properties={"size": "S"}), Item(sku="b", price=Decimal(3)))
    given = event(commerce=Commerce(order_id="o", items=items))
    each = {
        "rename": {"sku": "product_id"},
        "set": {"brand": "Clay", "variant": {"from": "properties.size", "default": "none"}},
        "drop": ["price"],
        "map": {"properties.size": {"values": {"S": "small"}}},
    }
    after = changed({"each": each}, given).commerce
    assert after is not None
    assert after.items == (
        Item(product_id="a", name="A", brand="Clay", variant="S", properties={"size": "small"}),
        Item(product_id="b", brand="Clay", variant="none"),
    )
    assert changed({"each": each}, event()).commerce is None


def test_set_takes_a_literal_or_the_value_of_a_path() -> None:
    given = event(profile=ANN, properties={"a": 1})
    values = {
        "properties.mail": {"from": "profile.email"},
        "properties.none": {"from": "profile.title"},
        "properties.title": {"from": "profile.title", "default": "Ms"},
        "properties.raw": {"literal": {"expr": "kept as it is"}},
        "properties.object": {"from": 1, "to": 2},
    }
    assert changed({"set": values}, given).properties == {
        "a": 1,
        "mail": ANN.email,
        "title": "Ms",
        "raw": {"expr": "kept as it is"},
        "object": {"from": 1, "to": 2},
    }


def test_set_takes_the_value_of_an_expression() -> None:
    given = event(commerce=Commerce(total=Decimal("24.90"), tax=Decimal("4.00")), properties={"n": 2})
    values = {
        "properties.points": {"expr": "int(event.commerce.total)"},
        "properties.net": {"expr": "event.commerce.total - event.commerce.tax"},
        "properties.whole": {"expr": "event.commerce.tax * 2"},
        "properties.list": {"expr": "[event.commerce.tax]"},
        "commerce.discount": {"expr": "event.commerce.total * 0.5"},
        "properties.none": {"expr": "event.properties.missing + 1"},
    }
    after = changed({"set": values}, given)
    assert after.properties == {"n": 2, "points": 24, "net": 20.9, "whole": 8, "list": [4]}
    assert after.commerce is not None
    assert after.commerce.discount == Decimal("12.45")


def test_where_asks_each_event() -> None:
    rules = [
        {"name": "large", "where": "event.commerce.total >= 100", "to": "crm"},
        {"name": "own", "where": 'event.properties.store in ["eu-1", "eu-2"]', "to": "mail"},
    ]
    router = Router(rules_of(rules), ["crm", "mail"])
    assert router.decide(event(commerce=Commerce(total=Decimal(100)))).deliver == (("crm", "large"),)
    assert router.decide(event(commerce=Commerce(total=Decimal(99)))).deliver == ()
    assert router.decide(event(properties={"store": "eu-2"})).deliver == (("mail", "own"),)
    assert router.decide(event(properties={"store": 7})).deliver == ()


@pytest.mark.parametrize(
    ("where", "offset", "message"),
    [
        ("event.commerce.totl > 1", 15, "did you mean 'total'"),
        ("event.commerce.total > 'x'", None, ""),
        ("event.name ==", None, ""),
        ("event.name", None, ""),
    ],
)
def test_a_wrong_condition_is_told_at_its_place(where: str, offset: int | None, message: str) -> None:
    (wrong,) = problems({"to": "crm", "where": where})
    assert wrong.place == ("where",)
    assert wrong.message
    assert wrong.offset is not None
    assert message in wrong.message
    assert offset is None or wrong.offset == offset


def test_a_value_that_does_not_fit_its_place_ends_the_events_way_there() -> None:
    with pytest.raises(EncodeError, match=r"commerce.total cannot be 'many'"):
        changed({"set": {"commerce.total": {"from": "properties.x"}}}, event(properties={"x": "many"}))
    with pytest.raises(EncodeError, match=r"commerce.total cannot be"):
        changed({"hash": ["commerce.total"]}, event(commerce=Commerce(total=Decimal(1))))


@pytest.mark.parametrize(
    ("send", "place", "message"),
    [
        ({"set": {"profile.emial": "x"}}, ("set", "profile.emial"), "did you mean 'email'"),
        ({"set": {"commerce.total": "many"}}, ("set", "commerce.total"), "'commerce.total' cannot be 'many'"),
        ({"set": {"id": "x"}}, ("set", "id"), "an event has no 'id'"),
        ({"rename": {"name": "properties.x"}}, ("rename", "name"), "cannot be taken out"),
        ({"drop": ["commerce.items.sku"]}, ("drop", 0), "has no parts"),
        ({"keep": ["profil"]}, ("keep", 0), "did you mean 'profile'"),
        ({"hash": ["profile.mail"]}, ("hash", 0), "did you mean 'email'"),
        ({"mask": ["x"]}, ("mask", 0), "an event has no 'x'"),
        ({"map": {"profile.x": {"values": {}}}}, ("map", "profile.x"), "an event has no 'x' here"),
        ({"each": {"drop": ["skew"]}}, ("each", "drop", 0), "a line item has no 'skew' here; did you mean 'sku'"),
        ({"each": {"set": {"name": {"expr": "1"}}}}, ("each", "set", "name", "expr"), "line items have none"),
        ({"set": {"properties.x": {"from": "profile.e"}}}, ("set", "properties.x", "from"), "an event has no 'e'"),
    ],
)
def test_a_wrong_word_is_told_with_its_place(send: dict[str, Any], place: tuple[str | int, ...], message: str) -> None:
    (wrong,) = problems({"to": [{"target": "crm", **send}]})
    assert wrong.place == ("to", 0, *place)
    assert message in wrong.message


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({}, "a rule needs either 'to' or 'drop'"),
        ({"to": "crm", "drop": "x"}, "a rule needs either 'to' or 'drop'"),
        ({"to": ["crm", "crm"]}, "sends to 'crm' twice"),
        ({"to": "crm", "split": {"percent": {"crm": 50, "crn": 50}}}, "does not send to 'crn'; did you mean 'crm'"),
        ({"split": {"percent": {"a": 50, "b": 40}}}, "the shares add up to 90, not 100"),
        ({"split": {"percent": {"a": 150, "b": -50}}}, "a share cannot be less than 0"),
        ({"split": {"percent": {}}}, "a split needs targets"),
        ({"to": "crm", "suppress": "none.txt"}, "cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_rule_is_told(rule: dict[str, Any], message: str) -> None:
    (wrong,) = problems(rule)
    assert message in wrong.message


# --- which events ----------------------------------------------------------------------------------------


def test_not_takes_events_out_of_a_match() -> None:
    match = {"name": "Order *", "not": {"name": ["Order Refunded"], "source": "test*"}}
    router = Router(rules_of([{"name": "r", "match": match, "to": "crm"}]), ["crm"])
    given = [event("Order Completed"), event("Order Refunded"), event("Order Completed", source="testing")]
    assert [bool(router.decide(one).deliver) for one in given] == [True, False, False]


def test_otherwise_is_for_what_had_no_place() -> None:
    rules: list[dict[str, Any]] = [
        {"name": "orders", "match": {"name": "Order *"}, "to": "crm"},
        {"name": "noise", "match": {"name": "Ping"}, "drop": "noise"},
        {"name": "rest", "otherwise": True, "to": ["crm", "lake"]},
    ]
    router = Router(rules_of(rules), ["crm", "lake"])
    assert router.decide(event("Order Completed")).deliver == (("crm", "orders"),)
    assert router.decide(event("Ping")).drop == (("crm", "noise"), ("lake", "noise"))
    assert router.decide(event("Viewed")).deliver == (("crm", "rest"), ("lake", "rest"))


def test_what_no_rule_sends_is_counted_under_a_name() -> None:
    router = Router(rules_of([{"name": "orders", "match": {"name": "Order *"}, "to": "crm"}]), ["crm"])
    assert router.decide(event("Viewed")).drop == (("crm", UNROUTED),)


def test_the_suppressed_are_withheld_by_any_identifier(tmp_path: Path) -> None:
    lines = ["# gone", "", "Ann@example.com", "+420 777 123 456", "u-9", sha("bob@example.com")]
    (tmp_path / "gone.txt").write_text("\n".join(lines))
    found: list[Wrong] = []
    rule = compile_rule({"name": "r", "to": ["crm", "lake"], "suppress": "gone.txt"}, tmp_path, found.append)
    assert found == []
    router = Router([rule], ["crm", "lake"])
    held = [
        Profile(email="ANN@example.com"),
        Profile(phone="+420777123456"),
        Profile(user_id="u-9", email="x@example.com"),
        Profile(email="Bob@Example.com"),
    ]
    for who in held:
        assert router.decide(event(profile=who)).drop == (("crm", "r: suppressed"), ("lake", "r: suppressed"))
    assert router.decide(event(profile=Profile(email="eve@example.com"))).drop == ()


def test_a_suppressed_event_is_not_sent_by_a_later_rule(tmp_path: Path) -> None:
    (tmp_path / "gone.txt").write_text("ann@example.com")
    rules: list[dict[str, Any]] = [
        {"name": "first", "to": "crm", "suppress": "gone.txt"},
        {"name": "all", "to": ["crm", "lake"]},
    ]
    router = Router([compile_rule(rule, tmp_path, lambda wrong: None) for rule in rules], ["crm", "lake"])
    decision = router.decide(event(profile=Profile(email="ann@example.com")))
    assert (decision.deliver, decision.drop) == ((("lake", "all"),), (("crm", "first: suppressed"),))
