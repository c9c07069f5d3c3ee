"""Waits, and the valve of a target."""

from math import inf

import pytest

from gateway.delivery.backoff import OPEN_CAP, THRESHOLD, Flow, Valve, equal_jitter, full_jitter


@pytest.mark.parametrize(("attempt", "longest"), [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (10_000, 300)])
def test_waits_double_up_to_the_cap(attempt: int, longest: float) -> None:
    assert full_jitter(attempt, 1.0, 300.0, lambda: 1.0) == longest
    assert full_jitter(attempt, 1.0, 300.0, lambda: 0.0) == 0.0
    assert equal_jitter(attempt, 1.0, 300.0, lambda: 0.0) == longest / 2


def opened(valve: Valve, now: float = 0.0) -> Valve:
    for number in range(THRESHOLD):
        valve.fails(f"lane {number}", "HTTP 500", now, probe=False)
    return valve


def test_one_lane_alone_never_opens_the_circuit() -> None:
    valve = Valve(lambda: 1.0)
    for _ in range(100):
        valve.fails("lane", "HTTP 500", 0.0, probe=False)
    assert valve.flow(0.0) is Flow.ALL


def test_a_success_in_between_keeps_the_circuit_closed() -> None:
    valve = Valve(lambda: 1.0)
    for number in range(100):
        valve.fails(f"lane {number}", "HTTP 500", 0.0, probe=False)
        if number % 4 == 3:
            valve.works(probe=False)
    assert valve.running


def test_the_circuit_lets_one_probe_through_and_waits_longer_each_time() -> None:
    valve = opened(Valve(lambda: 1.0))
    now, waits = 0.0, []
    for _ in range(9):
        assert valve.flow(now) is Flow.NONE
        waits.append(valve.opens_at() - now)
        now = valve.opens_at()
        assert valve.flow(now) is Flow.ONE
        valve.probe()
        assert valve.flow(now) is Flow.NONE
        assert valve.opens_at() == inf
        valve.fails("lane 9", "HTTP 502", now, probe=True)
        valve.probed()
    assert waits == [1, 2, 4, 8, 16, 32, OPEN_CAP, OPEN_CAP, OPEN_CAP]
    assert valve.reason == "HTTP 502"
    valve.works(probe=True)
    assert (valve.flow(now), valve.reason) == (Flow.ALL, "")
    assert opened(valve, now).opens_at() == now + 1


def test_late_failures_do_not_prolong_an_open_circuit() -> None:
    valve = opened(Valve(lambda: 1.0))
    valve.fails("late", "HTTP 500", 0.9, probe=False)
    assert valve.opens_at() == 1.0


def test_a_held_target_goes_on_only_with_a_probe_or_a_person() -> None:
    valve = Valve(lambda: 1.0, hold_probe=60.0)
    valve.hold("HTTP 401", 0.0)
    valve.works(probe=False)
    valve.answers()
    assert (valve.state, valve.flow(59.9), valve.flow(60.0)) == ("held", Flow.NONE, Flow.ONE)
    valve.fails("lane", "HTTP 500", 60.0, probe=True)
    assert (valve.state, valve.flow(119.0)) == ("held", Flow.NONE)
    valve.works(probe=True)
    assert valve.running
    valve.hold("HTTP 401", 200.0)
    valve.release()
    assert valve.flow(200.0) is Flow.ALL


def test_too_fast_means_not_down() -> None:
    valve = opened(Valve(lambda: 1.0))
    valve.answers()
    assert valve.running
