"""Klaviyo's limits on what comes in: the value itself is taken, one more is refused, and the pointer is right."""

from typing import Any

import pytest

from adapters.klaviyo import ADAPTER, limits
from adapters.klaviyo.tests.world import decode, flat, one, pointer, profile, wrapped
from gateway.adapter import Limit, Window

AT = "/data/attributes"
WHO = {"email": "nora@example.com"}


def _nested(levels: int) -> dict[str, Any]:
    tree: Any = "leaf"
    for _ in range(levels):
        tree = {"a": tree}
    assert isinstance(tree, dict)
    return tree


LAST_GOOD_AND_FIRST_BAD = [
    ({"metric": "m" * 127}, {"metric": "m" * 128}, f"{AT}/metric/data/attributes/name"),
    ({"metric": "m"}, {"metric": ""}, f"{AT}/metric/data/attributes/name"),
    (
        {"properties": dict.fromkeys(map(str, range(400)))},
        {"properties": dict.fromkeys(map(str, range(401)))},
        f"{AT}/properties",
    ),
    ({"properties": {"a": [0] * 4000}}, {"properties": {"a": [0] * 4001}}, f"{AT}/properties"),
    ({"properties": {"a": "x" * 102_400}}, {"properties": {"a": "x" * 102_401}}, f"{AT}/properties"),
    ({"properties": {"a": "é" * 51_200}}, {"properties": {"a": "é" * 51_201}}, f"{AT}/properties"),
    ({"properties": _nested(11)}, {"properties": _nested(12)}, f"{AT}/properties"),
    ({"properties": {"a": [[1]]}}, {"properties": [1]}, f"{AT}/properties"),
    ({"value": 0}, {"value": "much"}, f"{AT}/value"),
    ({"value": 1.5}, {"value": True}, f"{AT}/value"),
    ({"value": "1.5"}, {"value": {}}, f"{AT}/value"),
    ({"value_currency": "USD"}, {"value_currency": 5}, f"{AT}/value_currency"),
    ({"unique_id": 5}, {"unique_id": 5.5}, f"{AT}/unique_id"),
    ({"backfill": True}, {"backfill": "yes"}, f"{AT}/backfill"),
    (
        {"profile": {**WHO, "phone_number": "+15005550142"}},
        {"profile": {**WHO, "phone_number": "15005550142"}},
        f"{AT}/profile/data/attributes/phone_number",
    ),
    (
        {"profile": {"email": "a.b+c@example.co.uk"}},
        {"profile": {"email": "a@b@example.com"}},
        f"{AT}/profile/data/attributes/email",
    ),
    (
        {"profile": {**WHO, "properties": {"a": [0] * 4000}}},
        {"profile": {**WHO, "properties": {"a": [0] * 4001}}},
        f"{AT}/profile/data/attributes/properties",
    ),
    (
        {"profile": {**WHO, "location": {"latitude": "59.9"}}},
        {"profile": {**WHO, "location": {"latitude": {}}}},
        f"{AT}/profile/data/attributes/location/latitude",
    ),
    (
        {"profile": {**WHO, "location": {}}},
        {"profile": {**WHO, "location": "x"}},
        f"{AT}/profile/data/attributes/location",
    ),
    ({"profile": {"_kx": "k"}}, {"profile": {"_kx": ""}}, f"{AT}/profile/data/attributes"),
    ({"profile": {"anonymous_id": "a"}}, {"profile": {}}, f"{AT}/profile/data/attributes"),
    ({"data": {"id": "01J"}}, {"data": {"id": 1}}, f"{AT}/profile/data/id"),
    ({"data": {"meta": {}}}, {"data": {"meta": 1}}, f"{AT}/profile/data/meta"),
]


@pytest.mark.parametrize(("good", "bad", "at"), LAST_GOOD_AND_FIRST_BAD)
def test_last_good_and_first_bad(good: dict[str, Any], bad: dict[str, Any], at: str) -> None:
    """A limit holds on both sides of its value."""
    assert decode("events", wrapped(**good)).reply.status == 202
    assert pointer("events", wrapped(**bad)) == at


def test_missing_and_mistyped_members_are_named() -> None:
    """The pointer says what is absent."""
    for name in ("metric", "profile"):
        body = wrapped()
        del body["data"]["attributes"][name]
        assert pointer("events", body) == f"{AT}/{name}"
    assert pointer("events", {}) == "/data"
    assert pointer("events", {"data": {"type": "event"}}) == AT
    assert pointer("events", {**wrapped(), "data": {**wrapped()["data"], "type": "profile"}}) == "/data/type"
    assert pointer("events", []) == "/data"


def test_properties_may_be_absent() -> None:
    """The schema asks for them, the gateway does not insist."""
    body = wrapped()
    del body["data"]["attributes"]["properties"]
    assert one("events", body).properties == {}


def test_flat_pointers() -> None:
    """Flat bodies have pointers of their own."""
    assert pointer("events", flat(metric="m" * 128)) == f"{AT}/metric/name"
    assert pointer("events", flat(profile={"$email": "x"})) == f"{AT}/profile/$email"
    assert pointer("events", flat(profile={"$email": "a@b.example", "$city": {}})) == f"{AT}/profile/$city"
    assert pointer("events", flat(time=5)) == f"{AT}/time"


def test_all_strings_of_a_profile_count_together() -> None:
    """Each below the limit, together above it."""
    properties = {str(i): "x" * 60_000 for i in range(2)}
    assert pointer("events", wrapped(profile={**WHO, "properties": properties})) == f"{AT}/profile/data/attributes"
    jobs = {"data": {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": []}}}}
    jobs["data"]["attributes"]["profiles"]["data"] = [profile(email="a@b.example", properties=properties)["data"]]  # type: ignore[index]  # a nested literal
    assert pointer("profile-bulk-import-jobs", jobs) == "/data/attributes/profiles/data/0"


def test_every_number_says_what_it_is() -> None:
    """Unit, source and the day it was read."""
    numbers = [value for value in vars(limits).values() if isinstance(value, (Limit, Window))]
    windows = [window for value in vars(limits).values() if isinstance(value, tuple) for window in value]
    assert len(numbers) > 15
    for number in (*numbers, *windows):
        assert number.source.startswith("https://")
        assert number.read == ADAPTER.read
        assert number.unit
