"""The admin listener: health, readiness, metrics, status and reload. Never on the clients' listener."""

import hmac
from typing import Any, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway import metrics
from gateway.reloading import Outcome


class Running(Protocol):
    """The gateway as the admin listener sees it."""

    def trouble(self) -> str | None:
        """Return why it cannot accept events now, or None."""

    async def status(self) -> dict[str, Any]:
        """Return the log's counts and each target's state."""

    def configuration(self) -> dict[str, Any]:
        """Return which configuration is in force."""

    async def metrics(self) -> bytes:
        """Return metrics in Prometheus' text format."""

    async def reload(self) -> Outcome:
        """Put the configuration in force that is in the files now."""


def admin_app(gateway: Running, token: str | None) -> Starlette:
    """Return the ASGI application; with a `token`, everything but health needs it."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        trouble = gateway.trouble()
        return PlainTextResponse(f"{trouble or 'ready'}\n", 503 if trouble else 200)

    async def show_metrics(request: Request) -> Response:
        return _guarded(request, token) or Response(await gateway.metrics(), media_type=metrics.CONTENT_TYPE)

    async def status(request: Request) -> Response:
        refused = _guarded(request, token)
        if refused is not None:
            return refused
        return Response(msgspec.json.encode(await gateway.status()), media_type="application/json")

    async def configuration(request: Request) -> Response:
        refused = _guarded(request, token)
        return refused or Response(msgspec.json.encode(gateway.configuration()), media_type="application/json")

    async def reload(request: Request) -> Response:
        refused = _guarded(request, token)
        if refused is not None:
            return refused
        outcome = await gateway.reload()
        code = 200 if outcome.outcome == "done" else 409
        return Response(msgspec.json.encode(outcome), code, media_type="application/json")

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", show_metrics),
            Route("/status", status),
            Route("/configuration", configuration),
            Route("/reload", reload, methods=["POST"]),
        ]
    )


def _guarded(request: Request, token: str | None) -> Response | None:
    if token is None:
        return None
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.encode(), token.encode())
    if scheme.lower() == "bearer" and same:
        return None
    return PlainTextResponse("a token is needed\n", 401, {"WWW-Authenticate": "Bearer"})
