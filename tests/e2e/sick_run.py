"""Three targets are ill for as long as one likes, a fourth is not: what it gets when, and what the gateway takes."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from benchmarks.machine import memory_mb
from gateway import registry
from gateway.testing.faults import Fault, FaultyVendor, Served, garbage, hangs
from tests.e2e.crash_rounds import add_wide, number_of, remove_wide, unlimited
from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, klaviyo_event, until

DRAIN_S = 3_600.0
SAMPLE_S = 60.0
TIMEOUT_S = 5.0


@dataclass
class Sample:
    """What was seen in one stretch of the run."""

    minute: float
    p50_ms: float
    p99_ms: float
    memory_mb: float
    waiting: int
    """At all targets together."""

    def __str__(self) -> str:
        delays = f"well: p50 {self.p50_ms:6.1f}  p99 {self.p99_ms:7.1f} ms"
        return f"minute {self.minute:5.1f}  {delays}  memory {self.memory_mb:5.0f} MB  waiting {self.waiting:8,}"


@dataclass
class SickRun:
    """The gateway, its four targets, and a client that sends at a steady rate."""

    here: World
    rate: float
    targets: dict[str, FaultyVendor] = field(default_factory=dict)
    served: dict[str, Served] = field(default_factory=dict)
    sent: list[float] = field(default_factory=list)
    """When each event was sent, by its number; seconds of `time.monotonic`."""
    samples: list[Sample] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Send for so long, a sample each minute; then heal the targets and wait until they have all."""
        asyncio.run(self._send(seconds))
        self.heal()
        begun = time.monotonic()
        until(lambda: self._waiting() == 0, DRAIN_S)
        for name in ILL:
            if late := [arrival.at for arrival in self.targets[name].arrivals if arrival.at >= begun]:
                rate = len(late) / (max(late) - min(late))
                first = min(late) - begun
                print(
                    f"{name} healed: after {first:.1f} s came {len(late):,} events at {rate:,.0f} a second", flush=True
                )

    async def _send(self, seconds: float) -> None:
        assert self.here.gateway is not None
        begun = time.monotonic()
        base = self.here.gateway.ready["listen"]
        async with httpx.AsyncClient(base_url=base, headers=KLAVIYO_HEADERS, trust_env=False) as client:
            sampled = 0
            for number in count():
                at = number / self.rate
                if at >= seconds:
                    break
                await asyncio.sleep(max(0.0, begun + at - time.monotonic()))
                event = json.dumps(klaviyo_event(number))
                self.sent.append(time.monotonic())
                answer = await client.post("/klaviyo/api/events", content=event)
                assert answer.status_code == 202, answer.text
                if at >= (len(self.samples) + 1) * SAMPLE_S:
                    await asyncio.to_thread(self._sample, sampled, number)
                    sampled = number
        self._sample(sampled, len(self.sent))

    def _sample(self, first: int, end: int) -> None:
        time.sleep(1.0)
        delays = sorted(
            1000 * (arrival.at - self.sent[int(arrival.key)])
            for arrival in self.targets["well"].arrivals
            if first <= int(arrival.key) < end
        )
        sample = Sample(
            minute=end / self.rate / 60,
            p50_ms=delays[len(delays) // 2],
            p99_ms=delays[int(len(delays) * 0.99)],
            memory_mb=self._memory_mb(),
            waiting=self._waiting(),
        )
        self.samples.append(sample)
        print(sample, flush=True)

    def heal(self) -> None:
        """Make all targets well."""
        for name, vendor in self.targets.items():
            vendor.faults = []
            if name == "down":
                self.served[name].up()

    def _memory_mb(self) -> float:
        assert self.here.gateway is not None
        return memory_mb(self.here.gateway.popen.pid)

    def _status(self) -> list[dict[str, Any]]:
        assert self.here.gateway is not None
        url = f"{self.here.gateway.ready['admin']}/status"
        targets: list[dict[str, Any]] = httpx.get(url, timeout=30, trust_env=False).json()["log"]["targets"]
        return targets

    def _waiting(self) -> int:
        return sum(target["queued"] for target in self._status())

    def check(self) -> None:
        """Hold the run to the promises."""
        numbers = [str(number) for number in range(len(self.sent))]
        for target in self._status():
            vendor = self.targets[target["target"]]
            lost, disorder = vendor.lost(numbers), vendor.out_of_order()
            assert not lost, f"{target['target']}: {len(lost)} lost"
            assert not disorder, f"{target['target']}: {len(disorder)} people out of order"
            away = sum(target[state] for state in ("delivered", "dropped", "duplicate", "dead", "queued"))
            assert target["accepted"] == away == len(numbers), target
        twice = [key for key, times in self.targets["well"].keys().items() if times > 1]
        assert not twice, f"well: {len(twice)} arrived twice"


ILL: Mapping[str, Fault | None] = {"silent": Fault(hangs()), "garbage": Fault(garbage()), "down": None, "well": None}


@contextmanager
def sick_run(here: World, rate: float) -> Iterator[SickRun]:
    """Yield a run that has begun: one target is well, one is down, one never answers, one answers what is no HTTP."""
    add_wide(here)
    run = SickRun(here, rate)
    try:
        for name, fault in ILL.items():
            klaviyo = unlimited(registry.adapter("klaviyo"))
            faults = [fault] if fault else []
            vendor = FaultyVendor(klaviyo, [KEYS["klaviyo"]], faults=faults, key=number_of, keep_bodies=False)
            run.targets[name], run.served[name] = vendor, Served(vendor)
        run.served["down"].down()
        here.configure(
            {
                name: {
                    "vendor": "wide",
                    "base_url": served.url,
                    "credentials": KEYS["klaviyo"],
                    "timeout": TIMEOUT_S,
                }
                for name, served in run.served.items()
            },
            logging={"format": "json", "level": "warning"},
        )
        here.serve()
        yield run
    finally:
        for served in run.served.values():
            served.end()
        remove_wide()
