"""What a log knows of the view it reads: how far that is, whoever keeps it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

T = TypeVar("T")


class Following(Protocol):
    """What tells how far the view is."""

    fault: str | None
    """Why that cannot be told, or goes no further; None while it does."""

    @property
    def applied(self) -> int:
        """Up to which message everything is done."""

    async def reach(self, sequence: int) -> None:
        """Wait until everything up to a message is done."""

    def hurrying(self) -> AbstractContextManager[None]:
        """Have the view do what comes at once, for as long as somebody waits for it."""

    async def work(self, work: Callable[[], T]) -> T:
        """Have something done with the view between messages."""

    async def stop(self) -> None:
        """End."""
