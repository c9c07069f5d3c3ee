"""How many gateways, streams and NATS servers so many events a second take, and what fails first: a small simulation.

    python -m benchmarks.scaling [EVENTS_A_SECOND ...]

Prints the tables of docs/scaling.md. The same on every machine: chance is seeded, and `MEASURED` holds what other
benchmarks measured. A cell is one stream with the gateways that share it: each of them keeps a view of all that the
cell stores, and delivers to its share of the cell's targets. Sources are dealt out to cells; one that is larger than a
cell is dealt out by profile. The busiest cell is walked through hours in steps of a second: in some of them no target
answers, and once a node dies.
"""

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from math import ceil, inf, sin
from typing import Final, NamedTuple


class Measured(NamedTuple):
    """What it is made of, each figure by the command that printed it, on virtual cores of an AMD EPYC that was busy."""

    accept_us: float = 110.0
    """CPU an event of a process that accepts (benchmarks accept: JetStream, a worker)."""
    view_us: float = 11.4
    """CPU an event of a view under load (benchmarks view: 64 messages in a transaction)."""
    deliver_us: float = 46.0
    """CPU an event and target, in bulk (benchmarks delivery)."""
    server_us: float = 20.0
    """CPU an event of a NATS server that keeps the stream, groups of 32 (benchmarks accept)."""
    stream_per_s: float = 44_000.0
    """Events a second that one stream has stored from one node (benchmarks journal: 256 x 1)."""
    event_bytes: float = 1_100.0
    """Of an event in a view (benchmarks view); a message takes about as much."""
    snapshot_bytes_s: float = 98e6
    """Of a view that are copied, compressed and stored a second (benchmarks view)."""
    takeover_s: float = 13.0
    """From a node's death until others send to its targets: 6 to 8 s, and 5 s for which its limits are kept."""


class Chosen(NamedTuple):
    """What the plan takes for granted."""

    cores: int = 8
    """Of a gateway's machine: one keeps the view and delivers, the others accept."""
    server_cores: int = 2
    busy: float = 0.7
    """Part of a core, or of a stream, that may be in use at the busiest hour."""
    busy_without_one: float = 0.9
    """The same when a node of a cell is gone."""
    busy_snapshot: float = 0.9
    """Part of `snapshot_s` that a snapshot may take at the end of an outage."""
    fan_out: float = 1.0
    """Targets that an event goes to."""
    headroom: float = 1.5
    """What vendors' limits let through, by what comes in the mean."""
    sources_per_event: float = 0.01
    """Sources for each event a second: one shop sends a hundred events a second in the mean."""
    snapshot_s: float = 600.0
    """A snapshot that takes longer is given up."""
    outage_s: int = 3_600
    seed: int = 11


MEASURED: Final = Measured()
CHOSEN: Final = Chosen()
RATES: Final = (1_000, 10_000, 100_000, 1_000_000)
WARM_S: Final = 600
HOURS: Final = 6
SERVERS: Final = 3
"""Of a cell: one may fail."""
OUTAGE: Final = "a snapshot in an outage"
NODES: Final = range(2, 9)
"""Of a cell: two at least, so that one may die."""


@dataclass(frozen=True)
class Cell:
    """One stream and its gateways, at so many events a second in the mean."""

    rate: float
    nodes: int

    def uses(self, nodes: int | None = None) -> dict[str, float]:
        """Return which part of each thing is in use, with so many of the nodes."""
        nodes = nodes or self.nodes
        m, c = MEASURED, CHOSEN
        sent = self.rate * c.fan_out
        return {
            "accepting": self.rate * m.accept_us / 1e6 / (nodes * (c.cores - 1)),
            "view and delivering": (self.rate * m.view_us + sent / nodes * m.deliver_us) / 1e6,
            "NATS server": self.rate * m.server_us / 1e6 / c.server_cores,
            "stream": self.rate / m.stream_per_s,
        }

    @property
    def snapshot(self) -> float:
        """Which part of the longest snapshot one takes at the end of an outage."""
        return self.rate * CHOSEN.outage_s * MEASURED.event_bytes / MEASURED.snapshot_bytes_s / CHOSEN.snapshot_s

    @property
    def most(self) -> float:
        """Return how many events a second it bears, also when a node is gone, and an outage."""
        whole, without = max(self.uses().values()), max(self.uses(self.nodes - 1).values())
        bound = min(CHOSEN.busy / whole, CHOSEN.busy_without_one / without, CHOSEN.busy_snapshot / self.snapshot)
        return self.rate * bound


