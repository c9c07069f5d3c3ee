"""Permissions, as fields of the custom events ``subscribed`` and ``unsubscribed``.

Vibetrace publishes no call for them; names and fields are ours: ``channel`` (or ``all``), ``group``, ``wording``.
"""

from typing import Any, Final

from gateway.adapter import Event, Loss
from gateway.event import ConsentChange

GRANTED_BY: Final = {"Subscribed": True, "Unsubscribed": False}
_EVERY: Final = "all"
_CHANNELS: Final = frozenset({"email", "sms", "push", "in_app", "web", "direct_mail", "whatsapp", _EVERY})
_MORE: Final = ("group", "wording")


def read(name: str, fields: dict[str, Any]) -> tuple[ConsentChange, ...]:
    """Take the permission out of an event's free fields; without a known channel there is none."""
    channel = fields.get("channel")
    if name not in GRANTED_BY or not isinstance(channel, str) or channel not in _CHANNELS:
        return ()
    del fields["channel"]
    more = {key: fields.pop(key) for key in _MORE if isinstance(fields.get(key), str)}
    return (ConsentChange(granted=GRANTED_BY[name], channel=None if channel == _EVERY else channel, **more),)


def write(event: Event, out: dict[str, Any], lost: list[Loss]) -> None:
    """Write an event's permission into its fields; report what they cannot say."""
    if _is_plain(event):
        change = event.consent[0]
        out["channel"] = change.channel or _EVERY
        for key in _MORE:
            if (held := getattr(change, key)) is not None:
                out[key] = held
        if change.at is not None:
            lost.append(Loss(0, "consent[0].at", "dropped", "Vibetrace takes no times: it counts from the arrival."))
        return
    reason = "Vibetrace's API has no call for permissions; only a single one goes, with Subscribed or Unsubscribed."
    lost.append(Loss(0, "consent", "dropped", reason))


def _is_plain(event: Event) -> bool:
    """Tell whether an event is about one permission that its fields can say."""
    if len(event.consent) != 1 or event.kind != "track":
        return False
    change = event.consent[0]
    known = change.channel is None or (change.channel in _CHANNELS and change.channel != _EVERY)
    return known and GRANTED_BY.get(event.name) is change.granted
