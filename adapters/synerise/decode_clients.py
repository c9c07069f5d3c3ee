"""Profiles -> `Identify`, and what else the profile endpoints say.

Sources, read 2026-11-21: github.com/Synerise/php-sdk lib/V4/Models/CreateClientRequestBody.php and lib/V4/Clients;
help.synerise.com/developers/api/clients/profiles.

The residue has, for the way back: ``raw`` (spellings), ``attributes`` (reserved ones), ``agreements`` (as sent, where
we would write them otherwise), ``nulls`` and ``null_attributes`` (names of what is to be deleted), ``clientId`` (as
sent, where it is no integer), ``rest``.
"""

from typing import Any, Final

from gateway.adapter import Decoded, Event, Lifted, Request
from gateway.event import Origin

from . import consent
from .checks import is_email, is_identifier, is_phone
from .errors import ACCEPTED, Problem, answer, invalid, problem
from .limits import IN_ITEMS
from .wire import (
    ATTRIBUTE_TABLE,
    CLIENT_TABLE,
    PUSH_TOKENS,
    SLUG,
    is_reserved_attribute,
    parse,
    parse_rows,
    read_number,
)

CREATE: Final = "clients"
BATCH: Final = "clients_batch"
IMPORT: Final = "clients_import"
INSTANT: Final = "clients_instant"

Kept = dict[str, Any]

_MOST: Final = IN_ITEMS.value


def decode_client(request: Request) -> Decoded:
    """Return the profile of ``/v4/clients``."""
    return Decoded((_one(request, CREATE),), ACCEPTED)


def decode_instant(request: Request) -> Decoded:
    """Return the profile of ``/v4/clients/instant``; the answer is the id that it has, or would get."""
    event = _one(request, INSTANT)
    number = request.people.find(event.profile) or request.people.mint(event.profile)
    return Decoded((event,), answer(200, number))


def _one(request: Request, endpoint: str) -> Event:
    problems: list[Problem] = []
    event = read_profile(parse(request), request, endpoint, problems)
    if event is None:
        raise invalid(request, problems)
    return event


def decode_batch(request: Request) -> Decoded:
    """Return the profiles of ``/v4/clients/batch``; those that are wrong are told with 207 and left out."""
    return _several(request, BATCH)


def decode_import(request: Request) -> Decoded:
    """Return the profiles of ``/v4/clients/custom-import``; ``phoneFilter`` changes who is found, not what is said."""
    return _several(request, IMPORT)


def _several(request: Request, endpoint: str) -> Decoded:
    rows = parse_rows(request)
    if len(rows) > _MOST:
        raise invalid(request, [problem("", f"must have {_MOST} profiles or fewer", len(rows))])
    problems: list[Problem] = []
    found = [read_profile(row, request, endpoint, problems) for row in rows]
    events = [event for event in found if event is not None]
    return Decoded(events, answer(207, problems) if problems else ACCEPTED)


def update_client(request: Request) -> Decoded:
    """Return the update of ``/v4/clients/{clientId}``; who is unknown to us may be known to Synerise (our choice)."""
    return _update(request, "clients_update", "clientId")


def update_by_email(request: Request) -> Decoded:
    """Return the update of ``/v4/clients/by-email/{email}``."""
    return _update(request, "clients_update_by_email", "email")


def update_by_custom_id(request: Request) -> Decoded:
    """Return the update of ``/v4/clients/by-customid/{customId}``."""
    return _update(request, "clients_update_by_customid", "customId")


def _update(request: Request, endpoint: str, key: str) -> Decoded:
    """Return an update; who is meant stands in the path, and may be given another address in the body."""
    body = parse(request)
    problems: list[Problem] = []
    if type(body) is dict:
        named = request.params[key]
        body = {**body, "clientId": read_number(named, request)} if key == "clientId" else {key: named, **body}
    event = read_profile(body, request, endpoint, problems)
    if event is None:
        raise invalid(request, problems)
    return Decoded((event,), ACCEPTED)


# --- one profile -----------------------------------------------------------------------------------------


