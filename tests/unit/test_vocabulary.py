"""Names and fields go to the canonical event and come back as they were sent; what is lost is said."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapter import json_bytes
from gateway.errors import ConfigError
from gateway.event import EMPTY_CONTEXT, Commerce, Context, Event, Item, Origin, Page, dump, load
from gateway.table import FIELDS, Lifted, Spelling, Table
from gateway.vocabulary import Lines, Shape, Vocabulary, load_vocabulary, read_vocabulary
from tests import strategies

FREE_NAMES: Final = ["color", "size", "a", "b", "total"]
KEYS: Final = [
    *FREE_NAMES,
    "sku",
    "price",
    "Colour",
    "Total",
    "tax_amount",
    "k1",
    "k2",
    "k3",
    "k4",
    "k5",
    "k6",
    "Items",
]

EVENT_PATHS: Final = [
    *(
        f"{part}.{field}"
        for part in ("commerce", "context", "context.page", "context.device")
        for field in FIELDS[part]
    ),
    *(f"properties.{name}" for name in FREE_NAMES),
]
FLAT_PATHS: Final = [f"item.{field}" for field in FIELDS["item"]]
LINE_PATHS: Final = [*FLAT_PATHS, "properties.color", "properties.a", "properties.b"]
PERSON_PATHS: Final = [
    *(f"profile.{field}" for field in FIELDS["profile"]),
    *(f"profile.location.{field}" for field in FIELDS["profile.location"]),
    *(f"profile.traits.{name}" for name in FREE_NAMES),
]

values = st.one_of(
    strategies.json_values,
    st.sampled_from(
        ["18.50", "007", "1e5", "", " ", "a, b", "2026-03-04", "2026-03-04 17:22:09+0100", "true", -0.0, 1e22]
    ),
    strategies.money.map(str),
)
rows = st.dictionaries(st.sampled_from(KEYS) | strategies.texts, values, max_size=6)
many_rows = st.lists(rows, min_size=1, max_size=3)
flat_objects = st.dictionaries(st.sampled_from(KEYS) | strategies.texts, values, max_size=8)
objects = st.builds(
    lambda flat, lines: {**flat, **lines},
    flat_objects,
    st.dictionaries(st.sampled_from(["Items", "k6", "size"]), many_rows),
)


@st.composite
def tables(draw: st.DrawFn, paths: list[str], but: tuple[str, ...] = ()) -> Table:
    """Draw a one-to-one table, with second spellings, whose keys like to be other keys' canonical names."""
    chosen = draw(st.lists(st.sampled_from(paths), max_size=8, unique=True))
    keys = draw(st.permutations([key for key in KEYS if key not in ("Items", *but)]))
    rows = {}
    for index, path in enumerate(chosen):
        also = (keys[-1 - index],) if index < len(keys) - len(chosen) and draw(st.booleans()) else ()
        rows[path] = Spelling(keys[index], also)
    return Table(rows)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Draw the shape of one event: with and without lines, with and without a flat product."""
    flat = FLAT_PATHS if draw(st.booleans()) else []
    also: tuple[str, ...] = draw(st.sampled_from([(), ("k6", "size")]))
    lines = Lines("Items", also, draw(tables(LINE_PATHS)))
    table = draw(tables(EVENT_PATHS + flat, also))
    return Shape("track", "Order Completed", "Placed Order", (), table, draw(st.sampled_from([lines, None])))


def _event(lifted: Lifted, commerce: Commerce | None, residue: dict[str, Any]) -> Event:
    event = Event(
        id="0190",
        kind="track",
        name="Order Completed",
        received_at=strategies.RECEIVED,
        source=Origin(name="shop", vendor="acme", endpoint="events"),
        commerce=commerce,
        context=lifted.context(),
        properties=lifted.properties(),
        residue={"acme": residue},
    )
    return load(dump(event))


def _plain(value: Any) -> Any:
    """Return JSON in which numbers are compared by value, and true is not 1."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Decimal(repr(value))
    return str(value) if isinstance(value, bool) else [value]


def _same(expected: Any, actual: Any) -> bool:
    """Tell whether two values are the same JSON."""
    return bool(_plain(json.loads(json_bytes(expected))) == _plain(json.loads(json_bytes(actual))))


