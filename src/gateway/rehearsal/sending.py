"""What would go out to a target for one event, with its secrets blotted out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.adapter import Encoded, Event, Loss, Outbound, Settings
from gateway.delivery import TargetSpec
from gateway.delivery.endpoints import reason_of
from gateway.errors import EncodeError
from gateway.translation import MASK, OutboundRequest


class Sent(NamedTuple):
    """Requests for one event and what they leave out, or why there are none."""

    requests: Sequence[OutboundRequest]
    losses: Sequence[Loss]
    trouble: str


class Stage:
    """A target to which nothing is really sent."""

    def __init__(self, spec: TargetSpec) -> None:
        adapter = spec.adapter
        secret = {credential.name for credential in adapter.credentials if credential.secret}
        shown = {name: MASK if name in secret else text for name, text in spec.credentials.items()}
        self._slug = adapter.slug
        self._title = adapter.title
        self._settings: Settings = msgspec.structs.replace(spec.settings(), credentials={**shown, "token": MASK})
        self._usable = [out for out in adapter.outbound if all(spec.credentials.get(name) for name in out.needs)]

    def send(self, event: Event) -> Sent:
        """Return what would go out for an event that waits alone."""
        try:
            endpoint = self._endpoint(event)
            encoded = endpoint.encode([event], self._settings)
        except Exception as error:  # noqa: BLE001  whatever an adapter raises costs its event, as at delivery
            return Sent((), (), reason_of(error))
        losses = [loss for one in encoded for loss in one.lost]
        return Sent([self._request(endpoint, one, event) for one in encoded], losses, "")

    def _endpoint(self, event: Event) -> Outbound:
        carriers = [out for out in self._usable if out.carries(event, self._settings)]
        if not carriers:
            raise EncodeError(f"{self._title} has no call that can carry this {event.kind} event")
        return next((out for out in carriers if out.pays_from <= 1), carriers[-1])

    def _request(self, endpoint: Outbound, encoded: Encoded, event: Event) -> OutboundRequest:
        return OutboundRequest(
            self._slug,
            endpoint.name,
            endpoint.method,
            encoded.path or endpoint.path,
            _masked(endpoint.headers(self._settings.credentials)),
            _json_or_text(encoded.body),
            [event.id],
        )


def _masked(headers: Mapping[str, str]) -> dict[str, str]:
    """Blot out what credentials went into; the scheme may stay."""
    return {
        name: f"{value.split(' ', 1)[0]} {MASK}" if name.lower() == "authorization" and " " in value else value
        for name, value in headers.items()
    }


def _json_or_text(body: bytes) -> Any:
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return body.decode("utf-8", "replace")
