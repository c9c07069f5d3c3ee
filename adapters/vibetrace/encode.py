"""Events -> requests to ``/v1/event``, and to create a user that Vibetrace does not know.

Sources, read 2026-11-21: help.vtcdn.net/kb/how-to-send-events-via-api, help.vtcdn.net/kb/api-overview (the API adds and
edits users; how is not printed, so path and body are options of a target).
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from gateway.adapter import Encoded, EncodeError, Event, Loss, Settings, json_bytes, losses_of
from gateway.event import EMPTY_CONTEXT

from .encode_foreign import write_foreign
from .encode_native import write_native
from .encode_person import attributes
from .limits import OUT_BODY
from .options import DEFAULT_TARGET, EMAIL, TargetOptions
from .row import is_native, kept_of, report_envelope, user_of
from .wire import SLUG

_LARGEST: Final = OUT_BODY.value


def encode_event(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return one call of ``/v1/event`` per event.

    Raises:
        EncodeError: an event says neither e-mail address nor ``_id``, or is too large or nested too deep.
    """
    options = _options(settings)
    if len(events) == 1:
        return [_event(0, events[0], options)]
    return [_event(index, event, options) for index, event in enumerate(events)]


def encode_user(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return one creation of a user per event: the person it is about, with all that it says of them.

    Raises:
        EncodeError: an event says no e-mail address, or is too large or nested too deep.
    """
    options = _options(settings)
    return [_user(index, event, options) for index, event in enumerate(events)]


def _options(settings: Settings) -> TargetOptions:
    return settings.options if isinstance(settings.options, TargetOptions) else DEFAULT_TARGET


def _event(index: int, event: Event, options: TargetOptions) -> Encoded:
    lost: list[Loss] = []
    kept = kept_of(event)
    user = user_of(event, kept, lost)
    report_envelope(event, lost)
    if is_native(event):
        type_, fields = write_native(event, kept, lost)
    else:
        type_, fields = write_foreign(event, options, kept, lost)
    body: dict[str, Any] = {"user": user, "event": {type_: fields}}
    more = kept.all.get("body")
    if isinstance(more, dict):
        body = {**more, **body}
    return _request(index, body, lost)


def _user(index: int, event: Event, options: TargetOptions) -> Encoded:
    who = event.profile
    if not who.email or not who.email.strip():
        raise EncodeError("Vibetrace creates a user by e-mail address, and the event has none")
    lost: list[Loss] = []
    user: dict[str, Any] = {"email": who.email}
    _write_id(event, user, lost)
    user.update(attributes(who, kept_of(event).raw, lost, native=is_native(event)))
    report_envelope(event, lost)
    _report_event(event, lost)
    body = {"user": user} if options.user_body == "user" else user
    path = options.user_path.replace(EMAIL, quote(who.email, safe="@"))
    return _request(index, body, lost, path)


def _write_id(event: Event, user: dict[str, Any], lost: list[Loss]) -> None:
    """Write the ``_id`` of a client's own call to create a user; nobody else chooses it."""
    own = event.profile.vendor_ids.get(SLUG)
    if own and is_native(event) and event.kind == "identify":
        user["_id"] = own
    elif own is not None:
        lost.append(Loss(0, f"profile.vendor_ids.{SLUG}", "dropped", "Vibetrace chooses the id of a user itself."))


def _report_event(event: Event, lost: list[Loss]) -> None:
    """Report what is no part of the person; it goes with the event's own call."""
    parts = {
        "kind": event.kind != "identify",
        "name": event.name != "Identify",
        "commerce": event.commerce is not None,
        "consent": bool(event.consent),
        "context": event.context is not EMPTY_CONTEXT and event.context != EMPTY_CONTEXT,
        "properties": bool(event.properties),
    }
    reason = "The creation of a user holds the person alone."
    lost += [Loss(0, part, "dropped", reason) for part, present in parts.items() if present]


def _request(index: int, body: dict[str, Any], lost: Sequence[Loss], path: str | None = None) -> Encoded:
    try:
        data = json_bytes(body)
    except RecursionError:
        raise EncodeError("the event is nested too deep") from None
    if len(data) > _LARGEST:
        raise EncodeError(f"the event is larger than the {_LARGEST:,} bytes that a call may have")
    return Encoded(events=(index,), body=data, path=path, lost=losses_of(index, lost))
