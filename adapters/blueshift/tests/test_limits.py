"""Limits of what is sent to Blueshift, and arbitrary events."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.blueshift.limits import BULK_BODY
from adapters.blueshift.tests.support import MAY, foreign, send
from gateway import event as canonical
from gateway.adapter import EncodeError
from gateway.event import Commerce, Event, Item, Profile, leaves


def test_bulk_is_cut_at_30_events() -> None:
    found = send("bulkevents", *[foreign(id=f"{i}") for i in range(61)])
    assert [one.events for one in found] == [tuple(range(30)), tuple(range(30, 60)), (60,)]


def test_customers_are_cut_at_50_rows() -> None:
    people = [foreign(kind="identify", name="Identify", profile=Profile(user_id=str(i))) for i in range(51)]
    assert [len(one.events) for one in send("customers_bulk", *people)] == [50, 1]


@pytest.mark.parametrize("name", ["event", "bulkevents", "customers", "customers_bulk"])
def test_no_request_has_a_megabyte(name: str) -> None:
    big = [
        foreign(kind="identify", name="Identify", profile=Profile(user_id="1"), properties={"x": "é" * size})
        for size in (100_000, 200_000, 249_000, 150_000, 499_700)
    ]
    found = send(name, *big)
    assert [index for one in found for index in one.events] == [0, 1, 2, 3, 4]
    assert all(len(one.body) <= BULK_BODY.value < 1_000_000 for one in found)


def test_what_cannot_be_expressed_is_left_out_and_alone_an_error() -> None:
    good = foreign(kind="identify", name="Identify", profile=Profile(email="a@example.com"))
    huge = msgspec.structs.replace(good, properties={"x": "x" * 1_000_000})
    nobody = msgspec.structs.replace(good, profile=Profile(device_id="d"))
    (encoded,) = send("customers_bulk", nobody, huge, good)
    assert encoded.events == (2,)
    for name, event in (("customers", nobody), ("customers_bulk", nobody), ("event", huge), ("bulkevents", huge)):
        with pytest.raises(EncodeError):
            send(name, event)


def test_losses_name_the_events_place() -> None:
    (encoded,) = send("bulkevents", foreign(), foreign(name="a b"))
    assert [(loss.event, loss.path) for loss in encoded.lost] == [(1, "name")]


free = st.dictionaries(
    st.sampled_from(["event", "email", "revenue", "property_revenue", "tier", "trait_tier", "sku", "url", "uuid", ""]),
    st.none() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=4),
    max_size=6,
)
events = st.builds(
    foreign,
    id=st.uuids().map(str),
    kind=st.sampled_from(canonical.KINDS),
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=80).filter(str.strip),
    occurred_at=st.none() | st.just(MAY),
    dedupe_key=st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
    profile=st.builds(
        Profile,
        email=st.just("a@example.com"),
        vendor_ids=st.dictionaries(st.sampled_from(["klaviyo", "customer", "blueshift"]), st.just("v"), max_size=3),
        traits=free,
    ),
    commerce=st.none()
    | st.builds(
        Commerce,
        total=st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=2),
        items=st.lists(st.builds(Item, sku=st.none() | st.just("A"), properties=free), max_size=3).map(tuple),
    ),
    properties=free,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(events, min_size=1, max_size=4), st.sampled_from(["event", "bulkevents", "customers", "customers_bulk"])
)
def test_any_event_is_carried_whole_or_reported(given_events: list[Event], name: str) -> None:
    found = send(name, *given_events)
    assert found == send(name, *given_events)
    assert sorted(index for one in found for index in one.events) == list(range(len(given_events)))
    for one in found:
        rows = _rows(name, json.loads(one.body))
        for index, row in zip(one.events, rows, strict=True):
            reported = {loss.path for loss in one.lost if loss.event == index}
            event = given_events[index]
            for at, values in (("properties", event.properties), ("profile.traits", event.profile.traits)):
                for key, value in values.items():
                    assert f"{at}.{key}" in reported or row[key] == value
            assert reported <= {path for path, _ in leaves(msgspec.to_builtins(event))}


def _rows(name: str, body: Any) -> list[Any]:
    found: list[Any] = (
        body["events"] if name == "bulkevents" else body["customers"] if name == "customers_bulk" else [body]
    )
    return found
