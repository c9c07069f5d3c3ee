"""Puts the parts together: the one place that picks implementations."""

import asyncio
import contextlib
import gc
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Literal

import uvloop
from starlette.applications import Starlette

from gateway import metrics, registry
from gateway.adapter import Loss
from gateway.admin import admin_app
from gateway.config import Config, SourceConfig, TargetConfig, source_path, target_windows
from gateway.delivery import Attempt, Deliverer, Hooks, TargetSpec, Timeouts
from gateway.errors import LogError
from gateway.inbound.accept import LogStore
from gateway.inbound.edge import Edge
from gateway.inbound.routes import Source, Sources
from gateway.inbound.stats import Stats
from gateway.limit_memory import LimitMemory
from gateway.log.people import Directory
from gateway.log.sqlite import Retention, SqliteLog
from gateway.routing import Router
from gateway.serving import Server, bind, stop_event, url_of, write_ready
from gateway.telemetry import Logger, make_logger

Role = Literal["all", "ingest", "deliver"]

CONNECT_TIMEOUT_S: Final = 5.0
GC_THRESHOLD: Final = 20_000
"""Objects made and not freed before the youngest are looked at."""


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


async def open_log(config: Config, role: Literal["all", "ingest", "deliver", "inspect"]) -> SqliteLog:
    """Open the configured log; every role but `inspect` makes the targets known to it."""
    log = await SqliteLog.open(
        Path(config.log.sqlite),
        role=role,
        retention=Retention(seconds=config.log.retention.hours * 3600, bytes=config.log.retention.bytes),
        duplicate_window_s=config.log.duplicates.hours * 3600,
    )
    if role != "inspect":
        await log.register(list(config.targets))
    return log


def build_source(name: str, source: SourceConfig) -> Source:
    """Return a source of the configuration, ready to answer."""
    return Source(
        name,
        registry.adapter(source.vendor),
        source.credentials,
        path=source_path(name, source),
        hosts=tuple(source.hosts),
        enforce_limits=source.enforce_limits,
    )


def build_target(name: str, target: TargetConfig) -> TargetSpec:
    """Return a target of the configuration, ready to be delivered to."""
    return TargetSpec(
        name=name,
        adapter=registry.adapter(target.vendor),
        credentials=target.credentials,
        base_url=target.base_url,
        windows=target_windows(target),
        concurrency=target.concurrency,
        timeouts=Timeouts(connect=min(CONNECT_TIMEOUT_S, target.timeout), read=target.timeout, total=target.timeout),
        max_age=target.max_age_hours * 3600,
    )


class Gateway:
    """One running process of the gateway."""

    def __init__(self, config: Config, role: Role, logger: Logger, log: SqliteLog, directory: Directory) -> None:
        self._config = config
        self._logger = logger
        self._log = log
        self._directory = directory
        self._inbound = Stats()
        self._delivery = metrics.DeliveryStats()
        router = Router(config.rules(), config.targets)
        sources = [build_source(name, source) for name, source in config.sources.items()]
        store = LogStore(log, router.decide, directory)
        self.edge = Edge(Sources(sources), store, Starlette(), logger, self._inbound)
        self._deliverer: Deliverer | None = None
        self._memory = LimitMemory(Path(config.log.sqlite + ".limits"), logger)
        if role != "ingest":
            specs = [build_target(name, target) for name, target in config.targets.items()]
            hooks = Hooks(observe=self._attempted, on_loss=self._lost)
            past = self._memory.recall()
            self._deliverer = Deliverer(specs, log, transform=router.transform, hooks=hooks, past=past)

    def _attempted(self, attempt: Attempt) -> None:
        verdict = attempt.verdict.value
        self._delivery.attempt(attempt.target, attempt.endpoint, verdict, len(attempt.events), attempt.seconds)
        self._logger.info(
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

    async def start(self) -> None:
        """Begin to deliver."""
        if self._deliverer is not None:
            await self._deliverer.start()
            self._memory.follow(self._deliverer)

    async def stop(self) -> None:
        """Finish or return what is under way, and close the log."""
        if self._deliverer is not None:
            await self._memory.finish(await self._deliverer.stop())
        await self._directory.close()
        await self._log.close()

    def trouble(self) -> str | None:
        """Return why events cannot be accepted now, or None."""
        return self._log.fault

    def _states(self) -> list[Any]:
        return [] if self._deliverer is None else list(self._deliverer.states())

    async def status(self) -> dict[str, Any]:
        """Return the log's counts and each target's state."""
        return {"log": await self._log.status(), "targets": self._states(), "trouble": self.trouble()}

    async def metrics(self) -> bytes:
        """Return metrics in Prometheus' text format."""
        states = {state.target: state.state for state in self._states()}
        return metrics.render(self._inbound, self._delivery, await self._log.status(), states)


async def serve(config: Config, role: Role = "all", ready_file: Path | None = None) -> None:
    """Run the gateway until it is told to stop.

    Raises:
        ListenError: an address cannot be listened on.
        LogError: the log cannot be opened, or another process has it.
    """
    logger = make_logger(config.logging.format, config.logging.level, config.secrets())
    async with contextlib.AsyncExitStack() as stack:
        public = None if role == "deliver" else bind(config.listen.host, config.listen.port)
        if public is not None:
            stack.callback(public.close)
        admin = bind(config.admin.host, config.admin.port)
        stack.callback(admin.close)
        gateway = await _open(config, role, logger)
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        addresses = {"admin": url_of(admin)}
        await _start(stack, Server(admin_app(gateway, config.admin.token), admin))
        if public is not None:
            addresses["listen"] = url_of(public)
            await _start(stack, Server(gateway.edge, public))
        stop = stop_event()
        _spare_the_collector()
        write_ready(ready_file, addresses)
        logger.info("serving", role=role, **addresses)
        await stop.wait()
        logger.info("stopping")


def _spare_the_collector() -> None:
    """Leave what start-up made out of every collection, and look for cycles less often: events make none."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)


async def _open(config: Config, role: Role, logger: Logger) -> Gateway:
    log = await open_log(config, role)
    try:
        minters = {name: registry.adapter(source.vendor).mint for name, source in config.sources.items()}
        directory = await Directory.open(Path(config.log.sqlite + ".people"), log, minters)
        return Gateway(config, role, logger, log, directory)
    except LogError:
        await log.close()
        raise


async def _start(stack: contextlib.AsyncExitStack, server: Server) -> None:
    await server.start()
    stack.push_async_callback(server.stop)
