"""Whatever the bytes, only Synerise's answers come out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from adapters.synerise import ADAPTER
from adapters.synerise.tests.support import ask, custom, endpoint, errors, parsed, post, refusal, request
from gateway import event as canonical
from gateway.adapter import Refusal, RefusalKind, Rejected, Request

WRITES = ["events/custom", "events/batch", "events/added-to-cart", "transactions", "transactions/batch", "clients"]
CART = {"label": "x", "client": {"customId": "1"}}
GOOD = {"sku": "A", "quantity": 1, "finalUnitPrice": {"amount": 1, "currency": "EUR"}}


@pytest.mark.parametrize("path", [*WRITES, "clients/batch", "events/ai-compat/batch"])
@pytest.mark.parametrize(
    "body", [b"", b"{", b"nope", b"\xff", b'"text"', b"5", b"null", b"[" * 9999, b'{"a":' * 9999, b'"\\ud800"']
)
def test_a_body_that_is_none_is_400(path: str, body: bytes) -> None:
    told = refusal("POST", f"/v4/{path}", body)
    assert told.status == 400
    assert {"timestamp", "status", "error", "message", "path"} <= set(parsed(told))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_has_an_end(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    for depth, taken in ((50, True), (70, False), (900, False)):
        deep = opening * depth + b"1" + closing * depth
        body = b'{"action":"a","label":"a","client":{"customId":"1"},"params":{"x":' + deep + b"}}"
        if taken:
            assert len(post("events/custom", body).events) == 1
        else:
            assert refusal("POST", "/v4/events/custom", body).status == 400


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"label": None}, "label"),
        ({"label": ""}, "label"),
        ({"label": 5}, "label"),
        ({"client": None}, "client"),
        ({"client": []}, "client"),
        ({"client": {}}, "client"),
        ({"client": {"customId": ""}}, "client"),
        ({"client": {"customId": ["1"]}}, "client"),
        ({"client": {"id": "abc"}}, "client"),
        ({"client": {"customId": "\U0001f600"}}, "client.customId"),
        ({"client": {"uuid": "a\u00adb"}}, "client.uuid"),
        ({"client": {"uuid": "a\ufe0f"}}, "client.uuid"),
        ({"client": {"email": "nobody"}}, "client.email"),
        ({"client": {"email": "a b@example.com"}}, "client.email"),
        ({"time": "soon"}, "time"),
        ({"time": 1740824162000}, "time"),
        ({"params": []}, "params"),
        ({"params": {**GOOD, "sku": None}}, "params.sku"),
        ({"params": {**GOOD, "sku": ""}}, "params.sku"),
        ({"params": {**GOOD, "quantity": "two"}}, "params.quantity"),
        ({"params": {**GOOD, "quantity": True}}, "params.quantity"),
        ({"params": {**GOOD, "finalUnitPrice": 9.5}}, "params.finalUnitPrice"),
        ({"params": {**GOOD, "finalUnitPrice": {"amount": 9.5}}}, "params.finalUnitPrice"),
        ({"params": {**GOOD, "finalUnitPrice": {"amount": "x", "currency": "EUR"}}}, "params.finalUnitPrice"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(change: dict[str, Any], field: str) -> None:
    body = {**CART, "params": GOOD, **change}
    assert errors("events/added-to-cart", body) == [field]
    assert errors("events/batch", [custom(), {**body, "type": "added-to-cart"}]) == [f"[1].{field}"]


@pytest.mark.parametrize("action", ["", "a b", "a" * 33, "zażółć", None, 5, "a/b", "a\n"])
def test_an_action_has_rules(action: Any) -> None:
    assert errors("events/custom", {**CART, "action": action}) == ["action"]


@pytest.mark.parametrize("kind", [None, 5, "", "Custom", "page-visit", [], {}])
def test_a_type_is_one_of_those_there_are(kind: Any) -> None:
    assert errors("events/batch", [{**custom(), "type": kind}]) == ["[0].type"]


@pytest.mark.parametrize(
    ("path", "params", "fields"),
    [
        ("application-started", {}, ["applicationName", "version"]),
        ("appeared-in-location", {"lat": "north", "lon": 5}, ["lat"]),
        ("assigned-to-company", {"companyId": "x"}, ["companyId"]),
        (
            "item-search-click",
            {"correlationId": "c", "item": "i", "position": "1", "searchType": "guess"},
            ["searchType"],
        ),
    ],
)
def test_dedicated_endpoints_want_their_params(path: str, params: dict[str, Any], fields: list[str]) -> None:
    assert errors(f"events/{path}", {**CART, "params": params}) == [f"params.{field}" for field in fields]


def test_one_wrong_event_refuses_the_batch_and_all_that_is_wrong_is_told() -> None:
    assert errors("events/batch", [custom(), {}, 5, custom(label="")]) == ["[1].type", "[2]", "[3].label"]


def test_an_answer_has_an_end() -> None:
    assert len(errors("events/batch", [5] * 1000)) == 100
    told = refusal("POST", "/v4/events/custom", {**CART, "action": "x" * 100_000})
    assert len(told.body) < 1000


@pytest.mark.parametrize("declared", ["text/plain", "application/x-www-form-urlencoded", "é"])
def test_a_body_that_says_it_is_no_json_is_415(declared: str) -> None:
    asked = request("POST", "/v4/events/custom", {})
    asked.raw_headers = [(b"content-type", declared.encode("latin-1"))]
    with pytest.raises(Rejected) as caught:
        endpoint(asked).decode(asked)
    assert caught.value.reply.status == 415


@pytest.mark.parametrize("declared", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", ""])
def test_json_is_told_in_several_ways(declared: str) -> None:
    body = {**CART, "action": "a"}
    assert post("events/custom", body, headers={"Content-Type": declared}).reply.status == 202


def test_every_refusal_has_the_shape_of_its_path() -> None:
    for path, keys in (
        ("/v4/events/custom", {"timestamp", "status", "error", "message", "path"}),
        ("/sauth/v2/auth/login/client", {"timestamp", "status", "error", "message", "path", "traceId"}),
        ("/uauth/v2/auth/login/profile", {"timestamp", "status", "errorCode", "message", "path", "traceId"}),
    ):
        for kind in RefusalKind:
            told = ADAPTER.refuse(Refusal(kind), request("POST", path))
            assert set(parsed(told)) == keys
            assert parsed(told)["status"] == told.status


def test_waits_and_methods_are_told() -> None:
    asked = request("GET", "/v4/events/custom")
    throttled = ADAPTER.refuse(Refusal(RefusalKind.THROTTLED, 7), asked)
    wrong = ADAPTER.refuse(Refusal(RefusalKind.METHOD_NOT_ALLOWED, allowed=("POST",)), asked)
    assert (throttled.status, (b"Retry-After", b"7") in throttled.headers) == (429, True)
    assert (wrong.status, (b"Allow", b"POST") in wrong.headers) == (405, True)


LONG: list[tuple[str, bytes]] = [
    ("email", b'{"action":"a","label":"a","client":{"email":"' + b"a." * 250_000 + b'"}}'),
    ("quoted", b'{"action":"a","label":"a","client":{"email":"\\"' + b"a" * 500_000 + b'"}}'),
    ("domain", b'{"action":"a","label":"a","client":{"email":"a@' + b"a." * 250_000 + b'"}}'),
    ("amount", b'{"action":"a","label":"a","client":{"customId":"1"},"params":{"revenue":"' + b"1" * 500_000 + b'"}}'),
    ("keys", json.dumps({**CART, "action": "a", "params": {f"k{n}": n for n in range(60_000)}}).encode()),
    ("lines", json.dumps({**CART, "action": "cart.status", "params": {"products": [GOOD] * 10_000}}).encode()),
    ("digits", b'{"action":"a","label":"a","client":{"customId":"1"},"params":{"quantity":' + b"9" * 4000 + b"}}"),
]


@pytest.mark.parametrize("body", [body for _, body in LONG], ids=[name for name, _ in LONG])
def test_half_a_megabyte_of_one_thing_is_answered(body: bytes) -> None:
    """At once: what took the square of the time would not end here."""
    assert answered(request("POST", "/v4/events/custom", body)) in (202, 400)


def answered(asked: Request) -> int:
    """Return the status of the answer, and make sure that accepted events can be stored."""
    try:
        decoded = endpoint(asked).decode(asked)
    except Rejected as rejected:
        return rejected.reply.status
    for event in decoded.events:
        assert canonical.load(canonical.dump(event)) == event
    return decoded.reply.status


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=4)
            | st.sampled_from(
                ["client", "label", "params", "products", "email", "amount", "type", "items", "attributes"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@effort(max_examples=300, deadline=None)
@given(st.sampled_from(ADAPTER.inbound), json_values | st.lists(json_values, max_size=4), st.data())
def test_any_json_is_answered_by_every_endpoint(entry: Any, body: Any, data: st.DataObject) -> None:
    path = entry.path
    for name in ("clientId", "customId", "email", "ids", "id", "tagId", "identifierType", "value"):
        path = path.replace(f"{{{name}}}", data.draw(st.sampled_from(["5", "5,6", "x", "ß", "a@example.com"])))
    status = answered(request(entry.method, path, json.dumps(body).encode()))
    assert status in (200, 202, 207) or 400 <= status < 500


def test_a_path_that_names_nobody_is_404() -> None:
    for path in ("x", "-1", "9" * 30, "٣"):
        assert refusal("DELETE", f"/v4/clients/{path}").status == 404
    assert refusal("DELETE", "/v4/clients/by-customid/\U0001f600").status == 404
    assert ask("DELETE", "/v4/clients/by-customid/4471").reply.status == 202
