"""The endpoints of one target, and which of them carry an event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.adapter import Event, Outbound, Settings
from gateway.delivery.calls import Call
from gateway.delivery.judge import Judge
from gateway.delivery.limiter import Gate
from gateway.errors import EncodeError
from gateway.event import KINDS, Kind

_MASK: Final = b"***"


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One outbound endpoint, ready to be called for one target."""

    outbound: Outbound
    settings: Settings
    gate: Gate
    judge: Judge
    call: Call
    secrets: tuple[bytes, ...]
    prepare: "Endpoint | None" = None
    """What its verdict PREPARE calls."""
    ways: "list[Way]" = field(default_factory=list)
    """All of new events that lead through it, as far as met."""
    history: "list[Way]" = field(default_factory=list)
    """The same of history."""

    def beside(self, way: "Way") -> "list[Way]":
        """Return the ways through it whose events may share a request with those of a way."""
        return self.history if way.history else self.ways

    def masked(self, text: bytes) -> bytes:
        """Return the text without the target's secrets; the token of a login is one."""
        for secret in (*self.secrets, self.call.latest_token.encode()):
            if secret:
                text = text.replace(secret, _MASK)
        return text


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """How some events can go: those of one kind that the same endpoints carry, all new or all history.

    There is one of each per target.
    """

    endpoints: tuple[Endpoint, ...]
    """Best first; at least one."""
    history: bool = False

    def preferred(self, ready: "Callable[[Sequence[Way]], int]") -> Sequence[Endpoint]:
        """Return the endpoints that pay, best first, or else the last one.

        Args:
            ready: how many events that go one of some ways could be sent now.
        """
        if len(self.endpoints) == 1:
            return self.endpoints
        pay = [e for e in self.endpoints if e.outbound.pays_from <= 1 or ready(e.beside(self)) >= e.outbound.pays_from]
        return pay or self.endpoints[-1:]


class Endpoints:
    """All endpoints that a target's credentials allow.

    Args:
        unusable: those that they do not allow.
    """

    def __init__(
        self, slug: str, settings: Settings, endpoints: Sequence[Endpoint], unusable: Sequence[Outbound]
    ) -> None:
        self.all = tuple(endpoints)
        self._slug = slug
        self._settings = settings
        self._unusable = unusable
        self._met: dict[tuple[Kind, tuple[Endpoint, ...], bool], Way] = {}
        self._of_kind: dict[Kind, Way] = {}
        """Of the kinds whose endpoints take every event."""
        for kind in KINDS:
            having = tuple(e for e in endpoints if kind in e.outbound.kinds)
            if having and all(e.outbound.takes is None for e in having):
                self._of_kind[kind] = self._way(kind, having, history=False)

    def way(self, event: Event, *, history: bool = False) -> Way:
        """Return how an event can go.

        Args:
            history: whether it is sent again.

        Raises:
            EncodeError: no endpoint carries it; says why.
            Exception: whatever an adapter's `Outbound.takes` should not have raised.
        """
        way = self._of_kind.get(event.kind)
        if way is not None:
            return self._way(event.kind, way.endpoints, history=True) if history else way
        carriers = tuple([e for e in self.all if e.outbound.carries(event, e.settings)])
        if not carriers:
            raise EncodeError(f"{self._slug}: {self._why_not(event)}")
        return self._way(event.kind, carriers, history=history)

    def _way(self, kind: Kind, endpoints: tuple[Endpoint, ...], *, history: bool) -> Way:
        way = self._met.get((kind, endpoints, history))
        if way is None:
            way = self._met[kind, endpoints, history] = Way(endpoints, history)
            for endpoint in endpoints:
                endpoint.beside(way).append(way)
        return way

    def _why_not(self, event: Event) -> str:
        kind = event.kind
        refusing = " or ".join(e.outbound.name for e in self.all if kind in e.outbound.kinds)
        for outbound in self._unusable:
            if outbound.carries(event, self._settings):
                needs = f"need {' and '.join(outbound.needs)}, which the target {self._settings.target} has not"
                others = f" that cannot go to {refusing}" if refusing else ""
                return f"events of kind {kind}{others} {needs}"
        if refusing:
            return f"an event of kind {kind} that cannot go to {refusing} has no other endpoint"
        return f"no endpoint carries events of kind {kind}"


def reason_of(error: Exception) -> str:
    """Return why an event dies of what an adapter raised."""
    return str(error) if isinstance(error, EncodeError) else f"the adapter failed: {error!r}"
