"""The gateway that speaks every marketing platform's event API.

The way of an event, left to right::

    inbound -> adapter.decode -> routing.decide -> log.append
    log -> delivery -> routing.transform -> adapter.encode -> target
"""

from importlib.metadata import version as _version

__version__ = _version("event-gateway")
