"""One test for each peculiarity of Klaviyo's that README.md lists, under the same name."""

import json
from typing import Any

import pytest

from adapters.klaviyo import ADAPTER, limits
from adapters.klaviyo.tests.world import (
    ENDPOINTS,
    ask,
    decode,
    encode,
    errors,
    flat,
    group,
    job,
    lost,
    one,
    pointer,
    refused,
    sent,
    wrapped,
)
from gateway.adapter import Refusal, RefusalKind, Rejected
from gateway.event import ConsentChange


def _revision(text: str) -> dict[str, str]:
    return {"revision": text}


def test_shape_is_sniffed() -> None:
    """A wrapped body under a flat revision, and the reverse, mean what they say."""
    assert one("events", wrapped(), headers=_revision("2023-01-24")).profile.email == "nora@example.com"
    assert one("events", flat(), headers=_revision("2026-07-15")).profile.email == "nora@example.com"


@pytest.mark.parametrize("bare", ["profile", "metric"])
def test_half_wrapped_is_refused_at_data(bare: str) -> None:
    """One part wrapped and the other bare gets the generic text at ``/data``."""
    body = wrapped()
    body["data"]["attributes"][bare] = flat()["data"]["attributes"][bare]
    (error,) = errors(refused("events", body))
    assert error["source"]["pointer"] == "/data"
    assert error["detail"] == "The payload provided in the request is invalid."


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        (None, "2026-07-15"),
        ("2026-10-15", "2026-07-15"),
        ("2024-03-09", "2024-02-15"),
        ("2024-10-15.pre", "2024-10-15"),
        ("2022-10-17", "2022-10-17"),
    ],
)
def test_revision_is_floor_matched(asked: str | None, served: str) -> None:
    """The newest revision not later than the date asked for; the newest of all when none is."""
    event = one("events", wrapped(), headers=_revision(asked) if asked else {})
    assert event.source.revision == served


@pytest.mark.parametrize("asked", ["latest", "2020-01-01", "15-10-2024", ""])
def test_impossible_revision_is_refused(asked: str) -> None:
    """What is no date, or before the API existed."""
    assert pointer("events", wrapped(), headers=_revision(asked)) == "/data"


@pytest.mark.parametrize("value", ["18.50", "-3", "0", "1e2"])
def test_value_may_be_quoted(value: str) -> None:
    """Numeric text counts as the number and comes back as text."""
    event = one("events", wrapped(value=value))
    assert event.commerce is not None
    assert str(event.commerce.total) == value.upper().replace("1E2", "1E+2")
    assert sent("events", event)["data"]["attributes"]["value"] == value


def test_money_keeps_its_digits() -> None:
    """12.10 stays 12.10, although a float would make it 12.1."""
    body = json.dumps(wrapped(value=0)).replace('"value": 0', '"value": 12.10').encode()
    event = one("events", body)
    assert event.commerce is not None
    assert str(event.commerce.total) == "12.10"
    assert b'"value":12.10' in encode("events", event)[0].body


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-02-01T09:30:00", "2025-02-01T09:30:00+00:00"),
        ("2025-02-01 09:30:00Z", "2025-02-01T09:30:00+00:00"),
        ("2025-02-01T09:30:00+0300", "2025-02-01T06:30:00+00:00"),
        ("2025-02-01T09:30:00.123Z", "2025-02-01T09:30:00.123000+00:00"),
        ("2025-02-01T09:30:00-05:00", "2025-02-01T14:30:00+00:00"),
    ],
)
def test_time_in_many_spellings(text: str, utc: str) -> None:
    """Offsets without a colon (Android), spaces, and naive times, which count as UTC."""
    moment = one("events", wrapped(time=text)).occurred_at
    assert moment is not None
    assert moment.isoformat() == utc


@pytest.mark.parametrize(
    "time", [1738402200, 1738402200.5, "1738402200", "2025-02-01", "2025-02-30T00:00:00", "", True]
)
def test_unix_time_is_refused(time: Any) -> None:
    """Numbers, dates without a time and days that never were."""
    assert pointer("events", wrapped(time=time)) == "/data/attributes/time"


@pytest.mark.parametrize("time", ["1989-12-31T23:59:59Z", "2027-12-01T00:00:00Z"])
def test_time_window(time: str) -> None:
    """From 1990 to a year from now."""
    assert pointer("events", wrapped(time=time)) == "/data/attributes/time"


