"""Canonical events of any origin as Klaviyo takes them, and what is said about the rest."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.klaviyo import ADAPTER, limits
from adapters.klaviyo.encode import error_code, guilty
from adapters.klaviyo.tests.world import OUTBOUND, RECEIVED, SETTINGS, encode, lost, sent
from gateway.adapter import Answer, Encoded, EncodeError, Verdict
from gateway.event import (
    App,
    Commerce,
    ConsentChange,
    Context,
    Event,
    Item,
    Location,
    Origin,
    Page,
    Profile,
    dump,
    load,
)

PAYLOADS = Path(__file__).parent / "payloads"
AT = datetime(2026, 11, 20, 8, 30, 15, tzinfo=UTC)
NORA = Profile(email="nora@example.com", user_id="c-1")


def _event(**fields: Any) -> Event:
    """Return an event as another vendor's adapter would make it."""
    usual: dict[str, Any] = {
        "id": "01900000-0000-7000-8000-000000000001",
        "kind": "track",
        "name": "Trial Started",
        "received_at": RECEIVED,
        "source": Origin(name="shop", vendor="elsewhere", endpoint="events"),
        "occurred_at": AT,
        "profile": NORA,
    }
    return Event(**{**usual, **fields})


ORDER = _event(
    name="Order Completed",
    dedupe_key="SO-1",
    profile=Profile(
        email="nora@example.com",
        phone="+15005550142",
        user_id="c-1",
        anonymous_id="a-1",
        device_id="d-1",
        first_name="Nora",
        gender="female",
        birth_date="1990-05-01",
        locale="en-GB",
        timezone="Europe/Oslo",
        location=Location(city="Bergen", postal_code="5003", latitude=60.39),
        traits={"plan": "pro"},
    ),
    commerce=Commerce(
        order_id="SO-1",
        total=Decimal("80.90"),
        tax=Decimal("12.10"),
        shipping=Decimal("6.9"),
        discount=Decimal(5),
        coupon="WELCOME5",
        currency="EUR",
        items=(
            Item(
                product_id="7",
                sku="M-1",
                name="Mug",
                quantity=Decimal(2),
                price=Decimal("18.50"),
                properties={"RowTotal": 37},
            ),
            Item(sku="K-2", categories=("Kitchen", "Outdoor"), price=Decimal("42.00")),
        ),
    ),
    context=Context(
        ip="203.0.113.9",
        user_agent="Mozilla/5.0",
        app=App(name="Shop", version="4.2"),
        page=Page(url="https://shop.example.com/thanks"),
    ),
    properties={"gift": True},
)

CASES = {
    "out_order": ("events", (ORDER,)),
    "out_identify": (
        "profile-import",
        (_event(kind="identify", name="Identify", occurred_at=None, profile=ORDER.profile),),
    ),
    "out_bulk": ("event-bulk-create-jobs", (ORDER, _event(occurred_at=None), _event(kind="page", name="Home"))),
}


@pytest.mark.parametrize("case", CASES)
def test_requests_are_as_reviewed(case: str) -> None:
    """Byte for byte but for spaces."""
    endpoint, events = CASES[case]
    (encoded,) = encode(endpoint, *events)
    reviewed = json.loads((PAYLOADS / f"{case}.request.json").read_text("utf-8"))
    assert json.loads(encoded.body) == reviewed["body"]
    assert OUTBOUND[endpoint].path == reviewed["path"]
    assert OUTBOUND[endpoint].headers(SETTINGS.credentials) == reviewed["headers"]


def test_money_is_written_with_its_digits() -> None:
    """80.90 is not 80.9 to an accountant."""
    (encoded,) = encode("events", ORDER)
    assert b'"value":80.90' in encoded.body
    assert b'"Tax":12.10' in encoded.body


def test_time_and_key_are_always_there() -> None:
    """The time of receipt when the client gave none, and the event's id as the key."""
    attributes = sent("events", _event(occurred_at=None))["data"]["attributes"]
    assert attributes["time"] == "2026-11-21T12:00:00+00:00"
    assert attributes["unique_id"] == "01900000-0000-7000-8000-000000000001"


def test_fractions_of_a_second_are_reported() -> None:
    """Klaviyo keeps whole seconds."""
    event = _event(occurred_at=AT.replace(microsecond=500))
    assert sent("events", event)["data"]["attributes"]["time"] == "2026-11-20T08:30:15+00:00"
    assert lost("events", event)["occurred_at"] == ("coerced", "time")


