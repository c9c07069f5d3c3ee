"""One running process of the gateway: its accepting and its delivering side, and the configuration they go by."""

import asyncio
import contextlib
import gc
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from starlette.applications import Starlette

from gateway import metrics
from gateway.adapter import Event
from gateway.config import Checked
from gateway.delivering import Change, Delivery, keep_of
from gateway.errors import GatewayError
from gateway.event import Kind, Origin
from gateway.inbound.accept import LogStore
from gateway.inbound.edge import Edge
from gateway.inbound.routes import Source, Sources
from gateway.inbound.stats import Stats
from gateway.loading import InForce, Loaded, load_whole
from gateway.log.engine import Engine
from gateway.log.owners import SharedLog
from gateway.log.people import Directory
from gateway.owning import Owning
from gateway.parts import build_source, minters
from gateway.receipts import Follower, Timeline, Wanted, told
from gateway.reloading import Outcome, Reloader
from gateway.routing import Router
from gateway.routing.in_force import RulesInForce
from gateway.telemetry import make_logger
from gateway.workers import Report, Workers

Role = Literal["all", "ingest", "deliver"]

SETTLE_S: Final = 1.0
"""How long a reload waits for changed targets to begin anew; they do so anyway."""
GC_THRESHOLD: Final = 20_000
"""Objects made and not freed before the youngest are looked at."""
SWITCH_S: Final = 0.0005
"""How long a thread may compute while another waits for the interpreter."""
_COMMON: Final[tuple[Kind, ...]] = ("track", "identify")


@dataclass(frozen=True)
class Prepared:
    """A configuration that is ready to be put in force."""

    loaded: Loaded
    router: Router
    sources: dict[str, Source]
    change: Change | None


