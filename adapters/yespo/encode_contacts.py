"""Events -> requests to the contacts API.

Source, read 2026-11-21: docs.yespo.io/docs/api-methods-adding-contacts. Many contacts at once are imported in no
promised order, so that nobody is in one request twice; and a field that one contact of a request has could be emptied
for those that have it not, so that a request holds contacts with the same custom fields.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from gateway.adapter import Encoded, EncodeError, Event, Loss, Settings, chunk, losses_of
from gateway.event import EMPTY_CONTEXT, Profile, leaves

from .contact import CHANNEL, CONTACTS, channels_of, default_envelope, write_contact
from .encode_event import is_native, kept_of, options_of, report_residue
from .limits import CONTACT_BODY_SENT, CONTACTS_BODY_SENT
from .limits import CONTACTS as MOST
from .wire import SLUG, Json, as_json

SUBSCRIBE_PATH: Final = "/api/v1/contact/subscribe"

_NO_FIELD: Final = "Yespo's contact has no field for it."
_PUT_BACK: Final = ("row", "channels", "fields")
"""Entries of our residue that a contact takes."""


# --- one contact -----------------------------------------------------------------------------------------


def encode_contact(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return one call of ``/api/v1/contact`` per identify, of ``/api/v1/contact/subscribe`` per subscription.

    Raises:
        EncodeError: it has no channel, or is too large.
    """
    return [_single(index, event, settings) for index, event in enumerate(events)]


def _single(index: int, event: Event, settings: Settings) -> Encoded:
    lost: list[Loss] = []
    path = None
    contact = _contact(event, settings, lost)
    if not contact.get("channels"):
        raise EncodeError("a Yespo contact needs an e-mail address or a phone number")
    if event.kind != "identify":
        contact, path = _subscription(event, contact, lost), SUBSCRIBE_PATH
    _report(event, lost, _PUT_BACK if path is None else (*_PUT_BACK, "form"))
    body = as_json(contact)
    _check_size(body, CONTACT_BODY_SENT.value)
    return Encoded(events=(index,), body=body, path=path, lost=losses_of(index, lost))


def _contact(event: Event, settings: Settings, lost: list[Loss]) -> Json:
    names = options_of(settings).contact_fields
    return write_contact(event.profile, kept_of(event), names, lost, native=is_native(event))


def _check_size(body: bytes, most: int) -> None:
    if len(body) > most:
        raise EncodeError(f"the contact is larger than the {most:,} bytes that we send at once")


# --- subscriptions ---------------------------------------------------------------------------------------


def _subscription(event: Event, contact: Json, lost: list[Loss]) -> Json:
    """Return the call that subscribes a contact: with those channels alone that were agreed to."""
    form: Json = kept_of(event).get("form") or {}
    _restrict(event, contact, lost)
    body: Json = {"contact": contact}
    groups = list(dict.fromkeys(change.group for change in event.consent if change.group is not None))
    if groups:
        sent = form.get("groups")
        body["groups"] = sent if isinstance(sent, list) and list(dict.fromkeys(sent)) == groups else groups
    if event.consent and event.consent[0].wording is not None:
        body["formType"] = event.consent[0].wording
    for name, value in form.items():
        body.setdefault(name, value)
    for at, change in enumerate(event.consent):
        if change.at is not None:
            lost.append(Loss(0, f"consent[{at}].at", "dropped", "Yespo takes the time of arrival."))
    return body


def _restrict(event: Event, contact: Json, lost: list[Loss]) -> None:
    agreed = {change.channel for change in event.consent}
    if None in agreed:
        reason = "In Yespo a permission is for each channel that is given."
        for at, change in enumerate(event.consent):
            if change.channel is None:
                lost.append(Loss(0, f"consent[{at}]", "coerced", reason, "contact.channels"))
        return
    rows = channels_of(contact)
    kept = [row for row in rows if CHANNEL.get(row["type"]) in agreed]
    if len(kept) == len(rows):
        return
    if not kept:
        raise EncodeError("no address of the person is for a channel that was agreed to")
    contact["channels"] = kept
    reason = "Yespo would take its presence for a permission, and none was given."
    for kind, path in (("email", "profile.email"), ("sms", "profile.phone")):
        if any(row["type"] == kind for row in rows) and not any(row["type"] == kind for row in kept):
            lost[:] = [one for one in lost if one.path != path]
            lost.append(Loss(0, path, "dropped", reason))


