"""Contacts, subscriptions, searches, tokens, the account."""

from typing import Any

import pytest

from adapters.yespo.names import is_minted
from adapters.yespo.tests.support import Client, parsed
from gateway.event import ConsentChange, Profile

CONTACT: dict[str, Any] = {
    "channels": [{"type": "email", "value": "mail@example.com"}, {"type": "sms", "value": "380942583691"}],
    "firstName": "John",
}


def test_a_contact_becomes_an_identify_and_has_an_id(client: Client) -> None:
    decoded = client.post("/api/v1/contact", {**CONTACT, "fields": [{"id": 7, "value": "gold"}]})
    (event,) = decoded.events
    assert (event.kind, event.profile.email, event.profile.phone) == ("identify", "mail@example.com", "380942583691")
    assert event.profile.traits == {"field_7": "gold"}
    assert is_minted(str(parsed(decoded.reply)["id"]))


def test_custom_fields_have_the_names_that_the_options_give() -> None:
    client = Client(contact_fields={"plan": 7})
    (event,) = client.post("/api/v1/contact", {**CONTACT, "fields": [{"id": "7", "value": "gold"}]}).events
    assert event.profile.traits == {"plan": "gold"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"channels": []},
        {"channels": [{"type": "email"}]},
        {"channels": [{"type": "pigeon", "value": "x"}]},
        {"channels": [{"type": "email", "value": " "}]},
        {"channels": "email"},
    ],
)
def test_a_contact_needs_channels(client: Client, body: dict[str, Any]) -> None:
    assert client.refusal("POST", "/api/v1/contact", body).status == 400


def test_an_update_is_about_everybody_known_under_the_id() -> None:
    client = Client({"564407320": Profile(user_id="CUST-1", email="old@example.com")})
    decoded = client.ask("PUT", "/api/v1/contact/564407320", {"firstName": "Jane"})
    (event,) = decoded.events
    assert (event.profile.user_id, event.profile.email) == ("CUST-1", "old@example.com")
    assert event.profile.vendor_ids == {"yespo": "564407320"}
    assert decoded.reply.body == b"Contact with id='564407320' has been updated"


@pytest.mark.parametrize("own", ["abc", "0", "1" * 40, "-5"])
def test_an_update_needs_a_numeric_id(client: Client, own: str) -> None:
    assert client.refusal("PUT", f"/api/v1/contact/{own}", CONTACT).status == 404


def test_a_contact_nobody_knows_is_not_found() -> None:
    client = Client({"5": Profile(user_id="CUST-1")})
    assert client.ask("DELETE", "/api/v1/contact?externalCustomerId=CUST-1&erase=true").events == ()
    reply = client.refusal("DELETE", "/api/v1/contact?externalCustomerId=CUST-2")
    assert (reply.status, b"not found" in reply.body, b"CUST-2" in reply.body) == (404, True, False)
    assert client.refusal("DELETE", "/api/v1/contact").status == 400


def test_failed_contacts_are_an_object_for_one_and_a_list_for_more(client: Client) -> None:
    def failed(*rows: Any) -> Any:
        return parsed(client.post("/api/v1/contacts", {"contacts": rows, "dedupeOn": "email"}).reply)

    assert "failedContacts" not in failed(CONTACT)
    assert isinstance(failed(CONTACT, {})["failedContacts"]["error"], str)
    assert [type(row["error"]) for row in failed({}, {"firstName": "x"})["failedContacts"]] == [str, str]


def test_a_bulk_needs_to_say_how_contacts_are_told_apart(client: Client) -> None:
    for body in (
        {"contacts": [CONTACT]},
        {"contacts": [CONTACT], "dedupeOn": "name"},
        {"contacts": [CONTACT], "dedupeOn": "fieldId"},
        {"contacts": [], "dedupeOn": "email"},
        {"contacts": [5], "dedupeOn": "email"},
        {"contacts": [CONTACT] * 3001, "dedupeOn": "email"},
    ):
        assert client.refusal("POST", "/api/v1/contacts", body).status == 400
    assert len(client.post("/api/v1/contacts", {"contacts": [CONTACT] * 3000, "dedupeOn": "email"}).events) == 3000


def test_a_subscription_is_a_permission_for_each_channel_and_group(client: Client) -> None:
    body = {"contact": CONTACT, "groups": ["News", "Sales"], "formType": "footer"}
    decoded = client.post("/api/v1/contact/subscribe", body)
    (event,) = decoded.events
    assert (event.kind, event.name) == ("track", "Subscribed")
    assert event.consent == tuple(
        ConsentChange(granted=True, channel=channel, group=group, wording="footer")
        for channel in ("email", "sms")
        for group in ("News", "Sales")
    )
    told = parsed(decoded.reply)
    assert (told["emailStatus"], told["new"]) == ("NEED_CONFIRMATION", True)


def test_a_known_contact_is_not_new() -> None:
    client = Client({"564407320": Profile(email="mail@example.com")})
    told = parsed(client.post("/api/v1/contact/subscribe", {"contact": CONTACT}).reply)
    assert (told["id"], told["new"]) == (564407320, False)


def test_a_search_shows_identifiers() -> None:
    client = Client({"5": Profile(email="a@example.com", phone="380", user_id="C", first_name="A")})
    reply = client.ask("GET", "/api/v1/contacts?email=a@example.com").reply
    assert parsed(reply) == [
        {
            "id": 5,
            "channels": [{"type": "email", "value": "a@example.com"}, {"type": "sms", "value": "380"}],
            "externalCustomerId": "C",
        }
    ]
    assert dict(reply.headers)[b"TotalCount"] == b"1"


@pytest.mark.parametrize("query", ["", "firstname=A", "email=b@example.com", "email=a@example.com&sms=9", "email="])
def test_a_search_that_finds_nobody_is_empty(query: str) -> None:
    client = Client({"5": Profile(email="a@example.com")})
    reply = client.ask("GET", f"/api/v1/contacts?{query}").reply
    assert (parsed(reply), dict(reply.headers)[b"TotalCount"]) == ([], b"0")


@pytest.mark.parametrize("query", ["maxrows=501", "maxrows=x", "startindex=-1", "&".join(["a=1"] * 60)])
def test_a_search_that_is_wrong_is_refused(client: Client, query: str) -> None:
    assert client.refusal("GET", f"/api/v1/contacts?{query}").status == 400


def test_an_import_is_finished_at_once(client: Client) -> None:
    session = parsed(client.post("/api/v1/contacts", {"contacts": [CONTACT], "dedupeOn": "sms"}).reply)
    told = parsed(client.ask("GET", f"/api/v1/importstatus/{session['asyncSessionId']}").reply)
    assert told["status"] == "FINISHED"


def test_the_account_is_what_the_options_say() -> None:
    told = parsed(Client(organisation="Shop Ltd").ask("GET", "/api/v1/account/info").reply)
    assert (told["organisationName"], type(told["orgId"])) == ("Shop Ltd", int)
    assert parsed(Client().ask("GET", "/api/v1/account/info").reply)["organisationName"] == "shop"


def test_a_contact_nobody_knows_has_an_empty_token() -> None:
    client = Client({"5": Profile(email="a@example.com")})
    assert parsed(client.post("/api/v1/auth/contact/token", {"email": "a@example.com"}).reply)["token"]
    for body in ({}, {"email": "b@example.com"}, {"email": None}):
        assert parsed(client.post("/api/v1/auth/contact/token", body).reply) == {"token": ""}
