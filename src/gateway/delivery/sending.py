"""Sends requests of one target and records what became of their events."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from gateway.adapter import Answer, Encoded, Verdict
from gateway.delivery.backoff import THROTTLE_CAP, Valve, equal_jitter, full_jitter
from gateway.delivery.endpoints import Endpoint
from gateway.delivery.judge import Judgement, login_judgement, pause_of, quota_pause
from gateway.delivery.lanes import Item, Lane, Lanes
from gateway.delivery.line import Unanswered
from gateway.delivery.login import NotLoggedIn
from gateway.delivery.losses import policy_of
from gateway.delivery.overtaking import apart
from gateway.delivery.settling import Settler
from gateway.delivery.spec import Attempt, End, Hooks, TargetSpec
from gateway.log.port import DEFAULT_SHARE, DeadLetter, Parked

BEHIND: Final = "behind an earlier event of its lane"
_ANSWER: Final = 16 * 1024
"""Bytes of an answer that a dead letter keeps."""
_SOON: Final = 0.01
"""Seconds between looks at a gate that has room, but not enough."""
_LOOK_AGAIN: Final = 1.0
"""Seconds between looks at a gate that only an answer can open."""


class Sent(NamedTuple):
    """A request, and what came of it."""

    request: Encoded
    items: Sequence[Item]
    """The events it carried."""
    answer: Answer | None
    judgement: Judgement


class Context(NamedTuple):
    """What the parts of one target's worker share."""

    spec: TargetSpec
    lanes: Lanes
    settler: Settler
    valve: Valve
    hooks: Hooks
    draw: Callable[[], float]
    wall: Callable[[], float]


