"""What a node does with the log now and then."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import nats.errors

from gateway.errors import LogError
from gateway.log.jetstream.connection import end

Chore = Callable[[], Awaitable[None]]

_LOOK_S: Final = 1.0


class Chores:
    """Does each once in its time, one after the other; one that fails is tried again in its time.

    Args:
        every: chore -> seconds.
    """

    def __init__(self, every: Mapping[Chore, float]) -> None:
        self.fault: str | None = None
        """What crashed last, by a fault of ours; None once a chore has done well again."""
        self._every = every
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; each is done for the first time after its time."""
        self._task = asyncio.get_running_loop().create_task(self._main())

    async def stop(self) -> None:
        """End, whatever is being done."""
        if self._task is not None:
            await end(self._task)

    async def _main(self) -> None:
        done = dict.fromkeys(self._every, time.monotonic())
        while True:
            await asyncio.sleep(_LOOK_S)
            for chore, at in done.items():
                if time.monotonic() >= at + self._every[chore]:
                    await self._try(chore)
                    done[chore] = time.monotonic()

    async def _try(self, chore: Chore) -> None:
        try:
            await chore()
        except (LogError, nats.errors.Error, TimeoutError):
            pass  # the log tells of it
        except Exception as error:  # noqa: BLE001  # whatever it was, chores go on
            self.fault = f"a chore crashed: {error!r}"
        else:
            self.fault = None
