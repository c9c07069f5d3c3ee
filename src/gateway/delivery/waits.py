"""How long a target's limits hold what is ready to be sent."""

from gateway.delivery.endpoints import Endpoint


class Waits:
    """Adds up, for each endpoint, the time in which events were ready and only its limits held them.

    Pure: time is handed in.
    """

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._total: dict[str, float] = {}

    def begin(self, endpoint: Endpoint, now: float) -> None:
        """Something is ready, and the limits let nothing through."""
        self._since.setdefault(endpoint.outbound.name, now)

    def end(self, endpoint: Endpoint, now: float) -> None:
        """A request starts."""
        since = self._since.pop(endpoint.outbound.name, None)
        if since is not None:
            self._add(endpoint.outbound.name, now - since)

    def end_all(self, now: float) -> None:
        """Nothing is ready."""
        while self._since:
            name, since = self._since.popitem()
            self._add(name, now - since)

    def _add(self, name: str, seconds: float) -> None:
        self._total[name] = self._total.get(name, 0.0) + seconds

    def told(self, now: float) -> dict[str, float]:
        """Return the seconds of each endpoint so far, waits that go on included."""
        names = dict.fromkeys([*self._total, *self._since])
        return {name: self._total.get(name, 0.0) + now - self._since.get(name, now) for name in names}
