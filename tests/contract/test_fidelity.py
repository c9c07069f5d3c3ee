"""What is said of a pair beforehand is complete, and true when it comes to it."""

from typing import Any, Final, get_args, get_origin

import msgspec
import pytest
from msgspec import Struct

from gateway.adapter import Adapter
from gateway.event import Event
from gateway.fidelity import CAPABILITIES, Level, compare, routes, settings_of
from gateway.routing import rules_of
from gateway.translation import encode
from tests.contract.adapter_cases import everyone

ADAPTERS: Final = everyone()
PAIRS: Final = [(origin, goal) for origin in ADAPTERS.values() for goal in ADAPTERS.values()]

every_pair = pytest.mark.parametrize(("origin", "goal"), PAIRS, ids=[f"{a.slug}-to-{b.slug}" for a, b in PAIRS])
every_adapter = pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=ADAPTERS)

NOT_SAID: Final = {
    "id",
    "received_at",
    "source",
    "residue",
    "consent.granted",
    "consent.group",
    "consent.at",
    "consent.wording",
}
"""What the gateway says itself, and the details of a permission."""


def fields(struct: type[Struct], prefix: str = "") -> set[str]:
    """Return the paths of all leaves that an event may have, without numbers."""
    found = set()
    for field in msgspec.structs.fields(struct):
        inner = next((kind for kind in kinds(field.type) if isinstance(kind, type) and issubclass(kind, Struct)), None)
        found |= fields(inner, f"{prefix}{field.name}.") if inner else {f"{prefix}{field.name}"}
    return found


def kinds(hint: Any) -> list[Any]:
    """Return a type and what it is made of."""
    return [hint, *(inner for arg in get_args(hint) for inner in kinds(arg))] if get_origin(hint) else [hint]


def test_everything_that_an_event_can_say_is_looked_at() -> None:
    said = {capability.path.replace("[0]", "").replace("[1]", "") for capability in CAPABILITIES}
    missing = [
        path
        for path in fields(Event)
        if not any(one == path or one.startswith(f"{path}.") for one in said) and path not in NOT_SAID
        if path.partition(".")[0] not in NOT_SAID
    ]
    assert missing == []


@every_adapter
def test_a_vendor_is_told_all_that_its_own_clients_say(adapter: Adapter) -> None:
    worse = {c.name: found for c, found in compare(adapter, adapter).items() if found.level is not Level.FULLY}
    assert worse == {}


@every_pair
def test_what_does_not_get_across_has_a_reason(origin: Adapter, goal: Adapter) -> None:
    pair = compare(origin, goal)
    assert len(pair) > 20
    assert all(found.reason for found in pair.values() if found.level is not Level.FULLY)


@every_adapter
def test_what_is_said_not_to_get_across_is_in_no_request(adapter: Adapter) -> None:
    """By the value of it, where that is a text of its own."""
    for capability, found in compare(ADAPTERS["acme"], adapter).items():
        (first, *_) = capability.events
        value = _at(first, capability.path)
        if found.level is Level.NONE and isinstance(value, str) and capability.section in ("Person", "Order"):
            requests, _ = encode([first], adapter)
            assert all(value.encode() not in msgspec.json.encode(request.body) for request in requests), capability


def _at(event: Event, path: str) -> Any:
    value: Any = event
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else getattr(value, step, None)
    return value


def test_a_rule_is_judged_by_the_events_it_is_for() -> None:
    rules = [
        {"name": "refunds", "match": {"name": "Order Refunded"}, "to": "crm"},
        {"name": "people", "match": {"kind": "identify"}, "to": "crm"},
    ]
    klaviyo, blueshift = ADAPTERS["klaviyo"], ADAPTERS["blueshift"]
    found = {
        way.rule: way
        for way in routes(rules_of(rules), {"shop": klaviyo}, {"crm": (blueshift, settings_of(blueshift))})
    }
    sections = {rule: {capability.section for capability in way.pair} for rule, way in found.items()}
    names = [c.name for c in found["refunds"].pair if c.section == "Events" and c.path == "name"]
    assert names == ["Order Refunded"]
    assert {"Order", "Product line"} <= sections["refunds"]
    assert not {"Order", "Circumstances"} & sections["people"]
    assert {(way.source, way.target) for way in found.values()} == {("shop", "crm")}


def test_what_a_rule_takes_out_is_not_there_to_be_lost() -> None:
    rules = rules_of([{"name": "all", "to": [{"target": "crm", "drop": ["context"]}]}])
    klaviyo, blueshift = ADAPTERS["klaviyo"], ADAPTERS["blueshift"]
    (way,) = routes(rules, {"shop": klaviyo}, {"crm": (blueshift, settings_of(blueshift))})
    assert "Circumstances" not in {capability.section for capability in way.pair}
