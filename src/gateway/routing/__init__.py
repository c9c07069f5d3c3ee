"""Which events go to which targets, and how they are changed on the way.

`rules` is what a route file says, `router` runs it: `Router.decide` at accept, `Router.transform` at delivery.
"""

from gateway.routing.router import Router
from gateway.routing.rules import Match, Rule, Send

__all__ = ["Match", "Router", "Rule", "Send"]
