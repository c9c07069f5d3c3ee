"""What a vendor can say, and what another vendor can be told of it: known before the first event is sent."""

from gateway.fidelity.capabilities import CAPABILITIES, Capability
from gateway.fidelity.judging import Fidelity, Level, Pair, carried_to, compare
from gateway.fidelity.routes import Route, routes
from gateway.offline import settings_of

__all__ = [
    "CAPABILITIES",
    "Capability",
    "Fidelity",
    "Level",
    "Pair",
    "Route",
    "carried_to",
    "compare",
    "routes",
    "settings_of",
]