def test_nothing_is_said_of_what_goes_across() -> None:
    """An order without anything odd has no losses."""
    assert lost("events", ORDER) == {}


@pytest.mark.parametrize("phone", ["0500 555 0142", "15005550142", "+1", "+1500555014212345"])
def test_phone_outside_e164_is_kept_as_a_property(phone: str) -> None:
    """Klaviyo would refuse the whole event."""
    event = _event(profile=Profile(email="nora@example.com", phone=phone))
    attributes = sent("events", event)["data"]["attributes"]["profile"]["data"]["attributes"]
    assert "phone_number" not in attributes
    assert attributes["properties"] == {"Phone Number": phone}
    assert lost("events", event)["profile.phone"] == ("renamed", "profile.properties.Phone Number")


def test_refused_identifiers_do_not_take_a_property_that_is_there() -> None:
    """What is already called so stays."""
    event = _event(profile=Profile(user_id="c-1", email="nora", traits={"Email Address": "x"}))
    assert lost("events", event)["profile.email"] == ("dropped", None)
    assert sent("events", event)["data"]["attributes"]["profile"]["data"]["attributes"]["properties"] == {
        "Email Address": "x"
    }


@pytest.mark.parametrize(
    "profile",
    [
        Profile(),
        Profile(first_name="Nora"),
        Profile(phone="12"),
        Profile(email="nora"),
        Profile(device_id="d-1"),
        Profile(user_id="x" * 256),
        Profile(vendor_ids={"blueshift": "1"}),
        Profile(anonymous_id=""),
    ],
)
def test_nobody_cannot_be_sent(profile: Profile) -> None:
    """Alone or in a batch, so that the core finds the guilty one."""
    for endpoint in ("events", "event-bulk-create-jobs"):
        with pytest.raises(EncodeError, match="identifier"):
            encode(endpoint, _event(), _event(profile=profile))


def test_anonymous_people_are_no_profiles() -> None:
    """Events may be about them."""
    anonymous = Profile(anonymous_id="a-1")
    assert sent("events", _event(profile=anonymous))["data"]["attributes"]["profile"]["data"]["attributes"] == {
        "anonymous_id": "a-1"
    }
    with pytest.raises(EncodeError, match="identifier"):
        encode("profile-import", _event(kind="identify", name="Identify", profile=anonymous))


def test_impossible_events_are_not_sent() -> None:
    """No name, a time out of the window, too many bytes."""
    with pytest.raises(EncodeError, match="name"):
        encode("events", _event(name=""))
    with pytest.raises(EncodeError, match="1989"):
        encode("events", _event(occurred_at=datetime(1989, 1, 1, tzinfo=UTC)))
    heavy = {str(i): "x" * 99_000 for i in range(60)}
    for endpoint in ("events", "event-bulk-create-jobs"):
        with pytest.raises(EncodeError, match="bytes"):
            encode(endpoint, _event(properties=heavy))
    with pytest.raises(EncodeError, match="bytes"):
        encode("profile-import", _event(kind="identify", profile=Profile(email="a@b.example", traits=heavy)))


def test_long_names_and_large_properties_are_cut_and_reported() -> None:
    """Each within its limit, each with its path."""
    deep: Any = "x"
    for _ in range(15):
        deep = {"a": deep}
    event = _event(
        name="n" * 200,
        properties={"long": "é" * 60_000, "many": list(range(5000)), "deep": deep, **{str(i): i for i in range(500)}},
    )
    attributes = sent("events", event)["data"]["attributes"]
    assert len(attributes["metric"]["data"]["attributes"]["name"]) == 127
    assert len(attributes["properties"]) == 400
    assert len(attributes["properties"]["long"].encode()) <= 100_000
    assert len(attributes["properties"]["many"]) == 4000
    reported = lost("events", event)
    assert reported["name"] == ("coerced", "metric.name")
    assert reported["properties.long"][0] == "coerced"
    assert reported["properties.many"][0] == "coerced"
    assert any(path.startswith("properties.deep") for path in reported)
    assert reported["properties.499"] == ("dropped", None)


def test_consent_is_reported() -> None:
    """Klaviyo has subscription calls for it."""
    event = _event(consent=(ConsentChange(granted=True, channel="email"),))
    assert set(lost("events", event)) == {"consent[0].granted", "consent[0].channel"}