# --- losses ----------------------------------------------------------------------------------------------


def _report(event: Event, lost: list[Loss], own: tuple[str, ...]) -> None:
    """Report what an event says that a contact has no place for."""
    identify = event.kind == "identify"
    told: Json = {}
    if identify and event.name != "Identify":
        told["name"] = event.name
    for field in ("occurred_at", "dedupe_key"):
        if getattr(event, field) is not None:
            told[field] = getattr(event, field)
    if event.commerce is not None:
        told["commerce"] = msgspec.to_builtins(event.commerce)
    if event.context is not EMPTY_CONTEXT:
        told["context"] = msgspec.to_builtins(event.context)
    if event.properties:
        told["properties"] = event.properties
    if identify and event.consent:
        told["consent"] = msgspec.to_builtins(event.consent)
    if told:
        lost += [Loss(0, path, "dropped", _NO_FIELD) for path, value in leaves(told) if value is not None]
    if event.residue:
        report_residue(event, lost, *own)


# --- many contacts ---------------------------------------------------------------------------------------


def encode_contacts(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return calls of ``/api/v1/contacts``, each within 3,000 contacts.

    Raises:
        EncodeError: a contact has no channel, or is too large.
    """
    rows: list[bytes] = []
    lost: list[list[Loss]] = []
    batches: dict[bytes, list[int]] = {}
    for index, event in enumerate(events):
        lost.append([])
        contact = _contact(event, settings, lost[-1])
        if contact.keys().isdisjoint(_KNOWN_BY):
            raise EncodeError("a Yespo contact needs an address, an external id or an id")
        _report(event, lost[-1], (*_PUT_BACK, "bulk") if _is_of_bulk(event) else _PUT_BACK)
        rows.append(as_json(contact))
        batches.setdefault(as_json(_envelope(event, contact)), []).append(index)
    return [
        _request(head, cut, rows, lost)
        for head, indices in batches.items()
        for run in _without_repeats(indices, events)
        for cut in _cuts(head, run, rows)
    ]


_KNOWN_BY: Final = frozenset({"channels", "externalCustomerId", "id", "contactKey"})


def _is_of_bulk(event: Event) -> bool:
    return is_native(event) and event.source.endpoint == CONTACTS


def _envelope(event: Event, contact: Json) -> Json:
    """Return what stands beside the contacts of a request."""
    bulk = kept_of(event).get("bulk")
    if isinstance(bulk, dict):
        return bulk
    return default_envelope(contact)


def _without_repeats(indices: Sequence[int], events: Sequence[Event]) -> Iterator[list[int]]:
    """Yield runs in which nobody stands twice."""
    seen: set[tuple[str, str]] = set()
    run: list[int] = []
    for index in indices:
        who = set(_identifiers(events[index].profile))
        if not who.isdisjoint(seen):
            yield run
            run, seen = [], set()
        seen |= who
        run.append(index)
    if run:
        yield run


def _identifiers(profile: Profile) -> Iterator[tuple[str, str]]:
    for field in ("user_id", "email", "phone"):
        value = getattr(profile, field)
        if value is not None:
            yield field, value
    if SLUG in profile.vendor_ids:
        yield SLUG, profile.vendor_ids[SLUG]


_KEY: Final = b'"contacts":['


def _cuts(head: bytes, run: Sequence[int], rows: Sequence[bytes]) -> Iterator[list[int]]:
    frame = len(head) + len(_KEY) + len(b"],")
    for index in run:
        if len(rows[index]) + frame > CONTACTS_BODY_SENT.value:
            raise EncodeError("the contact is larger than a request may be")
    cuts = chunk([rows[index] for index in run], max_events=MOST.value, max_body=CONTACTS_BODY_SENT.value, frame=frame)
    for cut in cuts:
        yield list(run[cut.start : cut.stop])


def _request(head: bytes, cut: Sequence[int], rows: Sequence[bytes], lost: Sequence[Sequence[Loss]]) -> Encoded:
    body = b"{" + _KEY + b",".join(rows[index] for index in cut) + b"]," + head[1:]
    told = tuple([loss for index in cut for loss in losses_of(index, lost[index])])
    return Encoded(events=tuple(cut), body=body, lost=told)
