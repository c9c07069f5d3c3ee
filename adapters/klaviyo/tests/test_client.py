"""The endpoints of browsers and apps: the public key in the query, CORS, and only 202 for success."""

import pytest

from adapters.klaviyo import ADAPTER
from adapters.klaviyo.tests.world import (
    ENDPOINTS,
    ask,
    decode,
    errors,
    group,
    one,
    pointer,
    profile,
    refused,
    sent,
    wrapped,
)
from gateway.adapter import Refusal, RefusalKind, Rejected

ANY_ORIGIN = (b"Access-Control-Allow-Origin", b"*")
PREFLIGHTS = [name for name, entry in ENDPOINTS.items() if entry.method == "OPTIONS"]


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("client-events", wrapped()),
        ("client-event-bulk-create", {"data": group({}, {})}),
        ("client-profiles", profile(email="nora@example.com")),
    ],
)
def test_success_is_an_empty_202_that_any_page_may_read(endpoint: str, body: object) -> None:
    """Android takes nothing else for success."""
    answer = decode(endpoint, body).reply
    assert (answer.status, answer.body) == (202, b"")
    assert ANY_ORIGIN in answer.headers


def test_every_client_path_has_a_preflight() -> None:
    """Custom headers make browsers ask first."""
    asked = {entry.path for name, entry in ENDPOINTS.items() if name.startswith("client-") and entry.method == "POST"}
    assert {ENDPOINTS[name].path for name in PREFLIGHTS} == asked


@pytest.mark.parametrize("endpoint", PREFLIGHTS)
def test_preflight_allows_what_was_asked(endpoint: str) -> None:
    """Method and headers, from any origin, without a key."""
    assert ENDPOINTS[endpoint].auth is None
    wanted = {"Access-Control-Request-Headers": "revision, content-type", "Origin": "https://shop.example.com"}
    decoded = decode(endpoint, headers=wanted)
    headers = dict(decoded.reply.headers)
    assert decoded.events == ()
    assert headers[b"Access-Control-Allow-Headers"] == b"revision, content-type"
    assert headers[b"Access-Control-Allow-Origin"] == b"*"
    assert b"POST" in headers[b"Access-Control-Allow-Methods"]


@pytest.mark.parametrize("wanted", ["", "x\x00y", "a: b"])
def test_preflight_does_not_echo_anything_odd(wanted: str) -> None:
    """What is no list of header names is not repeated."""
    decoded = decode(PREFLIGHTS[0], headers={"Access-Control-Request-Headers": wanted})
    assert dict(decoded.reply.headers)[b"Access-Control-Allow-Headers"] == b"*"


def test_errors_may_be_read_by_any_page() -> None:
    """The decoder's and the core's."""
    answer = refused("client-events", b"{")
    assert ANY_ORIGIN in answer.headers
    assert errors(answer)[0]["code"] == "parse_error"
    assert ANY_ORIGIN in ADAPTER.refuse(Refusal(RefusalKind.THROTTLED, 2), ask("client-events")).headers
    assert ANY_ORIGIN not in ADAPTER.refuse(Refusal(RefusalKind.THROTTLED, 2), ask("events")).headers


def test_company_id_is_the_credential() -> None:
    """Taken from the query, compared with the account's."""
    auth = ENDPOINTS["client-events"].auth
    assert auth is not None
    presented = auth.present(ask("client-events", query="company_id=AbC123&x=1"))
    assert auth.matches(presented, {"company_id": "AbC123"})
    assert not auth.matches(presented, {"company_id": "abc123"})
    for query in ("", "company_id=", "company=AbC123"):
        with pytest.raises(Rejected) as rejected:
            auth.present(ask("client-events", query=query))
        assert rejected.value.reply.status == 400
        assert errors(rejected.value.reply)


def test_client_bulk_is_one_group() -> None:
    """Its pointers have no group's index; a key used twice is refused here too."""
    twice = {"data": group({"unique_id": "u"}, {"unique_id": "u"})}
    at = "/data/attributes/events/data/1/attributes/unique_id"
    assert pointer("client-event-bulk-create", twice) == at
    assert pointer("client-event-bulk-create", {"data": group()}) == "/data/attributes/events/data"
    assert pointer("client-event-bulk-create", {"data": group({"time": "x"})}).endswith(
        "/events/data/0/attributes/time"
    )


def test_identifiers_in_meta_say_who_is_meant() -> None:
    """The first two revisions put them there; they come back where they stand now."""
    meta = {"identifiers": {"email": "nora@example.com", "external_id": "c-1", "id": "01J0000000000000000000000A"}}
    event = one("client-profiles", profile({"meta": meta}, first_name="Nora", external_id="c-2"))
    assert event.profile.email == "nora@example.com"
    assert event.profile.user_id == "c-2"
    assert event.profile.vendor_ids == {"klaviyo": "01J0000000000000000000000A"}
    back = sent("profile-import", event)["data"]
    assert back["attributes"]["email"] == "nora@example.com"
    assert back["meta"] == {"identifiers": {"external_id": "c-1"}}


def test_a_profile_needs_an_identifier() -> None:
    """Wherever it stands."""
    assert pointer("client-profiles", profile(first_name="Nora")) == "/data/attributes"