# --- the way there and back ------------------------------------------------------------------------------


@settings(max_examples=250)
@given(shapes(), objects)
def test_an_event_comes_back_as_it_was_sent(shape: Shape, source: dict[str, Any]) -> None:
    lifted, commerce = shape.lift(source)
    event = _event(lifted, commerce, lifted.raw)
    lowered, lost = shape.lower(event, event.residue["acme"])
    assert _same(source, lowered)
    assert lost == []


@settings(max_examples=150)
@given(tables(PERSON_PATHS), objects)
def test_a_person_comes_back_as_sent(table: Table, source: dict[str, Any]) -> None:
    lifted = table.lift(source)
    profile = lifted.profile(traits=lifted.rest)
    lowered: dict[str, Any] = {}
    lost: list[str] = []
    table.lower("profile", profile, lifted.raw, lowered, lost)
    table.lower("profile.location", profile.location, lifted.raw, lowered, lost)
    table.lower_free("profile.traits", profile.traits, lifted.raw, lowered, lost)
    assert _same(source, lowered)
    assert lost == []


# --- code that is written from a table ---------------------------------------------------------------------

OFTEN: Final = 40
"""More than enough objects of one kind for a function of their own."""


def _parted(lifted: Lifted) -> tuple[Any, ...]:
    """Return what was lifted, with its order, and with types: true is not 1."""
    return repr(lifted.parts), repr(lifted.rest), repr(lifted.raw)


@settings(max_examples=100)
@given(tables(EVENT_PATHS + FLAT_PATHS) | tables(LINE_PATHS) | tables(PERSON_PATHS), objects, st.data())
def test_objects_that_come_often_are_lifted_as_the_first_was(
    table: Table, source: dict[str, Any], data: st.DataObject
) -> None:
    first = _parted(table.lift(source))
    for _ in range(OFTEN):
        assert _parted(table.lift(source)) == first
    other = {key: data.draw(values) for key in source}
    assert _parted(table.lift(other)) == _parted(_anew(table).lift(other))


@settings(max_examples=100)
@given(tables(LINE_PATHS), objects, st.data())
def test_lines_that_come_often_become_the_items_that_the_first_did(
    table: Table, source: dict[str, Any], data: st.DataObject
) -> None:
    first = _item(table, source)
    for _ in range(OFTEN):
        assert _item(table, source) == first
    other = {key: data.draw(values) for key in source}
    assert _item(table, other) == _item(_anew(table), other)


beside = st.sampled_from([{}, {"total": Decimal(1)}, {"total": Decimal(2), "currency": "EUR"}])


@settings(max_examples=80)
@given(shapes(), objects, beside, st.data())
def test_events_that_come_often_are_lifted_as_the_first_was(
    shape: Shape, source: dict[str, Any], more: dict[str, Any], data: st.DataObject
) -> None:
    first = _lifted(shape, source, more)
    for _ in range(OFTEN):
        shape.lift(source, more)
    assert _lifted(shape, source, more) == first
    other = {key: data.draw(values | many_rows) for key in source}
    anew = Shape("track", "", "", (), _anew(shape.table), shape.lines)
    assert _lifted(shape, other, more) == _lifted(anew, other, more)


def _lifted(shape: Shape, source: dict[str, Any], more: dict[str, Any]) -> tuple[str, ...]:
    """Return all that an event's properties become, with its order, and with types."""
    lifted, commerce = shape.lift(source, more)
    parts = (lifted.context(), lifted.profile(), lifted.properties(), lifted.raw)
    return repr(commerce), *map(repr, parts)


def test_events_without_context_share_the_empty_one() -> None:
    shape = _shape({"context.page.url": Spelling("URL"), "commerce.coupon": Spelling("Coupon")})
    for _ in range(OFTEN):
        assert shape.lift({"Coupon": "MAY"})[0].context() is EMPTY_CONTEXT
        assert shape.lift({"URL": "/a"})[0].context(ip="::1") == Context(ip="::1", page=Page(url="/a"))


