"""What is sent to Blueshift: names, places, limits, losses, and what its answers mean."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.blueshift.tests.support import MAY, Client, foreign, losses, outbound, send, sent
from gateway import event as canonical
from gateway.adapter import EncodeError
from gateway.event import (
    App,
    Campaign,
    Commerce,
    ConsentChange,
    Context,
    Device,
    Event,
    Item,
    Location,
    Page,
    Profile,
    leaves,
)

FULL = foreign(
    dedupe_key="not-a-uuid",
    profile=Profile(
        user_id="v-user", anonymous_id="v-anon", email="v-mail", phone="v-phone", device_id="v-device",
        push_tokens=("v-token",), vendor_ids={"klaviyo": "v-klaviyo", "blueshift": "v-own"}, first_name="v-first",
        last_name="v-last", gender="v-gender", birth_date="1990-05-01", organization="v-org", title="v-title",
        image_url="v-image", locale="v-locale", timezone="v-zone", created_at=MAY,
        location=Location(
            address1="v-a1", address2="v-a2", city="v-city", region="v-region", country="v-country",
            postal_code="v-zip", latitude=1.5, longitude=2.5,
        ),
        traits={"tier": "v-tier", "nested": {"a": ["v-deep"]}},
    ),
    commerce=Commerce(
        order_id="v-order", cart_id="v-cart", total=Decimal("12.10"), revenue=Decimal("11.11"), tax=Decimal("0.77"),
        shipping=Decimal("4.99"), discount=Decimal("1.01"), coupon="v-coupon", currency="EUR",
        items=(
            Item(
                product_id="v-pid", sku="v-sku", name="v-name", brand="v-brand", categories=("v-c1", "v-c2"),
                variant="v-variant", quantity=Decimal(2), price=Decimal("3.30"), url="v-purl", image_url="v-pimage",
                properties={"color": "v-color", "price": "v-second"},
            ),
            Item(sku="v-sku2"),
        ),
    ),
    consent=(
        ConsentChange(granted=True, channel="email", at=MAY, wording="v-wording"),
        ConsentChange(granted=False, group="v-group", channel="sms"),
        ConsentChange(granted=False, channel="whatsapp"),
    ),
    context=Context(
        ip="v-ip", user_agent="v-agent", locale="v-clocale", timezone="v-czone", screen="v-screen",
        device=Device(
            type="v-dtype", manufacturer="v-maker", model="v-model", os_name="v-os", os_version="v-osv",
            advertising_id="v-adid", carrier="v-carrier",
        ),
        app=App(name="v-app", version="v-appv", build="v-build", namespace="v-ns"),
        page=Page(url="v-url", path="v-path", title="v-ptitle", referrer="v-ref", search="v-search"),
        campaign=Campaign(name="v-cn", source="v-cs", medium="v-cm", term="v-ct", content="v-cc"),
    ),
    properties={"store": "v-store", "revenue": "v-prop", "email": "v-email2", "customer_id": "v-id2", "event": "v-ev"},
    residue={"klaviyo": {"raw": {"x": 1}, "flags": {"backfill": "v-flag"}}},
)  # fmt: skip


def test_every_leaf_goes_across_or_is_reported() -> None:
    (encoded,) = send("event", FULL)
    reported = losses([encoded])
    texts = json.dumps(json.loads(encoded.body))
    for path, value in leaves(msgspec.to_builtins(FULL)):
        if isinstance(value, str) and value.startswith("v-") and f'"{value}"' not in texts:
            assert path in reported, path
    moved = {path for path in reported if path.startswith("profile.")}
    assert {path: reported[path] for path in reported if path not in moved} == {
        "dedupe_key": ("coerced", "event_uuid"),
        "commerce.items[0].properties.price": ("renamed", "property_price"),
        "consent[0].wording": ("dropped", None),
        "consent[1].channel": ("dropped", None),
        "consent[2].channel": ("coerced", "unsubscribed_whatsapp"),
        "properties.revenue": ("renamed", "property_revenue"),
        "properties.email": ("renamed", "property_email"),
        "properties.customer_id": ("renamed", "property_customer_id"),
        "properties.event": ("renamed", "property_event"),
        "residue.klaviyo.flags.backfill": ("dropped", None),
    }
    body = json.loads(encoded.body)
    places = {path: reported[path][1] for path in moved}
    assert all(to in body for to in places.values())
    assert places["profile.location.city"] == "city"
    assert places["profile.vendor_ids.klaviyo"] == "klaviyo_id"
    assert len(places) == 11 + 2 + 1


def test_every_leaf_of_an_identify_goes_into_a_customer_row_or_is_reported() -> None:
    person = msgspec.structs.replace(FULL, kind="identify", name="Identify")
    (encoded,) = send("customers", person)
    row, reported = json.loads(encoded.body), losses([encoded])
    assert not {"event", "timestamp", "event_uuid"} & set(row)
    assert (row["email"], row["city"], row["tier"], row["device_tokens"]) == ("v-mail", "v-city", "v-tier", ["v-token"])
    for path in ("occurred_at", "dedupe_key"):
        assert reported.pop(path)[0] == "dropped"
    assert {path for path, (outcome, _) in reported.items() if outcome != "renamed"} == {
        "consent[0].wording",
        "consent[1].channel",
        "consent[2].channel",
        "residue.klaviyo.flags.backfill",
    }
    assert all(row.get(to) is not None for outcome, to in reported.values() if outcome == "renamed" and to)
    assert reported["commerce.total"] == ("renamed", "revenue")
    assert reported["context.page.url"] == ("renamed", "url")
    assert reported["properties.store"] == ("renamed", "store")


PAYLOADS = Path(__file__).parent / "payloads"


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.request.json")), ids=lambda path: path.stem)
def test_recorded_requests(path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))
    events = [canonical.load(json.dumps(event).encode()) for event in case["events"]]
    entry = outbound(case["endpoint"])
    assert (entry.method, entry.path) == (case["request"]["method"], case["request"]["path"])
    (encoded,) = send(case["endpoint"], *events)
    assert json.loads(encoded.body) == case["request"]["body"]
    assert [[loss.event, loss.path, loss.outcome, loss.to] for loss in encoded.lost] == case["lost"]


# --- the head --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Order Completed", "purchase"),
        ("Order Refunded", "return"),
        ("Product Viewed", "view"),
        ("Products Searched", "search"),
        ("Application Opened", "app_open"),
        ("subscription_cancel", "subscription_cancel"),
        ("quiz_finished_v2", "quiz_finished_v2"),
        ("identify1", "identify1"),
    ],
)
def test_a_name_that_blueshift_knows_or_allows_is_not_reported(name: str, expected: str) -> None:
    (encoded,) = send("event", foreign(name=name))
    assert json.loads(encoded.body)["event"] == expected
    assert encoded.lost == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Quiz Finished", "Quiz_Finished"),
        ("  a \t b.c  ", "a_b_c"),
        ("x" * 80, "x" * 64),
        ("2024", "event_2024"),
        ("-1.5", "event_-1_5"),
        ("1e5", "event_1e5"),
        ("identify", "event_identify"),
        ("pageload", "event_pageload"),
        ("a\u00a0b", "a_b"),
    ],
)
def test_a_name_is_made_legal_and_the_change_reported(name: str, expected: str) -> None:
    (encoded,) = send("event", foreign(name=name))
    assert json.loads(encoded.body)["event"] == expected
    assert losses([encoded]) == {"name": ("renamed", expected)}


@pytest.mark.parametrize("name", ["", "   "])
def test_an_event_without_a_name_cannot_be_expressed(name: str) -> None:
    with pytest.raises(EncodeError):
        send("event", foreign(name=name))


@pytest.mark.parametrize(
    ("kind", "name", "body", "lost"),
    [
        ("identify", "Identify", {"event": "identify"}, {}),
        ("page", "Page", {"event": "pageload"}, {}),
        ("alias", "Alias", {"event": "alias"}, {}),
        ("page", "Home", {"event": "pageload", "page_name": "Home"}, {"name": ("renamed", "page_name")}),
        (
            "screen",
            "Cart",
            {"event": "pageload", "screen_viewed": "Cart"},
            {"kind": ("renamed", "pageload"), "name": ("renamed", "screen_viewed")},
        ),
        ("group", "Team", {"event": "identify"}, {"kind": ("renamed", "identify"), "name": ("dropped", None)}),
        ("identify", "Profile Updated", {"event": "identify"}, {"name": ("dropped", None)}),
    ],
)
def test_each_call_of_the_segment_spec_has_an_event(kind: str, name: str, body: Any, lost: Any) -> None:
    (encoded,) = send("event", foreign(kind=kind, name=name))
    found = json.loads(encoded.body)
    assert {key: value for key, value in found.items() if key not in ("timestamp", "event_uuid")} == body
    assert losses([encoded]) == lost


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (MAY, "2026-05-01T10:30:00Z"),
        (MAY.replace(microsecond=481_000), "2026-05-01T10:30:00.481Z"),
        (MAY.replace(microsecond=481_007), "2026-05-01T10:30:00.481007Z"),
        (None, "2026-11-21T12:00:00.000000Z"),
    ],
)
def test_a_timestamp_is_always_sent(moment: Any, expected: str) -> None:
    assert sent(foreign(occurred_at=moment))["timestamp"] == expected


def test_an_event_uuid_is_always_sent_and_stays_the_same() -> None:
    own = "5b0e7f52-6d0c-4c1e-9a55-2f8f5c1d9e10"
    assert sent(foreign(dedupe_key=own))["event_uuid"] == own
    derived = sent(foreign())["event_uuid"]
    assert derived == sent(foreign(name="Other"))["event_uuid"]
    assert derived != sent(foreign(id=own))["event_uuid"]


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (foreign(name="Quiz", properties={"ip": "1"}), "properties.ip"),
        (foreign(name="Quiz", properties={"total": 5}), "properties.total"),
        (foreign(name="Quiz", properties={"joined_at": "2026-05-01"}), "properties.joined_at"),
        (foreign(name="Quiz", properties={"sku": "A"}), "properties.sku"),
        (foreign(name="Quiz", properties={"bsft_x": 1}), "properties.bsft_x"),
        (foreign(kind="identify", name="Identify", profile=Profile(traits={"city": "Ulm"})), "profile.traits.city"),
        (foreign(commerce=Commerce(items=(Item(properties={"brand": "B"}),))), "commerce.items[0].properties.brand"),
    ],
)
def test_a_free_key_that_means_something_in_blueshift_is_reported(event: Event, path: str) -> None:
    (encoded,) = send("event", event)
    key = path.rpartition(".")[2]
    assert losses([encoded]) == {path: ("renamed", key)}


def test_a_price_means_something_beside_a_product_alone() -> None:
    (encoded,) = send("event", foreign(name="Quiz", properties={"price": 1}))
    assert encoded.lost == ()
    (encoded,) = send("event", foreign(name="Quiz", properties={"price": 1, "sku": "A"}))
    assert set(losses([encoded])) == {"properties.price", "properties.sku"}


# --- changes on the way ----------------------------------------------------------------------------------


def test_what_a_route_changed_is_what_is_sent(client: Client) -> None:
    event = client.event(
        {
            "event": "Order Completed", "timestamp": "20160412T172720Z", "customer_id": 7, "revenue": "5.50",
            "products": [{"sku": "A", "price": "1.10"}], "unsubscribed": "true", "device_token": "t", "joined_at": 1,
        }
    )  # fmt: skip
    assert event.commerce is not None
    changed = msgspec.structs.replace(
        event,
        name="Cart Shared",
        occurred_at=MAY,
        profile=Profile(user_id="hashed", push_tokens=("u",)),
        commerce=Commerce(total=Decimal(6), items=(Item(sku="A", price=Decimal(2)), Item(sku="B"))),
        consent=(),
    )
    body = sent(changed)
    del body["event_uuid"]
    assert body == {
        "event": "Cart_Shared",
        "timestamp": "2026-05-01T10:30:00Z",
        "customer_id": "hashed",
        "device_token": "u",
        "revenue": 6,
        "products": [{"sku": "A", "price": 2}, {"sku": "B"}],
    }


@pytest.mark.parametrize("form", ["flat", "product_ids", "skus"])
def test_a_form_too_small_for_the_products_is_left(client: Client, form: str) -> None:
    given: dict[str, Any] = {"product_id": "A"} if form == "flat" else {form: ["A"]}
    event = client.event({"event": "purchase", **given})
    items = (Item(sku="A", price=Decimal(2)), Item(sku="B"))
    body = sent(msgspec.structs.replace(event, commerce=Commerce(items=items)))
    assert body["products"] == [{"sku": "A", "product_id": "A", "price": 2}, {"sku": "B", "product_id": "B"}]
    assert body["product_ids"] == ["A", "B"]


def test_one_product_stands_flat_where_blueshift_has_it_so() -> None:
    item = Item(product_id="A", name="Tea", quantity=Decimal(2), properties={"color": "red"})
    (encoded,) = send("event", foreign(name="Product Added", commerce=Commerce(items=(item,))))
    body = json.loads(encoded.body)
    assert "products" not in body
    expected = {"product_id": "A", "sku": "A", "product_name": "Tea", "quantity": 2, "product_color": "red"}
    assert {**body, **expected} == body
    assert losses([encoded]) == {"commerce.items[0].properties.color": ("renamed", "product_color")}


@pytest.mark.parametrize(
    ("changes", "expected", "lost"),
    [
        (
            (ConsentChange(granted=False, channel="email", at=MAY),),
            {"unsubscribed": True, "unsubscribed_at": "2026-05-01T10:30:00Z"},
            {},
        ),
        ((ConsentChange(granted=True, channel="in_app"),), {"unsubscribed_inapp": False}, {}),
        (
            (ConsentChange(granted=False),),
            {
                "opted_in": False,
                "unsubscribed": True,
                "unsubscribed_push": True,
                "unsubscribed_inapp": True,
                "unsubscribed_sms": True,
            },
            {},
        ),
        ((ConsentChange(granted=True),), {"opted_in": True}, {}),
        (
            (ConsentChange(granted=True, group="a b", at=MAY),),
            {
                "subscription_group_id": "a_b",
                "subscription_group_subscribed": True,
                "subscription_group_subscribed_at": "2026-05-01T10:30:00Z",
            },
            {"consent[0].group": ("renamed", "subscription_groups.id")},
        ),
        (
            (ConsentChange(granted=True, group="a", at=MAY), ConsentChange(granted=False, group="b")),
            {"subscription_groups": [{"id": "a", "subscribed": True}, {"id": "b", "subscribed": False}]},
            {"consent[0].at": ("dropped", None)},
        ),
        (
            (ConsentChange(granted=True, channel="sms", at=MAY), ConsentChange(granted=False, channel="sms")),
            {"unsubscribed_sms": True},
            {"consent[0].granted": ("dropped", None), "consent[0].at": ("dropped", None)},
        ),
    ],
)
def test_permissions(changes: Any, expected: dict[str, Any], lost: Any) -> None:
    (encoded,) = send("event", foreign(kind="identify", name="Identify", consent=changes))
    body = json.loads(encoded.body)
    assert {key: value for key, value in body.items() if "subscri" in key or key == "opted_in"} == expected
    assert losses([encoded]) == lost


def test_of_several_push_tokens_an_event_carries_one() -> None:
    (encoded,) = send("event", foreign(profile=Profile(push_tokens=("a", "b"))))
    assert json.loads(encoded.body)["device_token"] == "a"
    assert losses([encoded]) == {"profile.push_tokens[1]": ("dropped", None)}