def test_empty_identifiers_count_as_none() -> None:
    """iOS sends an empty anonymous_id, Shopware an empty id; both come back empty."""
    body = wrapped(profile={"email": "nora@example.com", "anonymous_id": ""}, data={"id": ""})
    event = one("events", body)
    assert event.profile.anonymous_id is None
    assert event.profile.vendor_ids == {}
    back = sent("events", event)["data"]["attributes"]["profile"]["data"]
    assert (back["id"], back["attributes"]["anonymous_id"]) == ("", "")


def test_email_pointer_is_for_emails_only() -> None:
    """iOS forgets the address when a pointer names it, so nothing else may."""
    at = "/data/attributes/profile/data/attributes"
    assert pointer("events", wrapped(profile={"email": "not-an-email"})) == f"{at}/email"
    assert (
        pointer("events", wrapped(profile={"email": "a@b.example", "phone_number": "0500 55501"}))
        == f"{at}/phone_number"
    )
    assert pointer("events", wrapped(profile={"email": ["a@b.example"]})) == f"{at}/email"
    deep: Any = "x"
    for _ in range(12):
        deep = {"attributes": {"email": deep}}
    assert pointer("events", wrapped(profile={"email": "a@b.example", "properties": deep})) == f"{at}/properties"
    assert pointer("events", wrapped(email=5, properties=deep)) == "/data/attributes/properties"
    assert pointer("events", wrapped(profile={"properties": {"email": "a@b.example"}})) == at


def test_meta_has_two_positions() -> None:
    """It comes back where it stood; in a bulk job it always stands beside the attributes."""
    meta = {"patch_properties": {"append": {"skus": "TM-11"}, "unset": ["old_plan"]}}
    beside = one("events", wrapped(data={"meta": meta}))
    inside = one("events", wrapped(profile={"email": "nora@example.com", "meta": meta}))
    assert sent("events", beside)["data"]["attributes"]["profile"]["data"]["meta"] == meta
    assert sent("events", inside)["data"]["attributes"]["profile"]["data"]["attributes"]["meta"] == meta
    for event in (beside, inside):
        rows = sent("event-bulk-create-jobs", event)["data"]["attributes"]["events-bulk-create"]["data"]
        who = rows[0]["attributes"]["profile"]["data"]
        assert who["meta"] == meta
        assert "meta" not in who["attributes"]


def test_null_is_not_absence() -> None:
    """Null clears, absence keeps: the two stay apart on the way through."""
    attributes = {
        "email": "nora@example.com",
        "first_name": None,
        "location": {"city": None, "zip": "1"},
        "properties": None,
    }
    event = one("events", wrapped(profile=attributes, value=None, value_currency=None, unique_id=None))
    back = sent("events", event)["data"]["attributes"]
    assert back["profile"]["data"]["attributes"] == attributes
    assert back["value"] is None
    assert back["value_currency"] is None


def test_unknown_members_pass_through() -> None:
    """At every level of the body."""
    body = wrapped(novel={"a": [1, 2.5]}, profile={"email": "nora@example.com", "pronouns": "she"})
    body["meta"] = {"trace": "1"}
    body["data"]["relationships"] = {"x": 1}
    body["data"]["attributes"]["metric"]["data"]["id"] = "AbC123"
    body["data"]["attributes"]["profile"]["meta"] = {"y": 2}
    back = sent("events", one("events", body))
    assert back["meta"] == {"trace": "1"}
    assert back["data"]["relationships"] == {"x": 1}
    assert back["data"]["attributes"]["novel"] == {"a": [1, 2.5]}
    assert back["data"]["attributes"]["metric"]["data"]["id"] == "AbC123"
    assert back["data"]["attributes"]["profile"]["meta"] == {"y": 2}
    assert back["data"]["attributes"]["profile"]["data"]["attributes"]["pronouns"] == "she"


def test_service_and_backfill_come_back() -> None:
    """What only Klaviyo understands is kept for Klaviyo."""
    body = wrapped(backfill=True)
    body["data"]["attributes"]["metric"]["data"]["attributes"]["service"] = "demandware"
    back = sent("events", one("events", body))["data"]["attributes"]
    assert back["backfill"] is True
    assert back["metric"]["data"]["attributes"]["service"] == "demandware"


