"""Which transport a target uses: our own, or aiohttp through a proxy.

httpx's own pool costs a quadratic search per request (github.com/encode/httpx/issues/3215, read 2026-11-21), so
only its types are used. Any other `AsyncBaseTransport` works in their place; `docs/adr/0003-delivery-transport.md`
has the measurements.
"""

import httpx

from gateway.delivery.http1 import LeanTransport
from gateway.delivery.spec import TargetSpec


def default_transport(spec: TargetSpec) -> httpx.AsyncBaseTransport:
    """Return the transport that a target uses when the caller gives none."""
    if spec.trust_env:
        from gateway.delivery.proxied import AiohttpTransport  # a tenth of a second, which no other target pays for

        return AiohttpTransport(ca_file=spec.ca_file, trust_env=True)
    return LeanTransport(ca_file=spec.ca_file, max_answer=spec.max_answer)