class Sender:
    """Sends batches for one target; many may be under way at once."""

    def __init__(self, context: Context) -> None:
        self._spec, self._lanes, self._settler, _, self._hooks, self._draw, self._wall = context
        self.context = context
        self.in_flight = 0
        self.overtaken = 0
        self.stopping = False
        self.trouble = ""
        """What went wrong beside the sending."""
        self.history_share = DEFAULT_SHARE
        """Part of the limits that history may use."""
        self.now = asyncio.get_running_loop().time

    async def exchange(self, endpoint: Endpoint, request: Encoded, items: Sequence[Item]) -> Sent:
        """Send one request once the gate is open, and judge the answer."""
        try:
            token = await endpoint.call.token()
        except NotLoggedIn as error:
            return self._not_logged_in(endpoint, Sent(request, items, error.answer, login_judgement(error)))
        gate, events = endpoint.gate, len(request.events)
        begun = self.now()
        while gate.room(begun) < min(events, gate.largest):
            await asyncio.sleep(min(max(gate.opens_at(begun) - begun, _SOON), _LOOK_AGAIN))
            begun = self.now()
        gate.take(events, begun)
        if items and items[0].lane.history:
            gate.charge(events, begun, self.history_share)
        self.in_flight += 1
        answer: Answer | None = None
        try:
            answer = await endpoint.call.send(request.body, request.path, token)
            judgement = endpoint.judge.verdict(answer)
            if judgement.verdict is Verdict.RENEW:
                endpoint.call.spent(token)
        except Unanswered as error:
            judgement = Judgement(Verdict.RETRY, str(error))
        finally:
            self.in_flight -= 1
            gate.give(events, self.now())
        self._pause(endpoint, answer, judgement, begun)
        sent = Sent(request, items, answer, judgement)
        self._observe(endpoint, sent, begun)
        return sent

    def _observe(self, endpoint: Endpoint, sent: Sent, begun: float, *, went_out: bool = True) -> None:
        try:
            self._tell(endpoint, sent, begun, sent.request.body if went_out else None)
        except Exception as error:  # noqa: BLE001 - the request is sent: its outcome must be settled all the same
            self.trouble = f"a hook failed: {error!r}"

    def _not_logged_in(self, endpoint: Endpoint, sent: Sent) -> Sent:
        begun = self.now()
        self._pause(endpoint, sent.answer, sent.judgement, begun)
        self._observe(endpoint, sent, begun, went_out=False)
        return sent

    def _pause(self, endpoint: Endpoint, answer: Answer | None, judgement: Judgement, begun: float) -> None:
        """Stop calling an endpoint for as long as its answer asks."""
        gate, now = endpoint.gate, self.now()
        if answer is None:
            return
        throttled = judgement.verdict is Verdict.THROTTLE
        if not throttled:
            gate.throttles = 0
        elif begun >= gate.paused_at:
            gate.throttles += 1
        wait = quota_pause(answer, self._wall())
        if judgement.verdict is not Verdict.DONE:
            wait = max(wait or 0.0, pause_of(answer, self._wall()) or 0.0) or None
        if wait is None and throttled:
            wait = equal_jitter(max(gate.throttles, 1), self._spec.backoff_base, THROTTLE_CAP, self._draw)
        if wait:
            gate.pause(now + wait, now)

    def _tell(self, endpoint: Endpoint, sent: Sent, begun: float, body: bytes | None) -> None:
        if self._hooks.on_loss is not None and sent.request.lost:
            pairs = zip(sent.request.events, sent.items, strict=True)
            sources = {at: item.event.source.name for at, item in pairs if item.event is not None}
            for loss in sent.request.lost:
                self._hooks.on_loss(sources.get(loss.event, ""), self._spec.name, loss)
        if self._hooks.policies is not None and sent.request.lost:
            self._warn(sent)
        if self._hooks.observe is not None:
            self._hooks.observe(
                Attempt(
                    target=self._spec.name,
                    endpoint=endpoint.outbound.name,
                    events=tuple([item.event.id for item in sent.items if item.event is not None]),
                    status=None if sent.answer is None else sent.answer.status,
                    verdict=sent.judgement.verdict,
                    why=sent.judgement.why,
                    attempt=1 + max([item.attempts for item in sent.items]),
                    seconds=self.now() - begun,
                    request_bytes=len(sent.request.body),
                    method=endpoint.outbound.method,
                    path=sent.request.path or endpoint.outbound.path,
                    body=body,
                    answer=sent.answer,
                    masked=endpoint.masked,
                )
            )

    def _warn(self, sent: Sent) -> None:
        """Tell of losses that rules want to be told of."""
        hooks = self._hooks
        if hooks.policies is None or hooks.on_warning is None:
            return
        for at, item in zip(sent.request.events, sent.items, strict=True):
            policies = hooks.policies(item.rule, self._spec.name)
            for loss in sent.request.lost:
                if loss.event == at and item.event is not None and policy_of(policies, loss) == "warn":
                    hooks.on_warning(item.rule, item.event.id, self._spec.name, loss)

    def delivered(self, item: Item) -> None:
        """The target has an event."""
        self._settler.delivered(item)
        self._lanes.settled(item)

    def drop(self, item: Item, why: str) -> None:
        """An event is not for the target after all."""
        self._end(item, "dropped", why)
        self._settler.dropped(item, why)
        self._lanes.settled(item)

    def _end(self, item: Item, outcome: Literal["dropped", "dead"], why: str) -> None:
        if self._hooks.on_end is None:
            return
        try:
            self._hooks.on_end(End(self._spec.name, item.event.id if item.event else "", outcome, why))
        except Exception as error:  # noqa: BLE001 - the event must be settled all the same
            self.trouble = f"a hook failed: {error!r}"

    def bury(self, item: Item, reason: str, endpoint: Endpoint | None = None, sent: Sent | None = None) -> None:
        """Give an event up: a dead letter with all that is known."""
        self._end(item, "dead", reason)
        mask = endpoint.masked if endpoint else bytes
        answer = sent.answer if sent else None
        letter = DeadLetter(
            target=self._spec.name,
            seq=item.seq,
            event_id=item.event.id if item.event else "",
            rule=item.rule,
            body=item.body,
            reason=reason,
            died_at=datetime.fromtimestamp(self._wall(), UTC),
            attempts=item.attempts + (1 if sent else 0),
            lane=item.lane.key,
            endpoint=endpoint.outbound.name if endpoint else None,
            request=mask(sent.request.body) if sent else None,
            status=answer.status if answer else None,
            answer=mask(answer.body)[:_ANSWER] if answer else None,
        )
        self._settler.dead(item, letter)
        self._lanes.settled(item)

    def failed(self, endpoint: Endpoint, sent: Sent, blocking: Collection[Item] = ()) -> dict[Lane, tuple[float, str]]:
        """Count a failure of each event, bury those that failed for too long, and return how long their lanes wait.

        Args:
            blocking: those that others have waited behind for too long.
        """
        wall = self._wall()
        asked = pause_of(sent.answer, wall) if sent.answer else None
        failing: dict[Lane, tuple[float, str]] = {}
        for item in sent.items:
            item.first_at = item.first_at or wall
            if wall - item.first_at >= self._spec.max_age:
                days = self._spec.max_age / 86_400
                self.bury(item, f"given up on after {days:g} days: {sent.judgement.why}", endpoint, sent)
                continue
            if item in blocking and self._spec.overtaking == "dead_letter":
                hours = self._spec.lane_patience / 3_600
                self.bury(item, f"held up its lane for {hours:g} hours: {sent.judgement.why}", endpoint, sent)
                continue
            item.attempts += 1
            if item in blocking:
                self._set_apart(item)
            if item.lane not in failing:
                wait = full_jitter(item.attempts, self._spec.backoff_base, self._spec.backoff_cap, self._draw)
                failing[item.lane] = (wall + max(wait, asked or 0.0), sent.judgement.why)
        return failing

    def _set_apart(self, item: Item) -> None:
        """Give an event a lane of its own, so that those behind it go past."""
        self.overtaken += 1
        self._settler.set_apart(item, self._lanes.get(apart(item)))

    def park(self, lane: Lane, due: float, reason: str) -> None:
        """Have a lane wait: its events get rows beside the log, so that the cursor moves on."""
        for item in lane.items:
            if item.attempts or not (item.durable or isinstance(item.fate, Parked)):
                self._settler.park(item, self.row(item, due, reason if item.attempts else BEHIND))
        self._lanes.rest(lane, due, reason)

    def row(self, item: Item, due: float, reason: str) -> Parked:
        """Return an event's row beside the log."""
        return Parked(item.seq, item.lane.key, due, item.attempts, reason, item.first_at or self._wall())