def test_what_has_no_field_is_reported() -> None:
    """Ids of other vendors, push tokens, residue."""
    event = _event(
        profile=Profile(email="a@b.example", vendor_ids={"blueshift": "1"}, push_tokens=("t",)),
        residue={"blueshift": {"raw": {"x": ["y", 1]}, "cookie": "c", "deep": {"a": 1}}},
    )
    assert set(lost("events", event)) == {
        "profile.vendor_ids.blueshift",
        "profile.push_tokens[0]",
        "residue.blueshift.cookie",
        "residue.blueshift.deep.a",
    }


def test_page_and_screen_keep_their_names() -> None:
    """Among the properties, since the metric has its own."""
    for kind, metric, key in (("page", "Active on Site", "Page Name"), ("screen", "Viewed Screen", "Screen Name")):
        event = _event(kind=kind, name="Home")
        attributes = sent("events", event)["data"]["attributes"]
        assert attributes["metric"]["data"]["attributes"]["name"] == metric
        assert attributes["properties"] == {key: "Home"}
        assert lost("events", event)["name"] == ("renamed", f"properties.{key}")


def test_group_is_an_event_and_alias_is_nothing() -> None:
    """A group is recorded; merging two people has no event."""
    assert lost("events", _event(kind="group", name="Group"))["kind"][0] == "coerced"
    assert all("alias" not in out.kinds for out in ADAPTER.outbound)


def test_identify_says_what_it_cannot_carry() -> None:
    """No time, no key, no commerce; properties become the profile's."""
    event = _event(
        kind="identify",
        name="Signed Up",
        dedupe_key="k",
        properties={"plan": "pro", "tier": 1},
        profile=Profile(email="a@b.example", traits={"plan": "free"}),
        commerce=Commerce(total=Decimal(1)),
        context=Context(ip="203.0.113.9", locale="en"),
    )
    attributes = sent("profile-import", event)["data"]["attributes"]
    assert attributes["properties"] == {"plan": "free", "tier": 1}
    assert attributes["location"] == {"ip": "203.0.113.9"}
    assert lost("profile-import", event) == {
        "name": ("dropped", None),
        "occurred_at": ("dropped", None),
        "dedupe_key": ("dropped", None),
        "properties.plan": ("dropped", None),
        "properties.tier": ("renamed", "profile.properties.tier"),
        "commerce.total": ("dropped", None),
        "context.locale": ("dropped", None),
    }


def test_a_field_wins_over_a_property_of_its_name() -> None:
    """And the property is reported."""
    event = _event(
        commerce=Commerce(order_id="1"),
        profile=Profile(email="a@b.example", device_id="d", gender="f", traits={"Gender": "x"}),
        properties={"OrderId": "2", "Device ID": "e"},
    )
    assert set(lost("events", event)) == {"properties.OrderId", "properties.Device ID", "profile.traits.Gender"}
    assert sent("events", event)["data"]["attributes"]["properties"] == {"OrderId": "1", "Device ID": "d"}


def test_one_event_stays_one_event() -> None:
    """No Ordered Product events are made up beside an order."""
    assert len(encode("events", ORDER)) == 1


# --- bulk ------------------------------------------------------------------------------------------------


def _numbered(count: int, **fields: Any) -> list[Event]:
    return [_event(id=f"01900000-0000-7000-8000-{i:012x}", **fields) for i in range(count)]


def test_bulk_keeps_to_its_limits() -> None:
    """A thousand events and less than 5 MB, in order, none left out."""
    for events in (_numbered(2001), _numbered(130, properties={"a": "x" * 99_000})):
        requests = encode("event-bulk-create-jobs", *events)
        assert [index for request in requests for index in request.events] == list(range(len(events)))
        assert all(len(request.body) <= limits.BODY_SENT.value for request in requests)
        assert all(len(request.events) <= limits.BULK_EVENTS.value for request in requests)
    assert len(encode("event-bulk-create-jobs", *_numbered(2001))) == 3


def test_bulk_has_one_event_in_each_group() -> None:
    """So that an error's index is the event's position."""
    body = json.loads(encode("event-bulk-create-jobs", *_numbered(3))[0].body)
    groups = body["data"]["attributes"]["events-bulk-create"]["data"]
    assert [len(group["attributes"]["events"]["data"]) for group in groups] == [1, 1, 1]


def test_bulk_never_repeats_a_key() -> None:
    """In one request Klaviyo would refuse them all; a new request takes it."""
    events = [
        _event(dedupe_key="k"),
        _event(dedupe_key="other"),
        _event(dedupe_key="k", profile=Profile(user_id="c-1")),
    ]
    assert [request.events for request in encode("event-bulk-create-jobs", *events)] == [(0, 1), (2,)]
    others = [
        _event(dedupe_key="k"),
        _event(dedupe_key="k", name="Else"),
        _event(dedupe_key="k", profile=Profile(user_id="c-2")),
    ]
    assert [request.events for request in encode("event-bulk-create-jobs", *others)] == [(0, 1, 2)]


