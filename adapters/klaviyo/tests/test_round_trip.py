"""What a client sent goes out to Klaviyo again as it was, through the log, up to what Klaviyo itself calls equal."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from adapters.klaviyo.names import VOCABULARY
from adapters.klaviyo.tests.equalities import normalise
from adapters.klaviyo.tests.world import OUTBOUND, SETTINGS, decode, flat, group, job, profile, wrapped
from gateway.adapter import Event, Rejected
from gateway.event import dump, load

FEW = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

TABLES = ("order", "context", "device", "viewed", "added", "line")
KEYS = sorted({key for table in TABLES for _, key in VOCABULARY.table(table).paths()})
OTHER_SPELLINGS = [
    "Title",
    "ProductId",
    "Order ID",
    "items",
    "Items",
    "order_id",
    "AddedItem_SKU",
    "$value",
    "$event_id",
    "$extra",
]
METRICS = sorted(
    {shape.vendor_name for shape in VOCABULARY.shapes()} | {"Added To Cart", "Order Confirmation", "Trial Started"}
)

texts = st.text(st.characters(codec="utf-8"), max_size=6)
numbers = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts | st.sampled_from(["18.50", "a, b", "1e3", "2025-01-01", ""])
rows = st.dictionaries(
    st.sampled_from([*KEYS, *OTHER_SPELLINGS, "RowTotal", "properties", "name"]), scalars, max_size=4
)
values = (
    scalars | st.lists(scalars, max_size=3) | st.lists(rows, max_size=3) | st.dictionaries(texts, scalars, max_size=2)
)
names = st.sampled_from([*KEYS, *OTHER_SPELLINGS, "Page Name", "Screen Name", "Push Token"]) | texts
properties = st.dictionaries(names, values, max_size=6)

places = st.dictionaries(
    st.sampled_from(["address1", "city", "zip", "timezone", "ip", "novel"]),
    st.none() | texts | st.integers(),
    max_size=3,
) | st.dictionaries(
    st.sampled_from(["latitude", "longitude"]), st.sampled_from([1, 1.5, "2.50", "", "x", None, "-0.0"])
)
attributes = st.fixed_dictionaries(
    {"email": st.just("nora@example.com")},
    optional={
        "phone_number": st.sampled_from(["+15005550142", None, ""]),
        "external_id": texts | st.none() | st.integers(0, 10**9),
        "_kx": texts | st.none(),
        "first_name": texts | st.none() | st.integers(),
        "title": texts | st.none(),
        "image": texts,
        "location": places | st.none(),
        "properties": st.dictionaries(
            st.sampled_from(["Gender", "gender", "Birthday", "Created At", "x", "$consent"]) | texts, values, max_size=4
        )
        | st.none(),
        "meta": st.dictionaries(texts, scalars, max_size=2),
        "pronouns": scalars,
    },
)
optional = {
    "value": numbers | st.sampled_from(["18.50", None, "0"]),
    "value_currency": st.sampled_from(["USD", "", None]),
    "unique_id": texts | st.integers() | st.none(),
    "time": st.sampled_from(["2025-02-01T09:30:00", "2025-02-01 09:30:00Z", "2025-02-01T09:30:00.9+0300", None]),
    "backfill": st.booleans() | st.none(),
    "novel": scalars,
}
occurrences = st.fixed_dictionaries({"properties": properties}, optional=optional)
resources = st.fixed_dictionaries(
    {},
    optional={"id": texts | st.none(), "meta": st.dictionaries(texts, scalars, max_size=2) | st.none(), "odd": scalars},
)
bodies = st.builds(
    lambda metric, who, data, event: wrapped(metric=metric, profile=who, data=data, **event),
    st.sampled_from(METRICS),
    attributes,
    resources,
    occurrences,
)


def _events(endpoint: str, body: Any) -> list[Event]:
    """Return the events of a request as the log gives them back; a refused request is none of ours."""
    try:
        found = decode(endpoint, body).events
    except Rejected:
        assume(False)
    return [load(dump(event)) for event in found]


def _returns(endpoint: str, outbound: str, body: Any) -> None:
    (encoded,) = OUTBOUND[outbound].encode(_events(endpoint, body), SETTINGS)
    assert normalise(outbound, json.loads(encoded.body)) == normalise(endpoint, body)


@FEW
@given(bodies)
@example(wrapped(properties={"Items": [{"Title": "a", "ProductName": "b"}], "items": [{}]}))
@example(wrapped(metric="Viewed Product", properties={"name": "x", "ProductName": "y", "Title": "z"}))
def test_wrapped_events(body: Any) -> None:
    """Through the single endpoint."""
    _returns("events", "events", body)


@FEW
@given(bodies)
def test_client_events(body: Any) -> None:
    """Sent on by the server's endpoint."""
    _returns("client-events", "events", body)


@FEW
@given(st.lists(st.tuples(attributes, st.lists(occurrences, min_size=1, max_size=2)), min_size=1, max_size=2))
def test_bulk_jobs(groups: Any) -> None:
    """Through the bulk endpoint, one group for each event."""
    body = job(*(group(*events, profile=who) for who, events in groups))
    _returns("event-bulk-create-jobs", "event-bulk-create-jobs", body)


@FEW
@given(attributes, resources, st.dictionaries(st.sampled_from(["meta", "x"]), scalars))
def test_profiles(who: Any, data: Any, more: Any) -> None:
    """Through the import endpoint."""
    _returns("profile-import", "profile-import", {**profile(data, **who), **more})


flat_people = st.fixed_dictionaries(
    {"$email": st.just("nora@example.com")},
    optional={
        "$phone_number": st.just("+15005550142"),
        "$id": st.integers(1, 10**9) | st.just("c-1"),
        "$first_name": texts | st.none(),
        "$city": texts | st.none(),
        "$zip": st.integers() | texts,
        "$latitude": st.sampled_from(["1.50", 2]),
        "$timezone": texts,
        "$consent": st.sampled_from([["email"], "sms", ["fax"], []]),
        "plan": values,
    },
)


@FEW
@given(st.sampled_from(METRICS), flat_people, occurrences)
def test_flat_events(metric: str, who: Any, event: Any) -> None:
    """As their wrapped twins."""
    _returns("events", "events", flat(metric=metric, profile=who, **event))


@pytest.mark.parametrize("endpoint", ["events", "event-bulk-create-jobs"])
def test_a_changed_event_goes_out_changed(endpoint: str) -> None:
    """What a route has set is not undone by what the client had written."""
    body = wrapped(value="18.50", unique_id=7, properties={"$value": 18.5, "Order ID": "7", "$event_id": 7})
    (event,) = _events("events", body)
    changed = json.loads(dump(event))
    changed["commerce"].update(total="20", order_id="8")
    changed["dedupe_key"] = "8"
    (encoded,) = OUTBOUND[endpoint].encode([load(json.dumps(changed).encode())], SETTINGS)
    (row,) = normalise(endpoint, json.loads(encoded.body))
    assert row["attributes"]["value"] == 20
    assert row["attributes"]["unique_id"] == "8"
    assert row["attributes"]["properties"] == {"$value": 20, "OrderId": "8", "$event_id": "8"}
