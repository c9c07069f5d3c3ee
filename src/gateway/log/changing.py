"""A directory of people whose sources change while it is open."""

from collections.abc import Mapping

from gateway.log import people_store as store
from gateway.log.people import Directory, Minter


class ChangingDirectory(Directory):
    """`Directory`, for a gateway whose configuration is reloaded."""

    async def prepare(self, minters: Mapping[str, Minter | None]) -> None:
        """Follow further sources beside those of now.

        Raises:
            LogError: the log cannot be read.
        """
        self.replace({**minters, **self._minters})
        if self._minters and self._idle is None:
            await self._begin()

    def replace(self, minters: Mapping[str, Minter | None]) -> None:
        """Follow these sources from the next read of the log on; a read under way goes on with those before."""
        self._minters |= minters
        self._learner = store.Learner(self._writes, {name: self._vendor_id(name) for name in minters})
