"""No window of any alignment is exceeded, and little of what is allowed is left unused."""

import random
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapter import Window
from gateway.delivery.limiter import ANY, Gate, Limiter
from gateway.delivery.spec import LimiterState, dump_state, load_state
from tests.unit.delivery.vendor_adapter import window

WINDOWS = st.lists(
    st.builds(
        window,
        st.integers(1, 12),
        st.sampled_from([0.1, 1.0, 7.0, 60.0]),
        st.sampled_from(["requests", "events"]),
    ),
    min_size=1,
    max_size=3,
)


class Clock:
    """A gate driven by hand: requests wait, start, are answered after their latency."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.now = 0.0
        self.flying: list[tuple[float, float, int]] = []
        self.done: list[tuple[float, float, int]] = []

    def land(self, until: float) -> None:
        """Let answers come up to a moment."""
        while self.flying and min(self.flying)[0] <= until:
            end, start, events = min(self.flying)
            self.flying.remove((end, start, events))
            self.now = end
            self.gate.give(events, end)
            self.done.append((start, end, events))
        self.now = max(self.now, until)

    def send(self, events: int, latency: float) -> None:
        """Start a request as soon as the gate lets it."""
        events = min(events, self.gate.largest)
        while self.gate.room(self.now) < events:
            opens = self.gate.opens_at(self.now)
            answer = min(self.flying)[0] if self.flying else inf
            self.land(max(min(opens if opens > self.now else self.now + 0.01, answer), self.now))
        self.gate.take(events, self.now)
        self.flying.append((self.now + latency, self.now, events))


def exceeds(moments: list[tuple[float, int]], one: Window) -> bool:
    """Tell whether some half-open interval of the window's length holds more than its count."""
    moments = sorted(moments)
    for first, (begin, _) in enumerate(moments):
        inside = sum(n for at, n in moments[first:] if at < begin + one.seconds - 1e-6)
        if inside > one.count:
            return True
    return False


@settings(max_examples=80, deadline=None)
@given(
    windows=WINDOWS,
    requests=st.lists(
        st.tuples(st.floats(0, 3), st.integers(1, 5), st.floats(0, 4), st.floats(0, 1)), min_size=1, max_size=40
    ),
    seed=st.integers(0, 100),
)
def test_no_window_is_exceeded_wherever_between_start_and_answer_the_vendor_counts(
    windows: list[Window], requests: list[tuple[float, int, float, float]], seed: int
) -> None:
    gate = Limiter(random.Random(seed).random).gate("events", windows)
    clock = Clock(gate)
    for gap, events, latency, _ in requests:
        clock.land(clock.now + gap)
        clock.send(events, latency)
    clock.land(inf)
    seen = [start + (end - start) * part for (start, end, _), (_, _, _, part) in zip(clock.done, requests, strict=True)]
    for one in windows:
        amounts = [events if one.unit == "events" else 1 for _, _, events in clock.done]
        assert not exceeds(list(zip(seen, amounts, strict=True)), one)


@pytest.mark.parametrize(("count", "seconds"), [(1, 1.0), (10, 1.0), (700, 60.0), (3, 0.2)])
def test_a_steady_sender_uses_nearly_all_that_is_allowed(count: int, seconds: float) -> None:
    clock = Clock(Limiter(random.Random(5).random).gate("events", [window(count, seconds)]))
    while clock.now < 30 * seconds:
        clock.send(1, 0.0)
        clock.land(clock.now)
    assert len(clock.done) / (count * clock.now / seconds) >= 0.95


def test_waiting_requests_come_back_spread() -> None:
    clock = Clock(Limiter(random.Random(5).random).gate("events", [window(10, 1.0)]))
    for _ in range(20):
        clock.send(1, 0.0)
        clock.land(clock.now)
    second = sorted(start for start, _, _ in clock.done)[10:]
    assert len(set(second)) >= 5
    assert 1.0 <= min(second) <= max(second) <= 1.1


def test_a_window_is_shared_by_name() -> None:
    limiter = Limiter(lambda: 0.0)
    one = limiter.gate("one", [window(2, 10.0, shared="account")])
    two = limiter.gate("two", [window(2, 10.0, shared="account"), window(9, 1.0)])
    one.take(1, 0.0)
    two.take(1, 0.0)
    assert one.room(0.0) == two.room(0.0) == 0
    one.give(1, 3.0)
    two.give(1, 4.0)
    assert two.opens_at(5.0) == pytest.approx(13.0, abs=0.1)
    assert one.room(13.1) == ANY


def test_a_targets_own_window_holds_over_all_its_endpoints() -> None:
    limiter = Limiter(lambda: 0.0)
    gates = [limiter.gate(name, [], target="crm", own=[window(1, 1.0)]) for name in ("one", "two")]
    gates[0].take(5, 0.0)
    assert gates[1].room(0.0) == 0
    assert gates[1].opens_at(0.0) == inf


