"""Events that are withheld at the last moment, and events whose losses a rule does not want."""

from collections.abc import Mapping

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapter import Loss
from gateway.delivery.losses import policy_of
from gateway.delivery.spec import LossPolicy
from gateway.errors import Withheld
from gateway.event import Commerce, Event
from tests.unit.delivery.vendor_adapter import NEEDLESS, UNENCODABLE, adapter, outbound
from tests.unit.delivery.world import World, event, play

HELD = "Held"


def withholding(one: Event, rule: str, target: str) -> Event:
    if one.name == HELD:
        raise Withheld(f"{rule}: no permission for email")
    return one


def priced(number: int) -> Event:
    """Return an event of whose tax the made-up vendor knows nothing."""
    return msgspec.structs.replace(event(number, who=f"p{number}"), commerce=Commerce(order_id="1"))


def test_what_is_withheld_is_counted_as_dropped_by_its_reason_and_holds_nobody_up() -> None:
    async def story() -> None:
        world = World(transform=withholding)
        await world.deliver([event(n, name=HELD if n % 3 == 0 else "Other") for n in range(30)])
        (status,) = (await world.log.status()).targets
        assert status.dropped_by == {"rule: no permission for email": 10}
        assert (status.delivered, status.missing) == (20, 0)
        assert world.vendor.accepted == [f"e{n}" for n in range(30) if n % 3]

    play(story())


def test_a_parked_event_can_be_withheld_when_its_turn_comes() -> None:
    async def story() -> None:
        taken_back: set[str] = set()

        def transform(one: Event, rule: str, target: str) -> Event:
            if one.id in taken_back:
                raise Withheld("no permission")
            return one

        world = World(transform=transform)
        world.vendor.script = lambda arrival: httpx.Response(500)
        await world.append(event(1), event(2))
        await world.deliverer.start()
        await world.until(lambda: len(world.vendor.arrivals) >= 1)
        taken_back |= {"e1", "e2"}
        await world.deliverer.stop()
        world.build()
        await world.deliverer.start()
        await world.settled()
        await world.deliverer.stop()
        (status,) = (await world.log.status()).targets
        assert (status.dropped_by, status.delivered, status.missing) == ({"no permission": 2}, 0, 0)

    play(story())


@pytest.mark.parametrize("batch", [1, 5])
def test_what_another_event_tells_is_counted_as_dropped(batch: int) -> None:
    async def story() -> None:
        world = World(adapter=adapter(outbound(max_events=batch)))
        names = ["Order", NEEDLESS, NEEDLESS, UNENCODABLE, "Other"]
        await world.deliver([event(n, name=name) for n, name in enumerate(names)])
        (status,) = (await world.log.status()).targets
        assert status.dropped_by == {"its order carries it": 2}
        assert (status.delivered, status.dead, status.missing) == (2, 1, 0)
        assert world.vendor.accepted == ["e0", "e4"]

    play(story())


def test_a_refused_loss_buries_its_event_with_the_ledger_and_the_others_go() -> None:
    async def story() -> None:
        end = outbound(max_events=9)
        world = World(adapter=adapter(end), policies=lambda rule, target: {"commerce": "refuse"})
        await world.deliver([event(1, who="a"), priced(2), event(3, who="c")])
        (letter,) = await world.log.dead_letters()
        assert letter.event_id == "e2"
        assert letter.reason == "the rule 'rule' refuses to lose commerce.tax: no field"
        assert sorted(world.vendor.accepted) == ["e1", "e3"]

    play(story())


def test_a_warned_loss_is_told_and_sent() -> None:
    async def story() -> None:
        world = World(policies=lambda rule, target: {"*": "warn"})
        await world.deliver([priced(1), event(2)])
        assert world.warnings == [("rule", "e1", "crm", "commerce.tax")]
        assert sorted(world.vendor.accepted) == ["e1", "e2"]

    play(story())


@pytest.mark.parametrize(
    ("policies", "path", "expected"),
    [
        ({}, "commerce.tax", "allow"),
        ({"*": "refuse"}, "commerce.tax", "refuse"),
        ({"*": "refuse", "commerce.tax": "allow"}, "commerce.tax", "allow"),
        ({"commerce": "warn", "commerce.tax": "refuse"}, "commerce.tax", "refuse"),
        ({"commerce.tax": "refuse"}, "commerce", "refuse"),
        ({"commerce.tax": "refuse"}, "", "refuse"),
        ({"commerce.items": "warn"}, "commerce.items[3].sku", "warn"),
        ({"commerce.ta": "refuse"}, "commerce.tax", "allow"),
    ],
)
def test_a_policy_is_for_a_path_and_what_touches_it(
    policies: Mapping[str, LossPolicy], path: str, expected: LossPolicy
) -> None:
    assert policy_of(policies, Loss(0, path, "dropped", "x")) == expected


@given(st.sampled_from(["coerced", "renamed"]))
def test_what_arrives_in_another_form_is_no_loss(outcome: str) -> None:
    assert policy_of({"*": "refuse"}, Loss(0, "a", outcome, "x")) == "allow"  # type: ignore[arg-type]  # one of them
