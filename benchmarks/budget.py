"""One rate budget for three gateways: a target with a burst and a steady window, pressed from all of them.

    python -m benchmarks.budget [SECONDS] [TAKEOVERS]

The vendor enforces both windows as fixed ones of eight alignments each, and as sliding ones. The goal: no violation,
and at least 95 % of the steady window used, counted over whole windows from the first request on. With TAKEOVERS the
node that owns the target is told to stop so many times, and started again: what that costs is in the use.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import msgspec

from benchmarks.machine import describe
from gateway import registry
from gateway.cli.processes import Process
from gateway.testing.faults import FaultyVendor, Served
from tests.contract.nats_server import Server
from tests.e2e.crash_rounds import number_of, unlimited
from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, World, klaviyo_event, until, world
from tests.e2e.limit_runs import watched, window

BURST: Final = (20, 1.0)
"""Requests, and seconds."""
STEADY: Final = (100, 10.0)
NODES: Final = ("one", "two", "three")
FED_PER_S: Final = 40
"""Events that are accepted, all nodes together: far more than the windows let through."""
GOAL: Final = 0.95
ONE_BY_ONE: Final = '''"""Klaviyo with one event in a request and no limits: those of the configuration alone count."""

from msgspec.structs import replace

from adapters.klaviyo import ADAPTER as KLAVIYO

EVENTS = tuple(replace(one, windows=()) for one in KLAVIYO.outbound if one.name == "events")
ADAPTER = replace(KLAVIYO, slug="one_by_one", outbound=EVENTS)
'''


class Found(NamedTuple):
    """What a run showed."""

    requests: int
    violations: int
    throttled: int
    use: float
    """Of the steady window."""

    def __str__(self) -> str:
        return (
            f"{self.requests} requests, {self.violations} violations, {self.throttled} throttled, "
            f"{self.use:.1%} of the steady window used"
        )


class Run:
    """Three nodes, and a vendor that counts."""

    def __init__(self, here: World, server: Server) -> None:
        self._here = here
        self._server = server
        self.limits = watched((window(*BURST), window(*STEADY)), "")
        klaviyo = unlimited(registry.adapter("klaviyo"))
        self.vendor = FaultyVendor(klaviyo, [KEYS["klaviyo"]], limits=[self.limits], key=number_of, keep_bodies=False)
        self._served = Served(self.vendor)
        self.nodes: dict[str, Process] = {}
        self._over = threading.Event()
        self._feeding = threading.Thread(target=self._feed, daemon=True)

    def start(self, node: str) -> None:
        """Start a node."""
        windows = [{"requests": requests, "seconds": seconds} for requests, seconds in (BURST, STEADY)]
        target = {"vendor": "one_by_one", "base_url": self._served.url, "limits": {"windows": windows}}
        jetstream = {"servers": [self._server.url], "view": f"{node}/view"}
        written = self._here.configure(
            {"crm": {**target, "credentials": KEYS["klaviyo"]}}, log={"jetstream": jetstream}
        )
        path = written.with_name(f"{node}.yaml")
        written.rename(path)
        self.nodes[node] = self._here.command("serve", "-c", str(path), name=node)

    def owner(self) -> str | None:
        """Return which node delivers."""
        for node, process in list(self.nodes.items()):
            with suppress(httpx.HTTPError):
                status = httpx.get(f"{process.ready['admin']}/status", trust_env=False, timeout=30).json()
                if any(target["state"] != "stopped" for target in status["targets"]):
                    return node
        return None

    def feed(self) -> None:
        """Have all nodes accept more than can be sent, from now on."""
        self._feeding.start()

    def _feed(self) -> None:
        number = 0
        with httpx.Client(trust_env=False, timeout=30, headers=KLAVIYO_HEADERS) as client:
            while not self._over.wait(1 / FED_PER_S):
                process = self.nodes[NODES[number % len(NODES)]]
                person = {"data": {"type": "profile", "attributes": {"email": f"p{number}@example.com"}}}
                event = msgspec.json.encode(klaviyo_event(number, profile=person))
                with suppress(httpx.HTTPError):
                    client.post(f"{process.ready['listen']}/klaviyo/api/events", content=event)
                number += 1

    def take_over(self) -> None:
        """Tell the node that delivers to stop, and start it again."""
        owner = until(self.owner)
        self.nodes[owner].stop()
        self.start(owner)

    def end(self) -> None:
        """Stop feeding and listening."""
        self._over.set()
        self._feeding.join()
        self._served.end()


@contextmanager
def knowing(folder: Path) -> Iterator[None]:
    """Have gateways that are started meanwhile know the vendor."""
    vendor = folder / "vendors" / "one_by_one"
    vendor.mkdir(parents=True)
    (vendor / "__init__.py").write_text(ONE_BY_ONE)
    os.environ[registry.DROP_IN] = str(vendor.parent)
    try:
        yield
    finally:
        del os.environ[registry.DROP_IN]


@contextmanager
def running() -> Iterator[Run]:
    """Run a NATS server and three nodes that know the vendor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder / "server").start()
        try:
            with knowing(folder), world(folder) as here:
                run = Run(here, server)
                for node in NODES:
                    run.start(node)
                yield run
        finally:
            server.kill()


def press(seconds: float, takeovers: int = 0) -> Found:
    """Run for so long, from the moment on at which one of the nodes delivers."""
    with running() as run:
        until(run.owner)
        run.feed()
        for _ in range(takeovers):
            time.sleep(seconds / (takeovers + 1))
            run.take_over()
        time.sleep(seconds / (takeovers + 1))
        run.end()
        limits = run.limits
        return Found(len(limits.times), limits.violations, run.vendor.statuses[429], limits.use(*STEADY))


def main(seconds: float = 62.0, takeovers: int = 0) -> None:
    """Run and print; ends with an error when a window was exceeded."""
    windows = " and ".join(f"{requests} requests in {length:g} s" for requests, length in (BURST, STEADY))
    print(f"three gateways, one target with {windows}, pressed for {seconds:g} s; {describe()}")
    found = press(seconds, takeovers)
    print(f"  {found} (must be none, aim {GOAL:.0%}){f', {takeovers} takeovers' if takeovers else ''}")
    if found.violations or found.throttled:
        sys.exit("a window was exceeded")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 62.0, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
