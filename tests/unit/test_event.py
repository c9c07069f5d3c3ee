"""The canonical event survives its own encoding, is closed, and knows its lane."""

from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given

from gateway.event import Commerce, Event, Item, Origin, Profile, dump, lane, leaf_paths, leaves, load
from tests import strategies

EVENT: Final[dict[str, Any]] = {
    "id": "0190",
    "kind": "track",
    "name": "Order Completed",
    "received_at": "2026-11-21T12:00:00Z",
    "source": {"name": "shop", "vendor": "acme", "endpoint": "events"},
    "profile": {"email": "a@example.com", "location": {"city": "Brno"}},
    "commerce": {"total": "12.10", "items": [{"sku": "A"}]},
    "consent": [{"granted": True}],
    "context": {"device": {}, "app": {}, "page": {}, "campaign": {}},
}

CLOSED: Final = [
    (),
    ("source",),
    ("profile",),
    ("profile", "location"),
    ("commerce",),
    ("commerce", "items", 0),
    ("consent", 0),
    ("context",),
    ("context", "device"),
    ("context", "app"),
    ("context", "page"),
    ("context", "campaign"),
]


@given(strategies.events)
def test_any_event_survives_its_own_encoding(event: Event) -> None:
    assert load(dump(event)) == event


@given(strategies.events)
def test_encoding_is_deterministic(event: Event) -> None:
    assert dump(load(dump(event))) == dump(event)


def test_money_keeps_its_digits() -> None:
    event = load(msgspec.json.encode(EVENT))
    assert event.commerce is not None
    assert str(event.commerce.total) == "12.10"
    assert b'"12.10"' in dump(event)


@pytest.mark.parametrize("place", CLOSED, ids=lambda place: ".".join(map(str, place)) or "event")
def test_unknown_keys_are_refused_at_every_closed_level(place: tuple[str | int, ...]) -> None:
    tree = msgspec.json.decode(msgspec.json.encode(EVENT))
    inner = tree
    for step in place:
        inner = inner[step]
    inner["surprise"] = 1
    with pytest.raises(msgspec.ValidationError, match="surprise"):
        load(msgspec.json.encode(tree))


@pytest.mark.parametrize("place", ["properties", "residue.acme", "profile.traits", "commerce.items.0.properties"])
def test_free_parts_take_any_key(place: str) -> None:
    tree = msgspec.json.decode(msgspec.json.encode(EVENT))
    inner = tree
    for step in place.split("."):
        inner = inner[int(step)] if isinstance(inner, list) else inner.setdefault(step, {})
    inner["surprise"] = {"deep": [1, None]}
    assert b"surprise" in dump(load(msgspec.json.encode(tree)))


@pytest.mark.parametrize("kind", ["buy", "", None])
def test_a_kind_outside_the_spec_is_refused(kind: str | None) -> None:
    with pytest.raises(msgspec.ValidationError):
        load(msgspec.json.encode({**EVENT, "kind": kind}))


def _about(**profile: Any) -> Event:
    tree = {**EVENT, "profile": profile}
    return load(msgspec.json.encode(tree))


LANES: Final = [
    ({"user_id": "u", "email": "e", "phone": "p", "anonymous_id": "a"}, "u"),
    ({"email": "e", "phone": "p", "anonymous_id": "a"}, "e"),
    ({"phone": "p", "anonymous_id": "a", "device_id": "d"}, "p"),
    ({"anonymous_id": "a", "device_id": "d"}, "a"),
    ({"device_id": "d", "vendor_ids": {"acme": "v"}}, "d"),
    ({"vendor_ids": {"acme": "v"}}, "v"),
    ({"user_id": "", "email": "e"}, "e"),
]


@pytest.mark.parametrize(("profile", "expected"), LANES)
def test_a_lane_is_the_strongest_identifier(profile: dict[str, Any], expected: str) -> None:
    assert lane(_about(**profile)) == expected


def test_an_event_about_nobody_is_a_lane_of_its_own() -> None:
    assert lane(_about()) == EVENT["id"]


def test_leaves_name_every_value_once() -> None:
    tree = {"a": 1, "b": {"c": [2, {"d": None}], "e": {}}, "f": []}
    assert leaf_paths(tree, "x") == [path for path, _ in leaves(tree, "x")]
    assert leaf_paths(None, "x") == ["x"]
    assert dict(leaves(tree)) == {"a": 1, "b.c[0]": 2, "b.c[1].d": None, "b.e": {}, "f": []}


def test_leaves_of_an_event_are_its_canonical_paths() -> None:
    event = Event(
        id="1",
        kind="track",
        name="Product Viewed",
        received_at=strategies.RECEIVED,
        source=Origin(name="shop", vendor="acme", endpoint="events"),
        profile=Profile(email="a@example.com"),
        commerce=Commerce(items=(Item(sku="A", price=Decimal("1.50")),)),
    )
    found = dict(leaves(msgspec.to_builtins(event)))
    assert found["profile.email"] == "a@example.com"
    assert found["commerce.items[0].sku"] == "A"


@given(strategies.json_values)
def test_leaves_of_any_tree_end_in_leaves(tree: Any) -> None:
    for _path, value in leaves(tree):
        assert not value or not isinstance(value, (dict, list))
