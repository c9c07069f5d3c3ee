"""Faults of the whole cluster under load, one after the other; after each of them every promise is looked at."""

import random
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from tests.e2e.cluster.faults import FAULTS, Scene
from tests.e2e.cluster.load import order
from tests.e2e.cluster.nodes import ALL_EVENTS, CALM_S, NODES, ORDERS, Cluster
from tests.e2e.harness import until

WARM: Final = 5
"""Events that each client has had accepted before something happens."""
HUNG_S: Final = 12.0
"""For an answer of a node that runs; what is stored takes 5 seconds at most until it is refused."""
STILL: Final = "a gateway stands still"
MOST_BEYOND: Final = 60
"""Requests beyond a window, summed over all windows and alignments, that a node may send that stood still."""


class Told(NamedTuple):
    """What came of one fault."""

    fault: str
    took_s: float
    """Until it was undone."""
    calm_s: float
    """From then until every node was ready and every client served."""
    not_accepted_s: float
    """The longest time without an event accepted by any node."""
    not_delivered_s: float
    """The longest time without an event delivered to a target."""
    slowest_s: float
    """The slowest answer, whatever it said."""
    refused: int
    """Answers 503."""
    unanswered: int
    again: int
    """Events that came to a target once more."""
    notes: str

    def __str__(self) -> str:
        return (
            f"{self.fault:34}{self.took_s:6.1f}{self.calm_s:6.1f}{self.not_accepted_s:10.1f}{self.not_delivered_s:11.1f}"
            f"{self.slowest_s:9.1f}{self.refused:6}{self.unanswered:6}{self.again:7}  {self.notes}"
        )


HEAD: Final = (
    f"{'fault, seconds':34}{'took':>6}{'calm':>6}{'unaccept.':>10}{'undeliver.':>11}{'slowest':>9}"
    f"{'503':>6}{'none':>6}{'again':>7}  what came of it, after"
)


class Run:
    """A cluster and what has befallen it."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.told: list[Told] = []
        self._cluster = cluster
        self._draw = random.Random(seed)

    def befall(self, name: str) -> Told:
        """Do one thing to it, wait until all is well, and look at every promise; prints what happened."""
        cluster = self._cluster
        self._served()
        beyond = self._beyond()
        scene = Scene(cluster, self._draw)
        begun = time.monotonic()
        FAULTS[name](scene)
        cluster.ground.heal()
        undone = time.monotonic()
        until(lambda: all(map(cluster.ready, NODES)), CALM_S)
        self._served()
        calm = time.monotonic()
        cluster.load.pause()
        self._settle()
        self.check()
        broken = self._beyond() - beyond
        if broken:
            scene.notes.append(f"{broken} beyond the limits")
        assert broken <= (MOST_BEYOND if name == STILL else 0), f"{name}: {broken} requests beyond the limits"
        told = self._account(name, scene, begun, undone, calm)
        print(told, flush=True)
        cluster.load.resume()
        return told

    def _served(self) -> None:
        """Wait until every client has had some events accepted."""
        devices = self._cluster.load.devices
        before = {device.number: len(device.accepted) for device in devices}
        until(lambda: all(len(one.accepted) >= before[one.number] + WARM for one in devices), CALM_S)

    def _settle(self) -> None:
        """Wait until nothing waits, and every node tells so."""

        def done() -> bool:
            one, *others = [self._cluster.counts(node) for node in NODES]
            return all(counts == one for counts in others) and not any(target["queued"] for target in one.values())

        until(done, CALM_S)

    def _beyond(self) -> int:
        return sum(one.violations for one in self._cluster.limits)

    # --- the promises ------------------------------------------------------------------------------------

    def check(self) -> None:
        """Hold the cluster to every promise; nothing may wait or be under way."""
        cluster, load = self._cluster, self._cluster.load
        assert [text for device in load.devices for text in device.surprises] == []
        accepted = load.accepted
        for name, vendor in cluster.vendors.items():
            arrived = set(map(int, vendor.keys()))
            wanted = {number for number in accepted if order(number)} if name == ORDERS else accepted
            assert wanted <= arrived, f"{name} lacks {len(wanted - arrived)} of {len(wanted)}: {_few(wanted - arrived)}"
            assert not arrived & load.refused, f"{name} got what was refused: {_few(arrived & load.refused)}"
            assert arrived == wanted, f"{name} got what nobody sent: {_few(arrived - wanted)}"
            assert vendor.out_of_order() == [], f"{name} got a profile's events in another order"
            self._check_counts(name, len(arrived))

    def _check_counts(self, target: str, arrived: int) -> None:
        one, *others = [self._cluster.counts(node)[target] for node in NODES]
        assert [one, one] == others, f"{target}: nodes tell different counts"
        away = sum(one[state] for state in ("delivered", "dropped", "duplicate", "dead", "queued"))
        assert one["accepted"] == away, f"{target}: the sum lacks {one['accepted'] - away}: {one}"
        assert one["delivered"] == arrived, f"{target}: {arrived} arrived: {one}"
        assert one["dead"] == 0, f"{target}: {one}"

    # --- what happened -----------------------------------------------------------------------------------

    def _account(self, name: str, scene: Scene, begun: float, undone: float, calm: float) -> Told:
        answers = [one for one in self._cluster.load.answers if begun <= one.at <= calm]
        slowest = max(one.took_s for one in answers if one.status is not None)
        assert slowest < HUNG_S or name == STILL, f"{name}: a client waited {slowest:.1f} s"
        return Told(
            name,
            undone - begun,
            calm - undone,
            _gap([begun, *(one.at for one in answers if one.status == 202), calm]),
            max(self._undelivered(target, begun, calm) for target in ALL_EVENTS),
            slowest,
            sum(one.status == 503 for one in answers),
            sum(one.status is None for one in answers),
            sum(self._again(target, begun) for target in self._cluster.vendors),
            ", ".join(scene.notes),
        )

    def _undelivered(self, target: str, begun: float, calm: float) -> float:
        arrivals = [one.at for one in self._cluster.vendors[target].arrivals if begun <= one.at <= calm]
        return _gap([begun, *arrivals, calm])

    def _again(self, target: str, begun: float) -> int:
        seen: set[str] = set()
        again = 0
        for one in self._cluster.vendors[target].arrivals:
            again += one.at >= begun and one.key in seen
            seen.add(one.key)
        return again

    def summary(self) -> str:
        """Return a line for a person."""
        load = self._cluster.load
        stored = self._cluster.counts(NODES[0])
        return (
            f"{len(load.accepted)} events accepted, {len(load.refused)} refused; "
            f"{stored[ALL_EVENTS[0]]['duplicate']} came twice and were known; none lost, none out of order"
        )


def _gap(times: Iterable[float]) -> float:
    return max(after - before for before, after in pairwise(times))


def _few(numbers: set[int]) -> list[int]:
    return sorted(numbers)[:10]