def test_value_and_event_id_among_the_properties() -> None:
    """The attributes win; without them the properties count; either way each comes back where it was."""
    twins = one("events", wrapped(value=37.0, unique_id="o-1", properties={"$value": 37.0, "$event_id": "o-1"}))
    assert twins.properties == {}
    alone = one("events", wrapped(properties={"$value": 37.0, "$event_id": "o-1"}))
    other = one("events", wrapped(value=40, unique_id="o-2", properties={"$value": 37.0, "$event_id": "o-1"}))
    for event, total, key in ((twins, "37.0", "o-1"), (alone, "37.0", "o-1"), (other, "40", "o-2")):
        assert event.commerce is not None
        assert (str(event.commerce.total), event.dedupe_key) == (total, key)
        assert sent("events", event)["data"]["attributes"]["properties"] == {"$value": 37.0, "$event_id": "o-1"}
    assert "value" not in sent("events", alone)["data"]["attributes"]
    assert "unique_id" not in sent("events", alone)["data"]["attributes"]


def test_unique_id_is_always_sent() -> None:
    """Without one, Klaviyo merges what happened in one second; ours is the event's id, the same at every try."""
    event = one("events", wrapped())
    assert event.dedupe_key is None
    assert sent("events", event)["data"]["attributes"]["unique_id"] == event.id


def test_bulk_refuses_a_repeated_unique_id() -> None:
    """For the same profile and metric, whichever identifier says that it is the same."""
    first = group({"unique_id": "u-1"}, profile={"email": "nora@example.com", "external_id": "c-1"})
    second = group({"unique_id": "u-0"}, {"unique_id": "u-1"}, profile={"external_id": "c-1"})
    at = "/data/attributes/events-bulk-create/data/1/attributes/events/data/1/attributes/unique_id"
    assert pointer("event-bulk-create-jobs", job(first, second)) == at
    elsewhere = group({"unique_id": "u-1"}, profile={"external_id": "c-2"})
    assert len(decode("event-bulk-create-jobs", job(first, elsewhere)).events) == 2


def test_bulk_is_all_or_nothing_and_names_every_bad_entry() -> None:
    """Connectors fail the named entries and send the others again."""
    bad = [group({}, profile={"email": "x"}), group({"time": 5}), {"type": "event-bulk-create"}]
    answer = refused("event-bulk-create-jobs", job(group({}), bad[0], group({}), bad[1]))
    prefix = "/data/attributes/events-bulk-create/data"
    assert [e["source"]["pointer"] for e in errors(answer)] == [f"{prefix}/3/attributes/events/data/0/attributes/time"]
    answer = refused("event-bulk-create-jobs", job(group({}), bad[0], group({}, profile={"phone_number": "1"})))
    assert [e["source"]["pointer"] for e in errors(answer)] == [
        f"{prefix}/1/attributes/profile/data/attributes/email",
        f"{prefix}/2/attributes/profile/data/attributes/phone_number",
    ]
    assert len({e["id"] for e in errors(answer)}) == 2
    assert pointer("event-bulk-create-jobs", job(group({}), bad[2])) == f"{prefix}/1/attributes"


def test_bulk_counts_events_not_groups() -> None:
    """A thousand are taken, in one group or in many; one more is refused."""
    most = limits.BULK_EVENTS.value
    assert len(decode("event-bulk-create-jobs", job(group(*[{}] * most))).events) == most
    at = "/data/attributes/events-bulk-create/data"
    assert pointer("event-bulk-create-jobs", job(group(*[{}] * most), group({}))) == at
    assert pointer("event-bulk-create-jobs", job()) == at


def test_backfill_of_a_group_is_that_of_its_events() -> None:
    """Unless an event says otherwise."""
    events = decode("event-bulk-create-jobs", job(group({}, {"backfill": False}, backfill=True))).events
    assert [sent("events", event)["data"]["attributes"]["backfill"] for event in events] == [True, False]


def test_unprefixed_identifiers_do_not_count_in_flat_revisions() -> None:
    """Klaviyo answers 202 and knows nobody; here the event is kept with the identifier as a trait."""
    decoded = decode("events", flat(profile={"phone_number": "+15005550142"}))
    assert decoded.reply.status == 202
    (event,) = decoded.events
    assert event.profile.phone is None
    assert event.profile.traits == {"phone_number": "+15005550142"}
    assert pointer("events", flat(profile={"plan": "pro"})) == "/data/attributes/profile"


