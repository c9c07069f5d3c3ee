"""The profile endpoints: what they answer about people who are known, and what they store."""

import json
from typing import Any

import pytest
from openapi_client.models.patch_profile_response import PatchProfileResponse
from openapi_client.models.post_profile_import_job_response import PostProfileImportJobResponse
from openapi_client.models.post_profile_response import PostProfileResponse

from adapters.klaviyo import limits
from adapters.klaviyo.tests.world import decode, errors, lost, one, pointer, profile, refused, sent
from gateway.event import Profile

KNOWN = "01JZ7A0C4D8E2F6G1H3J5KEXMP"
OTHER = "01JZ8Q4M7T3W9V5K2H6N0XEXMP"
PEOPLE = {
    KNOWN: Profile(email="nora@example.com", user_id="c-1", vendor_ids={"klaviyo": KNOWN}),
    OTHER: Profile(email="omar@example.com", vendor_ids={"klaviyo": OTHER}),
}


def _job(*profiles: dict[str, Any], **more: Any) -> dict[str, Any]:
    entries = [entry["data"] for entry in profiles]
    attributes = {"profiles": {"data": entries}}
    return {"data": {"type": "profile-bulk-import-job", "attributes": attributes, **more}}


def _body(endpoint: str, body: Any, **options: Any) -> tuple[int, dict[str, Any]]:
    answer = decode(endpoint, body, people=PEOPLE, **options).reply
    assert dict(answer.headers)[b"Content-Type"] == b"application/vnd.api+json"
    return answer.status, json.loads(answer.body)


def test_create_answers_201_with_the_resource() -> None:
    """As the official SDK reads it; the id is the one that the person keeps."""
    status, body = _body("profiles", profile(email="mia@example.com", location={"latitude": 1.5}))
    assert status == 201
    read = PostProfileResponse.from_dict(body)
    assert read is not None
    assert read.data.attributes.email == "mia@example.com"
    assert body["data"]["attributes"]["location"]["latitude"] == "1.5"
    assert len(body["data"]["id"]) == 26
    assert _body("profiles", profile(email="mia@example.com"))[1]["data"]["id"] == body["data"]["id"]


@pytest.mark.parametrize("who", [{"email": "nora@example.com"}, {"external_id": "c-1", "email": "new@example.com"}])
def test_create_refuses_a_known_identifier(who: dict[str, Any]) -> None:
    """Connectors read the id from the error and go on with a PATCH."""
    (error,) = errors(refused("profiles", profile(**who), people=PEOPLE))
    assert error["status"] == 409
    assert error["meta"] == {"duplicate_profile_id": KNOWN}


def test_import_answers_201_or_200() -> None:
    """New, known by an identifier, known by its id."""
    assert _body("profile-import", profile(email="mia@example.com"))[0] == 201
    status, body = _body("profile-import", profile(email="nora@example.com"))
    assert (status, body["data"]["id"]) == (200, KNOWN)
    status, body = _body("profile-import", profile({"id": OTHER}, first_name="Omar"))
    assert (status, body["data"]["id"]) == (200, OTHER)


def test_update_is_about_everyone_known_under_the_id() -> None:
    """The identifiers of the directory join those of the body."""
    event = one("update-profile", profile({"id": KNOWN}, first_name="Nora"), id=KNOWN, people=PEOPLE)
    assert event.profile.email == "nora@example.com"
    assert event.profile.user_id == "c-1"
    assert event.profile.vendor_ids == {"klaviyo": KNOWN}
    status, body = _body("update-profile", profile(first_name="Nora"), id=KNOWN)
    assert status == 200
    assert PatchProfileResponse.from_dict(body) is not None
    assert body["data"]["attributes"]["email"] == "nora@example.com"


def test_update_can_clear_an_identifier() -> None:
    """Null is not filled up from what is known."""
    event = one("update-profile", profile(email=None), id=KNOWN, people=PEOPLE)
    assert event.profile.email is None
    assert event.profile.user_id == "c-1"
    assert sent("profile-import", event)["data"]["attributes"]["email"] is None


