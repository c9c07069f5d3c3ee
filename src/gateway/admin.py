"""The admin listener: health, readiness, metrics, status, receipts and reload. Never on the clients' listener."""

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway import metrics
from gateway.errors import LogError
from gateway.receipts import Follower, Timeline, Wanted
from gateway.receipts.following import STATUSES
from gateway.reloading import Outcome

Endpoint = Callable[[Request], Awaitable[Response]]

MOST_TAILS: Final = 8
"""Streams at the same time."""
LOOK_EVERY_S: Final = 0.5
SINCE_H: Final = 24.0
"""How far back a client's key is looked for."""
_SHORTEST_SECRET: Final = 4


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

    async def explain(self, wanted: str, since_s: float) -> list[Timeline]:
        """Return what is known of an event, or of those with a client's key; raises `LogError`."""

    async def follower(self, wanted: Wanted) -> Follower:
        """Return what tells of all that happens from now on; raises `LogError`."""

    def secrets(self) -> frozenset[str]:
        """Return every text that must not appear in what is told."""

    @property
    def ending(self) -> asyncio.Event:
        """Set when the process was told to stop."""


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

    told = Told(gateway)
    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", show_metrics),
            Route("/status", status),
            Route("/configuration", configuration),
            Route("/reload", reload, methods=["POST"]),
            Route("/receipts/{wanted:path}", _guard(told.timelines, token)),
            Route("/tail", _guard(told.tail, token)),
        ],
        exception_handlers={LogError: _unreadable},
    )


async def _unreadable(_: Request, error: Exception) -> Response:
    """Say why the log cannot tell what it holds."""
    return PlainTextResponse(f"{error}\n", 503)


class Told:
    """What became of events, and what happens now."""

    def __init__(self, gateway: Running) -> None:
        self._gateway = gateway
        self._running = 0

    async def timelines(self, request: Request) -> Response:
        """Return the timelines of an event, or of those with a client's key of the last `since_hours`."""
        try:
            hours = float(request.query_params.get("since_hours", SINCE_H))
            found = await self._gateway.explain(request.path_params["wanted"], hours * 3600)
        except (ValueError, OverflowError):
            return PlainTextResponse("since_hours is a number of hours\n", 400)
        except LogError as error:
            return PlainTextResponse(f"{error}\n", 503)
        body = _masked(msgspec.json.encode(found), self._gateway.secrets())
        return Response(body, 200 if found else 404, media_type="application/json")

    async def tail(self, request: Request) -> Response:
        """Return a stream, one JSON object a line and an empty line while nothing happens.

        The query chooses, as the options of `gateway tail` do: `source`, `target`, `name`, `status` (several).
        """
        asked = request.query_params
        status = asked.getlist("status")
        if unknown := [one for one in status if one not in STATUSES]:
            return PlainTextResponse(f"no status is called {unknown[0]!r}: {', '.join(STATUSES)}\n", 400)
        if self._running >= MOST_TAILS:
            return PlainTextResponse(f"there are {MOST_TAILS} streams already\n", 503)
        wanted = Wanted(source=asked.get("source"), target=asked.get("target"), name=asked.get("name"), status=status)
        try:
            follower = await self._gateway.follower(wanted)
        except LogError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return StreamingResponse(self._stream(follower), media_type="application/x-ndjson")

    async def _stream(self, follower: Follower) -> AsyncIterator[bytes]:
        ending = self._gateway.ending
        self._running += 1
        try:
            while not ending.is_set():
                lines = await asyncio.to_thread(follower.look)
                yield _masked(msgspec.json.Encoder().encode_lines(lines) or b"\n", self._gateway.secrets())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ending.wait(), LOOK_EVERY_S)
        except LogError as error:
            yield msgspec.json.encode({"what": "failed", "why": str(error)}) + b"\n"
        finally:
            self._running -= 1


def _masked(text: bytes, secrets: Iterable[str]) -> bytes:
    """Return JSON without secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(msgspec.json.encode(secret)[1:-1], b"***")
    return text


def _guard(endpoint: Endpoint, token: str | None) -> Endpoint:
    """Return an endpoint that needs the token."""

    async def guarded(request: Request) -> Response:
        return _guarded(request, token) or await endpoint(request)

    return guarded


def _guarded(request: Request, token: str | None) -> Response | None:
    if token is None:
        return None
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.encode(), token.encode())
    if scheme.lower() == "bearer" and same:
        return None
    return PlainTextResponse("a token is needed\n", 401, {"WWW-Authenticate": "Bearer"})
