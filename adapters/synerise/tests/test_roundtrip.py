"""Decode, then encode to Synerise, gives back what the client sent."""

import json
from typing import Any

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from adapters.synerise.money import FLAT_KEYS
from adapters.synerise.tests.equalities import normalise
from adapters.synerise.tests.support import outbound, post, settings, taker
from adapters.synerise.wire import ATTRIBUTE_TABLE, CLIENT_TABLE, DEDICATED, RESERVED, TRANSACTION_KEYS, VOCABULARY
from gateway import event as canonical
from gateway.event import Event

ACTIONS = sorted({shape.vendor_name for shape in VOCABULARY.shapes()} | {entry.action for entry in DEDICATED.values()})
ALSO = sorted({name for shape in VOCABULARY.shapes() for name in shape.also})
KEYS = sorted(
    {key.partition(".")[0] for shape in VOCABULARY.shapes() for _, key in shape.table.paths()}
    | {"$sku", "$finalUnitPrice", "$currency", "$revenue", "brand", "category", "productUrl", "itemId", "totalQty"}
    | {"total_amount", "total_quantity", "payment_method", "previous_id", "products", "order_id"}
    | RESERVED
    | FLAT_KEYS
)

texts = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["", " ", "12.50", "EUR", "a, b", "null"])
numbers = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
amounts = st.sampled_from([0, 9.5, -3, "12.00", "x", None, True])
currencies = st.sampled_from(["EUR", "PLN", "", None, 5])
money = st.fixed_dictionaries({"amount": amounts}, optional={"currency": currencies, "x": scalars})
methods = st.fixed_dictionaries({"method": scalars}, optional={"x": scalars})
LINE_KEYS = [
    "sku",
    "productId",
    "$sku",
    "name",
    "$title",
    "quantity",
    "categories",
    "category",
    "url",
    "productUrl",
    "x",
]
PRICES = ["finalUnitPrice", "$finalUnitPrice", "finalUnitPrice.amount", "regularPrice"]
lines = st.builds(
    lambda plain, prices: {**plain, **prices},
    st.dictionaries(st.sampled_from(LINE_KEYS), scalars | st.lists(texts, max_size=2), max_size=4),
    st.dictionaries(st.sampled_from(PRICES), money | scalars, max_size=2),
)
values = st.recursive(
    scalars | money | methods | st.lists(lines, max_size=3) | st.lists(texts, max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
params = st.dictionaries(st.sampled_from(KEYS) | texts, values, max_size=7)
identifiers = st.builds(
    lambda client, more: {**more, **client},
    st.sampled_from(
        [{"customId": "4471"}, {"id": 5092150001}, {"email": "a@example.com", "uuid": "u"}, {"customId": 7}]
    ),
    st.dictionaries(st.sampled_from(["x", "y"]), scalars, max_size=1),
)
times = st.sampled_from(
    [
        "2025-03-01T10:16:02.000Z",
        "2025-03-01T10:16:02Z",
        "2025-03-01T11:16:02+01:00",
        "2025-03-01 10:16:02.1234",
        "20250301T101602Z",
        "2048-01-01T00:00:00Z",
    ]
)
envelopes = st.builds(
    lambda head, more: {**more, **head},
    st.fixed_dictionaries(
        {"client": identifiers, "label": st.sampled_from(["L", "quiz.done", "product.addToCart"])},
        optional={"time": times, "params": params | st.none(), "eventSalt": texts.filter(bool) | st.just("s")},
    ),
    st.dictionaries(st.sampled_from(["snrs_params", "x", "y"]), values, max_size=2),
)
customs = st.builds(
    lambda body, action: {**body, "type": "custom", "action": action},
    envelopes,
    st.sampled_from([*ACTIONS, *ALSO, "quiz.done"]),
)
types = st.sampled_from(
    [name for name, entry in DEDICATED.items() if not entry.required] + ["push-viewed", "push.view"[:8]]
)
dedicated = st.builds(
    lambda body, kind: {**body, "type": kind}, envelopes, types.filter(lambda kind: kind in DEDICATED)
)
carts = st.builds(
    lambda body, price, kind: {
        **body,
        "type": kind,
        "params": {**(body.get("params") or {}), "sku": "A", "quantity": 1, "finalUnitPrice": price},
    },
    envelopes,
    st.sampled_from([{"amount": 1, "currency": "EUR"}, {"amount": "2.50", "currency": "PLN"}]),
    st.sampled_from(["added-to-cart", "removed-from-cart"]),
)


def back(events: list[Event]) -> list[Any]:
    """Return the items that stored events become at the endpoint that carries them, and that nothing is lost."""
    found = []
    for event in events:
        stored = canonical.load(canonical.dump(event))
        assert stored == event
        (request,) = taker(stored).encode([stored], settings())
        assert request.lost == ()
        found += json.loads(request.body)
    return found


@effort(max_examples=400, deadline=None)
@given(st.lists(customs | dedicated | carts, max_size=2))
def test_any_batch_of_events_comes_back(rows: list[dict[str, Any]]) -> None:
    events = list(post("events/batch", rows).events)
    assert normalise("events_batch", back(events)) == normalise("events_batch", rows)


transactions = st.builds(
    lambda head, more, rows, own: {**own, **more, **head, "products": rows},
    st.fixed_dictionaries({"client": identifiers, "orderId": st.sampled_from(["1", 1])}),
    st.fixed_dictionaries(
        {},
        optional={
            "recordedAt": times,
            "eventSalt": st.just("s"),
            "metadata": st.dictionaries(
                st.sampled_from([*TRANSACTION_KEYS, "discountCode", "tax", "shipping", "currency", "os"]) | texts,
                values,
            ),
            "paymentInfo": methods | scalars,
            "source": scalars,
            "time": times,
            "label": texts,
        },
    ),
    st.lists(
        st.builds(
            lambda plain, price: {**plain, **price},
            st.dictionaries(st.sampled_from(LINE_KEYS), scalars | st.lists(texts, max_size=2), max_size=4),
            st.fixed_dictionaries({}, optional={"finalUnitPrice": money}),
        ),
        max_size=3,
    ),
    st.dictionaries(st.sampled_from(["revenue", "value", "discountAmount"]), money, max_size=3),
).filter(lambda row: all(_is_taken(held) for held in _monies(row)))


def _monies(row: dict[str, Any]) -> list[Any]:
    found = [row[key] for key in ("revenue", "value", "discountAmount") if key in row]
    return found + [line["finalUnitPrice"] for line in row["products"] if "finalUnitPrice" in line]


def _is_taken(held: Any) -> bool:
    return isinstance(held, dict) and held.get("amount") in (0, 9.5, -3, "12.00") and held.get("amount") is not False


@effort(max_examples=300, deadline=None)
@given(transactions)
def test_any_transaction_comes_back(row: dict[str, Any]) -> None:
    events = list(post("transactions/batch", [row]).events)
    assert taker(events[0]) is outbound("transactions_batch")
    assert normalise("transactions_batch", back(events)) == normalise("transactions_batch", [row])


NAMES = sorted({key for table in (CLIENT_TABLE, ATTRIBUTE_TABLE) for _, key in table.paths()})
CHECKED = {"email", "phone", "customId", "uuid", "agreements", "clientId"}
FIELDS = [name for name in NAMES if name not in CHECKED] + ["custom_id", "firstname", "x", "attributes"]
agreements = st.dictionaries(
    st.sampled_from(["email", "sms", "push", "webPush", "webpush", "bluetooth", "wifi"]),
    st.sampled_from([True, False, 1, 0, "true", "False"]),
    max_size=4,
)
attributes = st.dictionaries(
    st.sampled_from([*NAMES, "status", "geo_loc_city", "pushTokens", "time", "a"]) | texts, values, max_size=5
)
profiles = st.builds(
    lambda who, fields, more: {**fields, **more, **who},
    st.sampled_from([{"customId": "1"}, {"clientId": 5}, {"clientId": "5"}, {"email": "a@example.com", "uuid": "u"}]),
    st.dictionaries(st.sampled_from(FIELDS), values, max_size=4),
    st.fixed_dictionaries({}, optional={"agreements": agreements | st.none(), "attributes": attributes | st.none()}),
).filter(lambda row: not ("custom_id" in row and not isinstance(row["custom_id"], (str, type(None)))))


@effort(max_examples=400, deadline=None)
@given(profiles)
def test_any_profile_comes_back(row: dict[str, Any]) -> None:
    found = post("clients/batch", [row])
    if found.reply.status == 207:
        return
    assert back(list(found.events)) == [row]
