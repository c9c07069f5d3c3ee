"""What the profile endpoints say beside profiles: deletions, tags, devices, merges; and the answers to reads.

Sources, read 2026-11-21: github.com/Synerise/php-sdk lib/V4/Clients; github.com/Synerise/magento2-integration
lib/api-client (``/by-custom-id/``); help.synerise.com/developers/api/clients/profiles/merging-profiles.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from gateway.adapter import Decoded, Event, Reply, Request
from gateway.event import EMPTY_PROFILE, Origin, Profile

from .checks import is_identifier
from .errors import ACCEPTED, answer, invalid, not_found, problem
from .limits import IN_NAMES
from .wire import SLUG, parse_object, read_number

_DELETED: Final = "client.deleteAccount"
"""The action that the vendor's plugins send when a customer's account goes (php-sdk ``DeletedBuilder``)."""

_MOST: Final = IN_NAMES.value


def _event(request: Request, endpoint: str, name: str, who: Profile, **fields: Any) -> Event:
    return Event(
        id=request.new_id(),
        kind=fields.pop("kind", "track"),
        name=name,
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=endpoint),
        profile=who,
        **fields,
    )


def _who(request: Request) -> Profile:
    """Return the profile that the path names."""
    if "clientId" in request.params:
        return Profile(vendor_ids={SLUG: str(read_number(request.params["clientId"], request))})
    named = request.params["customId"]
    if not is_identifier(named):
        raise not_found(request)
    return Profile(user_id=named)


def deleted(endpoint: str) -> Callable[[Request], Decoded]:
    """Return the decoder of a deletion: it is told as an event, nothing is deleted here."""

    def decode_deleted(request: Request) -> Decoded:
        return Decoded((_event(request, endpoint, _DELETED, _who(request)),), ACCEPTED)

    return decode_deleted


def tagged(endpoint: str, action: str) -> Callable[[Request], Decoded]:
    """Return the decoder of a tag given or taken away."""

    def decode_tagged(request: Request) -> Decoded:
        tag, who = request.params["tagId"], _who(request)
        event = _event(request, endpoint, action, who, properties={"tagId": tag})
        return Decoded((event,), _tag_answer(who, tag) if action == "client.addTag" else ACCEPTED)

    return decode_tagged


def _tag_answer(who: Profile, tag: str) -> Reply:
    number = int(who.vendor_ids[SLUG])
    return answer(200, {"id": number, "clientId": number, "tagId": tag})


_SYSTEMS: Final = frozenset({"android", "ios", "windows"})


def link_device(request: Request) -> Decoded:
    """Return the device of ``/v4/clients/{clientId}/linked-devices`` as a profile's: with its push token."""
    body = parse_object(request)
    values = {key: body.get(key) for key in ("deviceId", "registrationId", "type")}
    problems = [problem(key, "must not be empty") for key, value in values.items() if not _is_text(value)]
    if not problems and str(values["type"]).lower() not in _SYSTEMS:
        problems.append(problem("type", "must be android, ios or windows", values["type"]))
    if problems:
        raise invalid(request, problems)
    more = {key: value for key, value in body.items() if key not in values}
    who = Profile(
        vendor_ids={SLUG: str(read_number(request.params["clientId"], request))},
        device_id=str(values["deviceId"]),
        push_tokens=(str(values["registrationId"]),),
        traits={"deviceType": values["type"], **{f"device_{key}": value for key, value in more.items()}},
    )
    return Decoded((_event(request, "clients_linked_devices", "Identify", who, kind="identify"),), ACCEPTED)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def merge_ids(request: Request) -> Decoded:
    """Return the merges of ``…/from/ids/{ids}/to/id/{id}``: an `Alias` for each profile that goes."""
    goal = str(read_number(request.params["id"], request))
    gone = [str(read_number(part, request)) for part in _parts(request, "ids")]
    return _merged(request, "clients_merge_ids", Profile(vendor_ids={SLUG: goal}), gone)


def merge_custom_ids(request: Request) -> Decoded:
    """Return the merges of ``…/from/custom-ids/{ids}/to/custom-id/{id}``."""
    goal, gone = request.params["id"], _parts(request, "ids")
    if not all(map(is_identifier, (goal, *gone))):
        raise not_found(request)
    return _merged(request, "clients_merge_custom_ids", Profile(user_id=goal), gone)


def _parts(request: Request, name: str) -> list[str]:
    parts = [part.strip() for part in request.params[name].split(",", _MOST)]
    if not all(parts) or len(parts) > _MOST:
        raise not_found(request)
    return parts


def _merged(request: Request, endpoint: str, goal: Profile, gone: list[str]) -> Decoded:
    events = [_event(request, endpoint, "Alias", goal, kind="alias", properties={"previous_id": one}) for one in gone]
    return Decoded(events, answer(200, described(goal)))


# --- reads -----------------------------------------------------------------------------------------------

_BY: Final = {
    "by-email": "email",
    "by-customid": "user_id",
    "by-custom-id": "user_id",
    "by-uuid": "anonymous_id",
    "by-phone": "phone",
}


def read_client(request: Request) -> Decoded:
    """Answer a read: of a profile the identifiers are known, and the id that stands for them, nothing else."""
    name, value = _BY.get(request.params["identifierType"]), request.params["value"]
    if name is None:
        raise not_found(request)
    number = request.people.find(replace(EMPTY_PROFILE, **{name: value}))
    if number is None:
        raise not_found(request)
    return _told(request, number)


def read_by_id(request: Request) -> Decoded:
    """Answer a read by ``clientId``."""
    return _told(request, str(read_number(request.params["clientId"], request)))


def _told(request: Request, number: str) -> Decoded:
    who = request.people.get(number)
    if who is None:
        raise not_found(request)
    return Decoded((), answer(200, {"clientId": as_number(number), **described(who)}))


def as_number(text: str) -> int | str:
    """Return an id as the integer that it is."""
    return int(text) if text.isascii() and text.isdigit() else text


def described(who: Profile) -> dict[str, Any]:
    """Return the identifiers of a profile under Synerise's names."""
    found = {"email": who.email, "phone": who.phone, "customId": who.user_id, "uuid": who.anonymous_id}
    told: dict[str, Any] = {key: value for key, value in found.items() if value is not None}
    if SLUG in who.vendor_ids:
        told["clientId"] = as_number(who.vendor_ids[SLUG])
    return told


_DIGITS: Final = 10


def mint(seed: str) -> str:
    """Return a profile's id in Synerise's form: an integer of ten digits."""
    number = int.from_bytes(hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return str(10 ** (_DIGITS - 1) + number % (9 * 10 ** (_DIGITS - 1)))
