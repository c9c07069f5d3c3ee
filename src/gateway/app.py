"""Puts the parts together: the one place that picks implementations."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import uvloop
from msgspec import Struct
from starlette.applications import Starlette

from gateway import metrics, registry
from gateway.adapter import Event, Loss
from gateway.admin import admin_app
from gateway.config import Checked, SourceConfig, TargetConfig, source_path, target_windows
from gateway.delivery import Attempt, Deliverer, Hooks, TargetSpec, Timeouts
from gateway.errors import Withheld
from gateway.inbound.accept import LogStore
from gateway.inbound.edge import Edge
from gateway.inbound.routes import Source, Sources
from gateway.inbound.stats import Stats
from gateway.limit_memory import LimitMemory
from gateway.log.people import Directory
from gateway.log.permissions import Permissions
from gateway.log.sqlite import Retention, SqliteLog
from gateway.routing import Router
from gateway.routing.entries import RequireEntry
from gateway.serving import Server, bind, stop_event, url_of, write_ready
from gateway.telemetry import Logger, make_logger
from gateway.workers import Report, Workers, report

Role = Literal["all", "ingest", "deliver"]

CONNECT_TIMEOUT_S: Final = 5.0
GC_THRESHOLD: Final = 20_000
"""Objects made and not freed before the youngest are looked at."""


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


async def open_log(
    config: Checked, role: Literal["all", "ingest", "deliver", "inspect"], *, shared: bool = False
) -> SqliteLog:
    """Open the configured log; every role but `inspect` makes the targets known to it.

    Args:
        shared: whether other processes may accept at the same time.
    """
    log = await SqliteLog.open(
        Path(config.log.sqlite),
        role=role,
        retention=Retention(seconds=config.log.retention.hours * 3600, bytes=config.log.retention.bytes),
        duplicate_window_s=config.log.duplicates.hours * 3600,
        shared_ingest=shared,
    )
    if role != "inspect":
        await log.register(list(config.targets))
    return log


def build_source(name: str, source: SourceConfig) -> Source:
    """Return a source of the configuration, ready to answer."""
    adapter = registry.adapter(source.vendor)
    return Source(
        name,
        adapter,
        source.credentials,
        path=source_path(name, source),
        hosts=tuple(source.hosts),
        enforce_limits=source.enforce_limits,
        options=_options(adapter.source_options, source.options),
    )


def build_target(name: str, target: TargetConfig) -> TargetSpec:
    """Return a target of the configuration, ready to be delivered to."""
    adapter = registry.adapter(target.vendor)
    return TargetSpec(
        name=name,
        adapter=adapter,
        options=_options(adapter.target_options, target.options),
        credentials=target.credentials,
        base_url=target.base_url,
        windows=target_windows(target),
        concurrency=target.concurrency,
        timeouts=Timeouts(connect=min(CONNECT_TIMEOUT_S, target.timeout), read=target.timeout, total=target.timeout),
        max_age=target.max_age_hours * 3600,
    )


def _options(wanted: type[Struct] | None, options: Mapping[str, Any]) -> Any:
    return None if wanted is None else msgspec.convert(options, wanted)


class Gateway:
    """One running process of the gateway."""

    def __init__(
        self,
        config: Checked,
        role: Role,
        logger: Logger,
        log: SqliteLog,
        directory: Directory,
        permissions: Permissions | None = None,
    ) -> None:
        self.role = role
        self.logger = logger
        self.workers: Workers | None = None
        """The processes that accept, when they are not this one."""
        self._log = log
        self._inbound = Stats()
        self._delivery = metrics.DeliveryStats()
        self._router = router = Router(config.rules, config.targets)
        self._permissions = permissions
        sources = [build_source(name, source) for name, source in config.sources.items()]
        store = LogStore(log, router.decide, directory)
        self.edge = Edge(Sources(sources), store, Starlette(), logger, self._inbound)
        self._deliverer: Deliverer | None = None
        self._memory = LimitMemory(Path(config.log.sqlite + ".limits"), logger)
        if role != "ingest":
            specs = [build_target(name, target) for name, target in config.targets.items()]
            hooks = Hooks(
                observe=self._attempted,
                on_loss=self._lost,
                policies=router.policies if router.minds_losses else None,
                on_warning=self._warned,
                before=permissions.catch_up if permissions is not None else None,
            )
            past = self._memory.recall()
            self._deliverer = Deliverer(specs, log, transform=self._transform, hooks=hooks, past=past)

    def _transform(self, event: Event, rule: str, target: str) -> Event:
        """Change an event as its rule says, if the person has given the permission that the rule asks for."""
        required = self._router.required(rule)
        if required is not None and not self._permitted(event, required):
            group = f" ({required.group})" if required.group else ""
            raise Withheld(f"{rule}: no permission for {required.channel}{group}")
        return self._router.transform(event, rule, target)

    def _permitted(self, event: Event, required: RequireEntry) -> bool:
        if self._permissions is None:
            return False
        said = self._permissions.last_word(event.profile, required.channel, required.group)
        return required.unknown == "allow" if said is None else said

    def _attempted(self, attempt: Attempt) -> None:
        verdict = attempt.verdict.value
        self._delivery.attempt(attempt.target, attempt.endpoint, verdict, len(attempt.events), attempt.seconds)
        self.logger.info(
            "attempt",
            target=attempt.target,
            endpoint=attempt.endpoint,
            status=attempt.status,
            verdict=verdict,
            why=attempt.why,
            events=len(attempt.events),
            first=attempt.events[0] if attempt.events else None,
            attempt=attempt.attempt,
            bytes=attempt.request_bytes,
            ms=round(attempt.seconds * 1000, 3),
        )

    def _lost(self, source: str, target: str, loss: Loss) -> None:
        self._delivery.loss(source, target, loss.path, loss.outcome)

    def _warned(self, rule: str, event: str, target: str, loss: Loss) -> None:
        self.logger.warning("loss", rule=rule, event_id=event, target=target, path=loss.path, reason=loss.reason)

    async def start(self) -> None:
        """Begin to deliver."""
        if self._deliverer is not None:
            await self._deliverer.start()
            self._memory.follow(self._deliverer)

    async def stop(self) -> None:
        """Finish or return the deliveries under way."""
        if self._deliverer is not None:
            await self._memory.finish(await self._deliverer.stop())

    def trouble(self) -> str | None:
        """Return why events cannot be accepted now, or None."""
        return self._log.fault or (self.workers.trouble() if self.workers else None)

    def report(self) -> Report:
        """Return what a worker tells its parent."""
        return Report(self._inbound.all(), self.trouble())

    def _states(self) -> list[Any]:
        return [] if self._deliverer is None else list(self._deliverer.states())

    async def status(self) -> dict[str, Any]:
        """Return the log's counts, each target's state, and what is wrong with the log and its checkpoints."""
        return {
            "log": await self._log.status(),
            "targets": self._states(),
            "trouble": self.trouble(),
            "checkpoint": self._log.checkpoint_fault,
        }

    async def metrics(self) -> bytes:
        """Return metrics in Prometheus' text format."""
        inbound = self.workers.stats() if self.workers else self._inbound
        states = {state.target: state.state for state in self._states()}
        engine = metrics.Engine(self._log.wal_bytes, self._log.forgotten_keys)
        return metrics.render(inbound, self._delivery, await self._log.status(), states, engine)


