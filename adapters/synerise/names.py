"""Actions, out: the vendor's for what it knows, a legal form of the name for anything else.

Rule (hub.synerise.com/developers/api/events/sending-events, read 2026-11-21): at most 32 of a-z, A-Z, 0-9, dot, dash,
underscore. Two names that differ beyond that stay apart by eight digits of a hash.
"""

import hashlib
import re
from typing import Any, Final

from gateway.adapter import EncodeError, Event, Shape

from .checks import is_action
from .limits import ACTION_LENGTH
from .wire import CONSENT, VOCABULARY
from .written import Report

NAME: Final = "eventName"
"""The param that keeps a name which is no legal action. Ours."""

_NAME_KEYS: Final = {"page": "pageName", "screen": "screenName"}
_ILLEGAL: Final = re.compile(r"[^a-zA-Z0-9.\-_]+")
_HASH: Final = 8
_KNOWN: Final = frozenset(shape.vendor_name for shape in VOCABULARY.shapes())


def legal(name: str) -> str:
    """Return the nearest legal action: words are joined by dots."""
    if is_action(name):
        return name
    text = _ILLEGAL.sub(".", name).strip(".")
    if is_action(text) and any(map(str.isalnum, text)) and name.isascii():
        return text
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    room = ACTION_LENGTH.value - _HASH - 1
    return f"{text[:room].strip('.') or 'event'}.{digits}"


def write_action(event: Event, shape: Shape, params: dict[str, Any], report: Report) -> str:
    """Return the action of an event, and keep in its params a name that is no action.

    Actions that say a permission for e-mail are only sent again for who sent them: any other change of permissions that
    is an event here is one that they would get wrong.

    Raises:
        EncodeError: the event has no name.
    """
    if event.name != shape.name:
        _keep_name(event, params, report)
    name = event.name if shape.vendor_name in CONSENT else shape.vendor_name
    if name in _KNOWN:
        return name
    if not name.strip():
        raise EncodeError("the event has no name, and Synerise takes none without an action")
    action = legal(name)
    if action != name:
        _report_illegal(name, action, params, report)
    elif VOCABULARY.decode(action).name != event.name:
        report.renamed("name", f"Synerise knows this action as {VOCABULARY.decode(action).name}.", action)
    return action


def _report_illegal(name: str, action: str, params: dict[str, Any], report: Report) -> None:
    reason = "An action has at most 32 letters, digits, dots, dashes and underscores."
    if NAME in params:
        report.coerced("name", reason, action)
    else:
        params[NAME] = name
        report.renamed("name", f"{reason} The name is kept as {NAME}.", action)


def _keep_name(event: Event, params: dict[str, Any], report: Report) -> None:
    """Keep the name of a page or a screen, which is not the action's."""
    key = _NAME_KEYS.get(event.kind)
    if key is not None and event.name and params.get(key, event.name) == event.name:
        params[key] = event.name
        report.renamed("name", f"Synerise has one action for every {event.kind}.", f"params.{key}")
    elif event.name:
        report.dropped("name", f"Synerise has one action for every {event.kind}.")
