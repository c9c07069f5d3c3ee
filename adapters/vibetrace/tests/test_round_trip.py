"""Decode, then encode to Vibetrace, gives back what the client sent."""

from typing import Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters.vibetrace.tests.support import ANA, Client, body_of, encode
from adapters.vibetrace.wire import TYPES, VOCABULARY
from gateway.adapter import Rejected

NAMES = sorted({name for shape in VOCABULARY.shapes() for name in (shape.vendor_name, *shape.also)} | TYPES)
KEYS = [
    *sorted({key for shape in VOCABULARY.shapes() for _, key in shape.table.paths()}),
    "items", "email", "generic", "event_name", "confirmation", "channel", "group", "page_name", "total", "firstname",
    "first_name", "city", "order_id", "referrer", "session_id", "user_id", "product_id", "_id",
]  # fmt: skip

words = st.text("abAB_- 1", min_size=1, max_size=6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", " ", "A", "12.50", "email", "2026-03-04T17:30:00Z", *ANA.values()])
)
lines = st.lists(st.dictionaries(st.sampled_from(["id", "itemId", "quantity", "price", "x"]), scalars), max_size=2)
values = scalars | lines | st.dictionaries(words, scalars, max_size=2)
flat = st.dictionaries(st.sampled_from(KEYS) | words, values, max_size=6)
bags = st.builds(lambda name, bag: {**bag, "event_name": name}, st.sampled_from(NAMES) | words.filter(str.strip), flat)
custom = st.builds(lambda bag, beside: {**beside, "generic": bag}, bags, st.just({}) | flat) | bags
events = st.dictionaries(st.sampled_from(NAMES) | words, flat, max_size=2).flatmap(
    lambda typed: st.just(typed) | custom.map(lambda fields: {**typed, "generic": fields})
)
users = st.just(dict(ANA)) | st.just({"_id": "5f2b"}) | st.just({"_id": "5f2b", **ANA, "lang": "ro"})


@settings(max_examples=400, deadline=None)
@given(events, users)
def test_any_call_comes_back(event: dict[str, Any], user: dict[str, Any]) -> None:
    try:
        decoded = Client().send(event, user)
    except Rejected:
        assume(False)  # an event without a name
        return
    back = [encode(one) for one in decoded.events]
    assert [loss for encoded in back for loss in encoded.lost] == []
    bodies = [body_of(encoded) for encoded in back]
    assert [item for body in bodies for item in body["event"].items()] == [*event.items()]
    assert bodies[0]["user"] == user


@settings(max_examples=150, deadline=None)
@given(flat)
def test_any_user_comes_back(fields: dict[str, Any]) -> None:
    body = {**fields, "email": "new@example.com"}
    (event,) = Client().ask("POST", "/v1/user", body).events
    encoded = encode(event, "user")
    assert body_of(encoded) == body
    assert encoded.lost == ()


def test_what_stands_beside_user_and_event_comes_back() -> None:
    body = {"user": {**ANA, "lang": "ro"}, "event": {"update": {"a": 1}}, "source": "till"}
    (event,) = Client().ask("POST", "/v1/event", body).events
    assert body_of(encode(event)) == body


def test_an_event_that_a_route_changed_goes_as_it_is_now() -> None:
    event = Client().event({"View_Item": {"itemId": "1-M"}})
    renamed = msgspec.structs.replace(event, name="Product Added")
    assert body_of(encode(renamed))["event"] == {
        "generic": {"generic": {"event_name": "product_added", "itemId": "1-M"}}
    }
    named = Client().event({"generic": {"generic": {"event_name": "Product-Viewed"}}})
    other = msgspec.structs.replace(named, name="Quiz")
    assert body_of(encode(other))["event"] == {"generic": {"generic": {"event_name": "Quiz"}}}
