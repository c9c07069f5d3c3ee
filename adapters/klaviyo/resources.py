"""Klaviyo's JSON:API resources as answers show them.

Source: https://github.com/klaviyo/openapi, branch 2026-07-15: PostProfileResponse, PostProfileImportJobResponse,
GetAccountResponseCollection; read 2026-11-21. How numbers and empty fields are written is our choice: absent fields
are null, coordinates are text.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from adapters.klaviyo.names import LOCATION, PROFILE
from adapters.klaviyo.wire import Json, ProfileData, dig
from gateway.event import Profile

HOST: Final = "https://a.klaviyo.com"
_ATTRIBUTES: Final = tuple((path.removeprefix("profile."), key) for path, key in PROFILE.paths())
_PLACES: Final = tuple(key for _, key in LOCATION.paths())
_COORDINATES: Final = frozenset({"latitude", "longitude"})
_HIDDEN: Final = "anonymous_id"
"""Taken, never shown."""
JOB_LIFE: Final = timedelta(days=7)
"""How long a job is said to be kept; our choice."""


def profile_resource(profile_id: str, profile: Profile, now: datetime, data: ProfileData | None = None) -> Json:
    """Return a profile as far as it is known: its identifiers, and what the request at hand has said."""
    said = data.attributes if data is not None else {}
    attributes: Json = {
        key: said.get(key, getattr(profile, field, None)) for field, key in _ATTRIBUTES if key != _HIDDEN
    }
    moment = now.isoformat(timespec="seconds")
    attributes.update(created=moment, updated=moment, last_event_date=None)
    attributes["location"] = _location(dig(said, "location"))
    attributes["properties"] = _properties(said, data)
    link = f"{HOST}/api/profiles/{profile_id}/"
    return {"type": "profile", "id": profile_id, "attributes": attributes, "links": {"self": link}}


def _location(said: Json) -> Json:
    location = {key: said.get(key) for key in _PLACES}
    for key in _COORDINATES:
        if location[key] is not None:
            location[key] = str(location[key])
    return location


def _properties(said: Json, data: ProfileData | None) -> Json:
    """Return the custom properties as they are after the request's own patch operations."""
    properties = {key: value for key, value in dig(said, "properties").items() if value is not None}
    meta = data.meta if data is not None and isinstance(data.meta, dict) else dig(said, "meta")
    for key, value in dig(meta, "patch_properties", "append").items():
        held = properties.get(key, [])
        properties[key] = [
            *(held if isinstance(held, list) else [held]),
            *(value if isinstance(value, list) else [value]),
        ]
    unset = dig(meta, "patch_properties").get("unset", [])
    for key in [unset] if isinstance(unset, str) else unset if isinstance(unset, list) else []:
        if isinstance(key, str):
            properties.pop(key, None)
    return properties


def import_job(job_id: str, count: int, now: datetime, rest: Json) -> Json:
    """Return a bulk import job that has just been queued."""
    attributes = {
        "status": "queued",
        "created_at": now.isoformat(timespec="seconds"),
        "total_count": count,
        "completed_count": 0,
        "failed_count": 0,
        "completed_at": None,
        "expires_at": (now + JOB_LIFE).isoformat(timespec="seconds"),
        "started_at": None,
    }
    link = f"{HOST}/api/profile-bulk-import-jobs/{job_id}/"
    job: Json = {"type": "profile-bulk-import-job", "id": job_id, "attributes": attributes, "links": {"self": link}}
    if lists := dig(rest, "data", "relationships", "lists").get("data"):
        job["relationships"] = {"lists": {"data": lists}}
    return {"data": job, "links": {"self": link}}


def collection(path: str, resources: list[Json]) -> Json:
    """Return a page of resources that is the only one."""
    return {"data": resources, "links": {"self": HOST + path, "first": None, "last": None, "prev": None, "next": None}}


def account(company_id: str) -> Json:
    """Return the account of a key; nothing of it is known but its public key."""
    attributes: dict[str, Any] = {
        "test_account": False,
        "contact_information": {
            "default_sender_name": "",
            "default_sender_email": "",
            "website_url": None,
            "organization_name": "",
            "street_address": dict.fromkeys(("address1", "address2", "city", "region", "country", "zip")),
        },
        "industry": None,
        "timezone": "UTC",
        "preferred_currency": "USD",
        "public_api_key": company_id,
        "locale": "en-US",
    }
    link = f"{HOST}/api/accounts/{company_id}/"
    return {"type": "account", "id": company_id, "attributes": attributes, "links": {"self": link}}
