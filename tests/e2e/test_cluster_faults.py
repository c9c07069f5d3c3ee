"""The whole cluster under load, and what befalls it: three gateways, three servers, targets, clients.

`scripts/soak cluster` does this with everything there is, for as long as you like.
"""

from tests.e2e.cluster.ground import Loopback
from tests.e2e.cluster.nodes import running
from tests.e2e.cluster.run import Run
from tests.e2e.harness import World

SEED = 3
FAULTS = ("the leader killed", "a gateway cut off", "a gateway killed")


def test_every_promise_holds_while_leader_network_and_gateway_fail(here: World) -> None:
    with running(here, SEED, Loopback()) as cluster:
        run = Run(cluster, SEED)
        for fault in FAULTS:
            run.befall(fault)
        assert len(cluster.load.accepted) > 200, "there was no load"
        print(run.summary())
