"""uvicorn's HTTP protocol with a short cut: a request that is whole when its bytes arrive goes straight to the edge.

No task, no future and no ASGI messages are made for it, and its answer is one write. All else goes uvicorn's way: a
request whose body comes in several pieces or is waited for (`Expect`), that stands behind another on its connection,
whose answer depends on people, or that is for no source. Connections, their timeouts and their end are uvicorn's.
"""

import asyncio
from functools import lru_cache
from math import inf
from typing import Any, Final
from urllib.parse import unquote

import httptools
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.adapter import reply
from gateway.inbound.answers import rendered
from gateway.inbound.edge import Edge
from gateway.inbound.exchange import Exchange

_BROKEN: Final = reply(500, "Internal Server Error", "text/plain; charset=utf-8")
_LONGEST_KEPT: Final = 200
"""Bytes of a target that is remembered as it was taken apart: most requests are for the same few."""


class _Cycle:
    """What uvicorn asks of a request that is being answered."""

    message_event = asyncio.Event()
    """Nobody waits for it."""

    def __init__(self) -> None:
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = True


class DirectProtocol(HttpToolsProtocol):
    """One connection of a client, for uvicorn's `http=`; the application is an `Edge`."""

    cycle: Any

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._edge: Edge = config.app  # type: ignore[assignment]  # what `Server` is given
        self._exchange: Exchange | None = None
        """Of the request that is being read, while it may still be whole."""
        self._body: list[bytes] = []
        self._direct = _Cycle()
        """The one that goes the direct way; others may stand behind it."""
        self._quiet_until = inf
        """When the connection is closed unless a request comes, by the loop's clock; while there is one, never."""

    # --- reading -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._exchange is not None:
            self._exchange = None
            if not self.transport.is_closing():
                self._let_uvicorn()

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._exchange = self._begun()
        if self._exchange is None:
            self._let_uvicorn()

    def _begun(self) -> Exchange | None:
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy or self.flow.write_paused or self.parser.should_upgrade():
            return None
        named = dict(self.headers)
        method = self.parser.get_method().decode("ascii")
        if method == "HEAD" or b"expect" in named:
            return None
        path, query = _taken_apart(self.url) if len(self.url) <= _LONGEST_KEPT else _parsed(self.url)
        return self._edge.begin(method, path, query, self.headers, named)

    def _let_uvicorn(self) -> None:
        """Begin the request as uvicorn does, with what has come of it."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()
        pieces, self._body = self._body, []
        for piece in pieces:
            super().on_body(piece)

    def on_body(self, body: bytes) -> None:
        if self._exchange is None:
            super().on_body(body)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            super().on_message_complete()
            return
        pieces, self._body = self._body, []
        cycle = self.cycle = self._direct
        cycle.response_complete = False
        cycle.keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        self._edge.handle(exchange, pieces[0] if len(pieces) == 1 else b"".join(pieces), self._answer)

    # --- answering ---------------------------------------------------------------------------------------

    def _answer(self, exchange: Exchange) -> None:
        self._direct.response_complete = True
        if not self.transport.is_closing():
            self._write(exchange, keep_alive=self._direct.keep_alive)
        if self.pipeline or self.transport.is_closing():
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._wait_for_the_next()
        self._edge.record(exchange)

    def _write(self, exchange: Exchange, *, keep_alive: bool) -> None:
        answer, common = exchange.reply, self.server_state.default_headers
        try:
            head = rendered(answer, exchange.headers, exchange.request.id, common)
        except ValueError:
            self.logger.exception("An answer cannot be sent")
            answer, keep_alive = _BROKEN, False
            head = rendered(answer, (), exchange.request.id, common)
        end = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((head, end, answer.body)))
        if not keep_alive:
            self.transport.close()

    # --- between requests: one timer a connection, where uvicorn has one a request -------------------------

    def _wait_for_the_next(self) -> None:
        self._quiet_until = self.loop.time() + self.timeout_keep_alive
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _unset_keepalive_if_required(self) -> None:
        self._quiet_until = inf

    def on_response_complete(self) -> None:
        self._stop_timer()
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            self._wait_for_the_next()

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        left = self._quiet_until - self.loop.time()
        if left <= 0:
            super().timeout_keep_alive_handler()
        elif left < inf:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None


def _parsed(target: bytes) -> tuple[str, bytes]:
    """Return path and query of a request's target, as uvicorn tells them to applications."""
    url = httptools.parse_url(target)
    path = url.path.decode("ascii")
    return unquote(path) if "%" in path else path, url.query or b""


_taken_apart: Final = lru_cache(maxsize=1024)(_parsed)
