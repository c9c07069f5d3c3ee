"""What would go out to a target for one event, with its secrets blotted out."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.adapter import Event, Loss, Outbound, Settings
from gateway.delivery import TargetSpec
from gateway.delivery.endpoints import reason_of
from gateway.errors import EncodeError
from gateway.offline import MASK, OutboundRequest, shown


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
        masked = {name: MASK if name in secret else text for name, text in spec.credentials.items()}
        self._adapter = adapter
        self._settings: Settings = msgspec.structs.replace(spec.settings(), credentials={**masked, "token": MASK})
        self._usable = [out for out in adapter.outbound if all(spec.credentials.get(name) for name in out.needs)]

    def send(self, event: Event) -> Sent:
        """Return what would go out for an event that waits alone."""
        try:
            endpoint = self._endpoint(event)
            encoded = endpoint.encode([event], self._settings)
        except Exception as error:  # noqa: BLE001  whatever an adapter raises costs its event, as at delivery
            return Sent((), (), reason_of(error))
        losses = [loss for one in encoded for loss in one.lost]
        requests = [shown(self._adapter, endpoint, one, self._settings, [event.id]) for one in encoded]
        return Sent(requests, losses, "")

    def _endpoint(self, event: Event) -> Outbound:
        carriers = [out for out in self._usable if out.carries(event, self._settings)]
        if not carriers:
            raise EncodeError(f"{self._adapter.title} has no call that can carry this {event.kind} event")
        return next((out for out in carriers if out.pays_from <= 1), carriers[-1])
