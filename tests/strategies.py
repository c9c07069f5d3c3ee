"""Hypothesis strategies for canonical events, for every suite that needs arbitrary ones."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from gateway import event as canonical
from gateway.event import KINDS, Commerce, ConsentChange, Context, Event, Item, Kind, Origin, Profile

RECEIVED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

texts = st.text(st.characters(codec="utf-8"), max_size=12)
"""Any text that UTF-8 can hold: no lone surrogates, everything else."""

words = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_ -.", min_size=1, max_size=12)
"""Names as people choose them."""

floats = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers() | st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**30])
scalars = st.none() | st.booleans() | integers | floats | texts

json_values: SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
json_objects: SearchStrategy[dict[str, Any]] = st.dictionaries(texts, json_values, max_size=4)

decimals = st.decimals(allow_nan=False, allow_infinity=False)
money = st.integers(-(10**9), 10**9).map(lambda cents: Decimal(cents).scaleb(-2))
"""Amounts as shops have them: two decimals, 12.10 among them."""

times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
ids = st.uuids(version=4).map(str)

emails = st.from_regex(r"[a-z]{1,8}@example\.(com|org)", fullmatch=True)
phones = st.from_regex(r"\+1555[0-9]{7}", fullmatch=True)


def maybe(strategy: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Return the strategy, or None."""
    return st.none() | strategy


def structs(struct: type[Any], **fields: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Return structs whose optional texts are arbitrary, and whose other fields are as given."""
    hints = struct.__annotations__
    plain = {name: maybe(texts) for name, hint in hints.items() if set(get_args(hint)) == {str, type(None)}}
    return st.builds(struct, **{**plain, **fields})


locations = structs(canonical.Location, latitude=maybe(floats), longitude=maybe(floats))
profiles = structs(
    Profile,
    push_tokens=st.lists(texts, max_size=2).map(tuple),
    vendor_ids=st.dictionaries(texts, texts, max_size=2),
    created_at=maybe(times),
    location=maybe(locations),
    traits=json_objects,
)
items = structs(
    Item,
    categories=st.lists(texts, max_size=2).map(tuple),
    quantity=maybe(decimals),
    price=maybe(decimals),
    properties=json_objects,
)
amounts = {name: maybe(decimals) for name in ("total", "revenue", "tax", "shipping", "discount")}
commerces = structs(Commerce, **amounts, items=st.lists(items, max_size=2).map(tuple))
consents = structs(ConsentChange, granted=st.booleans(), at=maybe(times))
contexts = structs(
    Context,
    device=maybe(structs(canonical.Device)),
    app=maybe(structs(canonical.App)),
    page=maybe(structs(canonical.Page)),
    campaign=maybe(structs(canonical.Campaign)),
)
origins = structs(Origin, name=texts, vendor=texts, endpoint=texts)
kinds: SearchStrategy[Kind] = st.sampled_from(KINDS)

events: SearchStrategy[Event] = structs(
    Event,
    id=ids,
    kind=kinds,
    name=texts,
    received_at=times,
    source=origins,
    occurred_at=maybe(times),
    profile=profiles,
    commerce=maybe(commerces),
    consent=st.lists(consents, max_size=2).map(tuple),
    context=contexts,
    properties=json_objects,
    residue=st.dictionaries(texts, json_objects, max_size=2),
)
"""Every event there can be."""


# --- events as shops send them ---------------------------------------------------------------------------

_past = st.datetimes(datetime(2024, 1, 1), datetime(2026, 11, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
_urls = words.map(lambda word: f"https://shop.example.com/{word.strip().replace(' ', '-')}")
_properties = st.dictionaries(words, st.booleans() | st.integers(-999, 999) | words | st.lists(words, max_size=2))

shop_profiles = st.builds(
    Profile,
    user_id=maybe(words.map(str.strip).filter(bool)),
    email=emails,
    phone=maybe(phones),
    anonymous_id=maybe(ids),
    first_name=maybe(words),
    last_name=maybe(words),
    traits=_properties,
)
shop_items = st.builds(
    Item,
    product_id=maybe(words),
    sku=words,
    name=maybe(words),
    brand=maybe(words),
    categories=st.lists(words.filter(lambda word: "," not in word), max_size=2).map(tuple),
    quantity=maybe(st.integers(1, 9).map(Decimal)),
    price=maybe(money),
    url=maybe(_urls),
    properties=_properties,
)
shop_commerces = st.builds(
    Commerce,
    order_id=maybe(words),
    total=maybe(money),
    tax=maybe(money),
    shipping=maybe(money),
    discount=maybe(money),
    coupon=maybe(words),
    currency=maybe(st.sampled_from(["USD", "EUR", "CZK"])),
    items=st.lists(shop_items, max_size=3).map(tuple),
)


def shop_events(kind: Kind, names: SearchStrategy[str]) -> SearchStrategy[Event]:
    """Return events of one kind as a shop would send them: identified, dated, in sane sizes."""
    return st.builds(
        Event,
        id=st.integers(0, 2**62).map(
            lambda number: str(uuid.UUID(int=(0x01900000 << 96) | (7 << 76) | (2 << 62) | number))
        ),
        kind=st.just(kind),
        name=names,
        received_at=st.just(RECEIVED),
        source=st.just(Origin(name="shop", vendor="elsewhere", endpoint="events")),
        occurred_at=maybe(_past),
        dedupe_key=maybe(words),
        profile=shop_profiles,
        commerce=maybe(shop_commerces) if kind == "track" else st.none(),
        properties=_properties,
    )