def test_events_of_any_name_share_the_functions_of_their_table() -> None:
    table = Table({"commerce.total": Spelling("Total")})
    for number in range(100):
        shape = Shape("track", f"Event {number}", f"Event {number}", (), table, None)
        shape.lift({"Total": 1}, {"currency": "EUR"})
        shape.lift({"Total": 1, f"key {number % 40}": 1})
    assert table.of_events(None).keys() == {("Total", None, "currency")}


def _item(table: Table, source: dict[str, Any]) -> tuple[str, str]:
    """Return the item of a line and its traces, with types: true is not 1."""
    raw: dict[str, Any] = {}
    return repr(table.lift_item(source, raw, "commerce.items[3]")), repr(raw)


def _anew(table: Table) -> Table:
    """Return a table of the same rows, which has met nothing yet."""
    rows: dict[str, list[str]] = {}
    for key, (_, part, field, *_) in table._by_key.items():
        rows.setdefault(f"{part}.{field}", []).append(key)
    return Table({path: Spelling(key, tuple(also)) for path, (key, *also) in rows.items()})


def test_a_function_that_gives_up_is_written_anew() -> None:
    table = Table({"commerce.coupon": Spelling("Coupon"), "commerce.total": Spelling("Total")})
    null, usual = {"Coupon": None, "Total": 1}, {"Coupon": "MAY", "Total": "1.50"}
    for _ in range(OFTEN):
        table.lift(null)
    first = table._lifters["Coupon", "Total"]
    for _ in range(2_000):
        assert table.lift(usual).parts == {"commerce": {"coupon": "MAY", "total": Decimal("1.50")}}
    assert table._lifters["Coupon", "Total"] is not first


def test_what_a_client_sent_is_no_part_of_a_program() -> None:
    hostile = "'): raise SystemExit(1) #\n"
    table = Table(
        {"commerce.total": Spelling(hostile), "properties." + hostile: Spelling("b"), "item.sku": Spelling("c")}
    )
    source = {hostile: 1, "b": 2, hostile * 2: 3, "c": None, "d\n\\": 4}
    first = _parted(table.lift(source))
    for _ in range(OFTEN):
        assert _parted(table.lift(source)) == first
    out: dict[str, Any] = {}
    table.lower("commerce", Commerce(total=Decimal(1)), {}, out, [])
    assert out == {hostile: 1}


def test_a_client_cannot_fill_the_memory_with_its_keys() -> None:
    table = Table({"commerce.total": Spelling("Total")})
    for number in range(3_000):
        for _ in range(OFTEN if number < 100 else 1):
            table.lift({"Total": 1, f"key {number}": 2})
    for _ in range(OFTEN):
        table.lift({"x" * 5_000: 1})
        table.lift({f"key {number}": 1 for number in range(100)})
    assert 0 < len(table._lifters) <= 32
    assert len(table._met) <= 1_025
    assert all(len(key) < 5_000 for keys in table._lifters for key in keys)


# --- a route has changed something -----------------------------------------------------------------------


def _shape(rows: Mapping[str, Spelling], lines: Mapping[str, Spelling] | None = None) -> Shape:
    each = None if lines is None else Lines("Items", (), Table(lines))
    return Shape("track", "Order Completed", "Placed Order", (), Table(rows), each)


ORDER: Final = _shape(
    {
        "commerce.total": Spelling("Total", ("Sum",)),
        "commerce.order_id": Spelling("OrderId"),
        "properties.color": Spelling("Colour", ("COLOR",)),
        "context.page.url": Spelling("URL"),
    },
    {"item.sku": Spelling("SKU", ("Sku",)), "item.price": Spelling("Price"), "properties.size": Spelling("Size")},
)
SENT: Final = {
    "Sum": "12.10",
    "OrderId": 7,
    "COLOR": "red",
    "URL": "/a",
    "Items": [{"Sku": 5, "Price": "1.50", "Size": "L"}],
}


def _lower(shape: Shape, raw: dict[str, Any], **parts: Any) -> tuple[dict[str, Any], list[str]]:
    event = Event(
        id="1",
        kind="track",
        name="Order Completed",
        received_at=strategies.RECEIVED,
        source=Origin(name="shop", vendor="acme", endpoint="events"),
        **parts,
    )
    return shape.lower(event, raw)


