"""The official Klaviyo SDK against the gateway: it must not notice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import ApiException

from tests.e2e.harness import KEYS, World, klaviyo_event, received, world


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("sdk")) as made:
        crm = made.standin("blueshift")
        made.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
        made.serve()
        yield made


def api(shop: World, key: str = KEYS["klaviyo"]["private_key"], **options: Any) -> KlaviyoAPI:
    assert shop.gateway is not None
    return KlaviyoAPI(key, test_host=f"{shop.gateway.ready['listen']}/klaviyo", **options)


def test_create_event(shop: World) -> None:
    assert api(shop).Events.create_event(klaviyo_event(1001)) is None


def test_bulk_create_events(shop: World) -> None:
    event = klaviyo_event(1002)["data"]
    profile = event["attributes"].pop("profile")
    group = {"type": "event-bulk-create", "attributes": {"profile": profile, "events": {"data": [event]}}}
    attributes = {"events-bulk-create": {"data": [group]}}
    job = {"data": {"type": "event-bulk-create-job", "attributes": attributes}}
    assert api(shop).Events.bulk_create_events(job) is None


def profile(email: str, **more: Any) -> dict[str, Any]:
    return {"data": {"type": "profile", "attributes": {"email": email, **more}}}


def field(answer: Any, *names: str) -> Any:
    for name in names:
        answer = answer[name] if isinstance(answer, dict) else getattr(answer, name)
    return answer


def test_profiles_are_created_once_and_then_found(shop: World) -> None:
    profiles = api(shop).Profiles
    created = field(profiles.create_profile(profile("new@example.com", first_name="Nora")), "data", "id")
    assert len(created) == 26
    with pytest.raises(ApiException) as caught:
        profiles.create_profile(profile("new@example.com"))
    assert caught.value.status == 409
    assert created in str(caught.value.body)
    assert field(profiles.create_or_update_profile(profile("new@example.com")), "data", "id") == created
    patch = {"data": {"type": "profile", "id": created, "attributes": {"first_name": "Eleonora"}}}
    assert field(profiles.update_profile(created, patch), "data", "id") == created


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [("pk_" + "f" * 34, 401, "authentication_failed"), ("nonsense", 401, "authentication_failed")],
)
def test_a_wrong_key_raises_what_the_sdk_expects(shop: World, key: str, status: int, code: str) -> None:
    with pytest.raises(ApiException) as caught:
        api(shop, key).Events.create_event(klaviyo_event(1003))
    assert caught.value.status == status
    assert code in str(caught.value.body)


def test_a_bad_event_raises_what_the_sdk_expects(shop: World) -> None:
    bad = klaviyo_event(1004, "x" * 200)
    with pytest.raises(ApiException) as caught:
        api(shop).Events.create_event(bad)
    assert caught.value.status == 400
    assert '"pointer"' in str(caught.value.body)


def test_reads_that_clients_make_first(shop: World) -> None:
    assert field(api(shop).Accounts.get_accounts(), "data")
    assert field(api(shop).Lists.get_lists(), "data") == []
    assert field(api(shop).Metrics.get_metrics(), "data") == []


def test_throttling_is_waited_for_by_the_sdk(tmp_path: Path) -> None:
    """The SDK reads Retry-After as an integer and tries again by itself."""
    with world(tmp_path) as made:
        url = made.standin("klaviyo")
        client = KlaviyoAPI(KEYS["klaviyo"]["private_key"], test_host=url, max_retries=5, max_delay=10)
        for number in range(12):
            assert client.Profiles.create_or_update_profile(profile(f"p{number}@example.com")) is not None
        body = {"data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": []}}}}
        statuses = set()
        for _ in range(14):
            try:
                client.Events.bulk_create_events(body)
            except ApiException as error:
                statuses.add(error.status)
        requests = received(url, 0)["requests"]
    assert 429 in {row["status"] for row in requests}
    assert 429 not in statuses