def test_losses_name_the_event_of_the_batch() -> None:
    """By its index among those given."""
    events = [
        _event(dedupe_key="k", name="n" * 100),
        _event(dedupe_key="k", name="n" * 200),
        _event(dedupe_key="k", name="n" * 200),
    ]
    (first, second) = encode("event-bulk-create-jobs", *events)
    assert [(loss.event, loss.path) for loss in first.lost] == [(1, "name")]
    assert [(loss.event, loss.path) for loss in second.lost] == [(2, "name")]


def test_encoding_is_the_same_at_every_try() -> None:
    """Also after the log has kept the events."""
    events = [ORDER, _event(kind="page", name="Home")]
    stored = [load(dump(event)) for event in events]
    assert encode("event-bulk-create-jobs", *events) == encode("event-bulk-create-jobs", *stored)


def test_bulk_pays_before_single_events() -> None:
    """In this order the core asks."""
    assert [out.name for out in ADAPTER.outbound] == ["event-bulk-create-jobs", "events", "profile-import"]
    assert OUTBOUND["event-bulk-create-jobs"].pays_from == 24


# --- answers ---------------------------------------------------------------------------------------------


def _answer(status: int, body: Any) -> Answer:
    return Answer(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def _carrying(count: int) -> Encoded:
    return Encoded(events=tuple(range(10, 10 + count)), body=b"")


def test_the_guilty_are_those_the_pointers_name() -> None:
    """By position in the request; a pointer to the whole names nobody."""
    at = "/data/attributes/events-bulk-create/data"
    pointers = [f"{at}/1/attributes/profile/data/attributes/email", f"{at}/7/attributes", f"{at}/1", "/data", None]
    body = {
        "errors": [{"code": "invalid", "detail": f"no {i}", "source": {"pointer": p}} for i, p in enumerate(pointers)]
    }
    assert guilty(_answer(400, body), _carrying(3)) == {1: "no 0"}


ODD_ANSWERS = [
    *(b"", b"<html>challenge</html>", b"[]", b'{"errors":5}', b'{"errors":[5]}', b'{"errors":[{}]}', b"\xff"),
    *(b"[" * 99_999, b'{"errors":[{"source":7,"code":8}]}'),
]


@pytest.mark.parametrize("body", ODD_ANSWERS, ids=range(len(ODD_ANSWERS)))
def test_any_answer_is_understood(body: bytes) -> None:
    """The edge speaks HTML."""
    assert error_code(_answer(403, body)) is None
    assert guilty(_answer(400, body), _carrying(1)) == {}


def test_error_code_is_the_first() -> None:
    """As the rules have it."""
    assert error_code(_answer(409, {"errors": [{"code": "duplicate_profile"}, {"code": "x"}]})) == "duplicate_profile"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (400, Verdict.REJECT),
        (401, Verdict.HOLD),
        (403, Verdict.HOLD),
        (410, Verdict.HOLD),
        (413, Verdict.SPLIT),
        (429, Verdict.THROTTLE),
        (500, Verdict.RETRY),
        (503, Verdict.RETRY),
        (524, Verdict.RETRY),
    ],
)
def test_rules(status: int, verdict: Verdict) -> None:
    """The first rule that fits."""
    for out in ADAPTER.outbound:
        rule = next(r for r in out.rules if (status in r.status if isinstance(r.status, range) else status == r.status))
        assert rule.verdict is verdict


def test_headers_carry_the_newest_revision() -> None:
    """And the JSON:API media type both ways."""
    headers = OUTBOUND["events"].headers(SETTINGS.credentials)
    assert headers == {
        "Authorization": "Klaviyo-API-Key pk_0123456789abcdef0123456789abcdef01",
        "revision": "2026-07-15",
        "Content-Type": "application/vnd.api+json",
        "Accept": "application/vnd.api+json",
    }


def test_events_are_not_changed_by_encoding() -> None:
    """Neither their properties nor their residue."""
    event = _event(
        properties={"a": {"b": 1}},
        residue={"klaviyo": {"rest": {"data": {"attributes": {"profile": {"data": {"meta": {"x": 1}}}}}}}},
    )
    before = msgspec.json.encode(event)
    for endpoint in ("events", "event-bulk-create-jobs"):
        encode(endpoint, event)
    assert msgspec.json.encode(event) == before
