"""The tables of docs/scaling.md are what the simulation prints, and the simulation behaves as its subject would."""

from pathlib import Path

from benchmarks import scaling
from benchmarks.scaling import CHOSEN, Cell, hours, plan, simulate

TEXT = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()


def test_the_document_says_what_the_simulation_prints() -> None:
    for part in (scaling.parameters(), scaling.grown(), scaling.table(scaling.RATES)):
        assert "\n".join(part) in TEXT


def test_a_plan_bears_its_load_without_a_node_and_no_plan_is_smaller_for_more() -> None:
    plans = [plan(rate) for rate in (1_000, 5_000, 20_000, 50_000)]
    for cells, cell in plans:
        assert max(cell.uses(cell.nodes - 1).values()) <= CHOSEN.busy_without_one
        assert cells * cell.nodes >= 2
    sizes = [cells * cell.nodes for cells, cell in plans]
    assert sizes == sorted(sizes)


def test_what_waits_is_what_came_and_was_not_sent() -> None:
    cell = Cell(1_000, 2)
    told = hours(cell, outage_s=100, seconds=2_000)
    before, end = told[scaling.WARM_S - 1], told[scaling.WARM_S + 99]
    assert before.queued < cell.rate
    assert 0.8 * 100 * cell.rate < end.queued - before.queued < 1.2 * 100 * cell.rate
    assert told[-1].queued < cell.rate
    assert max(second.waits for second in told) == 0


def test_the_same_is_said_every_time() -> None:
    assert simulate(5_000) == simulate(5_000)
