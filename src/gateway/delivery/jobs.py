"""One batch on its way to the target, and what each verdict does to it."""

from collections.abc import Collection, Sequence
from enum import Enum, auto

from gateway.adapter import Encoded, Verdict
from gateway.delivery.batching import Batch, encode
from gateway.delivery.endpoints import Endpoint
from gateway.delivery.insisting import insist
from gateway.delivery.judge import Judgement
from gateway.delivery.lanes import Item, Lane
from gateway.delivery.losses import refused
from gateway.delivery.overtaking import blocking
from gateway.delivery.sending import Sender, Sent


class _Step(Enum):
    """How a batch goes on after a request."""

    NEXT = auto()
    """With the next request."""
    ANEW = auto()
    """With what is left, cut and encoded anew."""
    STOP = auto()
    """Not now: what is left goes back to its lanes."""


class Job:
    """Events of busy lanes, sent in as many requests as it takes, one after the other.

    Args:
        items: in order, each lane's without a gap.
        probe: whether it finds out for a stopped target; such a job holds a single event.
        history: whether its events are sent again.
    """

    def __init__(
        self, sender: Sender, endpoint: Endpoint, items: list[Item], *, probe: bool, history: bool = False
    ) -> None:
        self._sender = sender
        self._lanes = sender.context.lanes
        self._valve = sender.context.valve
        self._now = sender.now
        self._endpoint = endpoint
        self.probe = probe
        self.history = history
        self._items = items
        self._busy = {item.lane: None for item in items}
        self._groups: list[Sequence[Item]] = [items]
        self._halves: tuple[Sequence[Item], ...] = ()
        self._failing: dict[Lane, tuple[float, str]] = {}

    async def run(self) -> None:
        """Send as much as goes; what has to wait goes back to its lanes, whose turn is then over."""
        if self.probe:
            self._valve.probe()
        try:
            while self._groups and await self._carry(self._groups.pop()):
                pass
        finally:
            if self.probe:
                self._valve.probed()
            self._finish()

    async def _carry(self, group: Sequence[Item]) -> bool:
        """Send one group; return whether the job goes on."""
        requests = self._encoded(group)
        for number, request in enumerate(requests):
            items = [group[at] for at in request.events]
            step = await self._one(request, items, _final(requests, number, items))
            if step is _Step.STOP:
                return False
            if step is _Step.ANEW:
                break
        self._come_again(group)
        return True

    def _encoded(self, group: Sequence[Item]) -> list[Encoded]:
        """Return the group's requests; none when it has to come again without its buried events, or smaller."""
        batch = encode(self._endpoint, group)
        context = self._sender.context
        if unwanted := refused(context.hooks, context.spec.name, batch.requests, group):
            batch = Batch([], unwanted)
        for at, reason in batch.failed.items():
            self._sender.bury(group[at], reason, self._endpoint)
        for at, reason in batch.needless.items():
            self._sender.drop(group[at], reason)
        if not batch.requests and not batch.failed and not batch.needless:
            self._halve(group)
        return batch.requests

    def _come_again(self, group: Sequence[Item]) -> None:
        """Have what is left of a group sent next: its halves, where it was split, and then the rest."""
        if not self._halves and all(item.settled for item in group):
            return
        halves, self._halves = self._halves, ()
        halved = {item.seq for half in halves for item in half}
        rest = [item for item in group if not item.settled and item.seq not in halved]
        self._groups += [part for part in (rest, *reversed(halves)) if part]

    async def _one(self, request: Encoded, items: Sequence[Item], final: Sequence[Item]) -> _Step:
        """Send one request and do what its verdict says."""
        if self._sender.stopping or not (self.probe or self._valve.running):
            return _Step.STOP
        if (size := len(request.body)) > (limit := self._endpoint.outbound.max_body):
            why = Judgement(Verdict.SPLIT, f"{size} bytes in one request, where the vendor takes {limit}")
            return self._split(Sent(request, items, None, why))
        sent = await insist(self._sender, self._endpoint, request, items)
        verdict = sent.judgement.verdict
        if verdict is Verdict.DONE:
            return self._done(sent, final)
        if verdict is Verdict.RETRY:
            return self._retry(sent)
        if verdict is Verdict.THROTTLE:
            self._valve.answers()
            return _Step.STOP
        if verdict is Verdict.HOLD:
            self._valve.hold(sent.judgement.why, self._now())
            return _Step.STOP
        self._valve.works(probe=self.probe)
        if verdict is Verdict.SPLIT:
            return self._split(sent)
        return self._reject(sent)

    def _done(self, sent: Sent, final: Sequence[Item]) -> _Step:
        """The vendor took the request: all of it, but for what the answer names."""
        self._valve.works(probe=self.probe)
        answer, named = sent.answer, {}
        if answer is not None and answer.body and self._endpoint.outbound.guilty is not None:
            named = self._endpoint.judge.guilty(answer, sent.request)
            self._bury(sent, named)
        for item in final:
            if not item.settled:
                self._sender.delivered(item)
        return _Step.NEXT

    def _bury(self, sent: Sent, named: dict[int, str]) -> None:
        for position, reason in named.items():
            item = sent.items[position]
            if not item.settled:
                self._sender.bury(item, reason or sent.judgement.why, self._endpoint, sent)

    def _retry(self, sent: Sent) -> _Step:
        """No answer, or a fault of the vendor's: the lanes wait, unless the whole target does already."""
        counts = self._valve.state == "running" or (self._valve.state == "open" and self.probe)
        self._valve.fails(sent.items[0].lane.key, sent.judgement.why, self._now(), probe=self.probe)
        if counts:
            held_up = self._blocking() if self._valve.running else ()
            self._failing = self._sender.failed(self._endpoint, sent, held_up)
        return _Step.STOP

    def _blocking(self) -> Collection[Item]:
        context = self._sender.context
        patience = context.spec.lane_patience
        return blocking([item for item in self._items if not item.settled], context.wall(), patience)

    def _split(self, sent: Sent) -> _Step:
        """Too much at once: halves; one event alone is given up."""
        if len(sent.items) == 1:
            self._sender.bury(sent.items[0], f"{sent.judgement.why}: too large by itself", self._endpoint, sent)
        else:
            self._halve(sent.items)
        return _Step.ANEW

    def _reject(self, sent: Sent) -> _Step:
        """Never: for the events that the answer names, or for one that is found by splitting."""
        named = self._endpoint.judge.guilty(sent.answer, sent.request) if sent.answer is not None else {}
        if not named and len(sent.items) == 1:
            named = {0: sent.judgement.why}
        if named:
            self._bury(sent, named)
        else:
            self._halve(sent.items)
        return _Step.ANEW

    def _halve(self, items: Sequence[Item]) -> None:
        middle = len(items) // 2
        self._halves = (items[:middle], items[middle:])

    def _finish(self) -> None:
        """Put back what was not settled; park the lanes that failed; let the others go on."""
        if left := [item for item in self._items if not item.settled]:
            self._lanes.put_back(left)
        for lane in {**self._busy, **{item.lane: None for item in self._items}}:
            if lane in self._failing:
                self._sender.park(lane, *self._failing[lane])
            else:
                self._lanes.release(lane)


def _final(requests: Sequence[Encoded], number: int, items: Sequence[Item]) -> Sequence[Item]:
    """Return those of a request's events that no later request carries as well."""
    later = {at for request in requests[number + 1 :] for at in request.events}
    if not later:
        return items
    return [item for at, item in zip(requests[number].events, items, strict=True) if at not in later]