def read_profile(body: Any, request: Request, endpoint: str, problems: list[Problem]) -> Event | None:
    """Return the `Identify` in one profile object; None when something is wrong with it."""
    if type(body) is not dict:
        problems.append(problem("", "must be an object"))
        return None
    kept: Kept = {}
    wrong = len(problems)
    fields = {key: value for key, value in body.items() if value is not None}
    if len(fields) < len(body):
        kept["nulls"] = [key for key, value in body.items() if value is None]
    attributes, agreements = fields.pop("attributes", None), fields.pop("agreements", None)
    vendor_ids = _take_id(fields, kept)
    lifted = CLIENT_TABLE.lift(fields)
    _check(lifted, vendor_ids, agreements, problems)
    if len(problems) > wrong:
        return None
    changes = _read_agreements(agreements, kept)
    traits = _read_attributes(attributes, lifted, kept)
    profile = lifted.parts.setdefault("profile", {})
    if vendor_ids:
        profile["vendor_ids"] = vendor_ids
    tokens = traits.get(PUSH_TOKENS)
    if isinstance(tokens, list) and tokens and all(isinstance(token, str) for token in tokens):
        profile["push_tokens"] = tuple(traits.pop(PUSH_TOKENS))
    if lifted.raw:
        kept["raw"] = lifted.raw
    if lifted.rest:
        kept["rest"] = lifted.rest
    return Event(
        id=request.new_id(),
        kind="identify",
        name="Identify",
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=endpoint),
        profile=lifted.profile(traits=traits),
        consent=changes,
        residue={SLUG: kept} if kept else {},
    )


def _take_id(fields: dict[str, Any], kept: Kept) -> dict[str, str]:
    if "clientId" not in fields:
        return {}
    sent = fields.pop("clientId")
    if type(sent) is not int:
        kept["clientId"] = sent
    if type(sent) is int or (type(sent) is str and sent.isascii() and sent.isdigit()):
        return {SLUG: str(sent)}
    return {}


def _check(lifted: Lifted, vendor_ids: dict[str, str], agreements: Any, problems: list[Problem]) -> None:
    who = lifted.parts.get("profile", {})
    _drop_blanks(who, lifted)
    for name, key, fits in _CHECKS:
        if name in who and not fits(who[name]):
            problems.append(problem(key, f"Invalid {key}", who[name]))
    if not vendor_ids and not any(name in who for name, _, _ in _CHECKS):
        problems.append(problem("", "must have email, phone, uuid, customId or clientId"))
    if type(agreements) is dict and (wrong := consent.bad(agreements)) is not None:
        problems.append(problem(f"agreements.{wrong}", "must be true or false", agreements[wrong]))


_CHECKS: Final = (
    ("email", "email", is_email),
    ("phone", "phone", is_phone),
    ("user_id", "customId", is_identifier),
    ("anonymous_id", "uuid", is_identifier),
)


def _drop_blanks(who: dict[str, Any], lifted: Lifted) -> None:
    """Put empty identifiers back: they are none."""
    for name, usual, _ in _CHECKS:
        if who.get(name) == "":
            del who[name]
            key, value = lifted.raw.pop(f"profile.{name}", None) or (usual, "")
            lifted.rest[key] = value


def _read_agreements(agreements: Any, kept: Kept) -> tuple[Any, ...]:
    if type(agreements) is not dict:
        if agreements is not None:
            kept["agreements"] = agreements
        return ()
    changes = consent.read(agreements)
    usual = consent.write(changes)
    if not agreements or usual != agreements or any(type(value) is not bool for value in agreements.values()):
        kept["agreements"] = agreements
    return changes


def _read_attributes(attributes: Any, lifted: Lifted, kept: Kept) -> dict[str, Any]:
    """Return the traits; those with a canonical field go into `lifted`."""
    if type(attributes) is not dict:
        if attributes is not None:
            kept["attributes"] = attributes
        return {}
    aside = {key: value for key, value in attributes.items() if value is not None and is_reserved_attribute(key)}
    if aside or not attributes:
        kept["attributes"] = aside
    deleted = [key for key, value in attributes.items() if value is None]
    if deleted:
        kept["null_attributes"] = deleted
    plain = {key: value for key, value in attributes.items() if value is not None and key not in aside}
    own = ATTRIBUTE_TABLE.lift(plain)
    for part, fields in own.parts.items():
        lifted.parts.setdefault(part, {}).update(fields)
    lifted.raw.update(own.raw)
    return own.rest