def test_flat_consent_becomes_permissions() -> None:
    """Channels in Klaviyo's words; unknown ones stay a custom property."""
    event = one("events", flat(profile={"$email": "nora@example.com", "$consent": ["email", "directmail"]}))
    assert event.consent == (
        ConsentChange(granted=True, channel="email"),
        ConsentChange(granted=True, channel="direct_mail"),
    )
    odd = one("events", flat(profile={"$email": "nora@example.com", "$consent": ["fax"]}))
    assert odd.consent == ()
    assert odd.profile.traits == {"$consent": ["fax"]}


def test_foreign_id_is_kept_where_it_stood() -> None:
    """Integrators put their own user id into ``data.id``; it is not for us to say whose it is."""
    event = one("events", wrapped(data={"id": "customer-9"}))
    assert event.profile.vendor_ids == {"klaviyo": "customer-9"}
    assert sent("events", event)["data"]["attributes"]["profile"]["data"]["id"] == "customer-9"


def test_made_up_ids_are_not_sent() -> None:
    """An id that the emulation gave out means nothing to the real Klaviyo."""
    assert ADAPTER.mint is not None
    made_up = ADAPTER.mint("nora@example.com")
    event = one("events", wrapped(data={"id": made_up}))
    assert "id" not in sent("events", event)["data"]["attributes"]["profile"]["data"]
    assert lost("events", event)["profile.vendor_ids.klaviyo"][0] == "dropped"


def test_wrong_scheme_is_not_authenticated() -> None:
    """No header, a bare key, a private key as a bearer token."""
    auth = ENDPOINTS["events"].auth
    assert auth is not None
    for header in (
        {},
        {"Authorization": "pk_1"},
        {"Authorization": "Bearer pk_1"},
        {"Authorization": "Klaviyo-API-Key "},
    ):
        with pytest.raises(Rejected) as rejected:
            auth.present(ask("events", headers=header))
        assert rejected.value.reply.status == 401
        assert errors(rejected.value.reply)[0]["code"] == "not_authenticated"


def test_oauth_token_is_a_bearer_token() -> None:
    """It is configured like a private key."""
    auth = ENDPOINTS["events"].auth
    assert auth is not None
    presented = auth.present(ask("events", headers={"Authorization": "Bearer oauth-1"}))
    assert auth.matches(presented, {"private_key": "oauth-1"})
    assert not auth.matches(presented, {"private_key": "pk_1"})


def test_authentication_errors_point_by_revision() -> None:
    """``/data/`` before 2024-05-15, ``/data`` since."""
    for revision, at in (("2023-12-15", "/data/"), ("2024-10-15", "/data")):
        answer = ADAPTER.refuse(Refusal(RefusalKind.BAD_CREDENTIAL), ask("events", headers=_revision(revision)))
        (error,) = errors(answer)
        assert (error["code"], error["source"]["pointer"]) == ("authentication_failed", at)


def test_order_total_and_lines_are_commerce() -> None:
    """With keys in the spellings of Klaviyo's own plugins, which come back as they were."""
    items = [{"Title": "Mug", "ProductId": "7", "Price": "18.50", "Quantity": 2, "RowTotal": 37}]
    properties = {"Order ID": "9001", "Discount Code": "HI", "items": items, "ItemNames": ["Mug"]}
    event = one("events", wrapped(metric="Order Confirmation", properties=properties, value=37))
    assert event.name == "Order Completed"
    assert event.commerce is not None
    assert (event.commerce.order_id, event.commerce.coupon, event.commerce.items[0].name) == ("9001", "HI", "Mug")
    back = sent("events", event)["data"]["attributes"]
    assert back["properties"] == properties
    assert back["metric"]["data"]["attributes"]["name"] == "Order Confirmation"


def test_added_item_is_the_product_and_the_cart_stays_a_property() -> None:
    """What was added is one product; what else lies in the cart was not added."""
    properties = {"AddedItemProductName": "Mug", "AddedItem_SKU": "M-1", "Items": [{"ProductName": "Kettle"}]}
    event = one("events", wrapped(metric="Added To Cart", properties=properties))
    assert event.commerce is not None
    assert [(item.name, item.sku) for item in event.commerce.items] == [("Mug", "M-1")]
    assert event.properties == {"Items": [{"ProductName": "Kettle"}]}
    assert sent("events", event)["data"]["attributes"]["properties"] == properties