def sources(rate: float) -> list[float]:
    """Return the sizes of the sources, the largest first. They differ as shops do: a few have most of the events."""
    chance = random.Random(CHOSEN.seed)  # chance that can be repeated
    number = max(10, int(rate * CHOSEN.sources_per_event))
    return sorted((chance.lognormvariate(0, 1.5) for _ in range(number)), reverse=True)


def dealt(sizes: Sequence[float], cells: int) -> float:
    """Return the load of the busiest cell, by the mean, when sources are dealt out, the largest first.

    One that is larger than half a cell is split by profile.
    """
    half = sum(sizes) / cells / 2
    parts = [size / ceil(size / half) for size in sizes for _ in range(ceil(size / half))]
    load = [0.0] * cells
    for part in sorted(parts, reverse=True):
        heapreplace(load, load[0] + part)
    return max(load) * cells / sum(load)


def plan(rate: float) -> tuple[int, Cell]:
    """Return the number of cells and the busiest of them: the fewest gateways that bear the load."""
    sizes = sources(rate)
    plans = []
    for nodes in NODES:
        most = Cell(1.0, nodes).most
        cells = ceil(rate / most)
        while rate / cells * (busiest := dealt(sizes, cells)) > most:
            cells += 1
        plans.append((cells, Cell(rate / cells * busiest, nodes)))
    return min(plans, key=lambda one: one[0] * one[1].nodes)


# --- hours of one cell -----------------------------------------------------------------------------------


class Second(NamedTuple):
    """A cell after one second."""

    waits: float
    """Events for clients' next answers: more has come than can be accepted."""
    queued: float
    """Events for targets."""
    stream: float
    """Bytes of the stream."""
    snapshot_s: float
    """What a snapshot takes now."""


def arrivals(rate: float, seconds: int) -> Iterator[float]:
    """Yield what comes in each second: waves of ten minutes, and noise."""
    chance = random.Random(CHOSEN.seed + 1)  # chance that can be repeated
    for second in range(seconds):
        yield rate * (1 + 0.15 * sin(second / 95.5)) * chance.uniform(0.9, 1.1)


def hours(cell: Cell, *, outage_s: int = 0, death_at: int | None = None, seconds: int = HOURS * 3600) -> list[Second]:
    """Walk through a cell's hours: targets are silent from `WARM_S` on for so long, and a node dies at a moment."""
    m, c = MEASURED, CHOSEN
    waits = queued = kept = stream = since = 0.0
    made_until = 0.0
    told = []
    for second, came in enumerate(arrivals(cell.rate, seconds)):
        dead = death_at is not None and second >= death_at
        nodes = cell.nodes - dead
        accepting = nodes * (c.cores - 1) / m.accept_us * 1e6
        stored = min(waits + came, accepting, m.stream_per_s)
        waits += came - stored
        delivering = nodes * max(0.0, 1e6 - stored * m.view_us) / m.deliver_us
        sending = min(delivering, cell.rate * c.fan_out * c.headroom)
        if WARM_S <= second < WARM_S + outage_s:
            sending = 0.0
        elif dead and death_at is not None and second < death_at + m.takeover_s:
            sending *= nodes / cell.nodes
        queued = max(0.0, queued + stored * c.fan_out - sending)
        kept = queued / c.fan_out * m.event_bytes
        takes = kept / m.snapshot_bytes_s
        stream += stored * m.event_bytes
        since += stored * m.event_bytes
        if second >= made_until:
            stream, since, made_until = since, 0.0, second + max(60.0, takes)
        told.append(Second(waits, queued, stream, takes))
    return told


def back_at(told: Sequence[Second], begun: int, usual: float) -> float:
    """Return how many seconds after a moment no more waits than usual; infinity: not within the hours."""
    return next((second - begun for second in range(begun, len(told)) if told[second].queued <= usual), inf)


