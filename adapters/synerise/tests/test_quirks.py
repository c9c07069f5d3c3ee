"""One test or more for each quirk in the README."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from adapters.synerise.tests.equalities import normalise
from adapters.synerise.tests.support import RECEIVED, custom, encoded, errors, event, losses, post, sent
from gateway.event import ConsentChange, Item

# --- time ------------------------------------------------------------------------------------------------


def test_a_time_in_the_future_is_replaced_by_that_of_arrival_and_kept() -> None:
    found = event(time="2048-10-05T15:25:06.459+02:00")
    assert found.occurred_at == RECEIVED
    assert found.residue["synerise"]["snr-original-time"] == "2048-10-05T15:25:06.459+02:00"
    assert sent(found)["time"] == "2026-11-21T12:00:00.000Z"
    assert sent(found)["params"] == {"snr-original-time": "2048-10-05T15:25:06.459+02:00"}
    assert losses(found) == {}


def test_now_is_not_the_future() -> None:
    found = event(time="2026-11-21T13:00:00+01:00")
    assert (found.occurred_at, "snr-original-time" in found.residue["synerise"]) == (RECEIVED, False)


def test_times_are_instants() -> None:
    """Two spellings of one instant, with one salt, are one event (overwriting-events)."""
    spellings = ("2025-03-01T10:20:00.000Z", "2025-03-01T11:20:00+01:00", "2025-03-01T10:20:00")
    found = [event(time=text, eventSalt="s") for text in spellings]
    assert {(one.occurred_at, one.dedupe_key) for one in found} == {(datetime(2025, 3, 1, 10, 20, tzinfo=UTC), "s")}
    assert [sent(one)["time"] for one in found] == list(spellings)


def test_a_time_that_a_route_changed_is_not_put_back() -> None:
    changed = msgspec.structs.replace(
        event(time="2025-03-01T11:20:00+01:00"), occurred_at=datetime(2025, 1, 1, tzinfo=UTC)
    )
    assert sent(changed)["time"] == "2025-01-01T00:00:00.000Z"


# --- the envelope ----------------------------------------------------------------------------------------


def test_label_is_compulsory_and_ours_is_the_action() -> None:
    assert errors("events/custom", {"action": "a", "client": {"customId": "1"}}) == ["label"]
    assert sent(event("quiz.done"))["label"] == "quiz.done"
    assert sent(event("quiz.done", label="Quiz: done!"))["label"] == "Quiz: done!"


@pytest.mark.parametrize(
    "action", ["product.addToCart", "client.login", "page.visit", "transaction.charge", "push.view"]
)
def test_mobile_sdks_send_every_event_as_custom(action: str) -> None:
    """The action alone says what it is, and it goes back as it came: without the params of the dedicated type."""
    item = custom(action, params={"source": "MOBILE_APP"}, time="2025-03-01T10:16:02.000Z", eventSalt="s")
    assert sent(event(action, {"source": "MOBILE_APP"}, time=item["time"], eventSalt="s")) == item


def test_a_dedicated_endpoint_sets_the_action_itself() -> None:
    body = {"action": "other", "label": "x", "client": {"customId": "1"}}
    (found,) = post("events/logged-in", body).events
    assert found.name == "Signed In"
    assert sent(found)["type"] == "logged-in"


@pytest.mark.parametrize("spelling", ["push/viewed", "push-viewed", "push.viewed"])
def test_the_push_family_has_three_spellings_in_a_batch(spelling: str) -> None:
    (found,) = post("events/batch", [{"type": spelling, "label": "x", "client": {"uuid": "u"}}]).events
    assert found.name == "push.view"
    assert sent(found)["type"] == spelling
    (alone,) = post("events/push/viewed", {"label": "x", "client": {"uuid": "u"}}).events
    assert (sent(alone)["type"], sent(alone)["action"]) == ("custom", "push.view")


def test_the_client_id_is_an_integer_and_the_custom_id_sometimes() -> None:
    found = event(client={"id": 5092150001, "customId": 4471})
    assert (found.profile.vendor_ids, found.profile.user_id) == ({"synerise": "5092150001"}, "4471")
    assert sent(found)["client"] == {"id": 5092150001, "customId": 4471}
    assert sent(event(client={"id": "5092150001"}))["client"] == {"id": "5092150001"}


def test_emoji_is_refused_in_identifiers_and_fine_elsewhere() -> None:
    assert errors("events/custom", {"action": "a", "label": "a", "client": {"customId": "\U0001f600"}}) == [
        "client.customId"
    ]
    assert event(label="Party \U0001f389", params={"name": "\U0001f600"}).properties == {"name": "\U0001f600"}


def test_null_in_an_event_is_nothing() -> None:
    found = event(
        client={"id": None, "customId": "1", "uuid": None, "email": None},
        params={"a": None, "b": {"c": None}},
        time=None,
    )
    assert (found.properties, found.occurred_at) == ({"b": {}}, None)
    assert b"null" not in encoded(found).body


def test_members_beside_the_known_ones_go_back() -> None:
    found = event(snrs_params={"a": 1}, eventSalt="")
    assert found.dedupe_key is None
    assert sent(found)["snrs_params"] == {"a": 1}
    assert sent(found)["eventSalt"] == ""


# --- products and money ----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["product.view", "product.addToCart", "product.buy"])
@pytest.mark.parametrize(
    ("key", "field"), [("sku", "sku"), ("$sku", "sku"), ("productId", "product_id"), ("itemId", "product_id")]
)
def test_products_go_by_several_names(action: str, key: str, field: str) -> None:
    found = event(action, {key: "A"})
    assert found.commerce is not None
    assert getattr(found.commerce.items[0], field) == "A"
    assert sent(found)["params"] == {key: "A"}


def test_stored_names_are_read_and_go_back() -> None:
    params = {"$sku": "A", "$quantity": "2.0", "$finalUnitPrice": "12.00", "$currency": "PLN", "$title": "Mug"}
    found = event("product.addToCart", params)
    assert found.commerce is not None
    assert found.commerce.currency == "PLN"
    assert found.commerce.items == (Item(sku="A", name="Mug", quantity=Decimal("2.0"), price=Decimal("12.00")),)
    assert sent(found)["params"] == params


@pytest.mark.parametrize("key", ["revenue", "$revenue", "totalAmount", "total_amount"])
def test_sums_come_as_objects_and_as_numbers(key: str) -> None:
    action = "cart.status" if key.startswith("total") else "transaction.cancel"
    found = event(action, {key: 43.5})
    assert found.commerce is not None
    assert found.commerce.total == Decimal("43.5")
    assert sent(found)["params"] == {key: 43.5}


@pytest.mark.parametrize("key", ["totalQuantity", "totalQty", "total_quantity"])
def test_the_number_of_things_in_a_cart_has_three_spellings(key: str) -> None:
    found = event("cart.status", {"products": [], key: 3})
    assert found.properties["total_quantity"] == 3
    assert sent(found)["params"] == {"products": [], key: 3}


def test_money_of_another_currency_stays_as_it_was_sent() -> None:
    params = {
        "revenue": {"amount": 10, "currency": "EUR"},
        "value": {"amount": 40, "currency": "PLN"},
        "discountAmount": {"amount": 1, "currency": "EUR", "kind": "x"},
    }
    found = event("transaction.cancel", params)
    assert found.commerce is not None
    assert (found.commerce.total, found.commerce.revenue, found.commerce.currency) == (Decimal(10), None, "EUR")
    assert found.properties == {"value": params["value"], "discountAmount": params["discountAmount"]}
    assert sent(found)["params"] == params


def test_a_category_beside_categories_is_a_property() -> None:
    for params in ({"category": "B", "categories": ["A"]}, {"categories": ["A"], "category": "B"}):
        found = event("product.addToCart", params)
        assert found.commerce is not None
        assert found.commerce.items[0].categories == ("A",)
        assert found.properties == {"category": "B"}


@pytest.mark.parametrize("reserved", ["ip", "apiKey", "time", "modifiedBy", "eventUUID", "businessProfileId"])
def test_reserved_params_are_nobodys_business_but_go_back(reserved: str) -> None:
    found = event(params={reserved: "x", "a": 1})
    assert found.properties == {"a": 1}
    assert sent(found)["params"] == {reserved: "x", "a": 1}


# --- transactions ----------------------------------------------------------------------------------------


def test_plugins_leave_out_what_is_required_and_add_what_is_not() -> None:
    body: dict[str, Any] = {
        "client": {"email": "joao@example.com"},
        "orderId": "5822",
        "label": "Order",
        "time": "2025-02-27T18:03:11.000Z",
        "discountAmount": {"amount": -5.5, "currency": "BRL"},
        "metadata": {"source": "x", "revenue": 1, "status": "new"},
        "products": [{"sku": "912", "parentSku": None, "finalUnitPrice": {"amount": 0, "currency": "BRL"}}],
    }
    (found,) = post("transactions", body).events
    assert found.commerce is not None
    assert found.commerce.discount == Decimal("-5.5")
    assert found.properties == {"status": "new"}
    assert normalise("transactions_batch", sent(found)) == normalise("transactions_batch", body)
    assert losses(found) == {}


def test_lines_keep_their_order() -> None:
    rows = [{"sku": sku} for sku in "CAB"]
    (found,) = post("transactions", {"client": {"customId": "1"}, "orderId": "1", "products": rows}).events
    assert [row["sku"] for row in sent(found)["products"]] == list("CAB")


def test_an_order_posted_as_an_event_stays_an_event() -> None:
    """Synerise makes no product.buy of it; as a transaction it would."""
    found = event("transaction.charge", {"orderId": "1", "revenue": {"amount": 1, "currency": "EUR"}})
    assert found.name == "Order Completed"
    assert (sent(found)["type"], sent(found)["action"]) == ("custom", "transaction.charge")


# --- profiles --------------------------------------------------------------------------------------------


def profile(**body: Any) -> Any:
    (found,) = post("clients/batch", [body]).events
    return found


@pytest.mark.parametrize("name", ["webPush", "webpush"])
@pytest.mark.parametrize("value", [True, False, 1, 0, "true", "True", "false", "False"])
def test_agreements_come_in_many_spellings_and_go_back(name: str, value: Any) -> None:
    found = profile(customId="1", agreements={name: value})
    assert found.consent == (ConsentChange(granted=str(value).lower() in ("true", "1"), channel="web"),)
    assert sent(found) == {"customId": "1", "agreements": {name: value}}


def test_a_permission_that_a_route_changed_is_written_anew() -> None:
    found = profile(customId="1", agreements={"webpush": 1, "wifi": True})
    changed = msgspec.structs.replace(found, consent=(ConsentChange(granted=False, channel="web"),))
    assert sent(changed)["agreements"] == {"webPush": False}


def test_woocommerce_spells_three_keys_in_its_own_way() -> None:
    found = profile(custom_id="17", firstname="Joao", lastname="Silva")
    assert (found.profile.user_id, found.profile.first_name, found.profile.last_name) == ("17", "Joao", "Silva")
    assert sent(found) == {"custom_id": "17", "firstname": "Joao", "lastname": "Silva"}


def test_null_in_a_profile_deletes_and_only_who_sent_it_sends_it_on() -> None:
    found = profile(customId="1", company=None, attributes={"old": None, "new": 1})
    assert found.profile.traits == {"new": 1}
    assert sent(found) == {"customId": "1", "company": None, "attributes": {"old": None, "new": 1}}
    assert losses(found) == {}


def test_attributes_with_reserved_names_are_ignored_and_go_back() -> None:
    found = profile(customId="1", attributes={"status": "x", "geo_loc_city": "y", "tier": "gold"})
    assert found.profile.traits == {"tier": "gold"}
    assert sent(found)["attributes"] == {"status": "x", "geo_loc_city": "y", "tier": "gold"}
