"""A request as a tree: every value of it once, and the request anew with one of them changed."""

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.payload import Payload, leaves

names = st.text("abc_.$ ", min_size=1, max_size=5)
scalars = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text('xyz {["1:,', max_size=6)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


def paths(payload: Payload) -> dict[str, Any]:
    return {leaf.path: leaf.value for leaf in payload.leaves()}


def test_every_value_of_a_body_is_a_leaf() -> None:
    body = {"a": [1, {"b": "x", "c": None}], "d": {}, "e": [], "f": 1.50}
    expected = {"a[0]": 1, "a[1].b": "x", "a[1].c": None, "d": {}, "e": [], "f": 1.5}
    assert paths(Payload(json.dumps(body).encode())) == expected


@given(trees.filter(lambda tree: tree is not None))
def test_a_body_is_written_as_it_was_read(tree: Any) -> None:
    assert json.loads(Payload(json.dumps(tree).encode()).body) == tree


@given(trees.filter(lambda tree: tree is not None), st.data())
def test_a_change_changes_one_leaf(tree: Any, data: st.DataObject) -> None:
    payload = Payload(json.dumps(tree).encode())
    leaf = data.draw(st.sampled_from(payload.leaves()))
    again = Payload(payload.changed(leaf.steps, "changed").body)
    before = [(one.steps, one.value) for one in payload.leaves()]
    after = [(one.steps, one.value) for one in again.leaves()]
    assert after == [(steps, "changed" if steps == leaf.steps else value) for steps, value in before]


def test_json_within_a_text_is_looked_into() -> None:
    payload = Payload(json.dumps({"params": [{"name": "items", "value": '[{"id":"7","n":[1,2]}]'}]}).encode())
    assert list(paths(payload)) == [
        "params[0].name",
        "params[0].value[0].id",
        "params[0].value[0].n[0]",
        "params[0].value[0].n[1]",
    ]
    changed = payload.changed(payload.leaves()[1].steps, "8")
    assert json.loads(json.loads(changed.body)["params"][0]["value"])[0]["id"] == "8"


@pytest.mark.parametrize("text", ["{", "[1", "{}", "[]", "{a}", "eyJ", "Wyyy", "ewww", "2024", '"x"'])
def test_a_text_that_holds_no_object_is_a_leaf(text: str) -> None:
    assert paths(Payload(json.dumps({"a": text}).encode())) == {"a": text}


def test_base64_in_a_query_is_looked_into() -> None:
    event = {"event": "Bought", "properties": {"$value": 5}}
    query = "data=" + quote(base64.b64encode(json.dumps(event).encode()).decode(), safe="") + "&test=1"
    payload = Payload(b"", query)
    assert paths(payload) == {"?data.event": "Bought", "?data.properties.$value": 5, "?test": "1"}
    changed = dict(parse_qsl(payload.changed(payload.leaves()[0].steps, "Sold").query))
    assert json.loads(base64.b64decode(changed["data"]))["event"] == "Sold"


def test_a_form_is_written_as_a_form() -> None:
    payload = Payload(urlencode({"data": '{"event":"Bought"}', "api_key": "k"}).encode())
    assert paths(payload) == {"data.event": "Bought", "api_key": "k"}
    changed = payload.changed(payload.leaves()[1].steps, "l")
    assert dict(parse_qsl(changed.body.decode())) == {"data": '{"event":"Bought"}', "api_key": "l"}


def test_what_the_path_says_is_a_leaf() -> None:
    payload = Payload(b"", "", {"email": "ann@example.com"})
    assert paths(payload) == {"{email}": "ann@example.com"}
    assert payload.changed(payload.leaves()[0].steps, "bob@example.com").params == {"email": "bob@example.com"}


def test_other_bytes_are_one_leaf() -> None:
    assert paths(Payload(b"no JSON")) == {"": "no JSON"}
    assert paths(Payload(b" \n")) == {}


def test_nesting_beyond_measure_is_one_leaf() -> None:
    value: Any = 1
    for _ in range(500):
        value = [value]
    assert len(leaves(value)) == 1