async def serve(config: Checked, role: Role = "all", ready_file: Path | None = None) -> None:
    """Run the gateway in this process until it is told to stop.

    Raises:
        ListenError: an address cannot be listened on.
        LogError: the log cannot be opened, or another process has it.
    """
    async with contextlib.AsyncExitStack() as stack:
        public = None if role == "deliver" else _bind(stack, config.listen.host, config.listen.port)
        admin = _bind(stack, config.admin.host, config.admin.port)
        gateway = await _open(stack, config, role)
        await _start(stack, Server(admin_app(gateway, config.admin.token), admin))
        if public is not None:
            await _start(stack, Server(gateway.edge, public))
        await _stay(gateway, ready_file, admin=admin, listen=public)


async def serve_with_workers(path: Path, config: Checked, number: int, ready_file: Path | None) -> None:
    """Deliver in this process, and accept in so many others, until told to stop.

    Raises:
        ListenError: an address cannot be listened on.
        LogError: the log cannot be opened, or another process has it.
    """
    async with contextlib.AsyncExitStack() as stack:
        public = _bind(stack, config.listen.host, config.listen.port)
        admin = _bind(stack, config.admin.host, config.admin.port)
        gateway = await _open(stack, config, "deliver")
        gateway.workers = Workers(path, public, number, gateway.logger)
        await _start(stack, Server(admin_app(gateway, config.admin.token), admin))
        stack.push_async_callback(gateway.workers.stop)
        await gateway.workers.start()
        await _stay(gateway, ready_file, admin=admin, listen=public)


