"""What can befall a cluster: each function does it, waits for what has to come of it, and undoes it."""

import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

import httpx

from tests.e2e.cluster.nodes import NODES, Cluster
from tests.e2e.harness import until

OUT_S: Final = 10.0
"""How long what is cut off or slow is left so: longer than a lease."""
SHORT_S: Final = 3.0
STILL_S: Final = 10.0
LATE_S: Final = 60.0
"""By when something has to have come of a fault, on a machine that is busy with other things as well."""
DELAY_S: Final = 0.25
BYTES_PER_S: Final = 64_000

Fault = Callable[["Scene"], None]


class Scene:
    """One fault under way: whom it befalls, and what was seen of it."""

    def __init__(self, cluster: Cluster, draw: random.Random) -> None:
        self.cluster = cluster
        self.brokers = cluster.brokers
        self.node = draw.choice(NODES)
        self.others = [node for node in NODES if node != self.node]
        self.leader = cluster.leader()
        self.follower = draw.choice([n for n in range(len(self.brokers.servers)) if n != self.leader])
        self.chance = draw.random()
        self.notes: list[str] = []
        self._begun = time.monotonic()

    def note(self, what: str) -> None:
        """Note that something has come of it, and after how long."""
        self.notes.append(f"{what} {time.monotonic() - self._begun:.1f} s")

    def wait_for(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait until something has come of it."""
        until(is_so, LATE_S)
        self.note(what)

    def taken_over(self) -> None:
        """Wait until the other nodes deliver to all targets."""
        self.wait_for("taken over", lambda: self._owned(*self.others) == set(self.cluster.vendors))

    def stopped(self) -> None:
        """Wait until the node that is cut off has stopped to deliver, and says that it accepts nothing."""
        self.wait_for("stops sending", lambda: not self._owned(self.node))
        self.wait_for("503 at /readyz", lambda: not self.cluster.ready(self.node))

    def _owned(self, *nodes: str) -> set[str]:
        try:
            return set().union(*(self.cluster.owned(node) for node in nodes))
        except (httpx.HTTPError, ValueError):  # its log cannot be read now
            return {"unknown"}

    def accepts_again(self) -> None:
        """Wait until something is accepted that was sent from now on."""
        load, since = self.cluster.load, time.monotonic()
        until(lambda: any(a.status == 202 and a.at - a.took_s > since for a in load.answers[-100:]), LATE_S)


# --- nodes -----------------------------------------------------------------------------------------------


def node_killed(scene: Scene) -> None:
    """A gateway is killed, and comes back when the others have taken over."""
    scene.cluster.kill_node(scene.node)
    scene.taken_over()
    scene.cluster.start_node(scene.node)


def node_lost(scene: Scene) -> None:
    """A gateway is killed and its disk is gone."""
    scene.cluster.kill_node(scene.node)
    shutil.rmtree(scene.cluster.here.folder / scene.node)
    scene.cluster.start_node(scene.node)


def node_stands_still(scene: Scene) -> None:
    """A gateway stands still for longer than its lease, and goes on."""
    scene.cluster.signal_node(scene.node, signal.SIGSTOP)
    try:
        scene.taken_over()
        time.sleep(max(0.0, scene.chance * STILL_S / 2))
    finally:
        scene.cluster.signal_node(scene.node, signal.SIGCONT)


def node_cut_off(scene: Scene) -> None:
    """A gateway and the servers cannot hear each other; nobody is told."""
    scene.cluster.ground.cut(*scene.cluster.to_brokers[scene.node])
    scene.stopped()
    scene.taken_over()


def node_unheard(scene: Scene) -> None:
    """A gateway hears the servers, and what it sends vanishes."""
    scene.cluster.ground.cut(*scene.cluster.to_brokers[scene.node], back=False)
    scene.stopped()
    scene.taken_over()


def node_deaf(scene: Scene) -> None:
    """What a gateway sends arrives, and it hears nothing."""
    scene.cluster.ground.cut(*scene.cluster.to_brokers[scene.node], there=False)
    scene.stopped()
    scene.taken_over()


def node_away(scene: Scene) -> None:
    """A gateway is cut off until the stream begins after what its view has done."""
    scene.cluster.ground.cut(*scene.cluster.to_brokers[scene.node])
    scene.wait_for("the stream begins after its view", lambda: scene.cluster.first() > applied(scene) + 1)


def applied(scene: Scene) -> int:
    """Return up to which message a node's view has done everything."""
    with closing(sqlite3.connect(scene.cluster.here.folder / scene.node / "view")) as view:
        return int(view.execute("SELECT sequence FROM applied").fetchone()[0])


# --- servers ---------------------------------------------------------------------------------------------


def follower_killed(scene: Scene) -> None:
    """A server that follows is killed, and comes back with its data."""
    scene.brokers.servers[scene.follower].kill()
    time.sleep(SHORT_S)
    scene.brokers.start_one(scene.follower)


def leader_killed(scene: Scene) -> None:
    """The server that leads the stream is killed, and comes back with its data."""
    scene.brokers.servers[scene.leader].kill()
    scene.accepts_again()
    time.sleep(scene.chance * SHORT_S)
    scene.brokers.start_one(scene.leader)


def leader_restarted(scene: Scene) -> None:
    """The server that leads the stream is told to stop, and started again."""
    scene.brokers.servers[scene.leader].stop()
    time.sleep(scene.chance * SHORT_S)
    scene.brokers.start_one(scene.leader)


def all_restarted(scene: Scene) -> None:
    """All servers are told to stop or are killed, and started again."""
    for server in scene.brokers.servers:
        if scene.chance < 0.5:
            server.stop()
        else:
            server.kill()
    time.sleep(SHORT_S)
    scene.brokers.start()


def both_killed(scene: Scene) -> None:
    """A gateway and the server that leads the stream are killed at once."""
    scene.brokers.servers[scene.leader].kill()
    scene.cluster.kill_node(scene.node)
    scene.accepts_again()
    scene.brokers.start_one(scene.leader)
    scene.taken_over()
    scene.cluster.start_node(scene.node)


def leader_cut_off(scene: Scene) -> None:
    """The server that leads the stream is alone on its side, with what gateways are connected to it."""
    scene.cluster.ground.cut(*scene.brokers.around(scene.leader))
    time.sleep(OUT_S)
    scene.accepts_again()


def follower_cut_off(scene: Scene) -> None:
    """A server that follows is alone on its side, with what gateways are connected to it."""
    scene.cluster.ground.cut(*scene.brokers.around(scene.follower))
    time.sleep(OUT_S)
    scene.accepts_again()


def leader_vanished(scene: Scene) -> None:
    """Nobody hears the server that leads the stream, and nobody is told."""
    scene.cluster.ground.cut(*scene.cluster.wires_of(scene.leader))
    time.sleep(OUT_S)
    scene.accepts_again()


def leader_slow(scene: Scene) -> None:
    """The server that leads the stream is far away, behind a narrow line."""
    scene.cluster.ground.slow(*scene.cluster.wires_of(scene.leader), delay_s=DELAY_S, bytes_per_s=BYTES_PER_S)
    time.sleep(OUT_S)


def follower_slow(scene: Scene) -> None:
    """A server that follows is far away, behind a narrow line."""
    scene.cluster.ground.slow(*scene.cluster.wires_of(scene.follower), delay_s=DELAY_S, bytes_per_s=BYTES_PER_S)
    time.sleep(OUT_S)


FAULTS: Final[dict[str, Fault]] = {
    "a gateway killed": node_killed,
    "a gateway killed, its disk lost": node_lost,
    "a gateway stands still": node_stands_still,
    "a gateway cut off": node_cut_off,
    "a gateway cut off, one-way there": node_unheard,
    "a gateway cut off, one-way back": node_deaf,
    "a gateway away past a purge": node_away,
    "a follower killed": follower_killed,
    "the leader killed": leader_killed,
    "the leader restarted": leader_restarted,
    "all servers restarted": all_restarted,
    "a gateway and the leader killed": both_killed,
    "the leader cut off from servers": leader_cut_off,
    "a follower cut off from servers": follower_cut_off,
    "the leader vanished": leader_vanished,
    "the leader slow": leader_slow,
    "a follower slow": follower_slow,
}
