"""One flat Blueshift object -> one canonical event.

What has no canonical home is kept in ``residue["blueshift"]`` for the way back:

| entry      | content                                                                                   |
|------------|-------------------------------------------------------------------------------------------|
| ``raw``    | spellings and types of mapped values (`Lifted.raw`)                                       |
| ``keep``   | keys put back verbatim: Blueshift's private ones, blanks, times in unusual forms          |
| ``event``  | the name as sent, where it is not the one we would write; ``unnamed``: there was none     |
| ``form``   | in which form products were sent                                                          |
| ``consent``| the keys of permissions as sent, where they are not the ones we would write               |
| ``tokens`` | the keys of push tokens as sent, where they are not the one we would write                |
| ``ios``    | numeric dates count from 2001                                                             |
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from gateway.adapter import Event, Lifted, Request
from gateway.event import Commerce, ConsentChange, Origin, Profile

from . import consent, names, products
from .times import is_ios, read_since, read_time, write_time
from .wire import (
    CUSTOMER_TABLE,
    IDENTIFY_TABLE,
    OTHER_SPELLINGS,
    PATH_KEYS,
    SLUG,
    TECHNICAL,
    TOKEN_KEYS,
    UNNAMED,
    VOCABULARY,
    is_blank,
    is_private,
)

_BLANKABLE: Final = ("profile", "context.device")
_BLANK: Final = (None, "")
_ABSENT: Final = object()
_MAPPED: Final = frozenset({*PATH_KEYS.values(), *OTHER_SPELLINGS, *TOKEN_KEYS, "uuid"})

Kept = dict[str, Any]


def read_event(body: Mapping[str, Any], request: Request, endpoint: str, *, bare: bool = False) -> Event:
    """Return the event in one object of the event endpoints.

    Args:
        body: the object.
        request: gives ids and the time of arrival.
        endpoint: our name of the endpoint.
        bare: the credential came as the iOS SDK spells it.
    """
    kept: Kept = {}
    name = names.read_name(body.get("event"))
    shape = VOCABULARY.decode(UNNAMED if name is None else name)
    _keep_name(body, name, kept)
    identify = shape.kind == "identify"
    lifted = (IDENTIFY_TABLE if identify else shape.table).lift(body)
    lifted.rest.pop("event", None)
    keep: Kept = {}
    occurred_at = _take_timestamp(lifted.rest, body, keep)
    dedupe_key = _take_key(lifted.rest, keep)
    changes = _take_person(lifted, body, kept, keep, name=name, bare=bare)
    commerce = None if identify else _take_commerce(lifted, kept)
    _sift(lifted.rest, keep)
    return Event(
        id=request.new_id(),
        kind=shape.kind,
        name=shape.name,
        received_at=request.received_at,
        source=_origin(request.source, endpoint),
        occurred_at=occurred_at,
        dedupe_key=dedupe_key,
        profile=_person(lifted) if identify else lifted.profile(),
        commerce=commerce,
        consent=changes,
        context=lifted.context(),
        properties={} if identify else lifted.properties(),
        residue=_residue(lifted, kept, keep),
    )


@lru_cache(maxsize=256)
def _origin(source: str, endpoint: str) -> Origin:
    return Origin(name=source, vendor=SLUG, endpoint=endpoint)


def read_customer(body: Mapping[str, Any], request: Request, endpoint: str) -> Event:
    """Return the ``identify`` in one customer row."""
    kept: Kept = {}
    keep: Kept = {}
    lifted = CUSTOMER_TABLE.lift(body)
    changes = _take_person(lifted, body, kept, keep)
    _sift(lifted.rest, keep)
    return Event(
        id=request.new_id(),
        kind="identify",
        name="Identify",
        received_at=request.received_at,
        source=_origin(request.source, endpoint),
        profile=_person(lifted),
        consent=changes,
        residue=_residue(lifted, kept, keep),
    )


def _person(lifted: Lifted) -> Profile:
    """Return the profile of an object that speaks of a person alone: what no table knows are traits."""
    return lifted.profile(traits=lifted.rest) if lifted.rest else lifted.profile()


def _residue(lifted: Lifted, kept: Kept, keep: Kept) -> dict[str, dict[str, Any]]:
    if lifted.raw:
        kept["raw"] = lifted.raw
    if keep:
        kept["keep"] = keep
    return {SLUG: kept} if kept else {}


def _keep_name(body: Mapping[str, Any], name: str | None, kept: Kept) -> None:
    if name is None:
        kept["unnamed"] = {"event": body["event"]} if "event" in body else {}
    elif not names.survives(body["event"]):
        kept["event"] = body["event"]


def _take_timestamp(rest: dict[str, Any], body: Mapping[str, Any], keep: Kept) -> datetime | None:
    sent = rest.pop("timestamp", _ABSENT)
    if sent is _ABSENT:
        return None
    moment = read_time(sent, body.get("device_type"))
    if moment is None or write_time(moment) != sent:
        keep["timestamp"] = sent
    return moment


def _take_key(rest: dict[str, Any], keep: Kept) -> str | None:
    """Return ``event_uuid``, whatever its form; a blank one is as good as none."""
    sent = rest.pop("event_uuid", None)
    if is_blank(sent):
        return None
    if not isinstance(sent, str):
        keep["event_uuid"] = sent
    return read_key(sent)


def read_key(sent: Any) -> str | None:
    """Return an ``event_uuid`` as text."""
    return names.read_name(sent)


def _take_person(
    lifted: Lifted, body: Mapping[str, Any], kept: Kept, keep: Kept, *, name: str | None = None, bare: bool = False
) -> tuple[ConsentChange, ...]:
    """Take what tables cannot say of a person: permissions, push tokens, Blueshift's own id, numeric dates."""
    rest, parts = lifted.rest, lifted.parts
    for part in _BLANKABLE:
        if part in parts and "" in parts[part].values():
            _drop_blanks(lifted, part)
    if "joined_at" in rest or "profile.birth_date" in lifted.raw:
        _read_numeric_dates(lifted, body, kept, keep, bare=bare)
    changes: tuple[ConsentChange, ...] = ()
    if name in _CONSENT_EVENTS or not rest.keys().isdisjoint(consent.MARKS):
        changes = _take_consent(rest, name, kept)
    if not rest.keys().isdisjoint(_IDS):
        _take_ids(lifted, kept)
    return changes


