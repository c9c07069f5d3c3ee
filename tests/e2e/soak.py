"""The long forms of what the suite does shortly: ``scripts/soak`` with ``crash``, ``limits``, ``sick``, ``journal``,
``cluster`` or ``moves``.

They print what they found, and end with 1 when a promise was broken.
"""

import argparse
import asyncio
import itertools
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from gateway import registry
from gateway.adapter import Adapter
from tests.contract.cluster_run import TROUBLES, ClusterRun
from tests.contract.log_harness import CLUSTER, ClusterHarness
from tests.contract.move_child import killed_on_its_way
from tests.contract.move_run import ENGINES, Places
from tests.contract.nats_server import Cluster
from tests.e2e.cluster.faults import FAULTS
from tests.e2e.cluster.ground import Ground, Loopback, Namespaces
from tests.e2e.cluster.nodes import running
from tests.e2e.cluster.run import HEAD, Run
from tests.e2e.crash_rounds import Rounds, rounds
from tests.e2e.harness import world
from tests.e2e.limit_runs import Pressed, press
from tests.e2e.sick_run import sick_run
from tests.e2e.struck import ALL

LONG_S = 8.0
"""A round long enough for pruning, tidying and checkpoints in their own time."""
FEW = 2
"""Events of one request, so that all endpoints can be pressed at the same time on one core."""
SHORT_RETENTION = {"sqlite": "gateway.db", "retention": {"hours": 0.0001}}


# --- crash -----------------------------------------------------------------------------------------------


def crash(options: argparse.Namespace) -> None:
    """Kill a gateway under load, and hold the run to account."""
    workers = ("--workers", str(options.workers)) if options.workers > 1 else ()
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as here:
        config = {"log": SHORT_RETENTION}
        with rounds(here, seed=options.seed, options=workers, config=config) as run:
            for number in range(options.rounds):
                _round(run, number, struck=not workers)
                if number % 10 == 9:
                    print(f"{number + 1} of {options.rounds} rounds", file=sys.stderr, flush=True)
            account = run.finish()
        print(account.summary())
        account.check()


