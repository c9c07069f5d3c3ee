"""The gateway killed under load, round after round, and the account of it: for the suite and for `scripts/soak`."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from msgspec.structs import replace

from gateway import registry
from gateway.adapter import Adapter
from gateway.cli.processes import Process
from gateway.event import Event
from gateway.testing.faults import Arrival, Fault, FaultyVendor, Served, refuses, resets
from gateway.testing.limits import Limits, Sliding, alignments
from gateway.testing.wire import Act, Seen
from tests.e2e.crash_load import Device, Load
from tests.e2e.harness import KEYS, World, kill, until
from tests.e2e.struck import launch

DEVICES = 10
SLOWEST_S = 0.3
"""The longest that the slow target takes to answer."""
SETTLE_S = 5.0
"""From an answer until the log knows of it, at most, on a machine that is busy with other things as well.

Where nothing else runs it is a tenth of that; `summary` tells. The slow target's events may have to wait for an
earlier one, which waits for a request of its profile that is under way, and then for its own.
"""
MOST_AGAIN = 2_000 + 20 * 100
"""Events that one kill may bring again: those read ahead, and those of 20 lanes that waited beside the log."""
LATE_S = 0.1
"""How long after a kill a target may still find a request that was in its socket."""
PATIENCE_S = 60.0

WIDE = '''"""Klaviyo without limits: a crash reserves what may have been sent, and rounds would wait for that."""

from msgspec.structs import replace

from adapters.klaviyo import ADAPTER as KLAVIYO

ADAPTER = replace(KLAVIYO, slug="wide", outbound=tuple(replace(one, windows=()) for one in KLAVIYO.outbound))
'''


def number_of(event: Event) -> str:
    """Return what a device calls an event."""
    return str(event.properties["number"])


def unlimited(adapter: Adapter) -> Adapter:
    """Return an adapter whose stand-in has no limits."""
    return replace(adapter, inbound=tuple(replace(one, windows=()) for one in adapter.inbound))


def add_wide(here: World) -> None:
    """Have all gateways that start from now on know the vendor `wide`."""
    folder = here.folder / "vendors" / "wide"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text(WIDE)
    os.environ[registry.DROP_IN] = str(folder.parent)


def remove_wide() -> None:
    """Have none know it."""
    os.environ.pop(registry.DROP_IN, None)


def vendors(seed: int) -> dict[str, FaultyVendor]:
    """Return the targets: one that is well, one that is slow, one that fails, and one with its own narrow limits."""
    draw = random.Random(seed)
    klaviyo, blueshift = unlimited(registry.adapter("klaviyo")), unlimited(registry.adapter("blueshift"))
    bulk = Limits([*alignments(5, 1.0), Sliding(5, 1.0)], path="/api/v1/bulkevents")
    slow = Fault(lambda seen: Act(wait_s=SLOWEST_S * draw.random()))
    flaws: list[Act] = [refuses(503), resets(takes=True), resets(takes=False), refuses(429)]
    made: Mapping[str, tuple[Adapter, Sequence[Fault], Sequence[Limits]]] = {
        "well": (klaviyo, [], []),
        "slow": (klaviyo, [slow], []),
        "flaky": (klaviyo, [Fault(_chosen(flaws, draw), share=0.08)], []),
        "narrow": (blueshift, [], [bulk]),
    }
    return {
        name: FaultyVendor(
            adapter, [KEYS[adapter.slug]], faults=faults, limits=limits, key=number_of, keep_bodies=False, seed=seed
        )
        for name, (adapter, faults, limits) in made.items()
    }


def _chosen(acts: Sequence[Act], draw: random.Random) -> Callable[[Seen], Act]:
    return lambda seen: draw.choice(acts)


@dataclass
class End:
    """How and when a round ended, seconds of `time.monotonic`."""

    kind: str
    at: float


@dataclass
class Rounds:
    """A gateway, its clients and its targets."""

    here: World
    seed: int = 0
    options: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    ends: list[End] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.devices = [Device(number, random.Random(self.seed + number)) for number in range(1, DEVICES + 1)]
        self.vendors = vendors(self.seed)
        self.served = {name: Served(vendor) for name, vendor in self.vendors.items()}
        add_wide(self.here)
        self._configure()

    def _configure(self) -> None:
        keys = {"wide": KEYS["klaviyo"], "blueshift": KEYS["blueshift"]}
        kinds = {name: "blueshift" if name == "narrow" else "wide" for name in self.vendors}
        targets = {
            name: {"vendor": kind, "base_url": self.served[name].url, "credentials": keys[kind], "timeout": 5}
            for name, kind in kinds.items()
        }
        routes = [
            {"name": "orders", "match": {"name": "Order Completed"}, "to": ["narrow"]},
            {"name": "all", "to": ["well", "slow", "flaky"]},
        ]
        quiet = {"format": "json", "level": "warning"}
        self.here.configure(targets, routes=routes, logging=quiet, **self.config)

    def close(self) -> None:
        """End the targets."""
        remove_wide()
        for served in self.served.values():
            served.end()

    # --- rounds --------------------------------------------------------------------------------------

    def round(self, seconds: float, end: str = "kill") -> None:
        """Run the gateway under load for a while, and end it."""
        gateway = self.here.serve(*self.options)
        load = Load(gateway.ready["listen"], self.devices)
        load.start()
        time.sleep(seconds)
        self._end(gateway, end)
        load.stop()

    def struck(self, point: str, number: int = 1) -> None:
        """Run a gateway under load that is struck dead when it comes to a point for the given time."""
        config = str(self.here.folder / "gateway.yaml")
        gateway = launch(self.here.folder, point, number, "serve", "-c", config, *self.options)
        if gateway is not None:
            load = Load(gateway.ready["listen"], self.devices)
            load.start()
            try:
                gateway.popen.wait(PATIENCE_S)
            finally:
                gateway.popen.kill()
                load.stop()
            assert gateway.popen.returncode == -signal.SIGKILL
        self.ends.append(End("kill", time.monotonic()))

    def _end(self, gateway: Process, end: str) -> None:
        if end == "kill":
            kill(gateway)
        else:
            gateway.popen.terminate()
            assert gateway.popen.wait(30) == 0
        self.ends.append(End(end, time.monotonic()))

    def finish(self) -> "Account":
        """Run the gateway once more, without load, until nothing waits; return the account of all rounds."""
        for device in self.devices:
            device.give_up()
        gateway = self.here.serve(*self.options)
        url = f"{gateway.ready['admin']}/status"

        def done() -> bool:
            targets = httpx.get(url, timeout=10, trust_env=False).json()["log"]["targets"]
            return not any(target["queued"] for target in targets)

        until(done, PATIENCE_S)
        gateway.popen.terminate()
        assert gateway.popen.wait(30) == 0
        return Account(self.devices, self.vendors, self.ends, self.here.status())


# --- the account -----------------------------------------------------------------------------------------


@dataclass
class Account:
    """What the clients know, what the targets got, and what the log says."""

    devices: list[Device]
    vendors: dict[str, FaultyVendor]
    ends: list[End]
    status: dict[str, dict[str, Any]]

    def __post_init__(self) -> None:
        self.accepted = {n for device in self.devices for n in device.accepted}
        self.refused = {n for device in self.devices for n in device.refused}
        self.orders = {n for device in self.devices for n in device.orders}
        self.arrived = {name: set(map(int, vendor.keys())) for name, vendor in self.vendors.items()}

    def check(self) -> None:
        """Hold the run to every promise."""
        assert [text for device in self.devices for text in device.surprises] == []
        assert {name: counts["missing"] for name, counts in self.status.items()} == dict.fromkeys(self.vendors, 0)
        assert {name: counts["dead"] for name, counts in self.status.items()} == dict.fromkeys(self.vendors, 0)
        for name, vendor in self.vendors.items():
            self._check_arrivals(name, vendor)
        assert self.arrived["well"] == self.arrived["slow"] == self.arrived["flaky"]
        for numbers in (numbers for device in self.devices for numbers in device.unanswered):
            assert len(self.arrived["well"].intersection(numbers)) in (0, len(numbers)), "a request was stored in part"
        assert self.vendors["narrow"].limits[0].violations == 0

    def _check_arrivals(self, name: str, vendor: FaultyVendor) -> None:
        arrived = self.arrived[name]
        wanted = self.accepted & self.orders if name == "narrow" else self.accepted
        assert wanted <= arrived, f"{name} lacks {len(wanted - arrived)} of {len(wanted)} accepted events"
        assert not arrived & self.refused, f"{name} got what was refused"
        assert vendor.out_of_order() == [], f"{name} got a profile's events in another order"
        assert self.status[name]["delivered"] == len(arrived), f"{name}: the log says otherwise"
        most = max(self.after_kills(name).values(), default=0)
        assert most <= MOST_AGAIN, f"{name} got {most} events again after one kill"
        unexplained = self.unexplained(name)
        assert unexplained == [], f"{name} got {len(unexplained)} events again; {self.nearest(unexplained[0])}"

    def again(self, name: str) -> Iterator[tuple[Arrival, Arrival]]:
        """Yield each second coming of an event with the one before it."""
        last: dict[str, Arrival] = {}
        for arrival in self.vendors[name].arrivals:
            if arrival.key in last:
                yield last[arrival.key], arrival
            last[arrival.key] = arrival

    def nearest(self, first: Arrival) -> str:
        """Say how long before which end an event came."""
        end = next((end for end in self.ends if end.at >= first.at), None)
        return f"first {end.at - first.at:.2f} s before the next {end.kind}" if end else "after the last end"

    def unexplained(self, name: str) -> list[Arrival]:
        """Return the events that came again after a success that the log had the time to learn of: the first coming."""
        slack = SETTLE_S + (2 * SLOWEST_S if name == "slow" else 0.0)
        kills = [end.at for end in self.ends if end.kind == "kill"]
        return [
            first
            for first, _ in self.again(name)
            if first.answered and not any(first.at <= at + LATE_S and at - first.at <= slack for at in kills)
        ]

    def after_kills(self, name: str) -> Counter[int]:
        """Return how many second comings after a success each kill has to answer for."""
        kills = [end.at for end in self.ends if end.kind == "kill"]
        blamed: Counter[int] = Counter()
        for first, _ in self.again(name):
            if first.answered:
                blamed[next((n for n, at in enumerate(kills) if at >= first.at), len(kills))] += 1
        return blamed

    def oldest(self, name: str) -> float:
        """Return the seconds between an event's coming and the end after which it came again, at most."""
        ages = [
            min((end.at - first.at for end in self.ends if end.at >= first.at - LATE_S), default=0.0)
            for first, _ in self.again(name)
            if first.answered
        ]
        return max(ages, default=0.0)

    def summary(self) -> str:
        """Return a few lines for a person."""
        ends = Counter(end.kind for end in self.ends)
        stored_unanswered = len(self.arrived["well"] - self.accepted)
        repeats = sum(device.repeats for device in self.devices)
        lines = [f"rounds: {ends['kill']} killed, {ends['terminate']} terminated; {len(self.accepted)} events accepted"]
        lines += [f"  {len(self.refused)} refused, {repeats} requests repeated for want of an answer"]
        lines += [f"  {stored_unanswered} events stored without an answer"]
        for name, vendor in self.vendors.items():
            blamed = self.after_kills(name)
            lines.append(
                f"  {name:7}{len(self.arrived[name]):7} events in {len(vendor.requests):6} requests, "
                f"{sum(1 for _ in self.again(name)):5} came again, {sum(blamed.values()):5} of them after a success, "
                f"at most {max(blamed.values(), default=0)} for one kill, "
                f"sent at most {self.oldest(name):.2f} s before it"
            )
        return "\n".join(lines)


@contextmanager
def rounds(here: World, **given: Any) -> Iterator[Rounds]:
    """Yield a world of rounds and end it."""
    made = Rounds(here, **given)
    try:
        yield made
    finally:
        made.close()