class Gateway:
    """One running process of the gateway."""

    def __init__(self, loaded: Loaded, role: Role, log: Engine, directory: Directory) -> None:
        config = loaded.config
        self.role = role
        self.logger = make_logger(config.logging.format, config.logging.level, config.secrets())
        self.in_force = InForce(loaded.version)
        self.ending = asyncio.Event()
        """Set when the process was told to stop: whoever is told of what happens hears no more."""
        self.workers: Workers | None = None
        """The processes that accept, when they are not this one."""
        self.reloader = Reloader(loaded, self.in_force, self.change, lambda: self.logger)
        self._config = config
        self._rules_version = loaded.rules
        self._log = log
        self._directory = directory
        self._inbound = Stats()
        router = Router(config.rules, config.targets)
        self._rules = RulesInForce(router, config.rules)
        self._sources = {name: build_source(name, source) for name, source in config.sources.items()}
        sources, store = Sources(list(self._sources.values())), LogStore(log, router.decide, directory)
        self.edge = Edge(sources, store, Starlette(), self.logger, self._inbound)
        self._delivery = None if role == "ingest" else Delivery(config, log, self._rules, self.logger)
        self._prepared: Prepared | None = None
        self._owning: Owning | None = None
        if self._delivery is not None and isinstance(log, SharedLog):
            self._owning = Owning(log, self._delivery, lambda: self.logger)

    async def start(self) -> None:
        """Begin to deliver."""
        if self._delivery is not None:
            await self._delivery.start(self._config)
        if self._owning is not None:
            self._owning.start()

    async def stop(self) -> None:
        """Finish or return the deliveries under way."""
        if self._owning is not None and self._delivery is not None:
            await self._owning.stop(self._delivery.stop)
        elif self._delivery is not None:
            await self._delivery.stop()

    # --- another configuration -----------------------------------------------------------------------

    async def reload(self) -> Outcome:
        """Put the configuration in force that is in the files now, as a person asks for."""
        return await self.reloader.reload("asked")

    async def change(self, loaded: Loaded) -> None:
        """Put another configuration in force, in all processes or in none.

        Raises:
            GatewayError: it cannot be; nothing has changed.
        """
        prepared = await self._prepare(loaded)
        async with self._all_workers(loaded.version):
            await self._log.register(list(loaded.config.targets))
            self._adopt(prepared)
        if self._delivery is not None and prepared.change is not None:
            await asyncio.wait([self._delivery.change(prepared.change)], timeout=SETTLE_S)

    def _all_workers(self, version: str) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext() if self.workers is None else self.workers.changing(version)

    async def _prepare(self, loaded: Loaded) -> Prepared:
        """Do all that can fail, and nothing that is seen."""
        config = loaded.config
        router, sources = await asyncio.to_thread(self._built, config)
        await self._directory.prepare(minters(config))
        change = None
        if self._delivery is not None:
            change = await self._delivery.prepare(config, router, anew=loaded.rules != self._rules_version)
        return Prepared(loaded, router, sources, change)

    def _built(self, config: Checked) -> tuple[Router, dict[str, Source]]:
        """Make the accepting side in a thread; sources that stay the same keep their counts against limits."""
        known = self._config.sources
        sources = {
            name: self._sources[name] if known.get(name) == source else build_source(name, source)
            for name, source in config.sources.items()
        }
        router = Router(config.rules, config.targets)
        for counted in self._inbound.all():
            if counted.events and counted.source in sources:
                _warm(router, sources[counted.source])
        return router, sources

    def _adopt(self, prepared: Prepared) -> None:
        """Go by a configuration from now on."""
        config = prepared.loaded.config
        secrets = config.secrets() | self._config.secrets()
        self.logger = make_logger(config.logging.format, config.logging.level, secrets)
        self._config, self._sources = config, prepared.sources
        self._rules.replace(prepared.router, config.rules)
        self._rules_version = prepared.loaded.rules
        self._directory.replace(minters(config))
        store = LogStore(self._log, prepared.router.decide, self._directory)
        self.edge.replace(Sources(list(prepared.sources.values())), store, self.logger)
        if self._delivery is not None:
            self._delivery.logger = self.logger
            self._delivery.receipts.keep = keep_of(config.receipts)
        if self.workers is not None:
            self.workers.logger = self.logger
        self.in_force.version = prepared.loaded.version
        self.in_force.loaded_at = datetime.now(UTC)

    # --- as a worker, by its parent's orders ---------------------------------------------------------

    async def load(self, version: str) -> None:
        """Make ready to go by the configuration in the files.

        Raises:
            GatewayError: it is wrong, or not that version.
        """
        loaded = await asyncio.to_thread(load_whole, self.reloader.path)
        if loaded.version != version:
            raise GatewayError("its files changed in the meantime")
        self._prepared = await self._prepare(loaded)

    def switch(self) -> None:
        """Go by what was made ready."""
        if self._prepared is not None:
            self._adopt(self._prepared)
            self.forget()

    def forget(self) -> None:
        """Drop what was made ready."""
        self._prepared = None

    def report(self) -> Report:
        """Return what a worker tells its parent."""
        return Report(self._inbound.all(), self.trouble(), self.in_force.version)

    # --- telling -------------------------------------------------------------------------------------

    def trouble(self) -> str | None:
        """Return why events cannot be accepted now, or None."""
        return self._log.fault or (self.workers.trouble() if self.workers else None)

    def _states(self) -> list[Any]:
        return [] if self._delivery is None else list(self._delivery.states())

    async def status(self) -> dict[str, Any]:
        """Return the log's counts, each target's state, what is wrong, and which configuration is in force."""
        return {
            "log": await self._log.status(),
            "targets": self._states(),
            "trouble": self.trouble(),
            "checkpoint": self._log.checkpoint_fault,
            "receipts": None if self._delivery is None else self._delivery.receipts.counts(),
            "configuration": self.configuration(),
        }

    def configuration(self) -> dict[str, Any]:
        """Return which configuration is in force, and what became of attempts to change it."""
        workers = {"workers": self.workers.versions()} if self.workers else {}
        return {**msgspec.structs.asdict(self.in_force), **workers}

    async def metrics(self) -> bytes:
        """Return metrics in Prometheus' text format."""
        inbound = self.workers.stats() if self.workers else self._inbound
        log = self._log
        troubled = self.trouble() is not None
        engine = metrics.Engine(log.wal_bytes, log.forgotten_keys, log.committing, troubled, log.journal)
        delivery = self._delivery.stats if self._delivery else metrics.DeliveryStats()
        kept = self._delivery.receipts.counts() if self._delivery else None
        return metrics.render(inbound, delivery, await log.status(), self._states(), engine, self.in_force, kept)

    async def explain(self, wanted: str, since_s: float) -> list[Timeline]:
        """Return what is known of an event, or of those with a client's key that were accepted lately.

        Raises:
            LogError: the files cannot be read.
        """
        since = int((time.time() - since_s) * 1000)
        return await asyncio.to_thread(told, Path(self._config.log.file), wanted, since, list(self._config.targets))

    async def follower(self, wanted: Wanted) -> Follower:
        """Return what tells of all that happens from now on; its looks are for a thread.

        Raises:
            LogError: the files cannot be read.
        """
        return await asyncio.to_thread(Follower, Path(self._config.log.file), wanted)

    def secrets(self) -> frozenset[str]:
        """Return every text that must not appear in what is told."""
        return self._config.secrets()


def _warm(router: Router, source: Source) -> None:
    """Have rules be looked up once, so that the first event of a source need not wait for that."""
    for kind in _COMMON:
        origin = Origin(name=source.name, vendor=source.adapter.slug, endpoint="")
        router.decide(Event(id="", kind=kind, name="", received_at=datetime.now(UTC), source=origin))


def take_turns() -> None:
    """Have threads that compute hand the interpreter over soon: the event loop needs it for each request anew."""
    sys.setswitchinterval(SWITCH_S)


def spare_the_collector() -> None:
    """Leave what start-up made out of every collection, and look for cycles less often: events make none.

    Not done again after a reload: it would hold up everything for as long as looking through all objects takes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)
