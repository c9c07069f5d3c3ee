"""Vibetrace as a target: types, flat fields, losses, unknown users."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.vibetrace import ADAPTER
from adapters.vibetrace.options import TargetOptions
from adapters.vibetrace.tests.support import MAY, SETTINGS, body_of, custom, encode, foreign, losses, outbound, sent
from adapters.vibetrace.wire import mint
from gateway.adapter import Answer, EncodeError, Verdict
from gateway.delivery.judge import Judge
from gateway.event import Commerce, ConsentChange, Context, Device, Event, Item, Location, Page, Profile

PAYLOADS = Path(__file__).parent / "payloads"
ONE = Commerce(cart_id="c-1", items=(Item(product_id="1-M", sku="SKU-1", quantity=Decimal(2), price=Decimal("9.90")),))


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.request.json")), ids=lambda path: path.stem)
def test_reviewed_requests(path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))
    event = msgspec.convert(case["event"], Event)
    encoded = encode(event, case["endpoint"], **case.get("options", {}))
    assert body_of(encoded) == case["body"]
    assert encoded.path == case.get("path")
    assert [[loss.path, loss.outcome, loss.to] for loss in encoded.lost] == case["lost"]


# --- whose it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "user"),
    [
        (Profile(email="a@example.com"), {"email": "a@example.com"}),
        (Profile(vendor_ids={"vibetrace": "5f2b"}), {"_id": "5f2b"}),
        (Profile(email="a@example.com", vendor_ids={"vibetrace": "5f2b"}), {"email": "a@example.com", "_id": "5f2b"}),
        (Profile(email="a@example.com", vendor_ids={"vibetrace": mint("x")}), {"email": "a@example.com"}),
    ],
)
def test_a_user_is_named_by_address_and_id(who: Profile, user: Any) -> None:
    assert body_of(encode(foreign(profile=who)))["user"] == user


@pytest.mark.parametrize(
    "who", [Profile(), Profile(user_id="u"), Profile(email=" "), Profile(vendor_ids={"vibetrace": mint("x")})]
)
def test_an_event_of_nobody_cannot_go(who: Profile) -> None:
    with pytest.raises(EncodeError, match="neither"):
        encode(foreign(profile=who))


def test_a_free_value_that_vibetrace_takes_for_a_field_is_reported() -> None:
    who = Profile(email="a@example.com", traits={"firstname": "Ada", "tier": "gold"})
    encoded = encode(foreign(kind="identify", name="Identify", profile=who))
    assert [(loss.path, loss.outcome, loss.to) for loss in encoded.lost] == [
        ("profile.traits.firstname", "renamed", "firstname")
    ]


def test_the_key_stands_bare() -> None:
    assert outbound("event").headers({"api_key": "lk0"})["Authorization"] == "lk0"


# --- types -----------------------------------------------------------------------------------------------


def test_an_identify_is_an_update() -> None:
    who = Profile(email="a@example.com", first_name="Ada", location=Location(city="Cluj"), traits={"tier": "gold"})
    event = foreign(kind="identify", name="Identify", profile=who)
    assert sent(event) == {"update": {"firstname": "Ada", "city": "Cluj", "tier": "gold"}}
    assert encode(event).lost == ()


def test_an_identify_without_attributes_says_the_address_again() -> None:
    assert sent(foreign(kind="identify", name="Identify")) == {"update": {"email": "ada@example.com"}}


def test_a_login_says_address_and_attributes() -> None:
    event = foreign(name="Signed In", properties={"username": "ada"}, profile=Profile(email="a@b.c", last_name="L"))
    assert sent(event) == {"login": {"email": "a@b.c", "lastname": "L", "username": "ada"}}
    assert losses(encode(event)) == {"properties.username": ("renamed", "username")}


def test_an_order_without_an_id_is_a_custom_event() -> None:
    event = foreign(commerce=Commerce(total=Decimal("12.10")))
    assert custom(event) == {"event_name": "order_completed", "total": 12.10}
    assert losses(encode(event)) == {"name": ("renamed", "order_completed")}


@pytest.mark.parametrize(
    ("name", "event_name"),
    [
        ("Product Viewed", "product_viewed"),
        ("Products Searched", "products_searched"),
        ("Checkout Started", "checkout_started"),
        ("Email Opened", "email_opened"),
        ("Signed Out", "signed_out"),
        ("Quiz Finished v2.1", "Quiz Finished v2.1"),
        ("update", "update"),
    ],
)
def test_all_others_are_custom(name: str, event_name: str) -> None:
    assert custom(foreign(name=name)) == {"event_name": event_name}


def test_one_product_stands_flat_and_several_as_text() -> None:
    assert custom(foreign(name="Product Added", commerce=ONE)) == {
        "event_name": "product_added", "cartId": "c-1", "itemId": "1-M", "sku": "SKU-1", "quantity": 2, "price": 9.90,
    }  # fmt: skip
    event = foreign(name="Cart Updated", commerce=ONE)
    assert json.loads(custom(event)["items"]) == [{"id": "1-M", "sku": "SKU-1", "quantity": 2, "price": 9.90}]
    assert losses(encode(event)) == {"commerce.items": ("coerced", "items")}


def test_a_page_has_its_name_beside() -> None:
    event = foreign(kind="page", name="Home", context=Context(page=Page(url="https://x.example.com")))
    assert custom(event) == {"event_name": "page_viewed", "page_name": "Home", "page_url": "https://x.example.com"}
    assert encode(event).lost == ()


# --- types of the first API ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (foreign(name="Product Viewed", commerce=ONE), {"viewitem": {"itemId": "1-M"}}),
        (foreign(name="Product Added", commerce=ONE), {"addtocart": {"itemId": "1-M", "cartId": "c-1"}}),
        (foreign(name="Products Searched", properties={"query": "tea"}), {"search": {"query": "tea"}}),
        (foreign(name="Product List Viewed", properties={"category": "tea"}), {"viewcategory": {"category": "tea"}}),
        (
            foreign(name="Checkout Started", commerce=ONE, properties={"step": "1", "session_id": "s"}),
            {"checkout": {"cartId": "c-1", "step": "1", "sessionId": "s", "items": [{"id": "1-M", "quantity": 2}]}},
        ),
    ],
)
def test_a_target_that_takes_a_type_gets_it(event: Event, expected: Any) -> None:
    (type_,) = expected
    assert sent(event, types=(type_,)) == expected
    assert list(sent(event)) == ["generic"]


@pytest.mark.parametrize(
    ("type_", "event"),
    [
        ("viewitem", foreign(name="Product Viewed", commerce=Commerce(items=(Item(name="Tea"),)))),
        ("viewitem", foreign(name="Product Viewed", commerce=Commerce(items=(*ONE.items, *ONE.items)))),
        ("addtocart", foreign(name="Product Added", commerce=Commerce(items=ONE.items))),
        ("search", foreign(name="Products Searched")),
        ("checkout", foreign(name="Checkout Started", commerce=Commerce(items=ONE.items))),
    ],
)
def test_an_event_without_the_required_fields_stays_custom(type_: str, event: Event) -> None:
    assert list(sent(event, types=(type_,))) == ["generic"]


def test_what_a_type_does_not_hold_is_reported() -> None:
    event = foreign(
        name="Product Added", commerce=ONE, properties={"color": "red"}, profile=Profile(email="a@b.c", gender="f"),
        context=Context(page=Page(referrer="r", title="t"), device=Device(model="m")),
    )  # fmt: skip
    encoded = encode(event, types=("addtocart",))
    assert body_of(encoded)["event"] == {"addtocart": {"itemId": "1-M", "cartId": "c-1", "referer": "r"}}
    assert set(losses(encoded)) == {
        "commerce.items[0].sku", "commerce.items[0].quantity", "commerce.items[0].price", "properties.color",
        "context.page.title", "context.device.model", "profile.gender",
    }  # fmt: skip


def test_the_id_of_an_item_may_be_its_sku() -> None:
    order = foreign(commerce=Commerce(order_id="1", items=(*ONE.items, Item(name="no id"))))
    assert sent(order, item_id="sku")["confirmation"]["items"] == [{"id": "SKU-1", "quantity": 2}]
    encoded = encode(order)
    assert body_of(encoded)["event"]["confirmation"]["items"] == [{"id": "1-M", "quantity": 2}]
    assert losses(encoded)["commerce.items[1]"] == ("dropped", None)


# --- flat fields -----------------------------------------------------------------------------------------


def test_nested_values_are_flattened() -> None:
    given = {"quiz": {"score": 8, "by": {"round": [1, 2]}}, "rows": [{"a": 1}], "tags": ["a", "b"], "none": {}}
    event = foreign(name="Quiz", properties=given)
    assert custom(event) == {
        "event_name": "Quiz", "quiz_score": 8, "quiz_by_round": [1, 2], "rows": '[{"a":1}]', "tags": ["a", "b"],
        "none": "{}",
    }  # fmt: skip
    assert losses(encode(event)) == {
        "properties.quiz.score": ("coerced", "quiz_score"),
        "properties.quiz.by.round": ("coerced", "quiz_by_round"),
        "properties.rows": ("coerced", "rows"),
        "properties.none": ("coerced", "none"),
    }


def test_a_name_that_is_taken_gives_way() -> None:
    given = {"event_name": "x", "email": "gift@example.com", "orderId": "p", "orderId_": "q", "a_b": 1, "a": {"b": 2}}
    event = foreign(commerce=Commerce(order_id="1"), properties=given)
    assert sent(event) == {
        "confirmation": {
            "orderId": "1", "items": [], "event_name_": "x", "email_": "gift@example.com", "orderId_": "p", "a_b": 1,
            "a_b_": 2, "orderId__": "q",
        }
    }  # fmt: skip
    assert losses(encode(event)) == {
        "properties.event_name": ("renamed", "event_name_"),
        "properties.email": ("renamed", "email_"),
        "properties.orderId": ("renamed", "orderId_"),
        "properties.orderId_": ("renamed", "orderId__"),
        "properties.a.b": ("renamed", "a_b_"),
    }


def test_traits_are_flattened_too() -> None:
    who = Profile(email="a@example.com", traits={"shoe": {"size": 38}, "firstname": "x"}, first_name="Ada")
    event = foreign(kind="identify", name="Identify", profile=who)
    assert sent(event) == {"update": {"firstname": "Ada", "shoe_size": 38, "firstname_": "x"}}


def test_what_is_too_deep_or_too_large_cannot_go() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = {"a": deep}
    with pytest.raises(EncodeError, match="deep"):
        outbound("event").encode([foreign(name="Quiz", properties={"deep": deep})], SETTINGS)
    with pytest.raises(EncodeError, match="larger"):
        encode(foreign(name="Quiz", properties={"long": "x" * 1_048_576}))


# --- losses ----------------------------------------------------------------------------------------------


def test_what_no_call_carries_is_reported() -> None:
    event = foreign(
        name="Quiz", occurred_at=MAY, dedupe_key="k", residue={"klaviyo": {"a": 1}},
        consent=(ConsentChange(granted=True, channel="email"),),
        profile=Profile(
            email="a@example.com", anonymous_id="v", phone="+1", push_tokens=("t",), vendor_ids={"klaviyo": "01H"},
            location=Location(city="Cluj"), traits={"a": 1},
        ),
    )  # fmt: skip
    assert set(losses(encode(event))) == {
        "occurred_at", "dedupe_key", "residue.klaviyo", "consent", "profile.anonymous_id", "profile.phone",
        "profile.push_tokens", "profile.vendor_ids.klaviyo", "profile.location", "profile.traits",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (ConsentChange(granted=False, channel="sms", group="news"), {"channel": "sms", "group": "news"}),
        (ConsentChange(granted=False), {"channel": "all"}),
    ],
)
def test_a_permission_goes_with_its_event(change: ConsentChange, fields: dict[str, str]) -> None:
    event = foreign(name="Unsubscribed", consent=(change,))
    assert custom(event) == {"event_name": "unsubscribed", **fields}
    assert encode(event).lost == ()


def test_other_permissions_are_reported() -> None:
    for changes in ((ConsentChange(granted=True, channel="sms"),), (ConsentChange(granted=False),) * 2):
        assert losses(encode(foreign(name="Unsubscribed", consent=changes))) == {"consent": ("dropped", None)}
    timed = foreign(name="Subscribed", consent=(ConsentChange(granted=True, at=MAY),))
    assert losses(encode(timed)) == {"consent[0].at": ("dropped", None)}


# --- unknown users ---------------------------------------------------------------------------------------


def _verdict(name: str, status: int, message: str) -> Verdict:
    body = json.dumps({"errors": [{"message": message, "description": ""}]}).encode()
    return Judge(outbound(name)).verdict(Answer(status, {}, body)).verdict


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("message", ["User not found", "The specified user does not exist", "Unknown user"])
def test_an_unknown_user_is_created_first(status: int, message: str) -> None:
    assert _verdict("event", status, message) is Verdict.PREPARE
    assert outbound("event").prepare == "user"
    assert outbound("user").kinds == frozenset()


@pytest.mark.parametrize(
    ("status", "message", "verdict"),
    [
        (200, "", Verdict.DONE),
        (400, "Missing event information", Verdict.REJECT),
        (401, "Unauthorized", Verdict.HOLD),
        (403, "API not enabled", Verdict.HOLD),
        (404, "Not found", Verdict.REJECT),
        (429, "", Verdict.THROTTLE),
        (502, "", Verdict.RETRY),
    ],
)
def test_what_answers_mean(status: int, message: str, verdict: Verdict) -> None:
    assert _verdict("event", status, message) is verdict


def test_a_user_who_is_there_already_is_fine() -> None:
    assert _verdict("user", 409, "Conflict") is Verdict.DONE
    assert _verdict("user", 400, "User already exists") is Verdict.DONE
    assert _verdict("user", 400, "User does not exist") is Verdict.REJECT


def test_the_user_of_an_event_is_created_with_all_that_it_says() -> None:
    event = foreign(name="Quiz", profile=Profile(email="a+b@example.com", first_name="Ada", traits={"tier": "gold"}))
    encoded = encode(event, "user")
    assert body_of(encoded) == {"email": "a+b@example.com", "firstname": "Ada", "tier": "gold"}
    assert encoded.path == "/v1/user"


def test_where_and_how_a_user_is_created_can_be_set() -> None:
    event = foreign(profile=Profile(email="a+b@example.com"))
    encoded = encode(event, "user", user_path="/v2/users/{email}", user_body="user")
    assert encoded.path == "/v2/users/a%2Bb@example.com"
    assert body_of(encoded) == {"user": {"email": "a+b@example.com"}}


def test_no_user_is_created_without_an_address() -> None:
    with pytest.raises(EncodeError, match="e-mail"):
        encode(foreign(profile=Profile(vendor_ids={"vibetrace": "5f2b"})), "user")


@pytest.mark.parametrize("path", ["v1/user", "", "//host/user", "/v1 user", "/usér"])
def test_a_path_that_is_none_is_told(path: str) -> None:
    with pytest.raises(ValueError, match="user_path"):
        TargetOptions(user_path=path)


def test_the_options_are_the_adapters() -> None:
    assert ADAPTER.target_options is TargetOptions
    assert msgspec.convert({"types": ["search"]}, TargetOptions).types == ("search",)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"types": ["purchase"]}, TargetOptions)