def test_update_of_an_unknown_id() -> None:
    """One of Klaviyo's form is taken as it is, since the gateway was not there when it was made; any other is not."""
    unknown = "01HABCDEFGHJKMNPQRSTVWXYZ0"
    event = one("update-profile", profile(first_name="Nora"), id=unknown)
    assert event.profile == Profile(first_name="Nora", vendor_ids={"klaviyo": unknown})
    (error,) = errors(refused("update-profile", profile(first_name="Nora"), id="customer-9"))
    assert (error["status"], error["code"]) == (404, "not_found")


def test_update_contradictions() -> None:
    """Another id in the body, an identifier of somebody else."""
    assert pointer("update-profile", profile({"id": OTHER}), id=KNOWN, people=PEOPLE) == "/data/id"
    (error,) = errors(refused("update-profile", profile(email="omar@example.com"), id=KNOWN, people=PEOPLE))
    assert error["meta"]["duplicate_profile_id"] == OTHER


def test_patch_operations_come_back() -> None:
    """Append, unappend, unset and those on identifiers; the answer shows what can be known of them."""
    operations = {
        "patch_properties": {"append": {"skus": "a", "tags": ["b"]}, "unappend": {"tags": "c"}, "unset": "old"},
        "patch_identifiers": {"append": {"email": "second@example.com"}},
    }
    body = profile({"meta": operations}, email="nora@example.com", properties={"skus": "z", "old": 1, "gone": None})
    event = one("profile-import", body)
    assert sent("profile-import", event) == body
    status, answer = _body("profile-import", body)
    assert status == 200
    assert answer["data"]["attributes"]["properties"] == {"skus": ["z", "a"], "tags": ["b"]}


def test_traits_with_a_field_of_their_own() -> None:
    """Klaviyo's guides keep gender and birthday among the custom properties."""
    properties = {
        "gender": "f",
        "Birthday": "1990-05-01",
        "created_at": "2020-01-02",
        "Device ID": "d-1",
        "plan": "pro",
    }
    event = one("profile-import", profile(email="nora@example.com", properties=properties))
    assert (event.profile.gender, event.profile.birth_date) == ("f", "1990-05-01")
    assert event.profile.created_at is not None
    assert event.profile.device_id == "d-1"
    assert event.profile.traits == {"plan": "pro"}
    assert sent("profile-import", event)["data"]["attributes"]["properties"] == properties


def test_profiles_take_no_anonymous_id() -> None:
    """It is read, since older clients send it; it is not sent any more."""
    event = one("profiles", profile(email="nora@example.com", anonymous_id="a-1"))
    assert event.profile.anonymous_id == "a-1"
    assert "anonymous_id" not in sent("profile-import", event)["data"]["attributes"]
    assert lost("profile-import", event)["profile.anonymous_id"][0] == "dropped"


def test_bulk_import_answers_with_its_job() -> None:
    """One identify for each profile; the job is queued."""
    lists = {"lists": {"data": [{"type": "list", "id": "Y6nRLr"}]}}
    body = _job(profile(email="a@example.com"), profile({"id": KNOWN}, first_name="Nora"), relationships=lists)
    decoded = decode("profile-bulk-import-jobs", body)
    assert [event.kind for event in decoded.events] == ["identify", "identify"]
    assert decoded.reply.status == 202
    read = PostProfileImportJobResponse.from_dict(json.loads(decoded.reply.body))
    assert read is not None
    assert (read.data.attributes.status, read.data.attributes.total_count) == ("queued", 2)
    assert decoded.events[0].residue["klaviyo"]["frame"] == {"data": {"relationships": lists}}
    assert any(path.startswith("residue.klaviyo.frame") for path in lost("profile-import", decoded.events[0]))


def test_bulk_import_names_every_bad_profile() -> None:
    """By its index; nothing is stored."""
    body = _job(profile(email="x"), profile(email="a@example.com"), profile(), {"data": {"type": "event"}})
    found = [error["source"]["pointer"] for error in errors(refused("profile-bulk-import-jobs", body))]
    at = "/data/attributes/profiles/data"
    assert found == [f"{at}/0/attributes/email", f"{at}/2/attributes", f"{at}/3/type"]
    assert pointer("profile-bulk-import-jobs", _job()) == at
    many = [profile(email="a@example.com")] * (limits.BULK_PROFILES.value + 1)
    assert pointer("profile-bulk-import-jobs", _job(*many)) == at
    assert len(decode("profile-bulk-import-jobs", _job(*many[1:])).events) == limits.BULK_PROFILES.value
