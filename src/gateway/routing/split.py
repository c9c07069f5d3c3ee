"""One of several targets for each profile: by its identity alone, so always the same one.

Weighted rendezvous hashing: each target draws a number from the profile's identity and its own name, weighted by its
share; the highest wins. Raising one share therefore only brings profiles to that target, and lowering it takes the
same ones away again; nobody else moves between the others but to make room.
"""

from collections.abc import Mapping
from hashlib import blake2b
from math import log
from typing import Final

from gateway.event import Event, lane
from gateway.routing.entries import SplitEntry

_RANGE: Final = float(1 << 64)


class Split:
    """A rule's choice among its targets."""

    def __init__(self, entry: SplitEntry) -> None:
        self._by = entry.by
        self._shares = [(target, share) for target, share in entry.percent.items() if share > 0]
        self.targets = frozenset(entry.percent)

    @property
    def shares(self) -> dict[str, float]:
        """Return the targets that get anybody, and how many of a hundred."""
        return dict(self._shares)

    def choose(self, event: Event) -> str:
        """Return the one target for the event's profile."""
        who = self._identity(event)
        return max(self._shares, key=lambda one: _draw(who, *one))[0]

    def _identity(self, event: Event) -> str:
        if self._by == "profile":
            return _plain(lane(event))
        value: str | None = getattr(event.profile, self._by)
        return _plain(value or lane(event))


def _plain(text: str) -> str:
    """Return an identifier as it is compared: e-mail addresses in lower case."""
    return text.strip().lower() if "@" in text else text


def _draw(who: str, target: str, share: float) -> float:
    digest = blake2b(f"{who}\x1f{target}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return -share / log((int.from_bytes(digest, "big") + 0.5) / _RANGE)


def wrong_shares(percent: Mapping[str, float]) -> str | None:
    """Return what is wrong with a split's shares, None when they are right."""
    if not percent:
        return "a split needs targets"
    if any(share < 0 for share in percent.values()):
        return "a share cannot be less than 0"
    total = sum(percent.values())
    return None if abs(total - 100) < _NEAR else f"the shares add up to {total:g}, not 100"


_NEAR: Final = 1e-6