_CONSENT_EVENTS: Final = frozenset(names.GRANTED_BY_EVENT)
_IDS: Final = frozenset({*TOKEN_KEYS, "uuid"})


def _drop_blanks(lifted: Lifted, part: str) -> None:
    """Put empty texts back: an identifier or a device attribute of ``""`` is none (iOS sends such)."""
    fields = lifted.parts[part]
    for field in [field for field, value in fields.items() if value == ""]:
        del fields[field]
        path = f"{part}.{field}"
        key, value = lifted.raw.pop(path) if path in lifted.raw else (PATH_KEYS[path], "")
        lifted.rest[key] = value
    if not fields:
        del lifted.parts[part]


def _read_numeric_dates(lifted: Lifted, body: Mapping[str, Any], kept: Kept, keep: Kept, *, bare: bool) -> None:
    """Read the SDKs' ``joined_at`` and ``date_of_birth``, which no table knows as times."""
    rest = lifted.rest
    joined = rest.get("joined_at")
    birth = lifted.raw.get("profile.birth_date")
    if joined is None and birth is None:
        return
    ios = bare or is_ios(body)
    profile = lifted.parts.setdefault("profile", {})
    if (moment := read_since(joined, ios=ios)) is not None and "created_at" not in profile:
        profile["created_at"] = moment
        keep["joined_at"] = rest.pop("joined_at")
    if birth is not None and (moment := read_since(birth[1], ios=ios)) is not None:
        profile["birth_date"] = moment.date().isoformat()
        keep["date_of_birth"] = lifted.raw.pop("profile.birth_date")[1]
    if ios:
        kept["ios"] = True
    if not profile:
        del lifted.parts["profile"]


def _take_consent(rest: dict[str, Any], name: str | None, kept: Kept) -> tuple[ConsentChange, ...]:
    changes, sent = consent.read(name, rest)
    if changes:
        for key in sent:
            del rest[key]
        if consent.write(changes, []) != sent:
            kept["consent"] = sent
    return changes


def _take_ids(lifted: Lifted, kept: Kept) -> None:
    rest = lifted.rest
    if tokens := _take_tokens(rest, kept):
        lifted.parts.setdefault("profile", {})["push_tokens"] = tokens
    own = rest.get("uuid")
    if isinstance(own, str) and own:
        del rest["uuid"]
        lifted.parts.setdefault("profile", {})["vendor_ids"] = {SLUG: own}


def _take_tokens(rest: dict[str, Any], kept: Kept) -> tuple[str, ...]:
    if "device_tokens" not in rest and isinstance(rest.get("device_token"), str):
        return (rest.pop("device_token"),) if rest["device_token"] else ()
    sent: dict[str, Any] = {key: rest[key] for key in TOKEN_KEYS if key in rest and _tokens(rest[key])}
    if not sent:
        return ()
    tokens = read_tokens(sent)
    for key in sent:
        del rest[key]
    if sent != {"device_token": tokens[0]}:
        kept["tokens"] = sent
    return tokens


def read_tokens(sent: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the push tokens in ``device_token`` and ``device_tokens``, each once."""
    return tuple(dict.fromkeys(token for value in sent.values() for token in _tokens(value)))


def _tokens(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list) and value and all(isinstance(token, str) and token for token in value):
        return value
    return ()


def _take_commerce(lifted: Lifted, kept: Kept) -> Commerce | None:
    if lifted.rest.keys().isdisjoint(products.MARKS):
        return lifted.commerce()
    items, form = products.read(lifted)
    if form:
        kept["form"] = form
    return lifted.commerce(items)


def _sift(rest: dict[str, Any], keep: Kept) -> None:
    """Set aside what nobody but Blueshift can read: its private keys, and blanks of keys we map."""
    aside = {
        key: value
        for key, value in rest.items()
        if key in TECHNICAL or ("bsft" in key and is_private(key)) or (not value and key in _MAPPED and value in _BLANK)
    }
    keep.update(aside)
    for key in aside:
        del rest[key]
