"""Puts the parts together: the place that picks implementations; `opening` picks the log's."""

import asyncio
import contextlib
import socket
from pathlib import Path

from gateway.admin import admin_app
from gateway.inbound.direct import DirectProtocol
from gateway.loading import Loaded
from gateway.opening import open_log
from gateway.parts import minters
from gateway.process import Gateway, Role, spare_the_collector, take_turns
from gateway.serving import Server, bind, stop_event, url_of, write_ready
from gateway.workers import Station, Workers

__all__ = ["Role", "serve", "serve_as_worker", "serve_with_workers"]


async def serve(loaded: Loaded, role: Role = "all", ready_file: Path | None = None, *, watch: bool = False) -> None:
    """Run the gateway in this process until it is told to stop.

    Args:
        watch: whether to reload the configuration when its files change.

    Raises:
        ListenError: an address cannot be listened on.
        LogError: the log cannot be opened, or another process has it.
    """
    config = loaded.config
    stop = stop_event()
    async with contextlib.AsyncExitStack() as stack:
        public = None if role == "deliver" else _bind(stack, config.listen.host, config.listen.port)
        admin = _bind(stack, config.admin.host, config.admin.port)
        gateway = await _open(stack, loaded, role)
        await _start(stack, Server(admin_app(gateway, config.admin.token), admin))
        if public is not None:
            await _start(stack, Server(gateway.edge, public, DirectProtocol))
        await _stay(stack, gateway, stop, ready_file, watch=watch, admin=admin, listen=public)


async def serve_with_workers(loaded: Loaded, number: int, ready_file: Path | None, *, watch: bool = False) -> None:
    """Deliver in this process, and accept in so many others, until told to stop.

    Args:
        watch: as for `serve`.

    Raises:
        ListenError: an address cannot be listened on.
        LogError: the log cannot be opened, or another process has it.
    """
    config = loaded.config
    stop = stop_event()
    async with contextlib.AsyncExitStack() as stack:
        public = _bind(stack, config.listen.host, config.listen.port)
        admin = _bind(stack, config.admin.host, config.admin.port)
        gateway = await _open(stack, loaded, "deliver")
        renew = gateway.reloader.renew
        gateway.workers = Workers(loaded.path, public, number, gateway.logger, loaded.version, renew)
        await _start(stack, Server(admin_app(gateway, config.admin.token), admin))
        stack.push_async_callback(gateway.workers.stop)
        await gateway.workers.start()
        await _stay(stack, gateway, stop, ready_file, watch=watch, admin=admin, listen=public)


async def serve_as_worker(loaded: Loaded, descriptor: int) -> None:
    """Accept on a listener handed down, until told to stop or until the parent is gone."""
    stop = stop_event()
    async with contextlib.AsyncExitStack() as stack:
        listener = socket.socket(fileno=descriptor)
        stack.callback(listener.close)
        gateway = await _open(stack, loaded, "ingest", shared=True)
        await _start(stack, Server(gateway.edge, listener, DirectProtocol))
        take_turns()
        spare_the_collector()
        told = asyncio.create_task(Station(gateway, stop.set).run())
        await stop.wait()
        told.cancel()
        await asyncio.wait([told])


def _bind(stack: contextlib.AsyncExitStack, host: str, port: int) -> socket.socket:
    listener = bind(host, port)
    stack.callback(listener.close)
    return listener


async def _stay(
    stack: contextlib.AsyncExitStack,
    gateway: Gateway,
    stop: asyncio.Event,
    ready_file: Path | None,
    *,
    watch: bool,
    **listeners: socket.socket | None,
) -> None:
    """Say that all is ready, and wait for the end."""
    addresses = {name: url_of(listener) for name, listener in listeners.items() if listener is not None}
    gateway.reloader.start(watch=watch)
    stack.push_async_callback(gateway.reloader.stop)
    take_turns()
    spare_the_collector()
    write_ready(ready_file, addresses)
    gateway.logger.info("serving", role=gateway.role, version=gateway.in_force.version, **addresses)
    await stop.wait()
    gateway.ending.set()
    gateway.logger.info("stopping")


async def _open(stack: contextlib.AsyncExitStack, loaded: Loaded, role: Role, *, shared: bool = False) -> Gateway:
    """Open the log and begin to deliver; all is closed when the stack is."""
    config = loaded.config
    log = await open_log(config, role, shared=shared)
    stack.push_async_callback(log.close)
    directory = await log.directory(minters(config))
    stack.push_async_callback(directory.close)
    gateway = Gateway(loaded, role, log, directory)
    await gateway.start()
    stack.push_async_callback(gateway.stop)
    return gateway


async def _start(stack: contextlib.AsyncExitStack, server: Server) -> None:
    await server.start()
    stack.push_async_callback(server.stop)
