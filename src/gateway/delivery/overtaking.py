"""Which events have held up those behind them for too long."""

from collections.abc import Sequence
from typing import Final

from gateway.delivery.lanes import Item, Lane

APART: Final = " apart "
"""Between the key of a lane and the place of the event that its others go past, in the key of that event's own lane."""


def apart(item: Item) -> str:
    """Return the key of a lane for one event that no longer keeps its place among others."""
    return f"{item.lane.key}{APART}{item.seq}"


def blocking(items: Sequence[Item], wall: float, patience: float) -> list[Item]:
    """Return the first event of each lane that has failed for `patience` seconds while others wait behind it.

    Args:
        items: unsettled ones of busy lanes, each lane's in order and from its head.
        wall: Unix seconds.
    """
    first: dict[Lane, Item] = {}
    for item in items:
        first.setdefault(item.lane, item)
    followed = {item.lane for item in items if first[item.lane] is not item}
    return [
        item
        for lane, item in first.items()
        if item.first_at and wall - item.first_at >= patience and (lane in followed or lane.items or lane.more)
    ]
