"""Alarms, on the event loop that the gateway runs on and on asyncio's own."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from gateway.delivery.bell import Bell


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_moments_that_have_passed_ring_at_once_however_often_they_are_asked_for(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """uvloop gives another kind of handle for them, which cannot be asked when it is due."""

    async def story() -> None:
        bell = Bell()
        now = asyncio.get_running_loop().time()
        for when in (now + 60, now, now - 1, now + 5):
            bell.ring_at(when)
        async with asyncio.timeout(1):
            await bell.wait()
        bell.ring_at(now + 60)
        bell.silence()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story())