async def serve_as_worker(config: Checked, descriptor: int) -> None:
    """Accept on a listener handed down, until told to stop or until the parent is gone."""
    async with contextlib.AsyncExitStack() as stack:
        listener = socket.socket(fileno=descriptor)
        stack.callback(listener.close)
        gateway = await _open(stack, config, "ingest", shared=True)
        await _start(stack, Server(gateway.edge, listener))
        stop = stop_event()
        _spare_the_collector()
        told = asyncio.create_task(report(gateway.report, stop.set))
        await stop.wait()
        told.cancel()
        await asyncio.wait([told])


def _bind(stack: contextlib.AsyncExitStack, host: str, port: int) -> socket.socket:
    listener = bind(host, port)
    stack.callback(listener.close)
    return listener


async def _stay(gateway: Gateway, ready_file: Path | None, **listeners: socket.socket | None) -> None:
    """Say that all is ready, and wait for the end."""
    addresses = {name: url_of(listener) for name, listener in listeners.items() if listener is not None}
    stop = stop_event()
    _spare_the_collector()
    write_ready(ready_file, addresses)
    gateway.logger.info("serving", role=gateway.role, **addresses)
    await stop.wait()
    gateway.logger.info("stopping")


def _spare_the_collector() -> None:
    """Leave what start-up made out of every collection, and look for cycles less often: events make none."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)


async def _open(stack: contextlib.AsyncExitStack, config: Checked, role: Role, *, shared: bool = False) -> Gateway:
    """Open the log and begin to deliver; all is closed when the stack is."""
    logger = make_logger(config.logging.format, config.logging.level, config.secrets())
    log = await open_log(config, role, shared=shared)
    stack.push_async_callback(log.close)
    directory = await Directory.open(Path(config.log.sqlite + ".people"), log, _minters(config))
    stack.push_async_callback(directory.close)
    permissions = await _permissions(stack, config, role, log)
    gateway = Gateway(config, role, logger, log, directory, permissions)
    await gateway.start()
    stack.push_async_callback(gateway.stop)
    return gateway


async def _permissions(
    stack: contextlib.AsyncExitStack, config: Checked, role: Role, log: SqliteLog
) -> Permissions | None:
    """Follow who has given which permission, where a rule asks for one and this process delivers."""
    if role == "ingest" or all(rule.require is None for rule in config.rules):
        return None
    permissions = await Permissions.open(Path(config.log.sqlite + ".permissions"), log)
    stack.push_async_callback(permissions.close)
    return permissions


def _minters(config: Checked) -> dict[str, Callable[[str], str] | None]:
    """Return, for each source that is asked about people, what makes their ids."""
    adapters = {name: registry.adapter(source.vendor) for name, source in config.sources.items()}
    return {name: a.mint for name, a in adapters.items() if any(endpoint.people for endpoint in a.inbound)}


async def _start(stack: contextlib.AsyncExitStack, server: Server) -> None:
    await server.start()
    stack.push_async_callback(server.stop)
