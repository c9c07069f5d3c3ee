"""Runs ASGI applications on sockets of our own: bound before anything starts, closed when all is done."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import uvicorn

from gateway.errors import GatewayError

GRACE_S: Final = 10
"""How long requests under way may take once the gateway was told to stop."""


class ListenError(GatewayError):
    """An address cannot be listened on."""


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ListenError: the port is in use, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ListenError(f"cannot listen on {host}:{port}: {reason.lower()}") from None
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Return a listener's address as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn on one listener, stopped by us rather than by signals."""

    def __init__(self, app: Any, listener: socket.socket, http: Any = "httptools") -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http=http,
                ws="none",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield

    async def start(self) -> None:
        """Serve in the background; returns once connections are taken."""
        self._task = asyncio.create_task(self.serve(sockets=[self._listener]))
        while not self.started:
            if self._task.done():
                await self._task
                raise ListenError("the server did not start")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Take no more connections, finish what is under way, close."""
        self.should_exit = True
        if self._task is not None:
            await self._task


def end_on_sigterm() -> None:
    """End at once on SIGTERM, until `stop_event` is asked for.

    In a container the gateway is process 1, for which the kernel ignores a signal that nobody handles.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def stop_event() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def write_ready(path: Path | None, addresses: dict[str, str]) -> None:
    """Write the bound addresses as JSON, whole at once."""
    if path is None:
        return
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(msgspec.json.encode(addresses) + b"\n")
    partial.replace(path)
