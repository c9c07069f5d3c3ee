"""What a log knows of one target, checked at every change."""

from dataclasses import dataclass, field

from gateway.log.port import DeadLetter, Parked, Settlement


@dataclass
class MemoryTarget:
    """One target's place, sums and exceptions."""

    cursor: int = 0
    delivered: int = 0
    parked: dict[int, Parked] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)

    def apply(self, settlement: Settlement, passed: set[int]) -> None:
        """Record a settlement.

        Args:
            passed: the target's events that the cursor passes.
        """
        assert settlement.cursor is None or settlement.cursor > self.cursor, "the cursor only moves on"
        rows = {row.seq for row in settlement.park}
        dead = {letter.seq for letter in settlement.dead}
        unparked = set(settlement.unpark)
        assert len(unparked) == len(settlement.unpark)
        assert len(dead) == len(settlement.dead)
        assert unparked <= set(self.parked), "only what is parked can be unparked"
        assert not rows & unparked
        assert rows <= passed | set(self.parked), "a row is parked when the cursor passes it, or changed"
        assert dead <= passed | unparked, "a letter is written when the cursor passes it, or with its row"
        assert not rows & dead
        dropped = sum(settlement.dropped.values())
        assert settlement.delivered + dropped == len((passed | unparked) - rows - dead)
        self.cursor = settlement.cursor or self.cursor
        self.delivered += settlement.delivered
        for reason, events in settlement.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + events
        for row in settlement.park:
            self.parked[row.seq] = row
        for seq in unparked:
            del self.parked[seq]
