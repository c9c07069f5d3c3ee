"""The delivery side of one process: what it counts and logs, and the rules it delivers by."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateway import metrics
from gateway.adapter import Event, Loss
from gateway.config import Checked, ReceiptsConfig
from gateway.delivery import Attempt, Deliverer, Hooks, LimiterState, TargetSpec, TargetState
from gateway.delivery.deliverer import Plan
from gateway.delivery.spec import End, LossPolicy
from gateway.errors import Withheld
from gateway.limit_memory import LimitMemory
from gateway.log.engine import Engine
from gateway.log.owners import SharedLog
from gateway.log.permissions import Permissions
from gateway.parts import build_target
from gateway.receipts import Ended, Keep, Recorder, path_beside
from gateway.routing import Router
from gateway.routing.entries import RequireEntry
from gateway.routing.in_force import RulesInForce
from gateway.telemetry import AttemptLine, Logger


@dataclass(frozen=True, eq=False)
class Change:
    """Other targets or rules, ready to be delivered to and by."""

    specs: dict[str, TargetSpec]
    hooks: Hooks
    anew: bool
    mine: frozenset[str] | None
    """This node's share when it was prepared."""
    plan: Plan


class Delivery:
    """Delivers to the targets of a configuration, and then of another."""

    def __init__(self, config: Checked, log: Engine, rules: RulesInForce, logger: Logger) -> None:
        self.stats = metrics.DeliveryStats()
        self.logger = logger
        self._log = log
        self._rules = rules
        self._permissions: Permissions | None = None
        self.receipts = Recorder(path_beside(config.log.file), keep_of(config.receipts))
        self._memory = LimitMemory(Path(config.log.file + ".limits"), logger)
        self._minds_losses = rules.router.minds_losses
        self._specs = _specs(config)
        self._mine: frozenset[str] | None = frozenset() if isinstance(log, SharedLog) else None
        """The targets that are this node's; None: all, since no other node has the log."""
        self._deliverer = Deliverer(
            [] if self._mine is not None else list(self._specs.values()),
            log,
            transform=self._transform,
            hooks=self._hooks(),
            past=self._memory.recall(),
        )

    def _hooks(self) -> Hooks:
        return Hooks(
            observe=self._attempted,
            on_end=self._ended,
            on_loss=self._lost,
            policies=self._policies if self._minds_losses else None,
            on_warning=self._warned,
            before=self._before,
        )

    async def start(self, config: Checked) -> None:
        """Begin to deliver.

        Raises:
            LogError: the log cannot be read, or permissions not be followed.
        """
        await self._follow_permissions(config)
        self.receipts.start()
        await self._deliverer.start()
        self._memory.follow(self._deliverer)

    async def stop(self) -> None:
        """Finish or return the deliveries under way."""
        await self._memory.finish(await self._deliverer.stop())
        await asyncio.to_thread(self.receipts.close)
        if self._permissions is not None:
            await self._permissions.close()

    async def prepare(self, config: Checked, router: Router, *, anew: bool) -> "Change":
        """Prepare to deliver to the targets of another configuration, by its rules.

        Once a rule has minded losses, they are minded to the end: events of that rule may still wait.

        Args:
            anew: whether rules have changed: what waits in memory is then taken up anew, to be changed by them.

        Raises:
            LogError: permissions cannot be followed.
            Exception: a target cannot be called as it is described.
        """
        self._minds_losses = self._minds_losses or router.minds_losses
        specs = _specs(config)
        change = Change(specs, self._hooks(), anew, self._mine, self._plan(specs, self._hooks(), anew=anew))
        await self._follow_permissions(config)
        return change

    def _plan(self, specs: Mapping[str, TargetSpec], hooks: Hooks | None = None, *, anew: bool = False) -> Plan:
        ours = [spec for name, spec in specs.items() if self._mine is None or name in self._mine]
        return self._deliverer.plan(ours, hooks, anew=anew)

    def change(self, change: "Change") -> "asyncio.Task[None]":
        """Deliver to other targets; see `Deliverer.change`."""
        self._specs = change.specs
        same = change.mine == self._mine
        return self._deliverer.change(change.plan if same else self._plan(change.specs, change.hooks, anew=change.anew))

    # --- this node's share -----------------------------------------------------------------------------

    def targets(self) -> Collection[str]:
        """Return all configured targets."""
        return self._specs.keys()

    async def deliver_to(self, targets: Collection[str], *, at_once: bool = False) -> None:
        """Deliver to these targets alone; the others have ended when it returns.

        Args:
            at_once: give up what is in flight.
        """
        if targets and isinstance(self._log, SharedLog):
            told = (await self._log.limits()).items()
            self._deliverer.recall({account: msgspec.json.decode(state, type=LimiterState) for account, state in told})
        self._mine = frozenset(targets)
        await self._deliverer.change(self._plan(self._specs), at_once=at_once)

    def known_limits(self) -> dict[str, bytes]:
        """Return what was sent lately, by account."""
        return {account: msgspec.json.encode(state) for account, state in self._deliverer.snapshot().items()}

    def states(self) -> list[TargetState]:
        """Return how each target is doing."""
        return self._deliverer.states()

    # --- what rules ask for --------------------------------------------------------------------------

    async def _follow_permissions(self, config: Checked) -> None:
        """Follow who has given which permission, from the first rule that asks for one to the end."""
        if self._permissions is None and any(rule.require is not None for rule in config.rules):
            self._permissions = await self._log.permissions()

    async def _before(self) -> None:
        if self._permissions is not None:
            await self._permissions.catch_up()

    def _transform(self, event: Event, rule: str, target: str) -> Event:
        """Change an event as its rule says, if the person has given the permission that the rule asks for."""
        rules = self._rules.of(rule, target)
        required = rules.required(rule)
        if required is not None and not self._permitted(event, required):
            group = f" ({required.group})" if required.group else ""
            raise Withheld(f"{rule}: no permission for {required.channel}{group}")
        return rules.transform(event, rule, target)

    def _permitted(self, event: Event, required: RequireEntry) -> bool:
        if self._permissions is None:
            return False
        said = self._permissions.last_word(event.profile, required.channel, required.group)
        return required.unknown == "allow" if said is None else said

    def _policies(self, rule: str, target: str) -> Mapping[str, LossPolicy]:
        return self._rules.of(rule, target).policies(rule, target)

    # --- what is told --------------------------------------------------------------------------------

    def _attempted(self, attempt: Attempt) -> None:
        self.receipts.add(attempt)
        verdict, events = attempt.verdict.value, len(attempt.events)
        self.stats.of(attempt.target, attempt.endpoint).add(verdict, events, attempt.seconds)
        if self.logger.attempts is not None:
            self.logger.attempts(
                AttemptLine(
                    attempt.target,
                    attempt.endpoint,
                    attempt.status,
                    verdict,
                    attempt.why,
                    events,
                    attempt.events[0] if events else None,
                    attempt.attempt,
                    attempt.request_bytes,
                    round(attempt.seconds * 1000, 3),
                    datetime.now(UTC),
                )
            )

    def _ended(self, end: End) -> None:
        if end.event:
            self.receipts.add_end(Ended(end.target, end.event, end.outcome, end.why))

    def _lost(self, source: str, target: str, loss: Loss) -> None:
        self.stats.loss(source, target, loss.path, loss.outcome)

    def _warned(self, rule: str, event: str, target: str, loss: Loss) -> None:
        self.logger.warning("loss", rule=rule, event_id=event, target=target, path=loss.path, reason=loss.reason)


def keep_of(config: ReceiptsConfig) -> Keep:
    """Return what a configuration says of receipts."""
    return Keep(
        enabled=config.enabled,
        seconds=config.hours * 3600,
        bytes=config.bytes,
        request_bytes=config.request_bytes,
    )


def _specs(config: Checked) -> dict[str, TargetSpec]:
    return {name: build_target(name, target) for name, target in config.targets.items()}