def test_what_was_spelled_unusually_has_a_canonical_value() -> None:
    lifted, commerce = ORDER.lift(SENT)
    assert commerce == Commerce(
        total=Decimal("12.10"), order_id="7", items=(Item(sku="5", price=Decimal("1.50"), properties={"size": "L"}),)
    )
    assert lifted.properties() == {"color": "red"}
    assert lifted.context() == Context(page=Page(url="/a"))


def test_a_changed_value_wins_over_the_spelling_of_the_old_one() -> None:
    lifted, _ = ORDER.lift(SENT)
    commerce = Commerce(total=Decimal(13), order_id="8", items=(Item(sku="6", price=Decimal("1.5")),))
    lowered, lost = _lower(ORDER, lifted.raw, commerce=commerce, properties={"color": "blue"})
    assert lowered == {"Total": 13, "OrderId": "8", "Colour": "blue", "Items": [{"SKU": "6", "Price": "1.50"}]}
    assert lost == []


def test_true_instead_of_one_is_a_change() -> None:
    shape = _shape({"properties.color": Spelling("Colour", ("COLOR",))})
    lifted, _ = shape.lift({"COLOR": 1})
    assert _lower(shape, lifted.raw, properties={"color": True})[0] == {"Colour": True}


def test_a_spelling_of_another_table_is_not_put_back() -> None:
    lifted, commerce = ORDER.lift({"Sum": "12.10"})
    other = _shape({"commerce.total": Spelling("Worth")})
    assert _lower(other, lifted.raw, commerce=commerce) == ({"Worth": Decimal("12.10")}, [])


# --- losses ----------------------------------------------------------------------------------------------


def test_fields_without_a_key_are_lost_by_their_canonical_path() -> None:
    commerce = Commerce(tax=Decimal(1), items=(Item(sku="A", brand="B", categories=("x",)), Item(name="N")))
    context = Context(ip="::1", page=Page(url="/a", title="T"))
    _, lost = _lower(ORDER, {}, commerce=commerce, context=context)
    assert sorted(lost) == [
        "commerce.items[0].brand",
        "commerce.items[0].categories",
        "commerce.items[1].name",
        "commerce.tax",
        "context.ip",
        "context.page.title",
    ]


def test_products_without_a_place_are_lost() -> None:
    commerce = Commerce(items=(Item(sku="A"), Item(sku="B")))
    assert _lower(_shape({}), {}, commerce=commerce) == ({}, ["commerce.items[0]", "commerce.items[1]"])


def test_more_than_one_product_does_not_fit_flat() -> None:
    shape = _shape({"item.sku": Spelling("SKU")})
    commerce = Commerce(items=(Item(sku="A", brand="B"), Item(sku="B")))
    lowered, lost = _lower(shape, {}, commerce=commerce)
    assert lowered == {"SKU": "A"}
    assert sorted(lost) == ["commerce.items[0].brand", "commerce.items[1]"]


def test_a_property_whose_key_a_field_needs_is_lost() -> None:
    item = Item(sku="A", properties={"SKU": "x", "Size": "y", "size": "z"})
    lowered, lost = _lower(
        ORDER,
        {},
        commerce=Commerce(total=Decimal(2), items=(item,)),
        properties={"Total": 1, "color": "red", "Colour": "blue"},
    )
    assert lowered == {"Total": 2, "Colour": "red", "Items": [{"SKU": "A", "Size": "z"}]}
    assert sorted(lost) == [
        "commerce.items[0].properties.SKU",
        "commerce.items[0].properties.Size",
        "properties.Colour",
        "properties.Total",
    ]


def test_a_flat_product_gives_way_to_the_event() -> None:
    shape = _shape({"item.sku": Spelling("SKU"), "commerce.total": Spelling("Total")})
    commerce = Commerce(total=Decimal(2), items=(Item(sku="A", properties={"SKU": 1, "Total": 1, "glaze": "blue"}),))
    lowered, lost = _lower(shape, {}, commerce=commerce)
    assert lowered == {"SKU": "A", "Total": 2, "glaze": "blue"}
    assert sorted(lost) == ["commerce.items[0].properties.SKU", "commerce.items[0].properties.Total"]


