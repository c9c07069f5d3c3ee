"""Fixed windows, counted as the vendor counts them."""

from gateway.adapter import Quota, Window
from gateway.inbound.quota import Counter, Counters

BURST = Window(count=2, seconds=1, source="x", read="")
STEADY = Window(count=3, seconds=60, source="x", read="")


def of(*windows: Window) -> Counter:
    counter = Counters().of(windows)
    assert counter is not None
    return counter


def test_both_windows_hold_at_once() -> None:
    counter = of(BURST, STEADY)
    assert [counter.take(now, 1, enforce=True) for now in (0, 0.1, 0.2, 1.0, 2.0, 60.0)] == [
        None,
        None,
        1,
        None,
        58,
        None,
    ]


def test_a_refused_request_costs_nothing() -> None:
    counter = of(BURST)
    for _ in range(5):
        counter.take(0, 1, enforce=True)
    assert counter.quota(0) == Quota(2, 0, 1)


def test_what_is_left_describes_the_longest_window() -> None:
    counter = of(BURST, STEADY)
    assert counter.quota(0) == Quota(3, 3, 60)
    counter.take(0, 1, enforce=False)
    assert counter.quota(10) == Quota(3, 2, 50)


def test_without_enforcement_everything_fits_and_nothing_goes_below_zero() -> None:
    counter = of(BURST)
    assert [counter.take(0, 1, enforce=False) for _ in range(5)] == [None] * 5
    assert counter.quota(0).remaining == 0


def test_windows_of_events_count_events_and_one_large_batch_passes_an_empty_window() -> None:
    counter = of(Window(count=10, seconds=1, unit="events", source="x", read=""))
    assert counter.take(0, 8, enforce=True) is None
    assert counter.take(0, 3, enforce=True) == 1
    assert counter.take(1, 50, enforce=True) is None


def test_a_shared_window_is_one_for_all_endpoints() -> None:
    shared = Window(count=2, seconds=1, source="x", read="", shared="rest")
    counters = Counters()
    contacts, orders = counters.of((shared,)), counters.of((shared, STEADY))
    assert contacts is not None
    assert orders is not None
    assert [one.take(0, 1, enforce=True) for one in (contacts, orders, contacts, orders)] == [None, None, 1, 1]
    assert counters.of(()) is None


def test_a_window_that_the_vendor_did_not_publish_is_not_counted() -> None:
    assert Counters().of((Window(count=1, seconds=1, source="our choice: careful", read="", ours=True),)) is None