def test_who_waits_for_an_answer_is_told() -> None:
    limiter = Limiter(lambda: 0.0)
    gate = limiter.gate("events", [window(1, 1.0)])
    heard: list[str] = []
    limiter.listen(lambda: heard.append("freed"))
    gate.take(1, 0.0)
    gate.give(1, 1.0)
    assert heard == []
    assert gate.opens_at(2.1) == 2.1
    gate.take(1, 2.1)
    assert gate.opens_at(2.1) == inf
    gate.give(1, 3.0)
    assert heard == ["freed"]


def test_a_pause_ends_with_one_request_after_the_other() -> None:
    gate = Limiter(random.Random(3).random).gate("events", [])
    gate.pause(10.0, 0.0)
    gate.pause(5.0, 0.0)
    assert gate.room(9.99) == 0
    now, starts = 0.0, []
    for _ in range(15):
        now = max(now, gate.opens_at(now))
        gate.take(1, now)
        starts.append(now)
    assert 10.0 <= starts[0] <= 11.0
    assert all(earlier < later for earlier, later in pairwise(starts))
    assert starts[-1] - starts[0] < 1.0


def test_a_clean_restart_forgets_nothing_and_invents_nothing() -> None:
    windows = [window(10, 60.0), window(100, 3600.0)]
    before = Limiter(lambda: 0.0)
    gate = before.gate("events", windows)
    for _ in range(4):
        gate.take(1, 5.0)
        gate.give(1, 5.0)
    gate.take(1, 6.0)
    gate.pause(50.0, 6.0)
    state = load_state(dump_state({"account": before.snapshot(10.0, 1_000.0, clean=True)}))["account"]
    after = Limiter(lambda: 0.0)
    gate = after.gate("events", windows)
    after.restore(state, 500.0, 1_020.0)
    assert [slots.free(500.0) for slots in gate.slots] == [5, 95]
    assert gate.opens_at(500.0) == 520.0
    assert gate.slots[0].free(500.0 - 20 + 55.5 + 0.5) == 9


def test_after_a_crash_as_much_is_taken_as_sent_as_the_windows_would_have_let_through() -> None:
    """Five seconds at 10 a second, after a snapshot that knew of 7."""
    windows = [window(10, 1.0), window(100, 60.0), window(1000, 3600.0), window(30, 60.0, "events")]
    after = Limiter(lambda: 0.0)
    gate = after.gate("events", windows)
    known = {"endpoint events: requests in 3600 s": [(4_000.0, 7)]}
    after.restore(LimiterState(at=1_000.0, clean=False, slots=known), 0.0, 1_002.0)
    assert [slots.free(0.0) for slots in gate.slots] == [0, 40, 933, 0]
    assert gate.opens_at(0.0) == pytest.approx(63.0, abs=0.3)


def test_a_crash_long_ago_costs_nothing() -> None:
    after = Limiter(lambda: 0.0)
    gate = after.gate("events", [window(10, 60.0)])
    after.restore(LimiterState(at=1_000.0, clean=False), 0.0, 1_066.0)
    assert gate.room(0.0) == ANY


@settings(max_examples=60, deadline=None)
@given(windows=WINDOWS, silence=st.floats(0, 4.9), down=st.floats(0, 90), seed=st.integers(0, 100))
def test_no_window_is_exceeded_over_a_crash(windows: list[Window], silence: float, down: float, seed: int) -> None:
    """A process sends all it may, crashes some time after its last snapshot, and another goes on."""
    before = Limiter(random.Random(seed).random)
    first = Clock(before.gate("events", windows))
    while first.now < 8.0 and len(first.done) < 200:
        first.send(1, 0.0)
        first.land(first.now)
    state = before.snapshot(first.now, 1_000.0, clean=False)
    crash = first.now + silence
    while len(first.done) < 400 and first.gate.opens_at(first.now) < crash:
        first.send(1, 0.0)
        first.land(first.now)
    after = Limiter(random.Random(seed).random)
    second = Clock(after.gate("events", windows))
    start = crash + down
    second.now = start
    after.restore(state, start, 1_000.0 + start - crash + silence)
    for _ in range(30):
        second.send(1, 0.0)
        second.land(second.now)
    moments = [(at, events) for at, _, events in (*first.done, *second.done)]
    for one in windows:
        assert not exceeds([(at, events if one.unit == "events" else 1) for at, events in moments], one)


def test_what_is_configured_no_longer_is_forgotten() -> None:
    after = Limiter(lambda: 0.0)
    gate = after.gate("events", [window(1, 1.0)])
    after.restore(LimiterState(at=0.0, clean=True, slots={"gone": [(9.0, 1)]}, pauses={"gone": 9.0}), now=0.0, wall=0.0)
    assert gate.room(0.0) == ANY