@given(shapes(), strategies.events)
def test_every_leaf_of_any_event_goes_across_or_is_lost(shape: Shape, event: Event) -> None:
    lowered, lost = shape.lower(event, {})
    taken = [
        path
        for path in _paths(event)
        if not any(path == name or path.startswith((name + ".", name + "[")) for name in lost)
    ]
    assert len(taken) == _count(shape, lowered)


def _paths(event: Event) -> list[str]:
    """Return what a shape is to write: fields, and free values as wholes."""
    paths = [f"properties.{name}" for name in event.properties]
    commerce, context = event.commerce or Commerce(), event.context
    paths += [f"commerce.{field}" for field in FIELDS["commerce"] if getattr(commerce, field) is not None]
    for index, item in enumerate(commerce.items):
        at = f"commerce.items[{index}]"
        paths += [f"{at}.{field}" for field in FIELDS["item"] if getattr(item, field) not in (None, ())]
        paths += [f"{at}.properties.{name}" for name in item.properties]
    for part in ("context", "context.device", "context.app", "context.page", "context.campaign"):
        value = getattr(context, part[8:]) if part[8:] else context
        paths += [f"{part}.{field}" for field in FIELDS[part] if getattr(value, field, None) is not None]
    return paths


def _count(shape: Shape, lowered: dict[str, Any]) -> int:
    products = lowered.get("Items") if shape.lines and "Items" in lowered else None
    if not isinstance(products, list) or not all(isinstance(row, dict) for row in products):
        return len(lowered)
    return len(lowered) - 1 + sum(map(len, products))


# --- lines and flat products -----------------------------------------------------------------------------

BOTH: Final = _shape({"item.sku": Spelling("AddedSKU")}, {"item.sku": Spelling("SKU")})


@pytest.mark.parametrize(
    ("source", "skus"),
    [
        ({"AddedSKU": "A"}, ["A"]),
        ({"Items": [{"SKU": "A"}]}, ["A"]),
        ({"AddedSKU": "B", "Items": [{"SKU": "A"}]}, ["A", "B"]),
        ({"AddedSKU": "C", "Items": [{"SKU": "A"}, {"SKU": "B"}]}, ["A", "B", "C"]),
        ({"Items": []}, []),
        ({"Items": [{"SKU": "A"}, 1]}, []),
        ({"Items": "none"}, []),
    ],
)
def test_products_stay_where_they_stood(source: dict[str, Any], skus: list[str]) -> None:
    lifted, commerce = BOTH.lift(source)
    assert [item.sku for item in commerce.items] == skus if commerce else not skus
    assert _lower(BOTH, lifted.raw, commerce=commerce, properties=lifted.properties()) == (source, [])


def test_a_foreign_event_with_one_product_has_it_flat() -> None:
    assert _lower(BOTH, {}, commerce=Commerce(items=(Item(sku="A"),)))[0] == {"AddedSKU": "A"}


def test_a_foreign_event_with_several_products_has_lines() -> None:
    items = (Item(sku="A"), Item(sku="B"))
    assert _lower(BOTH, {}, commerce=Commerce(items=items))[0] == {"Items": [{"SKU": "A"}, {"SKU": "B"}]}


def test_a_route_may_take_products_away() -> None:
    lifted, commerce = BOTH.lift({"AddedSKU": "B", "Items": [{"SKU": "A"}]})
    assert commerce is not None
    assert _lower(BOTH, lifted.raw, commerce=Commerce(items=commerce.items[:1]))[0] == {"Items": [{"SKU": "A"}]}


# --- files -----------------------------------------------------------------------------------------------

FILE: Final = """\
vendor: acme
tables:
  order:
    commerce.total: {as: Total, also: [Sum]}
    properties.color: Colour
  line: {item.sku: SKU}
always: [order]
lines: {at: Items, each: line}
events:
  Order Completed: {as: Placed Order, also: [Order Placed]}
  Home: {as: Landing, kind: page, lines: false}
  Product Viewed: Viewed
"""


def _read(tmp_path: Path, text: str) -> Vocabulary:
    path = tmp_path / "acme.yaml"
    path.write_text(text, "utf-8")
    return read_vocabulary(path)