def _round(run: Rounds, number: int, *, struck: bool) -> None:
    """Kill at a moment of chance, at an exact point, after a long while, or do not kill but stop."""
    if struck and number % 5 == 4:
        points = [point for point in ALL if "migration" not in point]
        run.struck(points[number // 5 % len(points)], run.draw.randint(1, 20))
    elif number % 12 == 11:
        run.round(run.draw.uniform(0.05, 1.0), "terminate")
    elif number % 20 == 10:
        run.round(LONG_S)
    else:
        run.round(run.draw.uniform(0.02, 0.8))


# --- limits ----------------------------------------------------------------------------------------------


def limits(options: argparse.Namespace) -> None:
    """Press every endpoint of every vendor against its own windows, all at the same time."""
    chosen = [
        (f"{slug} {one.name}", _alone(adapter, one.name))
        for slug, adapter in registry.adapters().items()
        for one in adapter.outbound
        if one.windows and {"track", "identify"} & one.kinds and slug in (options.vendor or registry.adapters())
    ]

    async def story(folder: Path) -> list[Pressed]:
        runs = [press(folder / str(at), *what, options.minutes * 60) for at, what in enumerate(chosen)]
        return await asyncio.gather(*runs)

    with tempfile.TemporaryDirectory() as folder:
        pressed = asyncio.run(story(Path(folder)))
    for one in pressed:
        print(one)
    if any(one.violations or one.throttled for one in pressed):
        raise AssertionError("a window was exceeded")


def _alone(adapter: Adapter, endpoint: str) -> Adapter:
    """Return an adapter with one endpoint, its windows as they are, and a stand-in that leaves them to be counted."""
    outbound = tuple(
        replace(one, max_events=min(one.max_events, FEW)) for one in adapter.outbound if one.name == endpoint
    )
    inbound = tuple(replace(one, windows=()) for one in adapter.inbound)
    return replace(adapter, outbound=outbound, inbound=inbound)


# --- sick targets ----------------------------------------------------------------------------------------


def sick(options: argparse.Namespace) -> None:
    """Keep three of four targets ill, then heal them, and hold the run to account."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as here, sick_run(here, options.rate) as run:
        run.run(options.minutes * 60)
        run.check()


# --- the journal -----------------------------------------------------------------------------------------


def journal(options: argparse.Namespace) -> None:
    """Kill servers and gateways of a log on three servers, round after round."""
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder) / "servers")
        os.environ[CLUSTER] = " ".join(cluster.urls)
        cluster.start()
        try:
            troubles = [draw.choice(TROUBLES) for _ in range(options.rounds)]
            asyncio.run(ClusterRun(cluster, ClusterHarness(Path(folder))).run(troubles))
        finally:
            cluster.kill()


# --- the cluster -----------------------------------------------------------------------------------------


def cluster(options: argparse.Namespace) -> None:
    """Befall three gateways on three servers with everything there is, in an order of chance, again and again."""
    draw = random.Random(options.seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        world(Path(folder)) as here,
        running(here, options.seed, _ground(options)) as made,
    ):
        run = Run(made, options.seed)
        print(f"seed {options.seed}\n{HEAD}", flush=True)
        for _ in range(options.rounds):
            faults = options.fault or list(FAULTS)
            for fault in draw.sample(faults, len(faults)):
                run.befall(fault)
        print(run.summary())


def _ground(options: argparse.Namespace) -> Ground:
    if not options.namespaces:
        return Loopback()
    missing = Namespaces.missing()
    if missing is not None:
        raise AssertionError(missing)
    ground = Namespaces()
    print("each process in a network of its own" + ("" if ground.delays else "; without delays: no netem here"))
    return ground


# --- moves -----------------------------------------------------------------------------------------------


def moves(options: argparse.Namespace) -> None:
    """Kill moves of a log from one engine to the other before any of their steps, round after round."""
    draw = random.Random(options.seed)
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            engine = ENGINES[number % 2]
            steps = itertools.count(1) if number < 2 else [*sorted(draw.sample(range(1, 30), 8)), 1000]
            answers = killed_on_its_way(Places(Path(folder)), engine, steps, meanwhile=range(0, 100, 3))
        print(f"from {engine}: killed {answers.count('killed')} times", file=sys.stderr, flush=True)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    commands = parser.add_subparsers(required=True)
    killing = commands.add_parser("crash", help="kill the gateway under load, round after round")
    killing.add_argument("--rounds", type=int, default=200)
    killing.add_argument("--seed", type=int, default=int(time.time()))
    killing.add_argument("--workers", type=int, default=1)
    killing.set_defaults(command=crash)
    pressing = commands.add_parser("limits", help="press the targets against their vendors' windows")
    pressing.add_argument("--minutes", type=float, default=10.0)
    pressing.add_argument("--vendor", action="append", choices=list(registry.adapters()))
    pressing.set_defaults(command=limits)
    ill = commands.add_parser("sick", help="three ill targets beside one that is well: down, silent, garbage")
    ill.add_argument("--minutes", type=float, default=60.0)
    ill.add_argument("--rate", type=float, default=50.0, help="events a second")
    ill.set_defaults(command=sick)
    servers = commands.add_parser("journal", help="kill servers and gateways of a log on three servers")
    servers.add_argument("--rounds", type=int, default=50)
    servers.add_argument("--seed", type=int, default=int(time.time()))
    servers.set_defaults(command=journal)
    whole = commands.add_parser("cluster", help="befall a whole cluster with everything there is, under load")
    whole.add_argument("--rounds", type=int, default=1, help="all faults once each, in another order")
    whole.add_argument("--seed", type=int, default=int(time.time()))
    whole.add_argument("--fault", action="append", choices=list(FAULTS), help="only this one; may be given again")
    whole.add_argument("--namespaces", action="store_true", help="each process in a network namespace; needs root")
    whole.set_defaults(command=cluster)
    moving = commands.add_parser("moves", help="kill moves of a log from one engine to the other")
    moving.add_argument("--rounds", type=int, default=20)
    moving.add_argument("--seed", type=int, default=int(time.time()))
    moving.set_defaults(command=moves)
    options = parser.parse_args()
    try:
        options.command(options)
    except AssertionError as error:
        sys.exit(f"broken: {error}")
    print("all promises held")


if __name__ == "__main__":
    main()
