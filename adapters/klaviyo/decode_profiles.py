"""The profile endpoints: create, update, import, bulk import, and the client's own.

Sources, read 2026-11-21:
    https://github.com/klaviyo/openapi, create_profile, update_profile, create_or_update_profile, bulk_import_profiles
    https://github.com/klaviyo/klaviyo-api-node/issues/75: the answer to a profile that exists
"""

from typing import Final

import msgspec

from adapters.klaviyo import limits
from adapters.klaviyo.decode import CLIENT_ACCEPTED, identify_event, origin
from adapters.klaviyo.decode_person import Person, check_identified, check_strings, wrapped
from adapters.klaviyo.errors import JSON_API, Invalid, answering, bad_request, duplicate, not_found
from adapters.klaviyo.names import PROFILE, SLUG, is_profile_id, mint
from adapters.klaviyo.resources import import_job, profile_resource
from adapters.klaviyo.wire import ImportBody, Json, ProfileBody, ProfileData, Reader, dig, place
from gateway.adapter import Decoded, Reply, Request, json_bytes
from gateway.event import Event, Profile

_one: Final = Reader(ProfileBody)
_many: Final = Reader(ImportBody)
_entry: Final = Reader(ProfileData)

_ENTRIES: Final = "/data/attributes/profiles/data"
_ADDRESS: Final = ("email", "phone_number", "external_id", "anonymous_id", "_kx")


# --- one profile, for the server -------------------------------------------------------------------------


@answering
def create(request: Request) -> Decoded:
    """Return one identify, with a 201; a profile that exists already is refused with a 409."""
    data, person, rest = _person(request)
    check_identified(person.profile, "/data/attributes")
    known = request.people.find(person.profile)
    if known is not None:
        raise duplicate(request, known)
    return _answer(request, "profiles", 201, data, person, rest, request.people.mint(person.profile))


@answering
def upsert(request: Request) -> Decoded:
    """Return one identify, with a 201 for a new person and a 200 for a known one."""
    data, person, rest = _person(request)
    check_identified(person.profile, "/data/attributes")
    known = data.id or request.people.find(person.profile)
    status = 200 if known else 201
    profile_id = known or request.people.mint(person.profile)
    return _answer(request, "profile-import", status, data, person, rest, profile_id)


@answering
def update(request: Request) -> Decoded:
    """Return one identify about the profile in the path, under every identifier known for it."""
    profile_id = request.params["id"]
    known = request.people.get(profile_id)
    if known is None and not is_profile_id(profile_id):
        raise not_found(request, f"A profile with id {profile_id} does not exist.")
    data, person, rest = _person(request)
    if data.id and data.id != profile_id:
        raise Invalid("/data/id", "The id in the body is not that in the path.")
    _refuse_taken(request, person.profile, profile_id)
    profile = _with_identifiers(person.profile, known or Profile(), data.attributes, profile_id)
    person = msgspec.structs.replace(person, profile=profile)
    return _answer(request, "update-profile", 200, data, person, rest, profile_id)


def _person(request: Request) -> tuple[ProfileData, Person, Json]:
    body, rest = _one.read(request.body)
    try:
        check_strings(body.data.attributes, len(request.body))
        return body.data, wrapped(body.data, identify=True), rest
    except Invalid as problem:
        raise problem.below("/data") from None


def _refuse_taken(request: Request, profile: Profile, profile_id: str) -> None:
    named = msgspec.structs.replace(profile, vendor_ids={k: v for k, v in profile.vendor_ids.items() if k != SLUG})
    other = request.people.find(named)
    if other is not None and other != profile_id:
        raise duplicate(request, other)


def _with_identifiers(profile: Profile, known: Profile, attributes: Json, profile_id: str) -> Profile:
    """Add what is known of a person, except what the request itself sets or clears."""
    told = {path.removeprefix("profile.") for path, key in PROFILE.paths() if key in attributes}
    names = ("user_id", "anonymous_id", "email", "phone")
    added = {name: getattr(known, name) for name in names if name not in told}
    ids = {**known.vendor_ids, **profile.vendor_ids, SLUG: profile_id}
    return msgspec.structs.replace(profile, vendor_ids=ids, **added)


def _answer(
    request: Request, endpoint: str, status: int, data: ProfileData, person: Person, rest: Json, profile_id: str
) -> Decoded:
    made = identify_event(request, origin(request, endpoint), person, {"rest": rest} if rest else {})
    body = {"data": profile_resource(profile_id, person.profile, request.received_at, data)}
    return Decoded((made,), Reply(status, (JSON_API,), json_bytes(body)))


# --- one profile, for browsers and apps ------------------------------------------------------------------


@answering
def client(request: Request) -> Decoded:
    """Return one identify, with an empty 202."""
    body, rest = _one.read(request.body)
    data = body.data
    _address(data)
    try:
        person = wrapped(data, identify=True)
        check_identified(person.profile, "/attributes")
    except Invalid as problem:
        raise problem.below("/data") from None
    made = identify_event(request, origin(request, "client-profiles"), person, {"rest": rest} if rest else {})
    return Decoded((made,), CLIENT_ACCEPTED)


def _address(data: ProfileData) -> None:
    """Move ``meta.identifiers``, by which the first two revisions said who is meant, to where they are said now."""
    identifiers = dig({"meta": data.meta}, "meta", "identifiers")
    for name in _ADDRESS:
        if isinstance(identifiers.get(name), str) and not data.attributes.get(name):
            data.attributes[name] = identifiers.pop(name)
    if isinstance(identifiers.get("id"), str) and not data.id:
        data.id = identifiers.pop("id")
    if isinstance(data.meta, dict) and data.meta.get("identifiers") == {}:
        del data.meta["identifiers"]
        data.meta = data.meta or msgspec.UNSET


# --- many profiles ---------------------------------------------------------------------------------------


@answering
def bulk(request: Request) -> Decoded:
    """Return one identify for each profile of a job, with the job as it is when it begins."""
    body, rest = _many.read(request.body)
    raws = body.data.attributes.profiles.data
    if not raws:
        raise Invalid(_ENTRIES, "At least one profile is required.")
    if len(raws) > limits.BULK_PROFILES.value:
        raise Invalid(_ENTRIES, f"A request may have at most {limits.BULK_PROFILES.value} profiles.")
    source = origin(request, "profile-bulk-import-jobs")
    residue = {"frame": rest} if rest else {}
    people = _people(request, raws)
    made: list[Event] = [identify_event(request, source, person, {**residue, **left}) for person, left in people]
    job = import_job(mint(request.id), len(made), request.received_at, rest)
    return Decoded(made, Reply(202, (JSON_API,), json_bytes(job)))


def _people(request: Request, raws: list[msgspec.Raw]) -> list[tuple[Person, Json]]:
    found, problems = [], []
    for index, raw in enumerate(raws):
        try:
            found.append(_entry_person(raw))
        except Invalid as problem:
            problems.append(problem.below(f"{_ENTRIES}/{index}"))
    if problems:
        raise bad_request(request, problems)
    return found


def _entry_person(raw: msgspec.Raw) -> tuple[Person, Json]:
    size = len(bytes(raw))
    if size > limits.PROFILE_BODY.value:
        raise Invalid("", f"A profile may have at most {limits.PROFILE_BODY.value} bytes.")
    data, rest = _entry.read(raw)
    person = wrapped(data, identify=True)
    check_identified(person.profile, "/attributes")
    return person, {"rest": place(rest, "data")} if rest else {}