def _problems(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, text)
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_names_go_both_ways(tmp_path: Path) -> None:
    names = _read(tmp_path, FILE)
    for spelling in ("Placed Order", "Order Placed"):
        assert (names.decode(spelling).kind, names.decode(spelling).name) == ("track", "Order Completed")
    event = Event(
        id="1",
        kind="track",
        name="Order Completed",
        received_at=strategies.RECEIVED,
        source=Origin(name="shop", vendor="other", endpoint="events"),
    )
    assert names.encode(event).vendor_name == "Placed Order"


@given(strategies.texts)
def test_a_name_the_vendor_made_up_stays(name: str) -> None:
    names = load_vocabulary("acme", "gateway.scaffold.acme")
    shape = names.decode(name)
    assert shape.name in (name, *(known.name for known in names.shapes()))


def test_names_that_nobody_knows_do_not_fill_the_memory(tmp_path: Path) -> None:
    names = _read(tmp_path, FILE)
    for number in range(3_000):
        assert names.decode(f"Danced {number}").name == f"Danced {number}"
    assert names.decode("x" * 5_000).vendor_name == "x" * 5_000
    assert len(names._others) <= 1_024
    assert all(len(name) < 5_000 for _, name in names._others)


def test_an_unknown_name_of_a_known_kind_takes_the_shape_of_its_kind(tmp_path: Path) -> None:
    names = _read(tmp_path, FILE)
    event = Event(
        id="1",
        kind="page",
        name="Pricing",
        received_at=strategies.RECEIVED,
        source=Origin(name="shop", vendor="other", endpoint="events"),
    )
    assert names.encode(event).vendor_name == "Landing"


def test_unknown_events_have_the_usual_fields_and_lines(tmp_path: Path) -> None:
    lifted, commerce = _read(tmp_path, FILE).decode("Danced").lift({"Sum": 3, "Items": [{"SKU": "A"}]})
    assert commerce == Commerce(total=Decimal(3), items=(Item(sku="A"),))
    assert lifted.rest == {}


def test_of_two_tables_with_one_key_the_first_holds(tmp_path: Path) -> None:
    names = _read(tmp_path, FILE.replace("  line:", "  other: {commerce.tax: Total, commerce.coupon: Code}\n  line:"))
    assert dict(names.table("order", "other").paths()) == {
        "commerce.total": "Total",
        "properties.color": "Colour",
        "commerce.coupon": "Code",
    }


MISTAKES: Final = [
    ("commerce.total", "commerce.totals", 4, "'commerce.totals' is no field of the canonical event"),
    ("properties.color: Colour", "commerce.tax: Sum", 5, "'Sum' already stands for 'commerce.total'"),
    ("line: {item.sku: SKU}", "line: {commerce.tax: SKU}", 6, "a table of product lines can name"),
    ("[order]", "[orders]", 7, "there is no table 'orders'"),
    ("each: line", "each: lines", 8, "there is no table 'lines'"),
    (
        "Product Viewed: Viewed",
        "Product Viewed: Order Placed",
        12,
        "'Order Placed' already stands for 'Order Completed'",
    ),
    ("kind: page", "kind: buy", 11, "'buy'"),
    ("at: Items", "at: Sum", 8, "'Sum' already stands for 'commerce.total'"),
    ("lines: false", "lines: {at: Colour, each: line}", 11, "'Colour' already stands for 'properties.color'"),
    ("lines: false", "tables: [nope]", 11, "there is no table 'nope'"),
    ("always", "allways", 7, "did you mean 'always'?"),
    ("Product Viewed: Viewed", "Order Completed: Viewed", 12, "'Order Completed' stands here twice"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "message"), MISTAKES, ids=[row[1] for row in MISTAKES])
def test_mistakes_are_told_with_their_line(tmp_path: Path, right: str, wrong: str, line: int, message: str) -> None:
    found = _problems(tmp_path, FILE.replace(right, wrong, 1))
    assert [at for at, text in found if message in text] == [line], found


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    wrong = FILE.replace("commerce.total", "commerce.totals").replace("[order]", "[orders]")
    assert [line for line, _ in _problems(tmp_path, wrong)] == [4, 7]


def test_a_missing_file_says_which() -> None:
    with pytest.raises(ConfigError, match="nobody"):
        load_vocabulary("nobody")