class Outcome(NamedTuple):
    """A plan and what its busiest cell went through."""

    rate: float
    cells: int
    cell: Cell
    full: tuple[str, float]
    """What is full first, and at which load of the planned one."""
    taken_over_s: float
    """From a node's death until nothing waits that would not without it."""
    backlog: float
    """Events of a cell after the outage."""
    drained_s: float
    stream_bytes: float
    """The most that the stream held."""
    snapshot_s: float
    """The longest that a snapshot took."""
    waits: float
    """The most events that waited to be accepted, while a node was dead."""


def simulate(rate: float) -> Outcome:
    """Plan for a load, and walk the busiest cell through an outage and a node's death."""
    cells, cell = plan(rate)
    out = hours(cell, outage_s=CHOSEN.outage_s)
    dying = hours(cell, death_at=WARM_S, seconds=WARM_S * 4)
    usual = cell.rate * CHOSEN.fan_out
    end = WARM_S + CHOSEN.outage_s
    name, part = max([*cell.uses().items(), (OUTAGE, cell.snapshot)], key=lambda one: one[1])
    return Outcome(
        rate,
        cells,
        cell,
        (name, 1 / part),
        back_at(dying, WARM_S + int(MEASURED.takeover_s), usual) + MEASURED.takeover_s,
        out[end - 1].queued,
        back_at(out, end, usual),
        max(second.stream for second in out),
        max(second.snapshot_s for second in out),
        max(second.waits for second in dying),
    )


# --- printed ---------------------------------------------------------------------------------------------


def grown() -> Iterator[str]:
    """Yield the table of one cell that grows, and what of it is full first."""
    yield "| events a second, one cell | 2 gateways | 4 gateways | 8 gateways |"
    yield "|---|---|---|---|"
    for rate in (1_000, 5_000, 10_000, 20_000, 30_000, 40_000):
        row = []
        for nodes in (2, 4, 8):
            name, part = max(Cell(rate, nodes).uses().items(), key=lambda one: one[1])
            row.append(f"{name} {part:.0%}")
        yield f"| {rate:,} | {' | '.join(row)} |"


def table(rates: Sequence[float]) -> Iterator[str]:
    """Yield the table of plans."""
    found = [simulate(rate) for rate in rates]
    yield f"| events a second | {' | '.join(f'{one.rate:,.0f}' for one in found)} |"
    yield f"|---|{'---|' * len(found)}"
    rows = {
        "cells (streams)": [f"{one.cells:,}" for one in found],
        f"gateways in all, of {CHOSEN.cores} cores": [f"{one.cells * one.cell.nodes:,}" for one in found],
        f"NATS servers in all, of {CHOSEN.server_cores} cores": [f"{one.cells * SERVERS:,}" for one in found],
        "events a second of the busiest cell": [f"{one.cell.rate:,.0f}" for one in found],
        "full first, at how much of the load": [f"{one.full[0]}, {one.full[1]:.1f} x" for one in found],
        "a node dies: back to usual after": [f"{one.taken_over_s:.0f} s" for one in found],
        "no target answers for an hour: events that wait, a cell": [f"{one.backlog / 1e6:.1f} M" for one in found],
        "... delivered after": [_time(one.drained_s) for one in found],
        "... the view of each node": [
            f"{one.backlog / CHOSEN.fan_out * MEASURED.event_bytes / 1e9:.0f} GB" for one in found
        ],
        "... a snapshot takes": [_snapshot(one.snapshot_s) for one in found],
        "... the stream has to hold (`bytes`)": [f"{one.stream_bytes * 2 / 1e9:.1f} GB" for one in found],
    }
    for name, cells in rows.items():
        yield f"| {name} | {' | '.join(cells)} |"


def _time(seconds: float) -> str:
    return "never" if seconds == inf else f"{seconds / 3600:.1f} h"


def _snapshot(seconds: float) -> str:
    return f"{seconds:.0f} s" + (", too long" if seconds > CHOSEN.snapshot_s else "")


def parameters() -> Iterator[str]:
    """Yield what the figures are made of."""
    for values in (MEASURED, CHOSEN):
        yield ", ".join(f"{name} {value:,g}" for name, value in values._asdict().items())


def main(rates: Sequence[float] = RATES) -> None:
    """Print all."""
    for part in (parameters(), grown(), table(rates)):
        print("\n".join(part), end="\n\n")


if __name__ == "__main__":
    main([float(arg) for arg in sys.argv[1:]] or RATES)
