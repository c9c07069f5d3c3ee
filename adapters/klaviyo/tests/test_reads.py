"""What clients ask before they send: accounts, profiles, lists and metrics."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from openapi_client.models.get_account_response_collection import GetAccountResponseCollection
from openapi_client.models.get_profile_response import GetProfileResponse

from adapters.klaviyo import ADAPTER
from adapters.klaviyo.tests.world import ENDPOINTS, ask, decode, errors, pointer, refused
from gateway.adapter import Quota, Refusal, RefusalKind
from gateway.event import Profile

NORA = "01JZ7A0C4D8E2F6G1H3J5KEXMP"
OMAR = "01JZ8Q4M7T3W9V5K2H6N0XEXMP"
PEOPLE = {
    NORA: Profile(email="nora+news@example.com", user_id="c-1", vendor_ids={"klaviyo": NORA}),
    OMAR: Profile(email="omar@example.com", phone="+15005550177", vendor_ids={"klaviyo": OMAR}),
}


def _body(endpoint: str, **options: Any) -> dict[str, Any]:
    decoded = decode(endpoint, people=PEOPLE, **options)
    assert (decoded.events, decoded.reply.status) == ((), 200)
    body: dict[str, Any] = json.loads(decoded.reply.body)
    return body


def test_accounts_answers_the_connection_test() -> None:
    """One account, as the official SDK reads it."""
    body = _body("accounts")
    read = GetAccountResponseCollection.from_dict(body)
    assert read is not None
    assert [account.id for account in read.data] == ["AbC123"]


def test_lists_and_metrics_are_empty_pages() -> None:
    """Nothing is known of them."""
    assert _body("lists")["data"] == []
    assert _body("metrics")["data"] == []


def test_profile_by_id() -> None:
    """Its identifiers, and nulls; an unknown one is a 404."""
    body = _body("get-profile", id=NORA)
    assert GetProfileResponse.from_dict(body) is not None
    assert body["data"]["attributes"]["email"] == "nora+news@example.com"
    answer = refused("get-profile", id="01HABCDEFGHJKMNPQRSTVWXYZ0")
    assert answer.status == 404
    assert errors(answer)[0]["code"] == "not_found"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('equals(email,"nora+news@example.com")', [NORA]),
        ('equals(phone_number,"+15005550177")', [OMAR]),
        ('equals(external_id,"c-1")', [NORA]),
        (f'any(id,["{NORA}","{OMAR}"])', [NORA, OMAR]),
        (f'equals(id,"{OMAR}"),equals(email,"omar@example.com")', [OMAR]),
        (f'and(equals(id,"{OMAR}"),equals(email,"nora+news@example.com"))', []),
        ('or(equals(external_id,"c-1"),equals(email,"omar@example.com"))', [NORA, OMAR]),
        ("equals(email,'omar@example.com')", [OMAR]),
        ('equals(email,"nobody@example.com")', []),
    ],
)
def test_profiles_by_filter(text: str, found: list[str]) -> None:
    """The filters of Magento, commercetools and Segment."""
    assert [row["id"] for row in _body("get-profiles", query=f"filter={quote(text)}&page[size]=20")["data"]] == found


def test_profiles_without_a_filter_are_none() -> None:
    """The directory finds, it does not list."""
    assert _body("get-profiles")["data"] == []


@pytest.mark.parametrize(
    "text", ["greater-than(created,2020)", 'equals(first_name,"x")', "any(email,[1])", "equals(email"]
)
def test_filters_that_are_not_understood(text: str) -> None:
    """Are refused, not answered with something else."""
    assert pointer("get-profiles", b"", query=f"filter={quote(text)}") == "/data"


# --- refusals and quota ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "code", "title"),
    [
        (RefusalKind.BAD_CREDENTIAL, 401, "authentication_failed", "Incorrect authentication credentials."),
        (RefusalKind.NOT_FOUND, 404, "not_found", "Not found."),
        (RefusalKind.METHOD_NOT_ALLOWED, 405, "method_not_allowed", 'Method "GET" not allowed.'),
        (RefusalKind.TOO_LARGE, 413, "payload_too_large", "The request payload is too large."),
        (RefusalKind.THROTTLED, 429, "throttled", "Request was throttled."),
        (RefusalKind.UNAVAILABLE, 503, "service_unavailable", "Service temporarily unavailable."),
        (RefusalKind.INTERNAL, 500, "error", "A server error occurred."),
    ],
)
def test_refusals_have_the_envelope(kind: RefusalKind, status: int, code: str, title: str) -> None:
    """All eight members, whatever the reason."""
    answer = ADAPTER.refuse(Refusal(kind, 3, ("POST",)), ask("accounts"))
    (error,) = errors(answer)
    assert (answer.status, error["code"], error["title"]) == (status, code, title)


def test_encoding_refusal_names_the_coding() -> None:
    """As the framework's own text would."""
    answer = ADAPTER.refuse(Refusal(RefusalKind.BAD_ENCODING), ask("events", headers={"Content-Encoding": "br"}))
    assert answer.status == 415
    assert '"br"' in errors(answer)[0]["title"]


@pytest.mark.parametrize("kind", [RefusalKind.THROTTLED, RefusalKind.UNAVAILABLE])
def test_retry_after_is_an_integer(kind: RefusalKind) -> None:
    """The Python SDK raises on anything else; PHP looks for this very spelling."""
    for given, said in ((7, b"7"), (None, b"1")):
        headers = dict(ADAPTER.refuse(Refusal(kind, given), ask("events")).headers)
        assert headers[b"Retry-After"] == said


def test_throttling_counts_in_words() -> None:
    """One second, two seconds."""
    for wait, words in ((1, "1 second."), (2, "2 seconds.")):
        answer = ADAPTER.refuse(Refusal(RefusalKind.THROTTLED, wait), ask("events"))
        assert errors(answer)[0]["detail"].endswith(f"Expected available in {words}")


def test_quota_headers_are_plain_integers() -> None:
    """About the steady window."""
    assert ADAPTER.quota_headers is not None
    assert ADAPTER.quota_headers(Quota(3500, 3487, 41)) == (
        (b"RateLimit-Limit", b"3500"),
        (b"RateLimit-Remaining", b"3487"),
        (b"RateLimit-Reset", b"41"),
    )


def test_people_are_asked_for_only_where_needed() -> None:
    """Events do not wait for the directory."""
    asking = {name for name, entry in ENDPOINTS.items() if entry.people}
    assert asking == {"profiles", "update-profile", "profile-import", "get-profiles", "get-profile"}
